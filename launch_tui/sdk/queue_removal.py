"""Deleting a queue with everything in it: what waits is cancelled, what has ended is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.domain.run import ACTIVE, WAITING
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from launch_tui.sdk import Launch

_AT_ONCE = 200


def delete_with_runs(launch: Launch, name: str) -> int:
    """Delete a queue with its runs, their logs, metrics and files; return how many there were.

    The queue is paused first, so that nothing of it is started meanwhile. A caller that is
    interrupted leaves a paused queue with fewer runs, and can do it again.

    Args:
        launch: The data directory.
        name: The queue.

    Raises:
        UsageError: When runs of it are at work; then nothing is changed.
    """
    was_paused = launch.queues.get(name).paused
    launch.queues.pause(name)
    active = tuple(ACTIVE)
    if working := launch.runs.count(queue=name, states=active):
        if not was_paused:
            launch.queues.resume(name)
        raise UsageError(
            "queue", f"{name!r} has {working:,} at work", allowed="a queue where nothing runs"
        )
    waiting = tuple(WAITING)
    while runs := launch.runs.list(queue=name, states=waiting, limit=_AT_ONCE):
        for run in runs:
            launch.runs.cancel(run.id)
    deleted = 0
    while runs := launch.runs.list(queue=name, limit=_AT_ONCE):
        for run in runs:
            launch.runs.delete(run.id)
            deleted += 1
    launch.queues.delete(name)
    return deleted
