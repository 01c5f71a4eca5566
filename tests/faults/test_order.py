"""Who comes first stays first: order, places and priorities, whoever is killed in between."""

from __future__ import annotations

import pytest

from launch_tui.domain.run import Priority
from tests.faults.world import wait_until

LEVELS = ("low", "medium", "critical", "high", "medium", "low", "critical", "high")


def in_order_of_start(world):
    began = {run: ran[0].began for run in world.rows() if (ran := world.ran(run))}
    return sorted(began, key=began.get)


def kill_at_each_start(world, runs, **wanted):
    """Kill an agent after each start that a job writes down, until all have started."""
    while (seen := len(in_order_of_start(world))) < runs:
        agent = world.start_agent()
        wait_until(lambda seen=seen: len(in_order_of_start(world)) > seen, "one more starts")
        world.kill(agent)
    world.start_agent()
    wait_until(world.all_ended, "all ended")


def test_priorities_hold_under_kills(world):
    world.queue("q", "--prioritize")
    runs = [world.probe("q", priority=level, hold=0.05) for level in LEVELS]
    last = world.probe("q", priority="low")
    assert world.cli("front", last).returncode == 0
    ranked = sorted(range(len(runs)), key=lambda n: Priority(LEVELS[n]).rank)
    kill_at_each_start(world, len(runs) + 1)
    assert in_order_of_start(world) == [last, *(runs[n] for n in ranked)]


@pytest.mark.parametrize("fault", ["source.before", "build.before", "start.intended"])
def test_a_run_that_is_put_back_has_its_old_place(world, fault):
    world.queue("q", "--prioritize")
    first = world.probe("q", priority="low")
    for _ in range(2):
        world.start_agent(fault).wait(20)
    second, urgent = world.probe("q", priority="low"), world.probe("q", priority="critical")
    kill_at_each_start(world, 3)
    order = in_order_of_start(world)
    assert order.index(first) < order.index(second)
    assert order.index(urgent) < order.index(second)


def test_a_rebooted_run_keeps_rank_and_place(world):
    world.queue("q", "--prioritize", "--on-reboot", "requeue")
    gate = world.root / "gate"
    agent = world.start_agent()
    first = world.probe("q", priority="medium", gate=gate)
    wait_until(lambda: world.ran(first), "it runs")
    world.wait_for_state(first, "running")
    behind = world.probe("q", priority="medium")
    urgent = world.probe("q", priority="high", gate=gate)
    place = (world.rows()[first]["rank"], world.rows()[first]["place"])
    assert world.cli("queue", "pause", "q").returncode == 0
    world.reboot(agent, first, 1)
    # It goes back, and then dies whoever put it back.
    assert world.start_agent("retry.written").wait(20) < 0
    agent = world.start_agent()
    world.wait_for_state(first, "queued")
    row = world.rows()[first]
    assert (row["rank"], row["place"]) == place
    assert (row["attempt"], row["retried"], row["gpus"]) == (2, 0, "[]")
    world.kill(agent)
    assert world.cli("queue", "resume", "q").returncode == 0
    gate.touch()
    world.start_agent()
    wait_until(world.all_ended, "all ended")
    began = {run: world.ran(run)[-1].began for run in (first, behind, urgent)}
    assert sorted(began, key=began.get) == [urgent, first, behind]
    assert [ran.attempt for ran in world.ran(first)] == [1, 2]


def test_a_run_that_is_tried_again_keeps_its_place_and_lets_others_go_meanwhile(world):
    world.queue("q")
    first = world.probe("q", "3,0", retries=1, retry_on=("failed",), backoff=3600)
    second, third, last = (world.probe("q", gate=gate) for gate in ("", world.root / "gate", ""))
    assert world.start_agent("retry.after").wait(20) < 0
    agent = world.start_agent()
    wait_until(lambda: world.ran(third), "the third starts, the first backs off")
    world.kill(agent)
    world.come(first)
    agent = world.start_agent()
    wait_until(lambda: world.rows()[first]["waits"] == 0, "its time has come")
    (world.root / "gate").touch()
    wait_until(world.all_ended, "all ended")
    assert [ran.code for ran in world.ran(first)] == [3, 0]
    began = {run: world.ran(run)[-1].began for run in (first, second, third, last)}
    assert sorted(began, key=began.get) == [second, third, first, last]
