"""A live chart of one or more series in braille, with its scale at the left and below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from launch_tui.domain.text import printable
from launch_tui.tui.theme import series_colours
from launch_tui.tui.widgets.plot import (
    Bounds,
    Bucket,
    Scale,
    bounds_of,
    cell_text,
    dots,
    scale_for,
    short_number,
    short_step,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NAME_LIMIT = 200
_ROWS_WITH_AXIS = 3
_ROWS_WITH_MIDDLE = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A named series, downsampled: about two buckets for each cell of the width are enough."""

    name: str
    buckets: Sequence[Bucket]


class Chart(Widget):
    """A chart; its title, ``name last`` of each series, stands in the border.

    Args:
        series: What to draw, the later over the earlier.
        empty: What to show while there is nothing to draw.
        x_text: Writes a step below the chart.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"chart--axis"}
    DEFAULT_CSS = """
    Chart {
        background: $surface;
        color: $text;
        & > .chart--axis { color: $text-muted; }
    }
    """

    log_y: reactive[bool] = reactive(False)
    """Whether heights are logarithms; without a positive value they are not."""
    ascii_only: reactive[bool] = reactive(False)
    """Whether dots keep to ASCII."""

    def __init__(
        self,
        series: Sequence[Series] = (),
        *,
        empty: str = "No metrics yet",
        x_text: Callable[[float], str] = short_step,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.empty = empty
        self.x_text = x_text
        self._series: tuple[Series, ...] = ()
        self._lines: list[Strip] | None = None
        self._lines_for: object = None
        self._given = tuple(series)

    @property
    def series(self) -> tuple[Series, ...]:
        """What is drawn. Setting the same again draws nothing."""
        return self._series

    @series.setter
    def series(self, series: Sequence[Series]) -> None:
        if tuple(series) == self._series:
            return
        self._series = tuple(series)
        self._lines = None
        self._entitle()
        self.refresh()

    def on_mount(self) -> None:
        """Draw what was given."""
        self.series = self._given

    def render_line(self, y: int) -> Strip:
        """Return one line of the chart."""
        wanted = (self.size, self.log_y, self.ascii_only)
        if self._lines is None or wanted != self._lines_for:
            self._lines_for = wanted
            self._lines = self._drawn(*self.size)
        if y < len(self._lines):
            return self._lines[y]
        return Strip.blank(self.size.width, self.rich_style)

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        super().notify_style_update()
        self._lines = None
        if self._series:
            self._entitle()

    def _entitle(self) -> None:
        parts: list[tuple[str, str]] = []
        for one, colour in zip(self._series, self._colours(), strict=True):
            last = short_number(one.buckets[-1].last) if one.buckets else ""
            gap = "  " if parts else ""
            # Textual's names for the sixteen colours of the terminal.
            colour = colour if colour.startswith("#") else f"ansi_{colour}"
            parts.append((f"{gap}{printable(one.name[:_NAME_LIMIT])} {last}".rstrip(), colour))
        self.border_title = Content.assemble(*parts) if parts else None

    def _colours(self) -> list[str]:
        return series_colours((one.name for one in self._series), self.app.current_theme)

    def _drawn(self, width: int, height: int) -> list[Strip]:
        buckets = [one.buckets for one in self._series]
        scale = scale_for(buckets, log=self.log_y)
        bounds = bounds_of(buckets, scale)
        if bounds is None:
            text = "No finite value yet" if any(buckets) else self.empty
            axis = self._axis_style()
            return [Strip([Segment(printable(text), axis)]).adjust_cell_length(width, axis)]
        rows = height - 1 if height >= _ROWS_WITH_AXIS else height
        labels = self._labels(bounds, scale, rows)
        gutter = min(max(map(cell_len, labels)) + 1, width // 2)
        plot = self._plot(buckets, bounds, scale, width - gutter, rows)
        lines = [
            Strip(
                [
                    Segment(set_cell_size(label.rjust(gutter - 1), gutter), self._axis_style()),
                    *segments,
                ],
                width,
            )
            for label, segments in zip(labels, plot, strict=True)
        ]
        return lines if rows == height else [*lines, self._steps(bounds, gutter, width)]

    def _labels(self, bounds: Bounds, scale: Scale, rows: int) -> list[str]:
        labels = [""] * rows
        labels[-1] = short_number(scale.down(bounds.bottom))
        labels[0] = short_number(scale.down(bounds.top))
        if rows >= _ROWS_WITH_MIDDLE:
            middle = bounds.top / 2 + bounds.bottom / 2
            labels[rows // 2] = short_number(scale.down(middle))
        return labels

    def _plot(
        self,
        series: list[Sequence[Bucket]],
        bounds: Bounds,
        scale: Scale,
        width: int,
        rows: int,
    ) -> list[list[Segment]]:
        base = self.rich_style
        blank = Segment(" ", base)
        grid = [[blank] * max(0, width) for _ in range(rows)]
        if width <= 0:
            return grid
        for buckets, colour in zip(series, self._colours(), strict=True):
            style = base + Style.from_color(color=Color.parse(colour))
            for (column, row), bits in dots(buckets, bounds, scale, width, rows).items():
                grid[row][column] = Segment(cell_text(bits, ascii_only=self.ascii_only), style)
        return [list(Segment.simplify(line)) for line in grid]

    def _steps(self, bounds: Bounds, gutter: int, width: int) -> Strip:
        left, right = self.x_text(bounds.left), self.x_text(bounds.right)
        room = width - gutter - cell_len(left)
        text = left + (f"{right:>{room}}" if room > cell_len(right) else "")
        axis = self._axis_style()
        return Strip([Segment(" " * gutter + text, axis)]).adjust_cell_length(width, axis)

    def _axis_style(self) -> Style:
        return self.rich_style + self.get_component_rich_style("chart--axis")
