"""A run that is tried again: never once too often or too seldom, and the same run each time."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.faults.world import wait_until

RUNS = 5
RETRIES = 2


def starts(world, runs):
    return sum(len(world.ran(run)) for run in runs)


def git(world, *words):
    subprocess.run(["git", *words], cwd=world.repository, check=True, capture_output=True)


def test_attempts_are_exact_however_often_the_agent_dies(world):
    world.queue("q", "--max-running", "3")
    runs = world.probes("q", RUNS, codes="3,4,0", retries=RETRIES, retry_on=("failed",), backoff=0)
    kills = 0
    # One kill after each start that a job writes down: while it runs, ends, or waits to be retried.
    while (seen := starts(world, runs)) < RUNS * (RETRIES + 1):
        agent = world.start_agent()
        wait_until(lambda seen=seen: starts(world, runs) > seen, "one more starts")
        world.kill(agent)
        kills += 1
    world.start_agent()
    wait_until(world.all_ended, "all ended")
    assert kills >= RUNS
    for run, row in world.rows().items():
        assert [ran.code for ran in world.ran(run)] == [3, 4, 0]
        assert (row["state"], row["exit_code"], row["retried"]) == ("finished", 0, RETRIES)
        assert [ran.kept for ran in world.ran(run)] == [
            [str(earlier.attempt) for earlier in world.ran(run)[:number]]
            for number in range(RETRIES + 1)
        ]
        assert world.events(run).count("failed") == RETRIES


@pytest.mark.parametrize("fault", ["retry.before", "retry.written", "retry.after"])
@pytest.mark.parametrize("kind", ["git", "code"])
def test_each_attempt_has_the_source_that_was_launched(world, kind, fault):
    """Also when the place that it is from has changed in between, and the agent has died."""
    world.queue("q")
    place = {"git": world.repository.as_uri(), "code": str(world.folder)}[kind]
    words = ("-q", "q", "--retries", "1", "--retry-on", "failed", "--backoff", "0s")
    marks = ("--setenv", f"MARKS={world.marks}", "--setenv", "CODE=3,0")
    run = world.launch("-u", place, "-E", "python job.py", *words, *marks)
    agent = world.start_agent(fault)
    assert agent.wait(40) == -signal.SIGKILL
    for folder in (world.folder, world.repository):
        (folder / "job.py").write_text("raise SystemExit('this is not what was launched')\n")
    git(world, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qam", "changed")
    world.start_agent()
    world.wait_for_state(run, "finished")
    assert world.started(run) == world.ended(run) == ["1", "2"]
    first, second = (world.attempt(run, number) / "source/job.py" for number in (1, 2))
    assert first.read_bytes() == second.read_bytes()
    assert world.rows()[run]["retried"] == 1


def test_a_killed_supervisor_is_retried_once_its_job_has_ended(world):
    world.queue("q")
    gate = world.root / "gate"
    world.start_agent()
    run = world.probe("q", gate=gate, retries=1, retry_on=("lost",), backoff=0)
    wait_until(lambda: world.ran(run), "it runs")
    world.kill_supervisor(run)
    gate.touch()
    wait_until(world.all_ended, "it ended")
    first, second = world.ran(run)
    assert second.began >= first.ended
    row = world.rows()[run]
    assert (row["state"], row["retried"], row["attempt"]) == ("finished", 1, 2)


def test_who_is_stopped_while_no_agent_lives_is_not_tried_again(world):
    world.queue("q")
    gate = world.root / "gate"
    agent = world.start_agent()
    run = world.probe("q", "3", gate=gate, retries=5, retry_on=("failed",), backoff=0)
    world.wait_for_state(run, "running")
    wait_until(lambda: world.ran(run), "it runs")
    world.kill(agent)
    assert world.cli("stop", run).returncode == 0
    gate.touch()
    wait_until(lambda: world.processes() == [], "the job ended by itself")
    world.start_agent()
    world.wait_for_state(run, "stopped")
    assert len(world.ran(run)) == 1


def test_who_is_stopped_before_it_started_does_not_wait_for_its_queue(world):
    """Its agent has died, its queue is paused: it is put back, and would wait there for ever."""
    world.queue("q")
    run = world.probe("q")
    assert world.start_agent("claim.committed").wait(20) == -signal.SIGKILL
    assert world.cli("queue", "pause", "q").returncode == 0
    assert world.cli("stop", run).returncode == 0
    world.start_agent()
    world.wait_for_state(run, "stopped")
    assert world.rows()[run]["cause"] == "stopped by the user before it started"
    assert world.ran(run) == []


def test_who_waits_to_be_tried_again_can_be_stopped(world):
    world.queue("q")
    run = world.probe("q", "3", retries=5, retry_on=("failed",), backoff=3600)
    agent = world.start_agent("retry.after")
    assert agent.wait(20) == -signal.SIGKILL
    assert world.rows()[run]["state"] == "queued"
    assert world.cli("stop", run).returncode == 0
    assert (world.rows()[run]["state"], len(world.ran(run))) == ("stopped", 1)
