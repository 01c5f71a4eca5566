"""``--param``: a group of runs, launched, acted on and launched again as one."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from launch_tui.domain.run import RunState
from launch_tui.sdk import Launch
from launch_tui.store import write

LAUNCH_KEYS = ["id", "queue", "position", "job", "version", "group"]


@pytest.fixture
def group(cli, job, sdk):
    """The id of a group of four waiting runs."""
    result = cli("launch", job, "x=1", "--param", "opt.lr=1e-3,3e-4", "--param", "seed=0..1")
    assert result.status == 0, result
    return sdk.runs.get("@").group


@pytest.fixture
def ended(sdk):
    """Returns ``ended(run_id, state)``: ends a waiting run."""

    def end(run_id, state):
        write.settle(
            sdk.db, run_id, RunState.QUEUED, state, owner=None, changes={"cause": "x"},
            actor="test",
        )  # fmt: skip

    return end


def members(sdk, group):
    return [run.id for run in sdk.runs.group(group)]


def states(sdk, group):
    return [str(run.state) for run in sdk.runs.group(group)]


def test_a_launch_prints_the_group_and_each_run_with_its_values(cli, job, sdk):
    result = cli("launch", job, "x=1", "--param", "opt.lr=1e-3,3e-4", "--param", "seed=0..1")
    head, *rows = result.out.splitlines()
    group = sdk.runs.get("@").group
    assert head == f"group {group}  4 runs"
    ids = members(sdk, group)
    assert rows == [
        f"{run_id}  proj:v0  default  position {at}  opt.lr={lr}  seed={seed}"
        for at, (run_id, (lr, seed)) in enumerate(
            zip(ids, [("0.001", 0), ("0.001", 1), ("0.0003", 0), ("0.0003", 1)], strict=True), 1
        )
    ]
    assert [sdk.runs.get(run_id).config for run_id in ids] == [
        {"x": 1, "opt": {"lr": lr}, "seed": seed} for lr in (1e-3, 3e-4) for seed in (0, 1)
    ]


def test_json_is_a_list_also_of_one_value(cli, job):
    assert [list(run) for run in cli("launch", job, "--param", "a=1,2", "--json").json] == [
        LAUNCH_KEYS, LAUNCH_KEYS,
    ]  # fmt: skip
    assert len(cli("launch", job, "--param", "a=1", "--json").json) == 1


WAY = (
    RunState.QUEUED, RunState.CLAIMED, RunState.SOURCING, RunState.BUILDING, RunState.STARTING,
    RunState.RUNNING,
)  # fmt: skip


def end_all(home, count, last):
    """Ends so many runs well, as an agent would, but the last as ``last``."""
    with Launch(home) as sdk:
        deadline = time.monotonic() + 20
        while len(runs := sdk.runs.list()) < count:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for run, end in zip(
            reversed(runs), [RunState.FINISHED] * (count - 1) + [last], strict=True
        ):
            for state, to in itertools.pairwise((*WAY, end)):
                write.transition(sdk.db, run.id, state, to, owner=None, actor="test")


@pytest.mark.parametrize(("last", "status"), [(RunState.FINISHED, 0), (RunState.FAILED, 1)])
def test_waiting_for_a_group_is_waiting_for_all(cli, job, private_home, last, status):
    with ThreadPoolExecutor(1) as pool:
        agent = pool.submit(end_all, private_home, 3, last)
        result = cli("launch", job, "--param", "a=0..2", "--wait")
        agent.result()
    assert result.status == status
    outcomes = [row.split()[1] for row in result.err.splitlines() if "no agent" not in row]
    assert outcomes == ["finished", "finished", last]


def test_a_value_of_the_wrong_type_enqueues_none(cli, refused, folder, sdk):
    schema = '{"type": "object", "properties": {"lr": {"type": "number"}}}'
    assert cli("job", "create", "code", ".", "--venv", "none", "--schema", schema).status == 0
    assert "lr" in refused("launch", "proj", "--param", "lr=1,fast")
    assert sdk.runs.list() == []


def test_runs_of_a_group_are_listed(cli, refused, job, group, ended, sdk):
    cli("launch", job)
    ids = members(sdk, group)
    ended(ids[0], RunState.FAILED)
    listed = cli("runs", "--group", group, "--json").json
    assert [run["id"] for run in listed] == ids[::-1]
    assert {run["group"] for run in listed} == {group}
    failed = cli("runs", "--group", group, "-s", "failed", "-j", "proj:v0", "-q", "default")
    assert failed.out.splitlines()[1].startswith(ids[0])
    assert cli("runs", "--group", group, "-j", "other", "--json").json == []
    assert cli("runs", "--group", group, "--filter", "config.seed=1", "-n", "1", "--json").json
    assert refused("runs", "--group", "g-none").startswith("GROUP: there is no group 'g-none'")
    assert refused("runs", "--group", group, "-q", "nope").startswith("queue: there is no queue")


def test_a_group_is_held_released_stopped_and_deleted_as_one(cli, refused, job, group, ended, sdk):
    other = cli("launch", job, "--json").json["id"]
    ids = members(sdk, group)
    ended(ids[0], RunState.LOST)
    waiting = ids[1:]
    assert cli("hold", group).out == "".join(f"{run_id}  held\n" for run_id in waiting)
    assert states(sdk, group) == ["lost", "held", "held", "held"]
    assert refused("hold", group) == (
        f"GROUP: group {group} has no run left for that (allowed: runs that are queued)"
    )
    assert cli("release", group, waiting[0]).out.count("queued") == 3
    assert cli("cancel", waiting[0]).status == 0
    assert cli("stop", group, other).out.count("stopped") == 3
    assert states(sdk, group) == ["lost", "stopped", "stopped", "stopped"]
    assert cli("delete", group).out.count("deleted") == 4
    assert refused("stop", group).startswith(f"GROUP: there is no group '{group}'")
    assert refused("stop", "nothing").startswith("RUN: there is no run 'nothing'")


def test_a_group_is_cancelled(cli, group, sdk):
    assert cli("cancel", group).out.count("cancelled") == 4
    assert states(sdk, group) == ["stopped"] * 4


def test_a_group_gets_another_priority(cli, refused, job, sdk):
    assert cli("queue", "create", "q", "-r", "process", "--prioritize").status == 0
    assert cli("launch", job, "-q", "q", "--param", "a=1,2").status == 0
    run = cli("launch", job, "-q", "q", "--json").json["id"]
    group = sdk.runs.get("@~1").group
    ids = members(sdk, group)
    assert cli("priority", group, "HIGH").out == "".join(f"{i}  priority high\n" for i in ids)
    assert [sdk.runs.get(run_id).priority for run_id in (*ids, run)] == ["high", "high", "medium"]
    assert cli("priority", run, ids[0], "critical").status == 0
    assert sdk.runs.get(run).priority == "critical"
    assert refused("priority", run, "urgent") == (
        "LEVEL: 'urgent' is no priority (allowed: critical, high, medium, low)"
    )
    assert refused("priority", "high").startswith("LEVEL: is missing")
    cli("launch", job)
    assert "has no priorities" in refused("priority", "@", "high")


def test_the_failed_runs_of_a_group_are_launched_again(cli, refused, job, group, ended, sdk):
    ids = members(sdk, group)
    for run_id, state in zip(
        ids, (RunState.STOPPED, RunState.FAILED, RunState.LOST, RunState.STOPPED), strict=True
    ):
        ended(run_id, state)
    result = cli("rerun", group, "--failed", "x=2", "--tag", "again")
    assert result.status == 0, result
    again = sdk.runs.get("@").group
    assert again != group
    head, *rows = result.out.splitlines()
    assert head == f"group {again}  2 runs"
    # What tells them apart; x is 2 in both.
    assert [row.partition("position ")[2] for row in rows] == [
        "1  opt.lr=0.001  seed=1", "2  opt.lr=0.0003  seed=0",
    ]  # fmt: skip
    runs = [sdk.runs.get(run_id) for run_id in members(sdk, again)]
    assert [run.config for run in runs] == [
        {**sdk.runs.get(run_id).config, "x": 2} for run_id in ids[1:3]
    ]
    assert {run.tags for run in runs} == {("again",)}
    assert [list(run) for run in cli("rerun", group, "--json").json] == [LAUNCH_KEYS] * 4
    assert refused("rerun", again, "--failed").startswith("--failed: no run of")
    assert refused("rerun", ids[0], "--failed") == (
        f"--failed: {ids[0]} is a run by itself (allowed: with the id of a group)"
    )
    assert refused("rerun", group, "--follow").startswith("--follow: follows one run")
    assert refused("rerun", "g-none").startswith("GROUP: there is no group 'g-none'")
    assert refused("rerun", group, "--param", "a=1").startswith("--param: rerun has no such flag")
