from __future__ import annotations

import asyncio
import os
import sqlite3

import pytest

from launch_tui.agent import store_care
from launch_tui.agent.store_care import StoreCare
from launch_tui.errors import StoreCorrupt
from launch_tui.store.agent_lock import AgentLock
from launch_tui.store.database import LOG_BYTES, Database, log_size
from launch_tui.store.paths import Home
from launch_tui.store.second_copy import compare

DEADLINE_S = 20


@pytest.fixture
def home(private_home):
    return Home(private_home)


@pytest.fixture
def db(home):
    with Database(home) as opened:
        lock = AgentLock(home)
        assert lock.acquire()
        yield opened
        lock.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(store_care, "LOOK_S", 0.01)


async def watched(home, until, said=lambda text: None):
    """Look after the log until that is so."""
    watching = asyncio.create_task(StoreCare(home, said).watch())
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not until():  # noqa: ASYNC110  (files say it, no event does)
                await asyncio.sleep(0.01)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def fill(db, name, size):
    with db.transaction(durable=False):
        db.execute("INSERT INTO drafts VALUES (?, ?, '')", (name, "x" * size))


async def test_what_is_written_is_moved_and_copied_once_nothing_happens(home, db):
    fill(db, "a", 100)
    assert log_size(home)
    await watched(home, lambda: log_size(home) == 0)
    found = compare(home)
    assert found.usable
    assert not found.store_wrong


async def test_a_log_that_has_grown_is_moved_while_others_write(home, db):
    written = 0

    def grown_and_moved():
        nonlocal written
        written += 1
        fill(db, f"{written}", 200_000)
        # More was written than the log may hold, and it holds less.
        return written * 200_000 > 3 * LOG_BYTES and log_size(home) < LOG_BYTES

    await watched(home, grown_and_moved)
    assert db.one("SELECT count(*) FROM drafts")[0] == written


async def test_a_reader_that_never_ends_is_told_of_once(home, db, monkeypatch):
    monkeypatch.setattr(store_care, "TELL_BYTES", LOG_BYTES)
    reader = sqlite3.connect(home.store, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM drafts").fetchone()
    said: list[str] = []
    fill(db, "a", 2 * LOG_BYTES)
    await watched(home, lambda: said, said.append)
    assert "reading the store for long" in said[0]
    reader.close()
    fill(db, "b", 10)
    await watched(home, lambda: log_size(home) == 0, said.append)
    assert len(said) == 1


async def test_an_agent_begins_with_a_look_at_the_store(home, db):
    fill(db, "a", 100_000)
    await watched(home, lambda: log_size(home) == 0)
    await StoreCare(home, print).begin()
    os.truncate(home.store, home.store.stat().st_size // 2)
    with pytest.raises(StoreCorrupt, match="cut off"):
        await StoreCare(home, print).begin()
