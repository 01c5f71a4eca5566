"""Agents come, die and follow each other: what runs is taken up, and no limit is exceeded."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.faults.world import wait_until


def held(world, queue):
    """Launch a job that marks its start, and runs until the gate opens."""
    gate, mark = (
        world.root / "gate",
        'echo "$LAUNCH_TUI_ATTEMPT" >> "$MARKS/$LAUNCH_TUI_RUN_ID.started"',
    )
    wait = f"while ! [ -e {gate} ]; do sleep 0.02; done"
    return world.launch_here(queue, "sh", "-c", f"{mark}; {wait}")


def children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def running(world):
    return sum(row["state"] == "running" for row in world.rows().values())


def adopted(world):
    """How often agents have said that they took a run up."""
    return sum(line.endswith("  adopted") for line in world.said().splitlines())


def test_what_runs_is_adopted(world):
    world.queue("q", "--max-running", "3")
    agent = world.start_agent()
    runs = [held(world, "q") for _ in range(3)]
    wait_until(lambda: running(world) == 3, "all run")
    for again in range(1, 4):
        world.kill(agent)
        agent = world.start_agent()
        wait_until(lambda wanted=3 * again: adopted(world) == wanted, "all are adopted")
    (world.root / "gate").touch()
    wait_until(world.all_ended, "all ended")
    assert [world.started(run) for run in runs] == [["1"]] * 3


def test_limits_count_what_dead_agents_started(world):
    world.queue("q", "--max-running", "2")
    world.queue("other", "--max-running", "5")
    agent = world.start_agent("", "-j", "3")
    runs = [held(world, "q") for _ in range(4)] + [held(world, "other") for _ in range(4)]
    wait_until(lambda: running(world) == 3, "three run")
    for again in range(1, 4):
        world.kill(agent)
        agent = world.start_agent("", "-j", "3")
        # What it would claim in excess, it claims before it has adopted what runs.
        wait_until(lambda wanted=3 * again: adopted(world) == wanted, "it has adopted all")
        assert sum(len(world.started(run)) for run in runs) == 3
    (world.root / "gate").touch()
    wait_until(world.all_ended, "all ended")
    assert [world.started(run) for run in runs] == [["1"]] * 8


def test_a_second_agent_stands_by_and_takes_over(world):
    world.queue("q")
    first = world.start_agent()
    wait_until(lambda: world.agent_is_active(first), "the first works")
    second = world.start_agent()
    wait_until(lambda: f"another agent (pid {first.pid}) works here" in world.said(), "it says so")
    assert world.agent_is_active(first)
    world.kill(first)
    wait_until(lambda: world.agent_is_active(second), "the second works")
    world.launch_here("q", "true")
    wait_until(world.all_ended, "it works")


def test_an_agent_that_is_stopped_leaves_only_what_was_asked_for(world):
    world.queue("q")
    agent = world.start_agent()
    run = held(world, "q")
    wait_until(lambda: running(world) == 1, "it runs")
    wait_until(lambda: world.started(run), "the job runs")
    own = children(agent.pid)
    assert own, "the fork server is there"
    assert world.cli("agent", "stop").returncode == 0
    assert agent.wait(20) == 0
    assert not [pid for pid in own if Path(f"/proc/{pid}").exists()]
    # The job's shell and its sleep, and the supervisor, which has nothing of the job's in it.
    assert world.processes()
    assert world.rows()[run]["state"] == "running"
    assert world.cli("agent", "status").stdout.startswith(b"no agent is running\n")
    (world.root / "gate").touch()
    wait_until(lambda: world.processes() == [], "the job ended by itself")
    world.start_agent()
    wait_until(world.all_ended, "its outcome is stored")
    assert world.rows()[run]["state"] == "finished"


def test_an_agent_that_drains_leaves_nothing(world):
    world.queue("q")
    agent = world.start_agent()
    run, behind = held(world, "q"), held(world, "q")
    wait_until(lambda: running(world) == 1, "it runs")
    own = children(agent.pid)
    world.cli("agent", "drain")
    wait_until(lambda: "draining" in world.said(), "it drains")
    assert agent.poll() is None
    (world.root / "gate").touch()
    assert agent.wait(20) == 0
    assert not [pid for pid in own if Path(f"/proc/{pid}").exists()]
    assert world.processes() == []
    states = {name: world.rows()[name]["state"] for name in (run, behind)}
    assert states == {run: "finished", behind: "queued"}


def test_a_stopped_writer_delays_and_breaks_nothing(world):
    """A caller that is suspended in the middle of a transaction keeps the store locked."""
    world.queue("q")
    agent = world.start_agent()
    run = held(world, "q")
    wait_until(lambda: running(world) == 1, "it runs")
    import sqlite3

    blocker = sqlite3.connect(world.home / "launch.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    (world.root / "gate").touch()
    wait_until(
        lambda: "waits: another process has kept the store" in world.said(), "it says so", 50
    )
    assert agent.poll() is None
    blocker.execute("ROLLBACK")
    blocker.close()
    wait_until(world.all_ended, "its outcome is stored")
    assert world.rows()[run]["state"] == "finished"


def test_an_agents_terminal_may_close(world):
    agent = world.start_agent()
    wait_until(lambda: world.agent_is_active(agent), "it works")
    os.kill(agent.pid, signal.SIGHUP)
    world.queue("q")
    world.launch_here("q", "true")
    wait_until(world.all_ended, "it works on")
    assert agent.poll() is None
