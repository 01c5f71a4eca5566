"""Whoever dies when: each end of a run reaches the webhook, at least once and under one key."""

from __future__ import annotations

import sys

import pytest

from tests.faults.test_points import KILLS, OF_WEBHOOKS
from tests.faults.world import wait_until
from tests.webhook_server import Receiver

AROUND_AN_END = {"end.seen", "settle.before", "settle.dependants", "settle.after"}
RUNS = 3


@pytest.fixture
def receiver(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def told(world, receiver):
    """Runs that end well and badly, and an agent's settings that have that told."""
    world.variables["WEBHOOK_URL"] = receiver.url
    world.queue("q", "--max-running", "2")
    world.limit_agent(notify=[{"url": "${WEBHOOK_URL}"}])
    return receiver


def launched(world):
    """Launch runs; return the keys under which their ends are told."""
    code = "import sys; sys.exit(int(sys.argv[1]))"
    runs = [
        world.launch_here("q", sys.executable, "-S", "-c", code, str(number % 2))
        for number in range(RUNS)
    ]
    ends = ("finished", "failed")
    return {f"{run}.1.{ends[number % 2]}" for number, run in enumerate(runs)}


def owed(world):
    return world.select("SELECT * FROM outbox")


@pytest.mark.parametrize("fault", sorted(OF_WEBHOOKS | AROUND_AN_END))
def test_each_end_is_told_whoever_dies(world, told, fault):
    # The first agent has the settings written down before anything ends.
    world.start_agent()
    wait_until(lambda: world.select("SELECT * FROM subscribers"), "the settings are told")
    world.kill(world.agents[-1])
    keys = launched(world)
    for _ in range(KILLS):
        agent = world.start_agent(fault)
        wait_until(
            lambda agent=agent: agent.poll() is not None or (world.all_ended() and not owed(world)),
            f"an end at {fault}",
        )
        world.killed += agent.poll() is not None
        world.kill(agent)
    assert world.killed, f"{fault} was never reached"
    world.start_agent()
    wait_until(lambda: world.all_ended() and not owed(world), f"all is told after {fault}")
    assert set(told.keys) == keys
    if fault == "outbox.answered":
        # What was answered and not noted is told once more; that is what the key is for.
        assert len(told.keys) > len(keys)
    if fault in ("outbox.before", "outbox.noted"):
        assert len(told.keys) == len(keys)
    states = {post["key"]: post["run"]["state"] for post in told.posts}
    assert all(key.endswith(state) for key, state in states.items())


def test_a_receiver_that_hangs_costs_no_run_a_moment(world, told):
    told.answers = [0]
    world.start_agent()
    wait_until(lambda: world.select("SELECT * FROM subscribers"), "the settings are told")
    keys = launched(world)
    wait_until(world.all_ended, "the runs end", seconds=12)
    assert {f"{row['run_id']}.1.{row['state']}" for row in owed(world)} == keys
    wait_until(lambda: told.keys, "it was asked")
    assert world.cli("agent", "drain").returncode == 0
    assert world.agents[-1].wait(timeout=20) == 0
    # Nothing was answered, so all of it is owed on.
    told.answers = [204]
    world.start_agent()
    wait_until(lambda: not owed(world), "all is told")
    assert set(told.keys) == keys


def test_a_drained_agent_has_told_the_last_end(world, told):
    world.start_agent()
    wait_until(lambda: world.select("SELECT * FROM subscribers"), "the settings are told")
    keys = launched(world)
    assert world.cli("agent", "drain").returncode == 0
    assert world.agents[-1].wait(timeout=40) == 0
    ended = {key for key in keys if world.rows()[key[:8]]["state"] != "queued"}
    assert set(told.keys) == ended
    assert owed(world) == []


def test_a_person_who_cancels_without_an_agent_is_told_of_by_the_next_one(world, told):
    world.limit_agent(notify=[{"url": "${WEBHOOK_URL}", "on": ["stopped"]}])
    world.start_agent()
    wait_until(lambda: world.select("SELECT * FROM subscribers"), "the settings are told")
    world.kill(world.agents[-1])
    run = world.launch_here("q", "true")
    assert world.cli("cancel", run).returncode == 0
    assert [row["run_id"] for row in owed(world)] == [run]
    world.start_agent()
    wait_until(lambda: not owed(world), "it is told")
    assert told.keys == [f"{run}.1.stopped"]


def test_how_it_stands_is_told_by_agent_status(world, told):
    told.answers = [500]
    world.start_agent()
    wait_until(lambda: world.select("SELECT * FROM subscribers"), "the settings are told")
    launched(world)
    wait_until(lambda: len(owed(world)) == RUNS, "all ends are owed")
    wait_until(lambda: all(row["tries"] for row in owed(world)), "all was tried")
    said = world.cli("agent", "status").stdout.decode()
    assert "tells ${WEBHOOK_URL}" in said
    assert f"{RUNS} waiting, next try " in said
    assert "last try: HTTP 500" in said
    assert told.url not in said + world.said()
