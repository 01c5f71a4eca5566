"""How charts are looked at: the view that all have in common, the place of each, and what x is."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite, nan
from typing import TYPE_CHECKING, NamedTuple

from textual.geometry import Region

from launch_tui.domain.metrics import smoothed
from launch_tui.tui.curves import Axis, Key
from launch_tui.tui.widgets.chart import Drawing
from launch_tui.tui.widgets.plot import Curve, short_number, short_step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Cross(NamedTuple):
    """Where the cross-hair is, and on which axis that is meant."""

    x: float
    axis: Axis


class Window(NamedTuple):
    """The part of x that is shown, and on which axis that is meant."""

    left: float
    right: float
    axis: Axis


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How all charts are drawn."""

    log_y: bool = False
    smoothing: float = 0.0
    axis: Axis = Axis.STEP
    cross: Cross | None = None
    window: Window | None = None


@dataclass(slots=True, eq=False)
class Cell:
    """One place of the grid, and what was drawn there."""

    region: Region
    key: Key | None = None
    drawn_for: object = None
    drawing: Drawing = field(default_factory=Drawing)
    curves_for: object = None
    curves: list[tuple[Curve, Curve]] = field(default_factory=list)


def passed(seconds: float) -> str:
    """Return a time since the beginning of a run."""
    if abs(seconds) < 120:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}m" if abs(seconds) < 7200 else f"{seconds / 3600:.1f}h"


X_TEXTS: dict[Axis, Callable[[float], str]] = {
    Axis.STEP: short_step,
    Axis.TIME: passed,
    Axis.EPOCH: short_number,
}


def smoothed_curve(curve: Curve, smoothing: float) -> Curve:
    """Return the line that a curve becomes when it is smoothed, as W&B does it."""
    line = smoothed(curve.xs, curve.ends, smoothing)
    heights = [value if isfinite(value) else nan for value in line]
    return Curve(curve.xs, heights, heights, heights)


def shares(size: int, count: int) -> list[tuple[int, int]]:
    """Return begin and size of equal parts; what is left over goes to the last ones."""
    edges = [size * at // count for at in range(count + 1)]
    return [(one, two - one) for one, two in pairwise(edges)]


def merged(lines: Sequence[Region]) -> list[Region]:
    """Return regions of one line each as fewer that cover the same: touching ones are joined.

    Each region that is refreshed costs Textual about as much, whatever its size.

    Args:
        lines: Each of height 1, none over another.
    """
    across: list[Region] = []
    for line in sorted(lines, key=lambda line: (line.y, line.x)):
        last = across[-1] if across else None
        if last is not None and last.y == line.y and last.right == line.x:
            across[-1] = Region(last.x, last.y, last.width + line.width, 1)
        else:
            across.append(line)
    open_ends: dict[tuple[int, int, int], Region] = {}
    for line in across:
        above = open_ends.pop((line.x, line.width, line.y), None)
        grown = line if above is None else Region(above.x, above.y, above.width, above.height + 1)
        open_ends[grown.x, grown.width, grown.bottom] = grown
    return list(open_ends.values())


def region_of(across: tuple[int, int], down: tuple[int, int]) -> Region:
    """Return the place of a chart: where it begins and how large it is, both ways."""
    return Region(across[0], down[0], across[1], down[1])
