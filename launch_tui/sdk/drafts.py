"""Launch forms that a person has begun: kept through escape, a crash and the end of the UI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.store import drafts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.store.database import Database


class Drafts:
    """The drafts of a data directory. ``key`` names what a form launches."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def load(self, key: str) -> dict[str, str]:
        """Return what was typed into each field; empty when there is no draft."""
        return drafts.load(self._db, key)

    def save(self, key: str, form: Mapping[str, str]) -> None:
        """Keep what was typed into each field; a form with nothing in it is no draft."""
        if form:
            drafts.save(self._db, key, form)
        else:
            self.delete(key)

    def delete(self, key: str) -> None:
        """Forget a draft."""
        if drafts.load(self._db, key):
            drafts.delete(self._db, key)
