"""Who is next, and why the others are not: priorities, editing, bulk, dependencies, groups."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

HOLD_ON = "while [ ! -e go ]; do sleep 0.02; done"


@pytest.fixture
def prioritized(world, folder):
    """A queue ``p`` with priorities, paused, and an agent."""
    world.ok("queue", "create", "p", "-r", "process", "--tracking", "optional", "--prioritize")
    world.ok("queue", "pause", "p")
    return world


def claimed(world, runs):
    """Return runs that have ended in the order in which they were claimed."""
    for run in runs:
        assert world.until(run)["state"] == "finished"
    return sorted(runs, key=lambda run: world.show(run)["claimed_at"])


def test_levels_then_first_in_first_out_and_what_people_change(prioritized, editor):
    world = prioritized
    levels = ("low", "medium", "high", "critical", "low", "high", "medium")
    low, medium, high, critical, raised, edited, front = (
        world.shell("true", "-P", level, queue="p") for level in levels
    )
    default = world.shell("true", queue="p")
    held = world.shell("true", "-P", "critical", queue="p")
    assert world.show(default)["priority"] == "medium"
    assert world.why(critical) == ("paused", "queue p is paused")
    world.ok("priority", raised, "critical")
    world.ok("front", front)
    world.ok("hold", held)
    editor("priority: high", "priority: low")
    assert world.ok("edit", edited).out == f"{edited}  priority changed\n"
    assert world.lt("priority", low, "urgent").status == 2
    assert world.lt("launch", "-q", "q", "-P", "high", "--in-place", "--", "true").status == 2
    world.ok("queue", "resume", "p")
    assert world.why(low) == ("position", "7th in line")
    world.agent()
    expected = [front, critical, raised, high, medium, default, low, edited]
    assert claimed(world, expected) == expected
    assert world.why(held) == ("held", "held by you")


def test_a_queued_run_is_edited(prioritized, editor):
    world = prioritized
    run = world.launch("lr=0.1", "-R", '{"env": {"P": "old"}}', "--in-place", "--", "sh", "-c",
                       "echo $WANDB_CONFIG $P $WANDB_NAME", queue="p")  # fmt: skip
    for old, new, status in (
        ("lr: 0.1", "lr: 0.7", 0),
        ("P: old", "P: new", 0),
        ("P: new", "P: new\n  nicee: 3", 2),
        ("name: proj", "name: renamed", 0),
        ("name: renamed", "nam: renamed", 2),
    ):
        editor(old, new)
        assert world.lt("edit", run).status == status, old
    world.ok("queue", "resume", "p")
    world.agent()
    assert world.until(run)["state"] == "finished"
    config, *words = world.log(run).rsplit(maxsplit=2)
    assert json.loads(config)["lr"] in (0.7, {"value": 0.7})
    assert words == ["new", "renamed"]
    again = world.ok("rerun", run, "lr=0.9", "-R", '{"env": {"P": "newer"}}', "--json").json["id"]
    assert world.until(again)["config"] == {"lr": 0.9}
    assert world.log(again).split()[-2:] == ["newer", "renamed"]
    assert world.lt("edit", run).status == 2


def test_bulk_is_one_transaction_with_everything_a_launch_can_say(prioritized, tmp_path):
    world = prioritized
    world.ok("job", "create", "code", ".", "--venv", "none", "-n", "proj", "-E", "true")
    lines = [
        {"priority": "low", "name": "a"},
        {"priority": "high", "name": "b", "resource_args": {"nice": 1}, "retries": 1},
        {"name": "c", "cpus": 1, "timeout": "1h", "begin": "+1h"},
    ]
    path = tmp_path / "runs.jsonl"
    for wrong in ({"priority": "urgent"}, {"resource_args": {"nic": 1}}, {"gpuss": 1}, "text"):
        path.write_text("".join(json.dumps(each) + "\n" for each in [*lines, wrong]))
        refused = world.lt("launch", "proj", "--file", path, "-q", "p")
        assert (refused.status, refused.err.count("\n")) == (2, 1)
        assert "line 4" in refused.err
        assert world.ok("runs", "--json").json == []
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    runs = [each["id"] for each in
            world.ok("launch", "proj", "--file", path, "-q", "p", "--json").json]  # fmt: skip
    world.ok("queue", "resume", "p")
    assert world.why(runs[2])[0] == "begin"
    world.agent()
    assert claimed(world, runs[:2]) == [runs[1], runs[0]]


def test_dependencies_over_queues(prioritized, editor):
    world = prioritized
    first = world.shell("exit 3", queue="p")
    fine, bad, any_end = (
        world.shell("true", "--after", f"{first}:{how}", queue="q")
        for how in ("ok", "failed", "any")
    )
    last = world.shell("true", "--after", fine, queue="p")
    both = world.shell("true", "--after", bad, "--after", f"{last}:any", queue="q")
    assert world.why(fine) == ("after", f"after run {first} (queued)")
    assert world.why(bad) == ("after", f"after run {first} to fail (queued)")
    kind, reason = world.why(both)
    assert (kind, reason.startswith("after run ")) == ("after", True)
    assert f"run {bad} (queued)" in reason
    assert f"run {last} to end (queued)" in reason
    for after in (f"{both}:any", first, "nothing"):
        editor("after: []", f"after: ['{after}']")
        assert world.lt("edit", first).status == 2
    assert world.lt("launch", "-q", "q", "--after", f"{first}:maybe", "--", "true").status == 2
    world.ok("queue", "resume", "p")
    world.agent()
    assert world.until(first)["state"] == "failed"
    for run in (bad, any_end, both):
        assert world.until(run)["state"] == "finished"
    never = world.until(fine)
    assert (never["state"], never["failure"]) == ("stopped", "dependency")
    assert never["cause"] == f"run {first} is failed; this one was to start after its success"
    assert fine in world.until(last)["cause"]
    late = world.lt("launch", "-q", "q", "--after", first, "--in-place", "--", "true")
    assert late.status == 2
    assert f"{first}:any" in late.err


def test_when_a_run_may_begin(running, folder, seconds):
    soon = running.shell("true", "--begin", "+2s")
    clock = (datetime.now().astimezone() + timedelta(hours=2)).replace(second=0, microsecond=0)
    later = running.shell("true", "--begin", clock.strftime("%H:%M"))
    dated = running.shell("true", "--begin", "2099-01-31T08:00Z")
    for run, moment in ((later, clock), (dated, datetime.fromisoformat("2099-01-31T08:00Z"))):
        found = running.ok("why", run, "--json").json
        assert found["kind"] == "begin"
        assert datetime.fromisoformat(found["until"]) == moment
    wrong = running.lt("launch", "-q", "q", "--begin", "next week", "--in-place", "--", "true")
    assert wrong.status == 2
    ended = running.until(soon)
    assert seconds(ended["started_at"]) - seconds(ended["created_at"]) > 1.9
    assert running.show(later)["state"] == "queued"


def test_a_product_of_parameters_is_one_group(running, folder):
    # With seed 1 it fails, unless it is mended.
    script = 'case $WANDB_CONFIG in *"seed\\": 1"*) [ -e mended ];; esac'
    words = ("launch", "-q", "q", "--param", "lr=1e-3,3e-4", "--param", "seed=0..2", "--in-place")
    told = running.ok(*words, "--json", "--", "sh", "-c", script).json
    runs = [each["id"] for each in told]
    ended = [running.until(run) for run in runs]
    assert [(run["config"]["lr"], run["config"]["seed"]) for run in ended] == [
        (lr, seed) for lr in (1e-3, 3e-4) for seed in (0, 1, 2)
    ]
    assert [run["state"] == "failed" for run in ended] == [False, True, False] * 2
    group = ended[0]["group"]
    assert {run["group"] for run in (*ended, *told)} == {group}
    assert len(running.ok("runs", "--group", group, "--json").json) == 6
    (folder / "mended").touch()
    again = running.ok("rerun", group, "--failed", "--json").json
    mended = [running.until(each["id"]) for each in again]
    assert [(run["config"]["lr"], run["state"]) for run in mended] == [
        (1e-3, "finished"), (3e-4, "finished"),
    ]  # fmt: skip
    assert running.lt("rerun", mended[0]["group"], "--failed").status == 2
    for values in ("seed", "seed=0..20000", "seed=5..0", "=1"):
        assert running.lt(*words, "--param", values, "--", "true").status == 2

    running.ok("queue", "update", "q", "--max-running", "1")
    waiting = running.ok("launch", "-q", "q", "--param", "seed=0..2", "--in-place", "--json",
                         "--", "sh", "-c", HOLD_ON).json  # fmt: skip
    running.until(waiting[0]["id"], "running")
    assert running.why(waiting[1]["id"])[1] == "max_running 1/1"
    running.ok("stop", running.show(waiting[0]["id"])["group"])
    assert {running.until(each["id"])["state"] for each in waiting} == {"stopped"}


def test_the_reasons_of_an_agent(world, folder):
    run = world.shell("true")
    assert world.why(run)[0] == "no_agent"
    agent = world.agent("-j", "1")
    holder = world.shell(HOLD_ON)
    world.until(holder, "running")
    second, third = world.shell("true"), world.shell("true")
    assert world.why(second) == ("max_jobs", "the agent has 1/1 jobs")
    assert world.why(third) == ("position", "2nd in line")
    world.ok("agent", "drain")
    world.until_why(second, "draining")
    assert agent.poll() is None
    (folder / "go").touch()
    assert agent.wait(20) == 0
    assert world.why(world.show(holder)["id"]) == ("finished", "finished")


def test_a_job_asks_for_its_next_attempt_and_gets_its_old_place(running):
    running.ok("queue", "update", "q", "--max-running", "1")
    asks = 'echo "$LAUNCH_TUI_ATTEMPT"; [ "$LAUNCH_TUI_ATTEMPT" = 3 ] || {'
    asks += ' touch "$LAUNCH_TUI_RUN_DIR/again-$LAUNCH_TUI_ATTEMPT"; exit 9; }'
    first, second = running.shell(asks), running.shell("true")
    assert running.until(first)["state"] == running.until(second)["state"] == "finished"
    run = running.show(first)
    assert (run["attempt"], run["retried"], run["exit_code"]) == (3, 0, 0)
    assert run["started_at"] < running.show(second)["started_at"]
    states = [event["state"] for event in running.ok("events", first, "--json").json]
    assert states.count("preempted") == 2
    assert running.log(first) == "3\n"
