"""Builds one image with the engine's classic builder, where no docker command has BuildKit.

Docker's SDK asks for it, and the build context goes over the same connection: cutting it off ends
the build.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from launch_tui.builders.dockerfile import FIRST_STAGE
from launch_tui.builders.image_failure import INSTALL_BUILDX, explain
from launch_tui.builders.image_output import BuildOutput
from launch_tui.builders.image_records import HOME_LABEL, STAGE_LABEL
from launch_tui.errors import BuildFailed, EngineDown, EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import docker

    from launch_tui.builders.build_log import BuildLog
    from launch_tui.builders.image_build import BuildRequest
    from launch_tui.builders.image_context import Plan
    from launch_tui.engine.client import Engine

_DOCKERFILE = "launch-tui.Dockerfile"


async def build_classic(
    engine: Engine, request: BuildRequest, log: BuildLog, report: Callable[[str], None]
) -> tuple[str, ...]:
    """Build without BuildKit; cancelling ends the build and removes its container.

    Returns:
        What is to be told of the image that is no failure.

    Raises:
        BuildFailed: With the failed step and its reason, or because only BuildKit can do it.
        EngineDown: When the engine went away.
    """
    if request.secrets:
        raise BuildFailed(
            "secrets of a build need BuildKit, and no docker command here has it",
            next_step=INSTALL_BUILDX,
        )
    output = BuildOutput(log, report, request.hidden)
    report("packing the build context")
    packed = await asyncio.to_thread(_pack, request)
    try:
        async with aclosing(engine.stream(lambda api: _ask(api, request, packed))) as pieces:
            async for piece in pieces:
                output.feed(str(piece.get("stream", "")).encode(errors="replace"))
                if "error" in piece:
                    output.fail(str(piece["error"]))
    except EngineDown:
        raise
    except EngineError as error:
        output.fail(error.cause)
    finally:
        packed.close()
        output.close()
    if (step := output.failed).error:
        cause, next_step = explain(step)
        raise BuildFailed(cause, next_step=next_step)
    return tuple(output.notes)


def _ask(api: docker.APIClient, request: BuildRequest, packed: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    pieces: Iterator[dict[str, Any]] = api.build(
        fileobj=packed,
        custom_context=True,
        dockerfile=_DOCKERFILE,
        tag=request.reference,
        labels=dict(request.labels),
        buildargs={**request.surroundings.proxies, **request.build_args},
        platform=request.platform or None,
        rm=True,
        forcerm=True,
        decode=True,
    )
    return pieces


def _pack(request: BuildRequest) -> Any:  # noqa: ANN401
    """Return an archive of the build context, in a file that has no name to be left under."""
    import tempfile

    from docker.utils.build import tar

    plan = request.plan
    lines = [line.strip() for line in _ignored(plan).splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    file = tempfile.TemporaryFile(dir=request.directory)  # noqa: SIM115
    try:
        return tar(str(plan.context), patterns, (_DOCKERFILE, _labelled(request)), file)
    except BaseException:
        file.close()
        raise


def _labelled(request: BuildRequest) -> str:
    """Return the Dockerfile; one that is written here labels what it leaves of its first stage."""
    if request.plan.dockerfile is not None:
        return request.plan.plain_text
    label = f"LABEL {STAGE_LABEL}={request.labels[HOME_LABEL]}"
    return request.plan.plain_text.replace(FIRST_STAGE, f"{FIRST_STAGE}\n{label}", 1)


def _ignored(plan: Plan) -> str:
    """Return the .dockerignore that holds: as BuildKit does, one beside the Dockerfile first."""
    if plan.dockerfile is None:
        return plan.ignored
    beside = plan.dockerfile.with_name(f"{plan.dockerfile.name}.dockerignore")
    for file in (beside, plan.context / ".dockerignore"):
        with suppress(OSError):
            return file.read_text("utf-8", errors="surrogateescape")
    return ""
