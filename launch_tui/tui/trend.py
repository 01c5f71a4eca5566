"""A line of a few cells that shows how something went: a sparkline, in blocks or in ASCII."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-=+*#@"


def spark(parts: Sequence[float | None], *, ascii_only: bool = False) -> str:
    """Return one cell for each part, from 0 to 1; a part that is not known is a gap."""
    marks = PLAIN if ascii_only else BLOCKS
    return "".join(
        " " if part is None else marks[min(max(int(part * len(marks)), 0), len(marks) - 1)]
        for part in parts
    )


def over_time(
    points: Iterable[tuple[float, float | None]], *, width: int, seconds: float, until: float
) -> list[float | None]:
    """Return the highest value of each of ``width`` spans of time, None for one without any.

    Args:
        points: Times, in seconds since the epoch, with values.
        width: How many spans.
        seconds: How far back the first one begins.
        until: Where the last one ends.
    """
    spans: list[float | None] = [None] * width
    began = until - seconds
    for at, value in points:
        place = int((at - began) / seconds * width)
        # The newest point is at the very end.
        place = min(place, width - 1) if at <= until else width
        if value is None or not 0 <= place < width:
            continue
        before = spans[place]
        spans[place] = value if before is None else max(before, value)
    return spans
