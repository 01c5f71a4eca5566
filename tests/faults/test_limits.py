"""Times that pass while nobody looks: limits of running and starting, and delayed starts."""

from __future__ import annotations

import signal
import time

from launch_tui.store.clock import seconds
from launch_tui.targets import records
from launch_tui.targets.processes import alive
from tests.faults.world import wait_until

HOUR_S = 3600.0


def limited(world, timeout, **wanted):
    """Launch a job that would run for an hour, in a queue whose runs may not."""
    return world.probe("q", hold=HOUR_S, resource_args={"timeout": timeout}, **wanted)


def has_passed(world, run, limit):
    return time.time() > seconds(world.rows()[run]["started_at"]) + limit


def test_a_limit_that_passes_without_an_agent_ends_the_run_on_its_return(world):
    world.queue("q")
    agent = world.start_agent()
    run = limited(world, 2)
    world.wait_for_state(run, "running")
    world.kill(agent)
    job = records.read_started(world.attempt(run)).job
    wait_until(lambda: has_passed(world, run, 2), "its time is over")
    assert alive(job)
    world.limit_agent(stopped_run_timeout=0.2)
    world.start_agent()
    world.wait_for_state(run, "failed")
    row = world.rows()[run]
    assert (row["failure"], row["phase"], row["retried"]) == ("timeout", "run", 0)
    assert not alive(job)


def test_a_limit_is_told_also_when_the_agent_died_after_it_had_ended_the_job(world):
    world.queue("q")
    world.limit_agent(stopped_run_timeout=0.2)
    run = limited(world, 1, retries=1, retry_on=("timeout",), backoff=0)
    for fault in ("end.seen", "retry.before", "retry.after", "settle.before"):
        assert world.start_agent(fault).wait(20) == -signal.SIGKILL
    world.start_agent()
    world.wait_for_state(run, "failed")
    row = world.rows()[run]
    assert (row["failure"], row["retried"], len(world.ran(run))) == ("timeout", 1, 2)
    assert world.processes() == []


def test_a_job_that_started_in_time_is_not_late_for_a_new_agent(world):
    """Its agent died before it saw the job run, and the next one comes when the limit is over."""
    world.queue("q")
    gate = world.root / "gate"
    run = world.probe("q", gate=gate, resource_args={"start_timeout": 2})
    assert world.start_agent("start.answered").wait(20) == -signal.SIGKILL
    wait_until(lambda: world.ran(run), "the job runs")
    claimed = seconds(world.rows()[run]["claimed_at"])
    wait_until(lambda: time.time() > claimed + 2, "its time to start is over")
    world.start_agent()
    world.wait_for_state(run, "running")
    gate.touch()
    wait_until(world.all_ended, "it ended")
    assert world.rows()[run]["state"] == "finished"


def test_a_time_to_begin_that_passes_without_an_agent_is_caught_up(world):
    world.queue("q")
    run = world.probe("q", begin="+1h")
    agent = world.start_agent()
    beside = world.probe("q")
    world.wait_for_state(beside, "finished")
    assert world.rows()[run]["state"] == "queued"
    world.kill(agent)
    begin = world.come(run)
    for fault in ("wake.before", "wake.after"):
        assert world.start_agent(fault).wait(20) == -signal.SIGKILL
    world.start_agent()
    wait_until(world.all_ended, "it ended")
    assert len(world.ran(run)) == 1
    assert seconds(world.rows()[run]["started_at"]) >= begin
