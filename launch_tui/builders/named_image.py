"""Has an image that is named: pulled, or the engine's own where that is what is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.domain.image import parse_image
from launch_tui.errors import BuildFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.builders.build_log import BuildLog
    from launch_tui.domain.container import BuiltImage
    from launch_tui.engine.client import Engine


async def have_image(
    engine: Engine,
    name: str,
    out: BuildLog,
    report: Callable[[str], None],
    pull: str,
    platform: str,
) -> BuiltImage:
    """Return the image, as ``ImageBuilder.image`` says."""
    from launch_tui.engine.pull import pull as pull_image

    try:
        reference = parse_image(name, field="image")
    except UsageError as error:
        raise BuildFailed(str(error), next_step="Correct the job's image") from error
    local = await engine.inspect_image(str(reference))
    if local is not None and (pull != "always" or reference.digest):
        return _told(local, "is on the engine, it is not pulled", out, report)
    if pull == "never":
        raise BuildFailed(
            f"image {reference} is not on the engine, and pull is never",
            next_step=f"`docker pull {reference}`, or set pull to missing",
        )
    report(f"pulling {reference}")
    out.say(f"pulling {reference}")
    try:
        pulled = await pull_image(engine, reference, report, out.write, platform=platform)
    except BuildFailed as error:
        if local is None:
            out.say(f"failed: {error}")
            raise
        out.say(f"warning: {error}")
        return _told(local, "could not be pulled; the one on the engine is taken", out, report)
    faults.point("image.pulled")
    return _told(pulled, f"is pulled, {pulled.digest}", out, report)


def _told(image: BuiltImage, what: str, out: BuildLog, report: Callable[[str], None]) -> BuiltImage:
    out.say(f"image {image.reference} {what}")
    report(f"image {image.reference} {what}")
    return image
