"""Filters that a person has given a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.errors import NotFound
from launch_tui.store.clock import now

if TYPE_CHECKING:
    from launch_tui.store.database import Database

_SAVE = """
    INSERT INTO filters (name, text, saved_at) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET text = excluded.text, saved_at = excluded.saved_at"""


def every(db: Database) -> dict[str, str]:
    """Return the text of each filter, by name."""
    return {row["name"]: row["text"] for row in db.all("SELECT * FROM filters ORDER BY name")}


def get(db: Database, name: str) -> str:
    """Return the text of a filter.

    Raises:
        NotFound: With the names that there are.
    """
    row = db.one("SELECT text FROM filters WHERE name = ?", (name,))
    if row is None:
        names = ", ".join(every(db)) or "none yet: launch-tui filter save NAME EXPR"
        raise NotFound("filter", f"there is no filter called {name!r}", allowed=names)
    return str(row["text"])


def save(db: Database, name: str, text: str) -> None:
    """Give a filter a name; one that has it already is replaced."""
    db.execute(_SAVE, (name, text, now()))


def delete(db: Database, name: str) -> None:
    """Forget a filter.

    Raises:
        NotFound: When there is none of that name.
    """
    get(db, name)
    db.execute("DELETE FROM filters WHERE name = ?", (name,))
