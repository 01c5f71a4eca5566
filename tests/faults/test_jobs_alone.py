"""A job depends on nobody: not on the agent, its terminal or the machine staying up."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from launch_tui.domain.run import MAX_PREEMPTIONS
from launch_tui.targets.processes import identify
from tests.faults.world import wait_until

TICKS = 40
TICKING = f"""
n=0; while [ $n -lt {TICKS} ]; do echo tick $n; n=$((n+1)); sleep 0.02; done; exit 3
"""
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def detach():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            return
        os._exit(0)
    os.wait()
    time.sleep(600)
for child in range(3):
    if os.fork() == 0:
        detach()
        break
print(os.getpid(), flush=True)
time.sleep(600)
"""
"""Three children that leave their session by a double fork; nobody listens to signals."""


def end_of(world, run):
    wait_until(world.all_ended, f"{run} ended")
    row = world.rows()[run]
    return row["state"], row["exit_code"]


def test_a_job_outlives_its_agent_and_its_outcome_is_known(world):
    world.queue("q")
    agent = world.start_agent()
    run = world.launch_here("q", "sh", "-c", TICKING)
    log = world.attempt(run) / "output.log"
    wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") > 3, "the job prints")
    # As when a terminal closes, and then worse: everything in the agent's session.
    os.killpg(agent.pid, signal.SIGHUP)
    assert agent.poll() is None
    os.killpg(agent.pid, signal.SIGKILL)
    agent.wait()
    wait_until((world.attempt(run) / "exit").exists, "the job ended without an agent")
    assert world.rows()[run]["state"] == "running"
    world.start_agent()
    assert end_of(world, run) == ("failed", 3)
    assert log.read_text().split("\n") == [*(f"tick {n}" for n in range(TICKS)), ""]
    row = world.rows()[run]
    ended = json.loads((world.attempt(run) / "exit").read_text())["ended_at"]
    assert row["ended_at"] == iso(ended)
    assert row["started_at"] < row["ended_at"]


def test_a_job_that_was_never_seen_running_has_its_own_times(world):
    world.queue("q")
    run = world.launch_here("q", "sh", "-c", "sleep 0.1; exit 3")
    agent = world.start_agent("start.answered")
    assert agent.wait(20) == -signal.SIGKILL
    wait_until((world.attempt(run) / "exit").exists, "the job ended without an agent")
    assert world.rows()[run]["state"] == "starting"
    world.start_agent()
    assert end_of(world, run) == ("failed", 3)
    started = json.loads((world.attempt(run) / "pid").read_text())["started_at"]
    assert world.rows()[run]["started_at"] == iso(started)


def iso(seconds):
    from launch_tui.store.clock import iso

    return iso(seconds)


def test_an_agent_that_nobody_listens_to_works_on(world):
    world.queue("q")
    reading, writing = os.pipe()
    world.start_agent(stdout=writing)
    os.close(reading)
    os.close(writing)
    run = world.launch_here("q", "sh", "-c", "exit 0")
    assert end_of(world, run) == ("finished", 0)


def test_a_stop_leaves_no_process(world):
    world.queue("q")
    world.start_agent()
    run = world.launch_here("q", "python", "-c", STUBBORN)
    log = world.attempt(run) / "output.log"
    wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") == 4, "all four live")
    assert len(world.processes()) >= 4
    assert world.cli("stop", "--now", run).returncode == 0
    assert end_of(world, run)[0] == "stopped"
    assert world.processes() == []


def test_a_stop_that_was_asked_before_its_agent_died_is_not_forgotten(world):
    world.queue("q")
    run = world.launch_here("q", "touch", str(world.marks / "ran"))
    agent = world.start_agent("claim.committed")
    assert agent.wait(20) == -signal.SIGKILL
    assert world.cli("stop", run).returncode == 0
    assert world.rows()[run]["state"] == "claimed"
    world.start_agent()
    assert end_of(world, run)[0] == "stopped"
    assert not (world.marks / "ran").exists()


def running_attempt(world, run, number):
    def runs():
        # One look: two would see the state of one attempt and the number of the next.
        row = world.rows()[run]
        return (row["state"], row["attempt"]) == ("running", number)

    wait_until(runs, f"attempt {number} runs")


def test_after_a_reboot_a_run_is_lost_and_the_queue_goes_on(world):
    world.queue("q")
    agent = world.start_agent()
    run = world.launch_here("q", "sleep", "600")
    behind = world.launch_here("q", "true")
    running_attempt(world, run, 1)
    world.reboot(agent, run, 1)
    world.start_agent()
    assert end_of(world, run) == ("lost", None)
    assert world.rows()[run]["cause"] == "rebooted"
    assert end_of(world, behind) == ("finished", 0)


def test_after_a_reboot_a_queue_may_want_the_run_once_more(world):
    world.queue("q", "--on-reboot", "requeue")
    assert b"requeue" in world.cli("queue", "show", "q").stdout
    gate = world.root / "gate"
    agent = world.start_agent()
    run = world.launch_here("q", "sh", "-c", f"while ! [ -e {gate} ]; do sleep 0.02; done")
    behind = world.launch_here("q", "true")
    running_attempt(world, run, 1)
    world.reboot(agent, run, 1)
    world.start_agent()
    running_attempt(world, run, 2)
    assert world.rows()[behind]["state"] == "queued"
    gate.touch()
    assert end_of(world, run) == ("finished", 0)
    told = world.select(f"SELECT state FROM events WHERE run_id = '{run}' AND state IS NOT NULL")
    assert [row["state"] for row in told][-8:] == [
        "preempted", "queued", "claimed", "sourcing", "building", "starting", "running", "finished"
    ]  # fmt: skip


def test_a_run_that_reboots_the_machine_is_lost_in_the_end(world):
    world.queue("q")
    world.cli("queue", "update", "q", "--on-reboot", "requeue")
    run = world.launch_here("q", "sleep", "600")
    for number in range(1, MAX_PREEMPTIONS + 2):
        agent = world.start_agent()
        running_attempt(world, run, number)
        world.reboot(agent, run, number)
    world.start_agent()
    assert end_of(world, run) == ("lost", None)
    assert world.rows()[run]["attempt"] == MAX_PREEMPTIONS + 1


@pytest.mark.parametrize("same", ["boot_id", "start_time"])
def test_a_recycled_pid_is_never_signalled(world, same):
    world.queue("q")
    agent = world.start_agent()
    run = world.launch_here("q", "sleep", "600")
    running_attempt(world, run, 1)
    world.reboot(agent, run, 1)
    bystander = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        taken = identify(bystander.pid)
        for name in ("started", "pid"):
            path = world.attempt(run) / name
            record = json.loads(path.read_text())
            record |= {"pid": taken.pid, "supervisor_pid": taken.pid}
            record[same] = getattr(taken, same)
            path.write_text(json.dumps(record))
        world.cli("stop", "--now", run)
        world.start_agent()
        assert end_of(world, run)[0] == "stopped"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
