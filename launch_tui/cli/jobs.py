"""``job``: make, list, show, name, compare and delete jobs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from launch_tui.cli.output import line, notes, pairs, print_json, say, table
from launch_tui.cli.times import ago, local
from launch_tui.domain.inputs import known_inputs, limits
from launch_tui.domain.job import CodeSource, GitSource, JobKind, JobVersion, VenvMode
from launch_tui.errors import UsageError
from launch_tui.sdk.jobs import JobRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk.jobs import Created

_OUTCOMES = {
    "created": "created job {}",
    "updated": "updated job {}",
    "unchanged": "No changes detected for {}",
}


def create_code(arguments: Arguments) -> int:
    """Make a job from a folder."""
    return _create(arguments, JobKind.CODE)


def create_git(arguments: Arguments) -> int:
    """Make a job from a git repository."""
    return _create(arguments, JobKind.GIT)


def create_image(arguments: Arguments) -> int:
    """Make a job from a Docker image."""
    return _create(arguments, JobKind.IMAGE)


def list_jobs(arguments: Arguments) -> int:
    """Print the newest version of each job."""
    with arguments.open() as sdk:
        found = sdk.jobs.list()
    if arguments.json:
        print_json([job_json(job) for job in found])
        return 0
    if not found:
        say("no jobs")
    rows = [
        (job.name, job.version, job.kind, " ".join(job.entry_point), ago(job.created_at),
         job.description)
        for job in found
    ]  # fmt: skip
    table(("JOB", "VERSION", "KIND", "ENTRY POINT", "AGE", "DESCRIPTION"), rows)
    return 0


def show(arguments: Arguments) -> int:
    """Print one version of a job, and which versions there are."""
    with arguments.open() as sdk:
        job = sdk.jobs.get(arguments.words[0])
        versions = [other.version for other in sdk.jobs.versions(job.name)]
    if arguments.json:
        print_json(job_json(job))
        return 0
    pairs(
        {
            "job": f"{job.name}:{job.version}",
            "aliases": ", ".join(job.aliases),
            "versions": ", ".join(versions),
            "kind": job.kind,
            "source": _described_source(job),
            "entry point": " ".join(job.entry_point),
            "environment": _described_environment(job),
            "image": _described_image(job),
            "tracking": job.tracking,
            "links": ", ".join(job.links),
            "description": job.description,
            "created": local(job.created_at),
        }
    )
    for title, schema in (("input", job.inputs), ("output", job.outputs)):
        for name, values in known_inputs(schema):
            line(f"{title}.{name}  {_described_schema(values)}")
    return 0


def alias(arguments: Arguments) -> int:
    """Give a version a name."""
    reference, name = arguments.words
    with arguments.open() as sdk:
        job = sdk.jobs.set_alias(reference, name)
    line(f"{job.name}:{name} is {job.version}")
    return 0


def metric(arguments: Arguments) -> int:
    """Say which metric tells the runs of a version apart."""
    reference, *words = arguments.words
    if len(words) > 2:
        raise UsageError(words[2], "is one word too many", allowed="JOB [KEY [min|max]]")
    key, goal = (*words, "", "")[:2]
    with arguments.open() as sdk:
        job = sdk.jobs.declare_metric(reference, key, goal)
    line(f"{job.name}:{job.version}  {' '.join(words) or 'by the names of its metrics'}")
    return 0


def delete(arguments: Arguments) -> int:
    """Delete jobs with all their versions."""
    with arguments.open() as sdk:
        for name in arguments.words:
            if ":" in name:
                raise UsageError("JOB", f"{name!r} names a version", allowed="the job's name")
            sdk.jobs.delete(name)
            line(f"{name}  deleted")
    return 0


def diff(arguments: Arguments) -> int:
    """Print what differs between two versions."""
    old, new = arguments.words
    with arguments.open() as sdk:
        found = sdk.jobs.diff(old, new)
    if arguments.json:
        fields = {name: [before, after] for name, before, after in found.fields}
        print_json({"fields": fields, "files": asdict(found.files) if found.files else None})
        return 0
    table(("FIELD", old, new), found.fields)
    files = found.files
    if files is not None:
        for sign, paths in (("+", files.added), ("-", files.removed), ("~", files.changed)):
            for path in paths:
                line(f"{sign} {path}")
        for text in files.requirements.values():
            for row in text.splitlines():
                line(row)
    if not found.fields and not files:
        say("no differences")
    return 0


def job_json(job: JobVersion) -> dict[str, Any]:
    """Return a job version as its JSON."""
    return {
        "name": job.name,
        "version": job.version,
        "aliases": list(job.aliases),
        "kind": job.kind,
        "source": asdict(job.source),
        "entry_point": list(job.entry_point),
        "environment": asdict(job.environment),
        "inputs": dict(job.inputs),
        "outputs": dict(job.outputs),
        "created_at": job.created_at,
    }


def _create(arguments: Arguments, kind: JobKind) -> int:
    request = JobRequest(
        place=arguments.words[0],
        kind=kind,
        name=arguments.text("name"),
        entry_point=arguments.text("entry_point") if arguments.on("entry_point") else None,
        ref=arguments.text("git_hash") or None,
        aliases=arguments.many("alias"),
        python_version=arguments.text("runtime"),
        python=arguments.text("python"),
        venv=arguments.text("venv"),
        links=arguments.many("link"),
        tracking=arguments.text("tracking") or "required",
        description=arguments.text("description"),
        inputs=schema_of(arguments),
        accept_large=arguments.on("yes"),
        base_image=arguments.text("base_image"),
        dockerfile=arguments.text("dockerfile"),
        context=arguments.text("build_context"),
    )
    with arguments.open() as sdk:
        created = sdk.jobs.create(request)
    return tell(arguments, created)


def tell(arguments: Arguments, created: Created) -> int:
    """Print what making a job came to."""
    notes(created.warnings)
    if arguments.json:
        print_json({**job_json(created.job), "outcome": created.outcome})
    else:
        line(_OUTCOMES[created.outcome].format(f"{created.job.name}:{created.job.version}"))
    return 0


def schema_of(arguments: Arguments) -> dict[str, Any] | None:
    """Return what ``--schema`` gives, None when it is not given."""
    if not arguments.on("schema"):
        return None
    from launch_tui.cli.documents import read_object

    return read_object(arguments.text("schema"), field="--schema")


def _described_source(job: JobVersion) -> str:
    source = job.source
    if isinstance(source, CodeSource):
        return f"{source.path} ({source.files} files, {source.size} bytes)"
    if isinstance(source, GitSource):
        return f"{source.url} {source.ref or 'default branch'} at {source.commit}"
    return source.image


def _described_image(job: JobVersion) -> str:
    """Return what a code or git job says of the image that it runs in."""
    environment = job.environment
    if environment.base_image:
        return f"{environment.base_image}, with the code mounted"
    context = f" in {environment.context}" if environment.context else ""
    if environment.dockerfile or context:
        return f"built from {environment.dockerfile or 'a generated Dockerfile'}{context}"
    return ""


def _described_environment(job: JobVersion) -> str:
    environment = job.environment
    if environment.mode is VenvMode.BUILD:
        return f"built with Python {environment.python_version}"
    return f"{environment.mode} {environment.interpreter}".strip()


def _described_schema(values: Mapping[str, Any]) -> str:
    kind = values.get("type", "")
    shown = " or ".join(kind) if isinstance(kind, list) else str(kind)
    bounds = limits(values)
    shown += f" · {bounds}" if bounds else ""
    if isinstance(values.get("enum"), list):
        shown += f" · one of {', '.join(map(str, values['enum']))}"
    return shown + (f" = {values['default']}" if "default" in values else "")
