from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from launch_tui.agent import wake
from launch_tui.agent.wake import StoreChanges
from launch_tui.store import write
from launch_tui.store.database import Database
from launch_tui.store.paths import Home

WRITER = """
import sys
from pathlib import Path
from launch_tui.store import write
from launch_tui.store.database import Database
from launch_tui.store.paths import Home
with Database(Home(Path(sys.argv[1]))) as db:
    sys.stdin.readline()
    write.add_event(db, "hello", actor="writer")
    sys.stdin.readline()
"""
LONG_S = 600.0


@pytest.fixture
def db(private_home):
    with Database(Home(private_home)) as db:
        yield db


@pytest.fixture
def writer(db):
    """Another process that has the store open and commits when it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(db.home.root)], stdin=subprocess.PIPE, text=True
    )
    yield lambda: print("go", file=process.stdin, flush=True)
    process.communicate("\n", timeout=20)


async def seen(changes, act):
    """Have ``act`` done while the changes are listened to, and return once one was told of."""
    listening = asyncio.create_task(changes.watch())
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(20):
            waiting = asyncio.create_task(changes.next())
            await asyncio.sleep(0)
            act()
            await waiting
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_another_processs_commit_is_told_by_the_kernel(db, writer, monkeypatch):
    monkeypatch.setattr(wake, "NOTIFIED_POLL_S", LONG_S)
    await seen(StoreChanges(db), writer)


async def test_without_notifications_the_counter_is_asked(db, writer, monkeypatch):
    def refuse(directory):
        raise OSError("no more inotify instances")

    monkeypatch.setattr(wake, "_watch_directory", refuse)
    await seen(StoreChanges(db), writer)


async def test_a_commit_that_cannot_be_seen_yet_is_looked_for_again(db, writer, monkeypatch):
    """The log is written, and told of, before a commit is synced and can be seen."""
    monkeypatch.setattr(wake, "NOTIFIED_POLL_S", LONG_S)
    changes = StoreChanges(db)
    versions = iter([changes._version] * 5)
    monkeypatch.setattr(db, "data_version", lambda: next(versions, -1))
    await seen(changes, writer)


async def test_own_commits_are_no_news(db, monkeypatch):
    looks = asyncio.Semaphore(0)
    real = db.data_version

    def look():
        looks.release()
        return real()

    changes = StoreChanges(db)
    monkeypatch.setattr(db, "data_version", look)
    listening = asyncio.create_task(changes.watch())
    waiting = asyncio.create_task(changes.next())
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        for _ in range(5):
            write.add_event(db, "mine", actor="agent")
            await looks.acquire()
    assert not waiting.done()
    for task in (waiting, listening):
        task.cancel()
    await asyncio.gather(waiting, listening, return_exceptions=True)
