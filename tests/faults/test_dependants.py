"""Runs that wait for others: each starts exactly once, or ends with its cause, whoever dies."""

from __future__ import annotations

import random

import pytest

from tests.faults.world import ENDED, KILLED, wait_until

RUNS = 14
AT_ONCE = 3


def random_graph(seed):
    """Return for each run its exit code and what it waits for, as index and condition."""
    chance = random.Random(seed)
    graph = []
    for number in range(RUNS):
        count = min(number, chance.choice((0, 1, 1, 2)))
        on = chance.sample(range(max(0, number - 5), number), min(count, number))
        graph.append(
            (
                chance.choice((0, 0, 3)),
                [(each, chance.choice(("ok", "ok", "failed", "any"))) for each in sorted(on)],
            )
        )
    return graph


def outcomes(graph):
    """What has to become of each, by the plainest reading of the conditions."""
    met = {"ok": {"finished"}, "failed": {"failed"}, "any": ENDED}
    states = []
    for code, after in graph:
        may = all(states[on] in met[how] for on, how in after)
        states.append(("failed" if code else "finished") if may else "stopped")
    return states


def starts(world, runs):
    return sum(len(world.ran(run)) for run in runs)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_starts_once_or_ends_with_its_cause(world, seed):
    world.queue("q", "--max-running", str(AT_ONCE))
    graph = random_graph(seed)
    wanted = outcomes(graph)
    assert {"finished", "failed", "stopped"} == set(wanted), "a graph that shows something"
    runs = []
    for code, after in graph:
        waits_for = tuple(f"{runs[on]}:{how}" for on, how in after)
        runs.append(world.probe("q", str(code), after=waits_for))
    due = sum(state != "stopped" for state in wanted)
    while (seen := starts(world, runs)) < due:
        agent = world.start_agent()
        wait_until(lambda seen=seen: starts(world, runs) > seen, "one more starts")
        world.kill(agent)
    world.start_agent()
    wait_until(world.all_ended, f"all ended: {world.rows()}")
    rows = world.rows()
    assert [rows[run]["state"] for run in runs] == wanted
    for (_, after), state, run in zip(graph, wanted, runs, strict=True):
        ran = world.ran(run)
        if state == "stopped":
            assert not ran
            assert rows[run]["failure"] == "dependency"
            assert any(runs[on] in rows[run]["cause"] for on, _ in after)
            continue
        assert len(ran) == 1
        ends = [world.ran(runs[on])[-1].ended for on, _ in after if world.ran(runs[on])]
        assert all(ran[0].began >= end for end in ends)


def test_a_cancellation_that_is_killed_ends_all_or_none(world):
    world.queue("q")
    first = world.probe("q")
    second = world.probe("q", after=(first,))
    third = world.probe("q", after=(f"{second}:any",))
    done = world.cli("stop", first, fault="settle.dependants")
    assert done.returncode == KILLED
    assert {row["state"] for row in world.rows().values()} == {"queued"}
    assert world.cli("stop", first).returncode == 0
    states = {run: row["state"] for run, row in world.rows().items()}
    assert states == {first: "stopped", second: "stopped", third: "queued"}
    world.start_agent()
    world.wait_for_state(third, "finished")
    assert [len(world.ran(run)) for run in (first, second, third)] == [0, 0, 1]


def test_a_launch_that_is_killed_waits_for_what_it_named_or_is_not_there(world):
    world.queue("q")
    first = world.probe("q", "3")
    words = ("-q", "q", "--in-place", "--after", f"{first}:ok", "--", "touch", world.marks / "ran")
    for fault in ("enqueue.before", "enqueue.written", "enqueue.committed"):
        assert world.launch(*words, fault=fault) is None
    rows = world.rows()
    assert len(rows) == 2
    (second,) = set(rows) - {first}
    world.start_agent()
    wait_until(world.all_ended, "both ended")
    assert world.rows()[second]["failure"] == "dependency"
    assert not (world.marks / "ran").exists()


def test_a_lost_run_is_a_bad_end_for_those_that_wait(world):
    world.queue("q", "--max-running", "5")
    gate = world.root / "gate"
    agent = world.start_agent()
    first = world.probe("q", gate=gate)
    good, bad = (world.probe("q", after=(f"{first}:{how}",)) for how in ("ok", "failed"))
    wait_until(lambda: world.ran(first), "it runs")
    world.wait_for_state(first, "running")
    world.kill(agent)
    world.kill_supervisor(first)
    world.start_agent()
    gate.touch()
    wait_until(world.all_ended, "all ended")
    states = {run: row["state"] for run, row in world.rows().items()}
    assert states == {first: "lost", good: "stopped", bad: "finished"}
    assert world.ran(bad)[0].began >= world.ran(first)[0].ended


def test_a_run_that_is_tried_again_has_not_ended_for_those_that_wait(world):
    world.queue("q", "--max-running", "5")
    first = world.probe("q", "3,0", retries=1, retry_on=("failed",), backoff=0)
    failed, ok = (world.probe("q", after=(f"{first}:{how}",)) for how in ("failed", "ok"))
    for fault in ("retry.written", "retry.after", "settle.dependants"):
        world.start_agent(fault).wait(20)
    world.start_agent()
    wait_until(world.all_ended, "all ended")
    states = {run: row["state"] for run, row in world.rows().items()}
    assert states == {first: "finished", failed: "stopped", ok: "finished"}
    assert world.ran(ok)[0].began >= world.ran(first)[1].ended
