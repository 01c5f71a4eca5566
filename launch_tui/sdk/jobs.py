"""What a person does with jobs: make them from folders and repositories, name, compare, delete."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.domain.given import check_text
from launch_tui.domain.home_path import at_home
from launch_tui.domain.job import (
    CodeSource,
    Environment,
    GitSource,
    ImageSource,
    JobKind,
    JobVersion,
    VenvMode,
    check_job_name,
    safe_name,
)
from launch_tui.errors import NotFound, UsageError
from launch_tui.sdk.queues import check_tracking
from launch_tui.sdk.source_files import RepositoryFiles, SnapshotFiles
from launch_tui.store import jobs
from launch_tui.store.artifacts import ArtifactStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from launch_tui.domain.job import Source
    from launch_tui.sdk.importing import ImportRequest
    from launch_tui.sdk.source_files import SourceFiles
    from launch_tui.sources.code_diff import CodeDiff
    from launch_tui.store.database import Database

REQUIREMENT_FILES = ("requirements.txt", "pyproject.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A job version and what making it did: ``created``, ``updated`` or ``unchanged``."""

    job: JobVersion
    outcome: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDiff:
    """What differs between two versions: fields as ``(name, old, new)``, and their files."""

    fields: tuple[tuple[str, str, str], ...]
    files: CodeDiff | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What a job is to be made from.

    ``place`` is a folder (code) or a repository's URL or path (git). ``entry_point`` None takes
    the only one of main.py and train.py. ``python_version`` is ``3.X``; ``python`` an existing
    interpreter; ``venv`` ``current``, ``none``, ``conda:NAME`` or empty. ``entry_point_optional``
    lets a folder without an entry point become a job whose launches bring their own, and keeps all
    that was decided about a job that exists: only its files are looked at again. Of an image
    ``place`` is the reference. ``base_image`` is an image to mount the code into; ``dockerfile``
    and ``context`` are paths in the job's files that its image is built from.
    """

    place: str
    kind: JobKind = JobKind.CODE
    name: str = ""
    entry_point: str | Sequence[str] | None = None
    entry_point_optional: bool = False
    ref: str | None = None
    aliases: tuple[str, ...] = ()
    python_version: str = ""
    python: str = ""
    venv: str = ""
    links: tuple[str, ...] = ()
    tracking: str = "required"
    description: str = ""
    inputs: Mapping[str, Any] | None = None
    accept_large: bool = False
    base_image: str = ""
    dockerfile: str = ""
    context: str = ""
    came_from: str = ""
    """What the job says its files are from, where that is not ``place``."""


class Jobs:
    """The jobs of a data directory. ``reference`` is ``name``, ``name:v3`` or ``name:alias``."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.artifacts = ArtifactStore(db.home.artifacts)

    def files(self, source: CodeSource | GitSource) -> SourceFiles:
        """Return the files of a code or git job's version, as it was taken."""
        if isinstance(source, CodeSource):
            return SnapshotFiles(source, Path(source.path), self.artifacts)
        return RepositoryFiles(source, self._db.home.repositories)

    def create(self, request: JobRequest) -> Created:
        """Make a job, or a new version of it if anything changed."""
        check_tracking(request.tracking)
        for alias in request.aliases:
            jobs.check_alias(alias)
        check_text(request.description, field="-d")
        if request.inputs:
            from launch_tui.domain.declared import normalised
            from launch_tui.domain.given_schema import check_given_schema

            request = replace(request, inputs=normalised(request.inputs))
            check_given_schema(request.inputs or {})
        if request.kind is JobKind.GIT:
            return self._create_git(request)
        if request.kind is JobKind.IMAGE:
            return self._create_image(request)
        return self._create_code(request)

    def import_wandb(self, request: ImportRequest) -> Created:
        """Make a local job of one that W&B has; see ``sdk.importing.import_job``."""
        from launch_tui.sdk.importing import import_job

        return import_job(self, self._db.home, request)

    def list(self) -> Sequence[JobVersion]:
        """Return the latest version of each job."""
        return jobs.every(self._db)

    def get(self, reference: str) -> JobVersion:
        """Return one version."""
        return jobs.get(self._db, reference)

    def versions(self, name: str) -> Sequence[JobVersion]:
        """Return all versions of a job, newest first."""
        return jobs.versions(self._db, name)

    def set_alias(self, reference: str, alias: str) -> JobVersion:
        """Move an alias to a version."""
        return jobs.set_alias(self._db, reference, alias)

    def declare_metric(self, reference: str, key: str, goal: str = "") -> JobVersion:
        """Say which metric tells the runs of a version apart: in lists, and where they are sorted.

        Args:
            reference: The version.
            key: The metric; empty to go by the names of the metrics again.
            goal: ``min`` or ``max``; empty where the name says it, or nobody knows.
        """
        from launch_tui.domain.metrics import Telling

        telling = Telling(key=key, goal=goal) if key else None
        return jobs.declare_metric(self._db, reference, telling)

    def revise(self, reference: str, changes: Mapping[str, Any]) -> Created:
        """Change some fields of a job's newest version, its source staying the same.

        Another command or tracking rule is another version; what is told of one, and what its form
        takes, changes in place, as what finished runs teach does.

        Args:
            reference: The version that it begins with.
            changes: ``description``, ``entry_point`` (argument vector), ``tracking``, ``inputs``.

        Raises:
            UsageError: When a field cannot be what it is changed to.
        """
        check_text(changes.get("description", ""), field="description")
        check_tracking(changes.get("tracking", "required"), field="tracking")
        if "inputs" in changes:
            from launch_tui.domain.given_schema import check_given_schema

            check_given_schema(changes["inputs"], field="inputs")
        changed = replace(jobs.get(self._db, reference), **changes)
        saved = jobs.save_version(self._db, changed)
        if saved.outcome != "unchanged":
            return Created(job=saved.job, outcome=saved.outcome)
        version = f"{saved.job.name}:{saved.job.version}"
        job = jobs.describe(self._db, version, changed.description, changed.inputs)
        return Created(job=job, outcome="updated")

    def delete(self, name: str) -> None:
        """Delete a job with all its versions."""
        jobs.delete(self._db, name)

    def diff(self, old: str, new: str) -> JobDiff:
        """Return what differs between two versions.

        Raises:
            UsageError: When both are one and the same.
        """
        before, after = self.get(old), self.get(new)
        if (before.name, before.version) == (after.name, after.version):
            problem = f"{old} and {new} are one version, {before.name}:{before.version}"
            raise UsageError("JOB", problem, allowed="two versions")
        files = None
        if isinstance(before.source, CodeSource) and isinstance(after.source, CodeSource):
            from launch_tui.sources.code_diff import diff

            files = diff(before.source, after.source, self.artifacts)
        pairs = zip(_described(before), _described(after), strict=True)
        fields = tuple((name, a, b) for (name, a), (_, b) in pairs if a != b)
        return JobDiff(fields=fields, files=files)

    def refreshed(self, job: JobVersion) -> Created:
        """Return a git job whose branch is looked up again: a new version when it has moved.

        A repository that does not answer leaves the job as it is, with a warning: the pinned
        commit may well be in the cache.
        """
        from launch_tui.errors import LaunchError
        from launch_tui.sources import git

        source = job.source
        if not isinstance(source, GitSource):
            return Created(job=job, outcome="unchanged")
        try:
            resolved = git.resolve(
                source.url,
                source.ref,
                self._db.home.repositories,
                subdirectory=source.subdirectory,
            )
        except LaunchError as error:
            warning = f"{error.cause}; using commit {source.commit[:12]} as pinned before"
            return Created(job=job, outcome="unchanged", warnings=(warning,))
        saved = jobs.save_version(self._db, replace(job, source=resolved))
        return Created(job=saved.job, outcome=saved.outcome, warnings=_uncommitted(resolved))

    def _create_code(self, request: JobRequest) -> Created:
        from launch_tui.sources.code import link_path, snapshot

        folder = Path(request.place)
        taken = snapshot(
            folder,
            self.artifacts,
            accept_large=request.accept_large,
            cache_dir=self._db.home.artifacts / "cache",
        )
        resolved = folder.resolve()
        request = replace(request, links=tuple(link_path(x, resolved) for x in request.links))

        source = replace(taken.source, path=request.came_from or taken.source.path)
        files = SnapshotFiles(taken.source, resolved, self.artifacts)
        name = request.name or safe_name(resolved.name or "root")
        job, warnings = self._define(request, name, source, files)
        left_out = [
            f"{path}/ is ignored and the code mentions it: --link {path} puts a link to it into"
            " the working copy"
            for path in taken.mentioned
            if path not in request.links
        ]
        return self._save(request, job, (*taken.warnings, *left_out, *warnings))

    def _create_git(self, request: JobRequest) -> Created:
        from launch_tui.sources import git

        source = git.resolve(request.place, request.ref, self._db.home.repositories)

        files = RepositoryFiles(source, self._db.home.repositories)
        name = request.name or repository_name(source.url)
        job, warnings = self._define(request, name, source, files)
        return self._save(request, job, (*_uncommitted(source), *warnings))

    def _create_image(self, request: JobRequest) -> Created:
        from launch_tui.sdk.image_jobs import image_job

        job, tag = image_job(request)
        return self._save(replace(request, aliases=(*tag, *request.aliases)), job, ())

    def _define(
        self,
        request: JobRequest,
        name: str,
        source: Source,
        files: SourceFiles,
    ) -> tuple[JobVersion, Sequence[str]]:
        check_job_name(name)
        known = self._known(name) if request.entry_point_optional else None
        if known is not None:
            return self._as_before(known, source, files.read), []
        environment = _with_image(resolve_environment(request, files.read), request, files)
        job = JobVersion(
            name=name,
            version="",
            kind=request.kind,
            source=source,
            entry_point=_entry_point(request, files),
            environment=environment,
            tracking=request.tracking,
            links=request.links,
            description=request.description,
            inputs=request.inputs or {},
        )
        return job, _environment_warnings(environment, files.read)

    def _known(self, name: str) -> JobVersion | None:
        try:
            return jobs.get(self._db, name)
        except NotFound:
            return None

    def _as_before(
        self, known: JobVersion, source: Source, read_file: Callable[[str], str | None]
    ) -> JobVersion:
        """Return the next version of a job with new files and everything else as it was decided.

        Requirement files may have come or gone; which environment is in use is the launch's.
        """
        environment = known.environment
        requires = any(read_file(name) is not None for name in REQUIREMENT_FILES)
        if environment.mode is (VenvMode.CURRENT if requires else VenvMode.BUILD):
            found = resolve_environment(JobRequest(place=""), read_file)
            environment = replace(
                environment,
                mode=found.mode,
                python_version=found.python_version,
                interpreter=found.interpreter,
            )
        return replace(known, source=source, environment=environment)

    def _save(self, request: JobRequest, job: JobVersion, warnings: Sequence[str]) -> Created:
        saved = jobs.save_version(self._db, job, request.aliases)
        made, shown = saved.job, () if saved.outcome == "unchanged" else tuple(warnings)
        if request.inputs and saved.outcome == "unchanged":
            # What a job takes is no part of what makes a version: that is its source and command.
            jobs.learn(self._db, f"{made.name}:{made.version}", request.inputs, made.outputs)
            made = jobs.get(self._db, f"{made.name}:{made.version}")
        return Created(job=made, outcome=saved.outcome, warnings=shown)


def _with_image(environment: Environment, request: JobRequest, files: SourceFiles) -> Environment:
    if not (request.base_image or request.dockerfile or request.context):
        return environment
    from launch_tui.sdk.image_jobs import with_image

    return with_image(environment, request, files)


def _entry_point(request: JobRequest, files: SourceFiles) -> tuple[str, ...]:
    from launch_tui.sources.entry_point import resolve_entry_point

    try:
        return resolve_entry_point(
            request.entry_point,
            files.has,
            root_files=files.in_root(),
            is_executable=files.is_executable,
        )
    except UsageError:
        if request.entry_point_optional and request.entry_point is None:
            return ()
        raise


def resolve_environment(request: JobRequest, read_file: Callable[[str], str | None]) -> Environment:
    """Return the environment that a request's flags and files mean.

    ``--python`` and ``--venv`` decide; else requirement files (or an asked Python version) mean one
    that is built; else the environment in use, since many GPU boxes have one made by hand.
    """
    if request.python:
        if request.venv:
            raise UsageError("--python", "cannot be given together with --venv")
        return Environment(mode=VenvMode.PYTHON, interpreter=_existing(request.python))
    if request.venv == "none":
        return Environment(mode=VenvMode.NONE)
    if request.venv == "current":
        return Environment(mode=VenvMode.CURRENT, interpreter=current_interpreter())
    if request.venv.startswith("conda:"):
        from launch_tui.sources.conda import conda_python

        name = request.venv.removeprefix("conda:")
        python = conda_python(name, field="--venv")
        return Environment(mode=VenvMode.PYTHON, interpreter=python)
    if request.venv:
        raise UsageError("--venv", f"{request.venv!r} is none", allowed="current, none, conda:NAME")
    if request.python_version or any(read_file(name) is not None for name in REQUIREMENT_FILES):
        from launch_tui.sources.python_version import python_version

        version = python_version(request.python_version or None, read_file)
        return Environment(mode=VenvMode.BUILD, python_version=version)
    return Environment(mode=VenvMode.CURRENT, interpreter=current_interpreter())


def current_interpreter(environ: Mapping[str, str] = os.environ) -> str:
    """Return the Python in use: the active virtual or conda environment's, else PATH's first."""
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        candidate = Path(environ.get(variable, ""), "bin", "python")
        if environ.get(variable) and candidate.exists():
            return str(candidate)
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        for name in ("python", "python3"):
            candidate = Path(folder, name)
            if folder and os.access(candidate, os.X_OK):
                return str(candidate)
    return ""


def repository_name(url: str) -> str:
    """Return the job name of a repository: the last part of its URL, made safe."""
    return safe_name(url.rstrip("/").removesuffix("/.git").removesuffix(".git").split("/")[-1])


def _uncommitted(source: GitSource) -> tuple[str, ...]:
    from launch_tui.sources import git

    warning = git.uncommitted(source.url)
    return (warning,) if warning else ()


def _existing(python: str) -> str:
    if "\0" in python:
        raise UsageError("--python", "holds a NUL character", allowed="a path")
    path = at_home(python)
    if path.is_dir() and (path / "bin" / "python").exists():
        path = path / "bin" / "python"
    if not os.access(path, os.X_OK) or path.is_dir():
        raise UsageError(
            "--python", f"{python} is no interpreter", allowed="the path of a python executable"
        )
    # Not resolved: a virtual environment is told by the path of its link, not by its target.
    return str(path.absolute())


def _environment_warnings(
    environment: Environment, read_file: Callable[[str], str | None]
) -> list[str]:
    from launch_tui.builders.wandb_check import lacks_wandb

    if environment.base_image or environment.dockerfile:
        # What is in an image is not known here.
        return []
    if not lacks_wandb(read_file, environment):
        return []
    return [
        "wandb is not in the job's environment; a job must call wandb.init unless it has"
        " --tracking optional"
    ]


def _described(job: JobVersion) -> list[tuple[str, str]]:
    source = job.source
    commit = source.commit if isinstance(source, GitSource) else ""
    return [
        ("kind", str(job.kind)),
        ("commit", commit),
        ("image", source.image if isinstance(source, ImageSource) else ""),
        ("entry_point", " ".join(job.entry_point)),
        ("environment", str(job.environment.mode)),
        ("python", job.environment.python_version or job.environment.interpreter),
        ("base_image", job.environment.base_image),
        ("dockerfile", job.environment.dockerfile),
        ("context", job.environment.context),
        ("tracking", job.tracking),
        ("links", ", ".join(job.links)),
    ]
