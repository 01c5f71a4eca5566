"""Draws one chart with its border: a title that tells values, the scale at the left, x below.

Pure of widgets: what a chart shows goes in, lines of the screen come out. Curves lie over each
other opaquely, so that each keeps its colour; where there are several, each ends in its number, and
in ASCII is drawn with it, since colours are not there for everyone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from launch_tui.domain.text import printable
from launch_tui.tui.widgets.plot import (
    NOTHING,
    Bounds,
    Curve,
    Scale,
    bounds_of,
    columns_of,
    row_texts,
    scale_for,
    short_number,
    short_step,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Row = tuple[Segment, ...]

EMPTY = "No metrics yet"
_NAME_LIMIT = 200
_ROWS_WITH_AXIS = 3
_ROWS_WITH_MIDDLE = 7
_ROUND = "╭─╮│╰╯"
_ASCII_BORDER = "+-+|++"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a chart.

    ``curve`` is drawn, ``faint`` behind it (the values that were smoothed). ``label`` is what the
    title calls it where there are several lines, such as a number. ``colour`` is one of theme.py.
    ``last`` and ``at_cross`` are what the title tells: the newest value, and that under the
    cross-hair, None where there is none.
    """

    curve: Curve
    colour: str
    label: str = ""
    faint: Curve = NOTHING
    last: float | None = None
    at_cross: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a chart shows.

    ``window`` is the part of x that is shown, None for all of it; ``cross`` the x of the
    cross-hair. ``empty`` is said where there is no value at all, ``nothing_here`` where the window
    has none. ``x_text`` writes an x. ``foot`` stands in the lower border.
    """

    title: str
    lines: tuple[Line, ...] = ()
    log_y: bool = False
    window: tuple[float, float] | None = None
    cross: float | None = None
    empty: str = EMPTY
    nothing_here: str = "No value here"
    x_text: Callable[[float], str] = short_step
    foot: str = ""


class Ink(NamedTuple):
    """The styles a chart is drawn in, but for the colours of its lines."""

    base: Style
    axis: Style
    border: Style
    cross: Style
    faint: Style


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A chart as lines of the screen, and where on it x lies."""

    rows: tuple[Row, ...] = ()
    bounds: Bounds | None = None
    gutter: int = 0
    """Cells from the chart's left edge to its first column."""
    columns: int = 0
    """Cells of the plot."""

    def x_at(self, cell: int) -> float | None:
        """Return the x of a cell, counted from the chart's left edge."""
        if self.bounds is None or self.columns < 1:
            return None
        at = min(max(cell - self.gutter, 0), self.columns - 1)
        share = (2 * at + 0.5) / max(2 * self.columns - 1, 1)
        return self.bounds.left * (1 - share) + self.bounds.right * share

    @property
    def cell(self) -> float:
        """How much of x a cell is wide."""
        if self.bounds is None or self.columns < 1:
            return 0.0
        return (self.bounds.right - self.bounds.left) * 2 / max(2 * self.columns - 1, 1)


def draw(
    picture: Picture, width: int, height: int, ink: Ink, *, ascii_only: bool = False
) -> Drawing:
    """Draw a chart into so many cells, its border included."""
    if width < 5 or height < 3:
        return Drawing(rows=((Segment(" " * width, ink.base),),) * max(height, 0))
    inside = _Inside(picture, width - 4, height - 2, ink, ascii_only=ascii_only)
    corner = _ASCII_BORDER if ascii_only else _ROUND
    before, after = Segment(f"{corner[3]} ", ink.border), Segment(f" {corner[3]}", ink.border)
    rows: list[Row] = [_top(picture, width, ink, corner)]
    rows += [(before, *line, after) for line in inside.lines()]
    rows.append(_bottom(picture, width, ink, corner))
    return Drawing(
        rows=tuple(rows),
        bounds=inside.bounds,
        gutter=2 + inside.gutter,
        columns=inside.columns,
    )


class _Inside:
    """What stands within the border."""

    def __init__(
        self, picture: Picture, width: int, height: int, ink: Ink, *, ascii_only: bool
    ) -> None:
        self._picture = picture
        self._width, self._height = width, height
        self._ink = ink
        self._ascii = ascii_only
        self._rows = height - 1 if height >= _ROWS_WITH_AXIS else height
        shown = [one.curve for one in picture.lines] + [one.faint for one in picture.lines]
        self._scale = scale_for(shown, log=picture.log_y)
        self._curves = [self._visible(curve) for curve in shown]
        self.bounds = self._bounds()
        self.gutter = 0
        self.columns = 0
        if self.bounds is not None:
            self._labels = _labels(self.bounds, self._scale, self._rows)
            self.gutter = min(max(map(cell_len, self._labels)) + 1, width // 2)
            self.columns = width - self.gutter

    def lines(self) -> list[list[Segment]]:
        """Return the lines, each as wide as it has to be."""
        bounds, ink = self.bounds, self._ink
        if bounds is None:
            return [
                [Segment(set_cell_size(text, self._width), ink.axis)] for text in self._why_empty()
            ]
        plot = self._plot(bounds)
        lines = [
            [Segment(set_cell_size(label.rjust(self.gutter - 1), self.gutter), ink.axis), *row]
            for label, row in zip(self._labels, plot, strict=True)
        ]
        if self._rows < self._height:
            lines.append([Segment(self._below(bounds), ink.axis)])
        return lines

    def _visible(self, curve: Curve) -> Curve:
        heights = self._scale.curve(curve)
        return within(heights, *self._picture.window) if self._picture.window else heights

    def _bounds(self) -> Bounds | None:
        bounds = bounds_of(self._curves)
        if bounds is not None and self._picture.window is not None:
            return Bounds(*self._picture.window, bounds.bottom, bounds.top)
        return bounds

    def _why_empty(self) -> list[str]:
        picture = self._picture
        text = picture.empty
        if any(one.curve.xs for one in picture.lines):
            text = picture.nothing_here if picture.window else "No finite value yet"
        return [printable(text), *[""] * (self._height - 1)]

    def _plot(self, bounds: Bounds) -> list[list[Segment]]:
        lines, base = self._picture.lines, self._ink.base
        several = len(lines) > 1
        behind = [
            self._layer(curve, bounds, self._ink.faint)
            for curve in self._curves[len(lines) :]
            if curve.xs
        ]
        layers = [
            self._layer(
                curve,
                bounds,
                base + Style.parse(line.colour),
                mark=str(number) if several and self._ascii else "",
            )
            for number, (line, curve) in enumerate(zip(lines, self._curves, strict=False), 1)
        ]
        ends = self._ends(bounds, layers) if several else {}
        cross = self._cross_column(bounds)
        layers = behind + layers
        if len(layers) == 1 and cross is None:
            return [[Segment(text, layers[0].style)] for text in layers[0].rows]
        return [self._composed(layers, row, ends, cross) for row in range(self._rows)]

    def _layer(self, curve: Curve, bounds: Bounds, style: Style, *, mark: str = "") -> _Layer:
        pixels = columns_of(curve, bounds, self.columns * 2, self._rows * 4)
        rows = row_texts(pixels, self._rows, ascii_only=self._ascii)
        if mark:
            rows = ["".join(" " if cell == " " else mark for cell in row) for row in rows]
        return _Layer(curve, rows, style)

    def _composed(
        self,
        layers: Sequence[_Layer],
        row: int,
        ends: dict[tuple[int, int], tuple[str, Style]],
        cross: int | None,
    ) -> list[Segment]:
        """Return one row of several layers, the later over the earlier."""
        upright = Segment("|" if self._ascii else "│", self._ink.cross)
        blank = Segment(" ", self._ink.base)
        cells = [blank] * self.columns
        for layer in layers:
            if layer.rows[row].isspace():
                continue
            for at, cell in enumerate(layer.rows[row]):
                if cell != " ":
                    cells[at] = Segment(cell, layer.style)
        if cross is not None and cells[cross] is blank:
            cells[cross] = upright
        for (column, at_row), (mark, style) in ends.items():
            if at_row == row:
                cells[column] = Segment(mark, style)
        return list(Segment.simplify(cells))

    def _ends(
        self, bounds: Bounds, layers: Sequence[_Layer]
    ) -> dict[tuple[int, int], tuple[str, Style]]:
        """Return the numbers in which the lines end, by cell."""
        ends = {}
        for number, layer in enumerate(layers, 1):
            curve = layer.curve
            last = next((a for a in range(len(curve.xs) - 1, -1, -1) if _is_end(curve, a)), None)
            if last is not None:
                end = Curve(*([values[last]] for values in curve))
                pixels = columns_of(end, bounds, self.columns * 2, self._rows * 4)
                at = next(at for at, column in enumerate(pixels) if column)
                row = ((pixels[at] & -pixels[at]).bit_length() - 1) // 4
                column = at // 2
                # Lines that end in one cell end beside each other.
                while (column, row) in ends and column > 0:
                    column -= 1
                ends[column, row] = (str(number), layer.style + Style(bold=True))
        return ends

    def _cross_column(self, bounds: Bounds) -> int | None:
        cross = self._picture.cross
        if cross is None or not bounds.left <= cross <= bounds.right or not self.columns:
            return None
        point = Curve([cross], [bounds.bottom], [bounds.bottom], [bounds.bottom])
        pixels = columns_of(point, bounds, self.columns * 2, 1)
        return next(at for at, column in enumerate(pixels) if column) // 2

    def _below(self, bounds: Bounds) -> str:
        """Return the line below: where x begins and ends, and where the cross-hair is."""
        picture, columns = self._picture, self.columns
        told = [(0, picture.x_text(bounds.left))]
        right = picture.x_text(bounds.right)
        if len(told[0][1]) + len(right) < columns:
            told.append((columns - len(right), right))
        cross = self._cross_column(bounds)
        if cross is not None and picture.cross is not None:
            here = picture.x_text(picture.cross)
            at = max(0, min(cross - len(here) // 2, columns - len(here)))
            # What would be cut in half misleads.
            told = [(x, text) for x, text in told if x + len(text) < at or x > at + len(here)]
            told.append((at, here))
        line = ""
        for x, text in sorted(told):
            line = line.ljust(x) + text
        return set_cell_size(" " * self.gutter + line, self._width)


class _Layer(NamedTuple):
    """A curve of heights, the rows it was drawn as, and their style."""

    curve: Curve
    rows: list[str]
    style: Style


def _is_end(curve: Curve, at: int) -> bool:
    return math.isfinite(curve.highs[at])


def _labels(bounds: Bounds, scale: Scale, rows: int) -> list[str]:
    labels = [""] * rows
    labels[-1] = short_number(scale.down(bounds.bottom))
    labels[0] = short_number(scale.down(bounds.top))
    if rows >= _ROWS_WITH_MIDDLE:
        middle = bounds.top / 2 + bounds.bottom / 2
        labels[rows // 2] = short_number(scale.down(middle))
    return labels


def _top(picture: Picture, width: int, ink: Ink, corner: str) -> Row:
    """Return the upper border with the title in it."""
    room = width - 6
    parts: list[Segment] = []
    for text, style in _title(picture, ink):
        if cell_len(text) > room and parts:
            # A number that is cut in half misleads.
            break
        shown = set_cell_size(text, max(room, 0)) if cell_len(text) > room else text
        parts.append(Segment(shown, style))
        room -= cell_len(shown)
    if not parts or not parts[0].text:
        return (Segment(corner[0] + corner[1] * (width - 2) + corner[2], ink.border),)
    rest = corner[1] * (max(room, 0) + 1) + corner[2]
    return (
        Segment(f"{corner[0]}{corner[1]} ", ink.border),
        *parts,
        Segment(f" {rest}", ink.border),
    )


def _bottom(picture: Picture, width: int, ink: Ink, corner: str) -> Row:
    """Return the lower border with the foot in it, at the right, if there is room."""
    room = width - 6 - cell_len(picture.foot)
    if not picture.foot or room < 0:
        return (Segment(corner[4] + corner[1] * (width - 2) + corner[5], ink.border),)
    return (
        Segment(f"{corner[4]}{corner[1] * (room + 1)} ", ink.border),
        Segment(picture.foot, ink.axis),
        Segment(f" {corner[1]}{corner[5]}", ink.border),
    )


def _title(picture: Picture, ink: Ink) -> list[tuple[str, Style]]:
    name = printable(picture.title[:_NAME_LIMIT])
    lines = picture.lines
    if len(lines) == 1 and not lines[0].label:
        style = ink.base + Style.parse(lines[0].colour)
        return [(f"{name} {_told(lines[0], picture.cross)}".rstrip(), style)]
    parts = [(name, ink.base + Style(bold=True))]
    for line in lines:
        told = _told(line, picture.cross)
        if told:
            parts.append((f"  {line.label} {told}", ink.base + Style.parse(line.colour)))
    return parts


def _told(line: Line, cross: float | None) -> str:
    value = line.last if cross is None else line.at_cross
    return "" if value is None else short_number(value)
