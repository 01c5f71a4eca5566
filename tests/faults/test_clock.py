"""A clock that is set back an hour makes no negative time, and hides no agent."""

from __future__ import annotations

import json
import sqlite3
import time

import pytest

from launch_tui.store import waiting
from launch_tui.store.clock import Steps, iso, seconds
from launch_tui.store.database import Database
from launch_tui.store.paths import Home
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


def test_a_back_off_is_no_longer_than_it_was_when_the_clock_is_set_back(world):
    world.queue("q")
    run = world.probe("q", "3,0", retries=1, retry_on=("failed",), backoff=2)
    person = world.probe("q", begin="+1h")
    assert world.start_agent("retry.after").wait(20) < 0
    set_back(world, "UPDATE events SET at = ?1", "UPDATE runs SET created_at = ?1")
    db = sqlite3.connect(world.home / "launch.db", timeout=20)
    with db:
        due = iso(time.time() + HOUR + 2)
        db.execute("UPDATE runs SET not_before = ? WHERE id = ?", (due, run))
    db.close()
    began = time.time()
    world.start_agent()
    world.wait_for_state(run, "finished")
    assert [ran.code for ran in world.ran(run)] == [3, 0]
    assert seconds(world.rows()[run]["started_at"]) >= began + 2
    row = world.rows()[person]
    assert (row["state"], seconds(row["not_before"]) > time.time() + HOUR / 2) == ("queued", True)


def test_a_time_that_a_person_gave_after_a_retry_is_kept(world):
    world.queue("q")
    run = world.probe("q", "3,0", retries=1, retry_on=("failed",), backoff=HOUR)
    assert world.start_agent("retry.after").wait(20) < 0
    asked = iso(time.time() + 2 * HOUR)
    with Database(Home(world.home)) as db:
        waiting.set_begin(db, run, asked)
    set_back(world, "UPDATE events SET at = ?")
    agent = world.start_agent()
    other = world.probe("q")
    world.wait_for_state(other, "finished")
    assert world.rows()[run]["not_before"] == asked
    assert agent.poll() is None


def test_a_clock_that_is_set_back_is_noticed_once():
    clock = Steps()
    assert clock.back(wall=100.0, steady=5.0), "nobody knows what was before"
    assert not clock.back(wall=110.0, steady=15.0)
    assert not clock.back(wall=4000.0, steady=16.0), "set forward"
    assert clock.back(wall=3000.0, steady=17.0)
    assert not clock.back(wall=3001.0, steady=18.0)


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_a_time_limit_goes_by_the_age_of_the_job(world, step):
    """After the clock was set a new agent ends no young job and spares no old one."""
    world.queue("q")
    world.limit_agent(stopped_run_timeout=0.2)
    agent = world.start_agent()
    gate = world.root / "gate"
    limit = HOUR / 2 if step > 0 else 2
    run = world.probe("q", gate=gate, resource_args={"timeout": limit})
    wait_until(lambda: world.ran(run), "it runs")
    world.wait_for_state(run, "running")
    world.kill(agent)
    path = world.attempt(run) / "pid"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"started_at": record["started_at"] - step}))
    set_back(world, f"UPDATE runs SET started_at = '{iso(record['started_at'] - step)}' WHERE ?1")
    if step < 0:
        wait_until(lambda: time.time() > record["started_at"] + limit, "its time is over")
        world.start_agent()
        world.wait_for_state(run, "failed")
        assert world.rows()[run]["failure"] == "timeout"
        return
    world.start_agent()
    wait_until(lambda: "  adopted\n" in world.said(), "it is adopted")
    world.queue("other")
    other = world.probe("other")
    world.wait_for_state(other, "finished")
    gate.touch()
    world.wait_for_state(run, "finished")
