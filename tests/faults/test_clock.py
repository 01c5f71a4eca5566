"""A clock that is set back an hour makes no negative time, and hides no agent."""

from __future__ import annotations

import json
import sqlite3
import time

from launch_tui.store.clock import iso
from tests.faults.world import wait_until

HOUR = 3600


def set_back(world, *statements):
    """Write times as a clock that was an hour ahead had them."""
    db = sqlite3.connect(world.home / "launch.db", timeout=20)
    with db:
        for statement in statements:
            db.execute(statement, (iso(time.time() + HOUR),))
    db.close()


def test_no_duration_is_negative(world):
    world.queue("q")
    gate = world.root / "gate"
    agent = world.start_agent()
    run = world.launch_here("q", "sh", "-c", f"while ! [ -e {gate} ]; do sleep 0.02; done")
    world.wait_for_state(run, "running")
    set_back(world, "UPDATE runs SET created_at = ?1, claimed_at = ?1, started_at = ?1")
    for words in (("show", run), ("runs",), ("why", run)):
        done = world.cli(*words)
        assert done.returncode == 0
        assert b" -" not in done.stdout.replace(b" -q", b""), done.stdout.decode()
    gate.touch()
    wait_until(world.all_ended, "it ended")
    row = world.rows()[run]
    assert row["started_at"] == row["ended_at"]
    for expression in ("duration<0", "age<0"):
        assert json.loads(world.cli("runs", "--json", "--filter", expression).stdout) == []
    assert agent.poll() is None


def test_the_agent_that_works_is_the_one_that_is_shown(world):
    first = world.start_agent()
    wait_until(lambda: world.agent_is_active(first), "the first works")
    world.kill(first)
    set_back(world, "UPDATE agents SET since = ?")
    second = world.start_agent()
    wait_until(lambda: world.agent_is_active(second), "the second works")
    shown = json.loads(world.cli("agent", "status", "--json").stdout)
    assert (shown["running"], shown["pid"]) == (True, second.pid)
    assert world.cli("agent", "stop").returncode == 0
    assert second.wait(20) == 0
