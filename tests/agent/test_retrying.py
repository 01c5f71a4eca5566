"""When what an agent owes is tried again, and how often it says what is in the way."""

from __future__ import annotations

import time

import pytest

from launch_tui.agent import syncing as sending
from launch_tui.agent.retrying import Complaint, doubled, pause_until
from launch_tui.agent.syncing import Syncer
from launch_tui.errors import StoreError
from launch_tui.store import syncing
from launch_tui.store.clock import iso
from tests.agent.test_outbox import until


@pytest.mark.parametrize(
    ("times", "pause"), [(-1, 1.0), (0, 1.0), (3, 8.0), (9, 300.0), (10**6, 300.0)]
)
def test_a_pause_doubles_up_to_the_longest(times, pause):
    assert doubled(1.0, times, 300.0) == pause


def test_what_is_due_later_is_slept_for_but_never_longer_than_the_longest():
    assert pause_until(None, 60.0) is None
    assert pause_until("", 60.0) == 0.0
    assert pause_until(iso(time.time() - 5), 60.0) == 0.0
    assert 25 < pause_until(iso(time.time() + 30), 60.0) <= 30
    assert pause_until(iso(time.time() + 86400), 60.0) == 60.0


def test_a_complaint_is_said_once_until_it_is_over():
    said = []
    complaint = Complaint(said.append)
    for text in ("full", "full", "locked", "locked"):
        complaint.say(text)
    assert said == ["full", "locked"]
    complaint.over()
    complaint.say("locked")
    assert said == ["full", "locked", "locked"]


async def test_a_sync_that_waits_for_the_store_says_so_once(monkeypatch):
    monkeypatch.setattr(sending, "RETRY_S", 0.01)
    tries = []

    def full(db):
        tries.append(db)
        raise StoreError("database or disk is full")

    monkeypatch.setattr(syncing, "next_at", lambda db: "")
    monkeypatch.setattr(syncing, "due", full)
    said = []
    syncer = Syncer(None, "agent", said.append)
    syncer.look()
    await until(lambda: len(tries) >= 3)
    await syncer.close()
    assert said == ["sync waits: database or disk is full"]
