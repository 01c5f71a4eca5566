"""The images of runs: found on the engine, found in the registry, or built, each once.

An image is named by a key of all that decides its content (``image_key``). It is looked for on the
engine, then at its destination, and only then built and pushed there. Who comes while it is being
built waits and shows the same output. Killed at any point, the next build starts clean: the lock is
free, the half-built image has no name, and what was built and not pushed is pushed by the next.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.builders.build_log import BuildLog
from launch_tui.builders.image_cache import ImageCache
from launch_tui.builders.image_context import plan_image
from launch_tui.builders.image_failure import FREE_SPACE
from launch_tui.builders.image_making import Making, Wanted, identify
from launch_tui.builders.named_image import have_image
from launch_tui.builders.venv import running_version
from launch_tui.errors import BuildFailed, DiskFull, EngineDown, EngineError, EngineUnfit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from launch_tui.builders.image_order import ImageOrder
    from launch_tui.builders.image_records import CachedImage
    from launch_tui.domain.container import BuiltImage
    from launch_tui.engine.client import Engine

    Report = Callable[[str], None]


class ImageBuilder:
    """Builds, finds, pulls and removes images on one engine.

    Args:
        engine: The engine.
        root: Where locks and records are kept (``<home>/images``).
    """

    def __init__(self, engine: Engine, root: Path) -> None:
        self._engine = engine
        self._root = root
        self._cache = ImageCache(engine, root)

    async def build(self, order: ImageOrder, log: Path, report: Report) -> BuiltImage:
        """Have the image of an order on the engine, built if it is nowhere.

        Cancelling ends the build and all it started; what it left is never used.

        Args:
            order: What it is built from.
            log: The build log; what is done is appended to it as it happens.
            report: Called with one short line at each step.

        Raises:
            BuildFailed: With the failed step and its reason as cause.
            EngineDown: The engine does not answer; asking again is right.
        """
        with _told_as_failures(self._root), BuildLog(log) as out:
            return await self._find_or_build(order, out, report)

    async def image(
        self, reference: str, log: Path, report: Report, *, pull: str = "always", platform: str = ""
    ) -> BuiltImage:
        """Have a named image on the engine.

        Args:
            reference: Its name.
            log: The build log, which gets the progress of a pull.
            report: Called with one short line at each step.
            pull: ``always`` (the engine's own is taken, with a warning, where that fails),
                ``missing`` or ``never``.
            platform: Which of its platforms, where it has several.

        Raises:
            BuildFailed: With the registry's own reason as cause.
            EngineDown: The engine does not answer; asking again is right.
        """
        with _told_as_failures(self._root), BuildLog(log) as out:
            return await have_image(self._engine, reference, out, report, pull, platform)

    async def list_images(self) -> list[CachedImage]:
        """Return the images that were built here and are on the engine, the last used first."""
        return await self._cache.all()

    async def prune(
        self, keep_newer_than: float, in_use: AbstractSet[str], dry_run: bool = False
    ) -> list[CachedImage]:
        """Remove what was last used before ``keep_newer_than`` (seconds since the epoch).

        Images of other makers and those in ``in_use`` (names, ids or digests) stay, and so do those
        that are being built or that a container was made from. Returns what was removed, or with
        ``dry_run`` what would be.
        """
        return await self._cache.prune(keep_newer_than, in_use, dry_run=dry_run)

    async def _find_or_build(self, order: ImageOrder, out: BuildLog, report: Report) -> BuiltImage:
        plan = plan_image(order, running_version())
        for note in plan.notes:
            out.say(note)
        report(plan.notes[0])
        wanted = await identify(self._engine, self._cache, order, plan)
        found = await self._whole(wanted)
        if found is None:
            found = await self._build_once(wanted, out, report)
        else:
            out.say(f"image {wanted.name} is there already, nothing is built")
            report("image ready, cached")
        if plan.entry_point != order.entry_point and not found.entry_point:
            # Built from a folder of the job's files, which calls the script by another path.
            found = replace(found, entry_point=plan.entry_point, command=())
        return found

    async def _build_once(self, wanted: Wanted, out: BuildLog, report: Report) -> BuiltImage:
        locks = self._cache.records.locks
        lock = locks.try_take(wanted.key)
        if lock is None:
            out.say(f"image {wanted.name} is being built for another run; its output follows")
            report("waiting for the same image, being built for another run")
            lock = await locks.wait(wanted.key, out)
        with lock:
            found = await self._whole(wanted)
            if found is not None:
                out.say(f"image {wanted.name} is there now, nothing is built")
                report("image ready, built for another run")
                return found
            lock.announce(out.path, out.offset)
            faults.point("image.locked")
            local = await self._cache.find(wanted.key, wanted.name)
            return await Making(self._engine, self._cache, wanted, out, report).make(local)

    async def _whole(self, wanted: Wanted) -> BuiltImage | None:
        """Return the image if the engine has it and it is where it is to go."""
        found = await self._cache.find(wanted.key, wanted.name)
        if wanted.order.destination and not self._cache.is_pushed(wanted.key, wanted.name):
            return None
        return found


@contextmanager
def _told_as_failures(root: Path) -> Iterator[None]:
    """Raise what this machine or the engine refuses as BuildFailed."""
    try:
        yield
    except (EngineDown, EngineUnfit):
        raise
    except EngineError as error:
        cause = f"the Docker engine refused: {error.cause}"
        raise BuildFailed(cause, next_step=error.next_step) from error
    except (OSError, DiskFull) as error:
        if isinstance(error, OSError) and error.errno not in (errno.ENOSPC, errno.EDQUOT):
            cause, next_step = f"the image cannot be built: {error}", "Check the permissions"
        else:
            cause, next_step = f"no space left for the build in {root.parent}", FREE_SPACE
        raise BuildFailed(cause, next_step=next_step) from error
