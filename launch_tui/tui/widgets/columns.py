"""The columns of a table: which of them fit a width, and how a cell is cut to its column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = 2
"""Blank cells between two columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    ``rank`` says when it goes as a table narrows: the highest first, rank 0 never. A ``flexible``
    column takes what room is left and has ``width`` at least. A ``whole`` column (ids) grows with
    its text instead of cutting it.
    """

    key: str
    label: str
    width: int
    rank: int = 0
    flexible: bool = False
    whole: bool = False
    right: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A column that is shown: which one, and how wide."""

    index: int
    column: Column
    width: int


def place(columns: Sequence[Column], room: int, longest: Sequence[int]) -> tuple[Placed, ...]:
    """Return the columns that fit.

    Args:
        columns: All of them, in order.
        room: Cells for them and the gaps between them.
        longest: The longest text in view of each column, in cells: what whole columns need.
    """
    widths = [
        max(column.width, longest[at]) if column.whole else column.width
        for at, column in enumerate(columns)
    ]
    kept = list(range(len(columns)))
    while _needed(kept, widths) > room:
        droppable = [at for at in kept if columns[at].rank > 0]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda at: (columns[at].rank, at)))
    spare = room - _needed(kept, widths)
    flexible = [at for at in kept if columns[at].flexible]
    for left, at in enumerate(flexible):
        share = spare // (len(flexible) - left)
        widths[at] = max(1, widths[at] + share)
        spare -= share
    return tuple(Placed(index=at, column=columns[at], width=widths[at]) for at in kept)


def fitted(text: str, placed: Placed, ellipsis: str) -> str:
    """Return a cell's text in exactly its column's width."""
    size = cell_len(text)
    if size > placed.width:
        if placed.width <= len(ellipsis):
            return set_cell_size(text, placed.width)
        return set_cell_size(text, placed.width - len(ellipsis)) + ellipsis
    blank = " " * (placed.width - size)
    return blank + text if placed.column.right else text + blank


def _needed(kept: list[int], widths: list[int]) -> int:
    return sum(widths[at] for at in kept) + GAP * max(0, len(kept) - 1)
