"""Rows that are all at hand, for a table that asks for a window of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.tui.widgets.window_table import Row


class ListRows:
    """A list as the source of a table's rows; set ``rows``, then reload the table."""

    def __init__(self) -> None:
        self.rows: Sequence[Row] = ()

    def count(self) -> int:
        """Return how many there are."""
        return len(self.rows)

    def page(self, offset: int, limit: int) -> Sequence[Row]:
        """Return some of them."""
        return self.rows[offset : offset + limit]

    def find(self, key: str) -> int | None:
        """Return the place of a key."""
        return next((at for at, row in enumerate(self.rows) if row.key == key), None)
