"""Launch forms that were begun and not sent, one for each thing that they would launch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from launch_tui.store.clock import now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.store.database import Database

_SAVE = """
    INSERT INTO drafts (job, form, updated_at) VALUES (?, ?, ?)
    ON CONFLICT (job) DO UPDATE SET form = excluded.form, updated_at = excluded.updated_at"""


def load(db: Database, key: str) -> dict[str, str]:
    """Return what was typed into each field of a form; empty when there is no draft."""
    row = db.one("SELECT form FROM drafts WHERE job = ?", (key,))
    return dict(json.loads(row["form"])) if row else {}


def save(db: Database, key: str, form: Mapping[str, str]) -> None:
    """Keep what was typed into each field; survives the death of every process."""
    with db.transaction(durable=False):
        db.execute(_SAVE, (key, json.dumps(dict(form)), now()))


def delete(db: Database, key: str) -> None:
    """Forget a draft; one that is not there is no error."""
    with db.transaction(durable=False):
        db.execute("DELETE FROM drafts WHERE job = ?", (key,))
