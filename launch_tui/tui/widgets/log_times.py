"""Finds the line of a log at a time: by halving, since what a log tells of time goes forward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.domain.line_times import asked_time, time_of_line
from launch_tui.domain.text import plain

if TYPE_CHECKING:
    from launch_tui.store.logs import BlockIndex

_AROUND = 400
"""Lines without a time that may follow each other: a traceback, a table."""
_BYTES = 1024


def line_at_time(index: BlockIndex, typed: str) -> int | str:
    """Return the number of the first line from a time on, or why there is none, in words.

    Args:
        index: The log.
        typed: The time, as for ``asked_time``.
    """
    last = _last_time(index)
    if last is None:
        return "the last lines carry no time"
    wanted = asked_time(typed, last)
    if wanted is None:
        return f"{typed} is no time: 12:04, 12:04:30, 2026-11-28 12:04, -5m"
    low, high = 0, index.line_count
    while low < high:
        middle = (low + high) // 2
        found = _time_from(index, middle, high)
        if found is not None and found[1] < wanted:
            low = found[0] + 1
        else:
            high = middle
    return min(low, max(index.line_count - 1, 0))


def _time_from(index: BlockIndex, line: int, end: int) -> tuple[int, float] | None:
    """Return the first line with a time from ``line`` on, and that time."""
    for first in range(line, min(line + _AROUND, end), 20):
        for at, raw in enumerate(index.read(first, min(20, end - first), limit=_BYTES), first):
            time = time_of_line(plain(raw))
            if time is not None:
                return at, time
    return None


def _last_time(index: BlockIndex) -> float | None:
    times = (time_of_line(plain(raw)) for raw in reversed(index.tail(_AROUND, limit=_BYTES)))
    return next((time for time in times if time is not None), None)
