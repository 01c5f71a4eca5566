"""Runs beside each other as the rows of a table: a column for each run, a row for each value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launch_tui.tui.form_fields import text_of
from launch_tui.tui.widgets.columns import GAP, Column
from launch_tui.tui.widgets.window_table import Cell, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.theme import Theme

    from launch_tui.sdk.comparing import Comparison

KEY_WIDTH = 16
RUN_WIDTH = 12
SECTION = ""
"""What stands before the name of a part in the key of its heading."""
_MARGIN = 2
_SEPARATOR = "\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Which runs the table has room for: ``first`` and how many; ``chosen`` is one of them."""

    first: int
    count: int
    chosen: int

    @property
    def places(self) -> range:
        """The numbers of the runs that are shown, from 0."""
        return range(self.first, self.first + self.count)


def fit(width: int, runs: int, chosen: int, before: int = 0) -> Shown:
    """Return the runs that a table so wide shows: as many as fit, the chosen one among them.

    Args:
        width: Cells.
        runs: How many there are.
        chosen: The one that a verb acts on.
        before: The first one that was shown before.
    """
    room = max((width - _MARGIN - KEY_WIDTH) // (RUN_WIDTH + GAP), 1)
    count = min(room, runs)
    first = min(max(before, chosen - count + 1), chosen)
    return Shown(first=max(min(first, runs - count), 0), count=count, chosen=chosen)


def width_for(runs: int) -> int:
    """Return the cells that a table of so many runs needs, its border included."""
    return 2 + _MARGIN + KEY_WIDTH + runs * (RUN_WIDTH + GAP)


def columns_for(run_ids: Sequence[str], shown: Shown, *, ascii_only: bool) -> tuple[Column, ...]:
    """Return the columns, the chosen run's with a pointer."""
    pointer = ">" if ascii_only else "▸"
    columns = [Column(key="key", label="", width=KEY_WIDTH, flexible=True)]
    for at in shown.places:
        mark = pointer if at == shown.chosen else " "
        label = f"{mark}{at + 1} {run_ids[at]}"
        columns.append(Column(key=run_ids[at], label=label, width=RUN_WIDTH, flexible=True))
    return tuple(columns)


def rows_of(comparison: Comparison, shown: Shown, words: Sequence[str], theme: Theme) -> list[Row]:
    """Return the rows, each part under its heading.

    Args:
        comparison: What is compared.
        shown: Which runs.
        words: All of them must be in a row.
        theme: The colours.
    """
    weak = "bright_black" if theme.ansi else ("#9e9e9e" if theme.dark else "#6c6c6c")
    strong = "bold yellow" if theme.ansi else f"bold {theme.accent}"
    found: list[Row] = []
    for part, keys in comparison.parts.items():
        rows = [
            _row(part, key, values, shown, weak, strong)
            for key, values in keys.items()
            if not _is_own(key) and _matches(key, values, words)
        ]
        if rows:
            heading = Row(key=f"{SECTION}{_SEPARATOR}{part}", cells=(Cell(part, "bold"),))
            found += [heading, *rows]
    return found


def part_and_key(row_key: str | None) -> tuple[str, str]:
    """Return the part and the key that a row is about; an empty part for a heading."""
    part, _, key = (row_key or _SEPARATOR).partition(_SEPARATOR)
    return part, key


def row_key(part: str, key: str) -> str:
    """Return the key of a value's row."""
    return f"{part}{_SEPARATOR}{key}"


def written(value: Any) -> str:  # noqa: ANN401
    """Return a value as it stands in the table."""
    if value is None or value == "":
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    return text_of(value)


def _row(part: str, key: str, values: Sequence[Any], shown: Shown, weak: str, strong: str) -> Row:
    # By the text: what looks the same is not marked as other.
    texts = [written(value) for value in values]
    cells = [Cell(f"  {key}")]
    for at in shown.places:
        same = texts[at] == texts[0]
        alike = len(set(texts)) == 1
        cells.append(Cell(texts[at], weak if alike else ("" if same else strong)))
    return Row(key=row_key(part, key), cells=tuple(cells))


def _matches(key: str, values: Sequence[Any], words: Sequence[str]) -> bool:
    text = " ".join([key, *map(written, values)]).lower()
    return all(word in text for word in words)


def _is_own(key: str) -> bool:
    return key.startswith("_")
