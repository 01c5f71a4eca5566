"""Filters with a name: those of the screen's palette and of ``runs --saved``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.errors import UsageError
from launch_tui.store import filters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.store.database import Database

LONGEST_NAME = 60


class Filters:
    """The saved filters of a data directory."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def list(self) -> Mapping[str, str]:
        """Return the text of each filter, by name."""
        return filters.every(self._db)

    def get(self, name: str) -> str:
        """Return the text of a filter.

        Raises:
            NotFound: When there is none of that name.
        """
        return filters.get(self._db, name)

    def save(self, name: str, text: str) -> None:
        """Give a filter a name; one that has it already is replaced.

        Raises:
            UsageError: For a name that is none, or a text that is not in the language.
        """
        from launch_tui.domain.filter import Filter

        name = name.strip()
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise UsageError("NAME", f"{name!r} is no name", allowed="a few words")
        if not text.strip():
            raise UsageError("EXPR", "is empty", allowed="an expression of runs --filter")
        Filter(text, field="EXPR")
        filters.save(self._db, name, text.strip())

    def delete(self, name: str) -> None:
        """Forget a filter.

        Raises:
            NotFound: When there is none of that name.
        """
        filters.delete(self._db, name)
