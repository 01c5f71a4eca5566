"""Jobs that are images, and what other jobs say about the image that they run in."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from launch_tui.domain.job import (
    Environment,
    ImageSource,
    JobKind,
    JobVersion,
    VenvMode,
    check_job_name,
    safe_name,
)
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from launch_tui.domain.image import ImageReference
    from launch_tui.sdk.jobs import JobRequest
    from launch_tui.sdk.source_files import SourceFiles

IMAGE_FIELD = "IMAGE"


def image_job(request: JobRequest) -> tuple[JobVersion, tuple[str, ...]]:
    """Return the job version of an image, and the alias that its tag gives it.

    The name is the image's without registry host and tag, and the tag becomes an alias, as in W&B
    (WANDB.md J4, J5).

    Raises:
        UsageError: When the reference is none, or a flag is given that an image leaves no room for.
    """
    for flag, given in (
        ("-r", request.python_version),
        ("--python", request.python),
        ("--venv", request.venv),
        ("--link", request.links),
        ("-B", request.base_image),
        ("-D", request.dockerfile),
        ("-b", request.context),
    ):
        if given:
            raise UsageError(flag, "means nothing for an image, which brings its own surroundings")
    image = _parsed(request.place, IMAGE_FIELD)
    name = request.name or safe_name(image.repository.removeprefix("library/"))
    check_job_name(name)
    job = JobVersion(
        name=name,
        version="",
        kind=JobKind.IMAGE,
        source=ImageSource(image=str(image)),
        entry_point=_entry_point(request),
        environment=Environment(mode=VenvMode.NONE),
        tracking=request.tracking,
        description=request.description,
        inputs=request.inputs or {},
    )
    return job, _alias(image)


def image_of(text: str, field: str) -> str:
    """Return an image reference in its usual form.

    Raises:
        UsageError: When it is none.
    """
    return str(_parsed(text, field))


def with_image(environment: Environment, request: JobRequest, files: SourceFiles) -> Environment:
    """Return the environment of a code or git job with what the request says of its image.

    Raises:
        UsageError: For two flags that contradict each other, and a file that the job does not have.
    """
    from dataclasses import replace

    if request.base_image and (request.dockerfile or request.context):
        other = "-D" if request.dockerfile else "-b"
        raise UsageError("-B", f"cannot stand together with {other}: nothing is built")
    base = image_of(request.base_image, "-B") if request.base_image else ""
    context = inside(request.context, "-b")
    dockerfile = inside(request.dockerfile, "-D")
    changed = replace(environment, base_image=base, dockerfile=dockerfile, context=context)
    require_dockerfile(changed, files)
    if context and not files.has_folder(context):
        raise UsageError("-b", f"there is no folder {context}", allowed="a folder of the job")
    return changed


def require_dockerfile(environment: Environment, files: SourceFiles) -> None:
    """Raise unless the Dockerfile that an environment names, if any, is one of the job's files.

    Raises:
        UsageError: When it is not.
    """
    context, dockerfile = environment.context, environment.dockerfile
    if dockerfile and not files.has(posixpath.normpath(posixpath.join(context, dockerfile))):
        where = f" in {context}" if context else ""
        raise UsageError("-D", f"there is no {dockerfile}{where}", allowed="a file of the job")


def inside(path: str, field: str) -> str:
    """Return a path within the job's files in its plain form; empty for their root.

    Raises:
        UsageError: When it leads out of them.
    """
    if not path:
        return ""
    plain = posixpath.normpath(path)
    if plain.startswith(("/", "../")) or plain == ".." or "\n" in plain or "\0" in plain:
        raise UsageError(
            field, f"{path!r} is not inside the job's files", allowed="a path relative to them"
        )
    return "" if plain == "." else plain


def _parsed(text: str, field: str) -> ImageReference:
    from launch_tui.domain.image import parse_image

    return parse_image(text, field=field)


def _entry_point(request: JobRequest) -> tuple[str, ...]:
    from launch_tui.sdk.request import command_of

    return command_of(request.entry_point) if request.entry_point else ()


def _alias(image: ImageReference) -> tuple[str, ...]:
    from launch_tui.store.jobs import LATEST, check_alias

    if not image.tag or image.tag == LATEST:
        return ()
    try:
        return (check_alias(image.tag),)
    except UsageError:
        # A tag such as v3 is what versions are called here.
        return ()
