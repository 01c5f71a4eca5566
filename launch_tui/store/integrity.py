"""Whether the store's file is whole: a short look when work begins, and a long one for ``fsck``.

The short look is bounded. It asks SQLite for the structure of the file only where the last one who
worked here did not leave in order, and gives up in silence once its time is over: what it has not
seen, whoever reads it will, and ``fsck`` reads all of it.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from launch_tui.errors import StoreCorrupt, StoreTooNew
from launch_tui.store.database import APPLICATION_ID, SCHEMA_VERSION
from launch_tui.store.second_copy import sealed_cleanly, store_file

if TYPE_CHECKING:
    from launch_tui.store.paths import Home

BRIEFLY_S = 1.0
"""How long the short look takes at most."""
_MAGIC = b"SQLite format 3\0"
_STEPS = 10_000
_MOST = 20
_PAGE_SIZE_AT = slice(16, 18)
_PAGES_AT = slice(28, 32)


def check_briefly(home: Home, seconds: float = BRIEFLY_S) -> None:
    """Look at the store for a bounded time.

    Args:
        home: The data directory; without a store there is nothing to look at.
        seconds: For how long at most.

    Raises:
        StoreCorrupt: When it is damaged; nothing was touched.
    """
    if not home.store.exists():
        return
    problem = _shortened(home)
    if not problem and not sealed_cleanly(home):
        problem = next(iter(_pragma(home, "quick_check(1)", seconds)), "")
    if problem:
        raise StoreCorrupt(
            f"the store at {home.store} is damaged: {problem}",
            next_step="run launch-tui fsck --repair, which puts back or names what is lost",
            phase="store",
        )


def require_ours(home: Home) -> None:
    """Refuse what is another program's, or a newer version's, by the head of its file.

    A head that no database has passes: it is damaged, and that is told elsewhere.

    Raises:
        StoreCorrupt: When it is another program's.
        StoreTooNew: When a newer launch_tui wrote it.
    """
    with store_file(home) as file:
        head = os.pread(file, 100, 0)
    if len(head) < 100 or not head.startswith(_MAGIC):
        return
    version, application = (int.from_bytes(head[at : at + 4], "big") for at in (60, 68))
    if application not in (0, APPLICATION_ID):
        raise StoreCorrupt(
            f"{home.store} is not a launch_tui store",
            next_step="move it away or choose another directory with LAUNCH_TUI_HOME",
        )
    if application == APPLICATION_ID and version > SCHEMA_VERSION:
        raise StoreTooNew(
            f"{home.store} was written by a newer launch_tui", next_step="upgrade launch_tui"
        )


def problems(home: Home) -> list[str]:
    """Return what SQLite finds wrong with the whole file, in its words; reads all of it."""
    if shortened := _shortened(home):
        return [shortened]
    found = _pragma(home, f"integrity_check({_MOST})", None)
    if not found:
        found = _pragma(home, "foreign_key_check", None)
    return found


def _shortened(home: Home) -> str:
    """Say that the file is shorter than it says itself; empty when it is not."""
    with store_file(home) as file:
        head = os.pread(file, 100, 0)
        size = os.fstat(file).st_size
    if len(head) < 100:
        return "" if not size else "it is cut off"
    page_size = int.from_bytes(head[_PAGE_SIZE_AT], "big")
    pages = int.from_bytes(head[_PAGES_AT], "big")
    page_size = 65536 if page_size == 1 else page_size
    # Pages that a checkpoint has not appended yet are in the log, where there is one.
    log = home.store.with_name(f"{home.store.name}-wal")
    if log.exists() and log.stat().st_size:
        return ""
    return "it is cut off" if size < pages * page_size else ""


def _pragma(home: Home, pragma: str, seconds: float | None) -> list[str]:
    uri = f"{home.store.absolute().as_uri()}?mode=ro"
    end = time.monotonic() + (seconds or 0.0)
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=1.0)) as connection:
            if seconds is not None:
                connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
            rows = connection.execute(f"PRAGMA {pragma}").fetchall()
    except sqlite3.OperationalError as error:
        # Out of time, or locked: nothing is known, and nothing is said.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        quiet = code in (sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY)
        return [] if quiet and seconds is not None else [str(error)]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    told = [
        " ".join(str(row[0]).split("\n")).strip()
        if len(row) == 1
        else f"row {row[1]} of {row[0]} refers to {row[2]}, where there is none"
        for row in rows
    ]
    return [text for text in told if text != "ok"]
