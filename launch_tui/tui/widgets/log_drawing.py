"""Draws rows of a log as strips, and keeps the ones that cannot change.

A strip of Textual's is costly (seven caches each), so a line is made of one where it can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from textual.strip import Strip

from launch_tui.tui.widgets.ansi import overlaid, painted, without_colours
from launch_tui.tui.widgets.log_rows import CELLS, MARK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.style import Style

    from launch_tui.tui.widgets.log_rows import Row

CUT = " … enter opens the line"

_STRIPS_KEPT = 1024
_MATCHES_DRAWN = 100
_SLACK = 64


class Drawn(NamedTuple):
    """One line of the screen: a row of the log, or with wrapping a part of one."""

    row: int
    number: int
    text: str
    start: int
    settled: bool
    cut: bool


class Canvas(NamedTuple):
    """Where and how to draw: the first cell, the cells for text, all cells, and the styles."""

    x: int
    room: int
    width: int
    gutter: int
    base: Style
    dim: Style


class Overlay(NamedTuple):
    """Characters of a line that are drawn in another style."""

    start: int
    end: int
    style: Style


def lay_out(rows: Iterable[Row], first: int, wrap_at: int | None) -> list[Drawn]:
    """Return the lines of the screen that rows make, from row number ``first`` on."""
    drawn: list[Drawn] = []
    for at, (number, text, settled) in enumerate(rows, first):
        cut = len(text) > CELLS and len(without_colours(text)) > CELLS
        if wrap_at is None:
            drawn.append(Drawn(at, number, text, 0, settled, cut))
            continue
        start = 0
        for part in _parts(text, wrap_at):
            drawn.append(Drawn(at, number, text, start, settled, cut))
            start += len(part)
    return drawn


def cells_of(drawn: Drawn) -> int:
    """Return how wide a line is."""
    if drawn.cut:
        return CELLS + len(CUT)
    return min(CELLS, cell_len(without_colours(drawn.text)))


class LogPainter:
    """Makes strips, and makes those of finished lines once."""

    def __init__(self) -> None:
        self._strips: dict[tuple[int, int, int, int, int], Strip] = {}

    def forget(self) -> None:
        """Drop what is kept: something that is drawn into lines has changed."""
        self._strips.clear()

    def strip(
        self, drawn: Drawn, canvas: Canvas, overlays: Sequence[Overlay], *, offsets: bool
    ) -> Strip:
        """Return a line as it is drawn.

        Args:
            drawn: The line.
            canvas: Where and how.
            overlays: What lies over it, none for what is kept.
            offsets: Whether characters carry their places, which a drag of the mouse asks for.
        """
        key = (drawn.number, drawn.start, canvas.x, canvas.room, canvas.width)
        keep = drawn.settled and not offsets and drawn.number != MARK and not overlays
        if keep and (known := self._strips.get(key)) is not None:
            return known
        strip = _line(drawn, canvas, overlays, offsets=offsets)
        if keep:
            if len(self._strips) >= _STRIPS_KEPT:
                self._strips.clear()
            self._strips[key] = strip
        return strip


def matches_in(found: Iterable[tuple[int, int]], style: Style) -> list[Overlay]:
    """Return the overlays of the first matches in a line."""
    return [
        Overlay(start, end, style)
        for _, (start, end) in zip(range(_MATCHES_DRAWN), found, strict=False)
    ]


def dim_line(text: str, canvas: Canvas) -> Strip:
    """Return a line of our own between those of the log."""
    return Strip([Segment(text, canvas.dim)]).adjust_cell_length(canvas.width, canvas.base)


def _line(drawn: Drawn, canvas: Canvas, overlays: Sequence[Overlay], *, offsets: bool) -> Strip:
    if drawn.number == MARK and drawn.row >= 0:
        return dim_line(drawn.text, canvas)
    reach = drawn.start + canvas.x + canvas.room + _SLACK
    segments = painted(drawn.text, canvas.base, min(CELLS, reach))
    for start, end, style in overlays:
        segments = overlaid(segments, start, end, style)
    if drawn.cut and reach >= CELLS:
        segments.append(Segment(CUT, canvas.dim))
    x = canvas.x
    if drawn.start:
        x = cell_len(without_colours(drawn.text)[: drawn.start])
    length = sum([cell_len(segment.text) for segment in segments])
    gutter = _gutter(drawn, canvas)
    if x == 0 and length <= canvas.room and not offsets:
        blank = canvas.width - length - len(gutter.text)
        segments.append(Segment(" " * blank, canvas.base))
        return Strip([gutter, *segments] if gutter.text else segments, canvas.width)
    strip = Strip(segments, length)
    if offsets:
        strip = strip.apply_offsets(0, drawn.row)
    strip = strip.crop_extend(x, x + canvas.room, canvas.base)
    if gutter.text:
        strip = Strip([gutter, *strip], canvas.gutter + canvas.room)
    return strip.extend_cell_length(canvas.width, canvas.base)


def _gutter(drawn: Drawn, canvas: Canvas) -> Segment:
    if not canvas.gutter:
        return Segment("", canvas.dim)
    label = "" if drawn.start or drawn.number == MARK else str(drawn.number + 1)
    return Segment(f"{label:>{canvas.gutter - 1}} ", canvas.dim)


def _parts(text: str, width: int) -> list[str]:
    plain = without_colours(text)[:CELLS]
    if len(plain) <= width and cell_len(plain) <= width:
        return [plain]
    return chop_cells(plain, max(2, width)) or [""]
