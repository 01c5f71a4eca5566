"""Makes a local job of a job that W&B has: a downloaded artifact with its ``wandb-job.json``.

A repository at a commit becomes a git job and an image an image job. Where what would run is not
what a commit holds (uncommitted changes, a notebook, packages known only from the run), and where
the files are another artifact's, they become a code job.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.domain.document import read_document
from launch_tui.domain.home_path import at_home
from launch_tui.domain.job import JobKind, safe_name
from launch_tui.domain.wandb_job import FILE, FROZEN, PATCH, WandbJob, read_wandb_job
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.sdk.jobs import Created, JobRequest, Jobs
    from launch_tui.store.paths import Home

REQUIREMENTS = ("requirements.txt", "pyproject.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What is to be imported.

    ``place`` is a ``wandb-job.json`` or the folder that has it. ``files`` is the folder with the
    job's files: the downloaded code artifact, or a clone of its repository; empty where the
    repository itself can be asked. ``name`` empty takes that of the artifact's folder. ``inputs``
    is a JSON Schema in place of what the definition says of the inputs: what was given to
    ``wandb job create --schema`` W&B keeps beside the artifact, not in it.
    """

    place: str
    files: str = ""
    name: str = ""
    aliases: tuple[str, ...] = ()
    description: str = ""
    venv: str = ""
    python: str = ""
    inputs: Mapping[str, Any] | None = None
    tracking: str = "required"


def import_job(jobs: Jobs, home: Home, request: ImportRequest) -> Created:
    """Make the local job of a W&B job, or a new version of it if anything changed.

    Raises:
        UsageError: Naming the field that is wrong, or what is missing and how to get it.
    """
    path = _definition(request.place)
    job = read_wandb_job(read_document(path, FILE))
    made = _Import(jobs, home, request, path.parent, job).make()
    told = [
        *job.dropped,
        *(
            f"W&B would start the service {name} beside it; here nothing does"
            for name in job.services
        ),
    ]
    return replace(made, warnings=(*told, *made.warnings))


class _Import:
    """One import, from what the definition says to the job."""

    def __init__(
        self, jobs: Jobs, home: Home, request: ImportRequest, folder: Path, job: WandbJob
    ) -> None:
        self._jobs = jobs
        self._home = home
        self._request = request
        self._folder = folder
        self._job = job

    def make(self) -> Created:
        """Make the job."""
        job, request = self._job, self._request
        if job.kind == "image":
            if request.files:
                raise UsageError("--files", "means nothing for an image", allowed="without it")
            for flag, given in (("--venv", request.venv), ("--python", request.python)):
                if given:
                    raise UsageError(flag, "means nothing for an image", allowed="without it")
            return self._create(
                kind=JobKind.IMAGE, place=job.image, entry_point=job.entry_point or None
            )
        if job.kind == "repo":
            return self._repository()
        if not request.files:
            raise UsageError(
                f"{FILE}: source.artifact",
                f"its files are in another artifact, {job.artifact}",
                allowed="--files DIR with that artifact: wandb artifact get NAME --root DIR",
            )
        return self._artifact(_existing_folder(request.files))

    def _artifact(self, folder: Path) -> Created:
        is_complete = any((folder / name).exists() for name in REQUIREMENTS) or not self._frozen()
        if is_complete and not self._job.notebook:
            return self._code(folder, "")
        # What was downloaded stays as it is.
        with tempfile.TemporaryDirectory(prefix="launch-tui-") as place:
            copy = Path(place, "source")
            try:
                shutil.copytree(folder, copy, symlinks=True)
            except (OSError, shutil.Error) as error:
                raise UsageError("--files", f"cannot be copied: {error}") from None
            return self._code(copy, str(folder))

    def _repository(self) -> Created:
        from launch_tui.sources import git
        from launch_tui.sources.git_url import check_url

        job = self._job
        if self._request.files:
            url = str(_existing_folder(self._request.files))
        else:
            # What somebody else wrote may not name a folder of this machine.
            url = check_url(job.remote, field=f"{FILE}: source.git.remote", local=False)
        source = git.resolve(url, job.commit, self._home.repositories)
        patched = _holds_something(self._folder / PATCH)
        known = any(self._reads(source, name) for name in REQUIREMENTS)
        if not (patched or job.notebook or (not known and self._frozen())):
            return self._create(kind=JobKind.GIT, place=url, ref=job.commit)
        with tempfile.TemporaryDirectory(prefix="launch-tui-") as place:
            copy = Path(place, "source")
            git.materialise(source, self._home.repositories, copy)
            if patched:
                from launch_tui.sources.imported import apply_patch

                apply_patch(copy, self._folder / PATCH)
            return self._code(copy, f"{job.remote} at {job.commit[:12]}")

    def _reads(self, source: Any, name: str) -> bool:  # noqa: ANN401
        from launch_tui.sources import git

        return git.read_file(source, name, self._home.repositories) is not None

    def _code(self, copy: Path, came_from: str) -> Created:
        """Make a code job of a folder, which is only changed where it is a copy."""
        entry_point = list(self._job.entry_point)
        if self._job.notebook:
            from launch_tui.sources.imported import notebook_to_script

            at = next(n for n, word in enumerate(entry_point) if word.endswith(".ipynb"))
            entry_point[at] = notebook_to_script(copy, entry_point[at])
        frozen = self._frozen()
        if frozen and not any((copy / name).exists() for name in REQUIREMENTS):
            (copy / REQUIREMENTS[0]).write_text(frozen, "utf-8")
        return self._create(
            kind=JobKind.CODE,
            place=str(copy),
            came_from=came_from,
            entry_point=tuple(entry_point),
        )

    def _create(self, **what: Any) -> Created:  # noqa: ANN401
        from launch_tui.sdk.jobs import JobRequest

        job, request = self._job, self._request
        if what["kind"] is not JobKind.IMAGE:
            what = {
                "entry_point": job.entry_point,
                "python_version": "" if request.venv or request.python else job.runtime,
                "venv": request.venv,
                "python": request.python,
                "dockerfile": job.dockerfile,
                "context": job.build_context,
                "base_image": job.base_image,
                **what,
            }
        made: JobRequest = JobRequest(
            name=request.name or self._name(),
            aliases=request.aliases,
            description=request.description,
            tracking=request.tracking,
            inputs=request.inputs or job.inputs or None,
            accept_large=True,
            **what,
        )
        return self._jobs.create(made)

    def _name(self) -> str:
        """Return the artifact's name, as its folder has it: ``job-train:v3`` is ``train``."""
        folder = self._folder.resolve().name.partition(":")[0]
        return safe_name(folder.removeprefix("job-").lstrip("-") or "job")

    def _frozen(self) -> str:
        path = self._folder / FROZEN
        try:
            return path.read_text("utf-8") if _holds_something(path) else ""
        except (OSError, UnicodeDecodeError):
            raise UsageError(FROZEN, "cannot be read", allowed="UTF-8 text") from None


def _definition(place: str) -> Path:
    path = at_home(place)
    if path.is_dir():
        path = path / FILE
    if not path.is_file():
        raise UsageError(
            "PATH", f"there is no {FILE} at {place}", allowed="a downloaded job artifact"
        )
    return path


def _existing_folder(place: str) -> Path:
    path = at_home(place)
    if not path.is_dir():
        raise UsageError("--files", f"{place} is no folder", allowed="the folder of its files")
    return path.resolve()


def _holds_something(path: Path) -> bool:
    """Whether a file lies beside the definition and is not empty.

    Raises:
        UsageError: When it is no plain file: a link could be to anything of this machine.
    """
    try:
        found = path.lstat()
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(path.name, "is no plain file", allowed="a file of the artifact")
    return found.st_size > 0
