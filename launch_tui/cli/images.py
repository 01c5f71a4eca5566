"""``image``: the Docker images that were built here, and removing those that nothing uses."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from launch_tui.cli.envs import older_than
from launch_tui.cli.output import print_json, say, table
from launch_tui.cli.times import span, stamp
from launch_tui.domain.run import ACTIVE, WAITING
from launch_tui.store.clock import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from launch_tui.builders.image_records import CachedImage
    from launch_tui.builders.images import ImageBuilder
    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk import Launch

    Question = Callable[[ImageBuilder], Coroutine[None, None, list[CachedImage]]]

_UNTAGGED = "<none>"


def list_images(arguments: Arguments) -> int:
    """Print the images that were built here, the last used first."""
    with arguments.open() as sdk:
        found = _ask(sdk, lambda builder: builder.list_images())
    if not found and not arguments.json:
        say("no images")
    _print(found, json=arguments.json)
    return 0


def prune(arguments: Arguments) -> int:
    """Remove images that were not used for a while."""
    oldest = time.time() - older_than(arguments)
    dry_run = arguments.on("dry_run")
    with arguments.open() as sdk:
        # What a run has taken into use since it was claimed stays, however short the age.
        for run in sdk.runs.every(states=tuple(ACTIVE)):
            oldest = min(oldest, seconds(run.claimed_at or run.created_at))
        in_use = _in_use(sdk)
        removed = _ask(sdk, lambda builder: builder.prune(oldest, in_use, dry_run))
    if not arguments.json:
        say(f"{'would remove' if dry_run else 'removed'} {len(removed)} images")
    _print(removed, json=arguments.json)
    return 0


def _in_use(sdk: Launch) -> frozenset[str]:
    """Return the names and digests of the images of runs that wait or run."""
    runs = list(sdk.runs.every(states=(*ACTIVE, *WAITING)))
    return frozenset(name for run in runs for name in (run.image, run.image_digest) if name)


def _ask(sdk: Launch, question: Question) -> list[CachedImage]:
    from launch_tui.builders.images import ImageBuilder
    from launch_tui.engine.client import Engine

    async def answer() -> list[CachedImage]:
        engine = Engine()
        try:
            return await question(ImageBuilder(engine, sdk.home.images))
        finally:
            await engine.close()

    return asyncio.run(answer())


def _print(found: Sequence[CachedImage], *, json: bool) -> None:
    if json:
        print_json([_json(image) for image in found])
        return
    now = time.time()
    rows = [
        (
            " ".join(image.references) or _UNTAGGED,
            image.job,
            image.id.removeprefix("sha256:")[:12],
            f"{image.size / 1e6:.0f} MB",
            f"{span(now - image.created_at)} ago",
            f"{span(now - image.last_used_at)} ago",
        )
        for image in found
    ]
    table(("IMAGE", "JOB", "ID", "SIZE", "CREATED", "USED"), rows)


def _json(image: CachedImage) -> dict[str, Any]:
    return {
        **asdict(image),
        "created_at": stamp(image.created_at),
        "last_used_at": stamp(image.last_used_at),
    }
