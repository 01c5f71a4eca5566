"""Queues and the agent from the outside: order, limits, holding, leaving, taking over."""

from __future__ import annotations

import json
import os
import signal
from datetime import datetime

HOLD_ON = "while [ ! -e go ]; do sleep 0.01; done"


def order(world, runs):
    """Return runs in the order in which they were claimed."""
    return sorted(runs, key=lambda run: world.show(run)["claimed_at"])


def test_stop_ends_a_running_job_and_its_tree(running, folder):
    run = running.shell("sh -c 'echo $$ > child; sleep 100' & echo $$; wait")
    running.until(run, "running")
    running.wait_until(lambda: (folder / "child").exists() and (folder / "child").read_text())
    assert running.ok("stop", run).out == f"{run}  stopping, running still\n"
    ended = running.until(run)
    assert ended["state"] == "stopped"
    child = int((folder / "child").read_text())
    running.wait_until(lambda: not os.path.exists(f"/proc/{child}"), what="the child's end")
    assert running.lt("stop", run).status == 2


def test_stop_now_ends_one_that_ignores_signals(running, folder):
    run = running.shell("trap '' INT TERM; touch ready; while :; do sleep 0.05; done")
    running.wait_until((folder / "ready").exists)
    running.ok("stop", "--now", run)
    assert running.until(run)["state"] == "stopped"


def test_held_runs_are_passed_over_and_keep_their_place(world, folder):
    world.ok("queue", "update", "q", "--max-running", "1")
    first, second, third, fourth = (world.shell("true") for _ in range(4))
    world.ok("hold", first)
    world.ok("cancel", fourth)
    world.ok("front", third)
    world.agent()
    for run in (second, third):
        assert world.until(run)["state"] == "finished"
    assert world.show(first)["state"] == "held"
    assert world.ok("why", first).out == "held by you\n"
    assert world.show(fourth)["state"] == "stopped"
    world.ok("release", first)
    assert world.until(first)["state"] == "finished"
    assert order(world, [first, second, third]) == [third, second, first]


def test_what_an_agent_says_as_json_is_a_line_for_each_event(world, folder):
    run = world.shell("true")
    agent = world.agent("--json")
    ended = world.until(run)
    world.ok("agent", "stop")
    assert agent.wait(20) == 0
    events = [json.loads(line) for line in agent.log.read_text().splitlines()]
    assert {tuple(event) for event in events} == {
        ("at", "kind", "text", "run_id", "state", "queue")
    }
    of_run = [event for event in events if event["kind"] == "run"]
    assert {(event["run_id"], event["queue"]) for event in of_run} == {(run, "q")}
    states = [event["state"] for event in of_run if event["state"]]
    assert (states[0], states[-1]) == ("claimed", "finished")
    assert ended["created_at"] < events[0]["at"] < ended["ended_at"]
    assert all(datetime.fromisoformat(event["at"]).tzinfo for event in events)


def test_two_queues_take_turns(world, folder):
    world.ok("queue", "create", "r", "-r", "process", "--tracking", "optional")
    left = [world.shell("true", queue="q") for _ in range(3)]
    right = [world.shell("true", queue="r") for _ in range(3)]
    world.agent("-j", "1")
    for run in (*left, *right):
        assert world.until(run)["state"] == "finished"
    claimed = order(world, [*left, *right])
    sides = ["left" if run in left else "right" for run in claimed]
    assert sides[:4] in (["left", "right"] * 2, ["right", "left"] * 2)
    assert [run for run in claimed if run in left] == left
    assert [run for run in claimed if run in right] == right


def test_max_running_is_kept_and_reached(world, folder, seconds):
    world.ok("queue", "update", "q", "--max-running", "2")
    runs = [world.shell(HOLD_ON) for _ in range(4)]
    world.agent()
    for run in runs[:2]:
        world.until(run, "running")
    reason = world.ok("why", runs[2], "--json").json
    assert (reason["kind"], reason["reason"]) == ("max_running", "max_running 2/2")
    assert world.ok("queue", "show", "q", "--json").json["running"] == 2
    (folder / "go").touch()
    ended = [world.until(run) for run in runs]
    assert {run["state"] for run in ended} == {"finished"}
    starts = [(seconds(run["claimed_at"]), 1) for run in ended]
    ends = [(seconds(run["ended_at"]), -1) for run in ended]
    at_once = most = 0
    for _, change in sorted([*starts, *ends]):
        at_once += change
        most = max(most, at_once)
    assert most == 2


def test_a_paused_queue_starts_nothing(running, folder):
    running.ok("queue", "pause", "q")
    run = running.shell("true")
    assert running.ok("why", run).out == "queue q is paused\n"
    running.ok("queue", "create", "other", "-r", "process", "--tracking", "optional")
    assert running.until(running.shell("true", queue="other"))["state"] == "finished"
    assert running.show(run)["state"] == "queued"
    running.ok("queue", "resume", "q")
    assert running.until(run)["state"] == "finished"


def test_an_agent_for_some_queues_serves_no_others(world, folder):
    world.ok("queue", "create", "other", "-r", "process", "--tracking", "optional")
    world.agent("-q", "other")
    ignored = world.shell("true", queue="q")
    assert world.until(world.shell("true", queue="other"))["state"] == "finished"
    assert world.show(ignored)["state"] == "queued"
    assert world.ok("why", ignored, "--json").json["kind"] == "not_served"
    status = world.ok("agent", "status", "--json").json
    contract = ["running", "pid", "host", "since", "queues", "max_jobs", "runs"]
    assert list(status)[: len(contract)] == contract
    assert status["queues"] == ["other"]


def test_drain_finishes_what_runs_and_claims_nothing_more(world, folder):
    agent = world.agent()
    run = world.shell(HOLD_ON)
    world.until(run, "running")
    world.ok("agent", "drain")
    waiting = world.shell("true")
    world.wait_until(lambda: "draining" in world.ok("agent", "status").out)
    assert agent.poll() is None
    (folder / "go").touch()
    assert agent.wait(30) == 0
    assert world.show(run)["state"] == "finished"
    assert world.show(waiting)["state"] == "queued"


def test_an_agent_that_drains_claims_again_when_asked_to(world, folder):
    agent = world.agent()
    run = world.shell(HOLD_ON)
    world.until(run, "running")
    world.ok("agent", "drain")
    world.wait_until(lambda: "draining" in world.ok("agent", "status").out)
    waiting = world.shell("true")
    world.ok("queue", "update", "q", "--max-running", "2")
    world.ok("agent", "resume")
    assert world.until(waiting)["state"] == "finished"
    (folder / "go").touch()
    assert world.until(run)["state"] == "finished"
    assert agent.poll() is None


def test_stop_and_sigterm_leave_runs_going_and_the_next_agent_adopts_them(world, folder):
    for leave in ("stop", "sigterm"):
        (folder / "go").unlink(missing_ok=True)
        agent = world.agent()
        run = world.shell(f"echo before; {HOLD_ON}; echo after; exit 7")
        world.until(run, "running")
        if leave == "stop":
            world.ok("agent", "stop")
        else:
            agent.send_signal(signal.SIGTERM)
        assert agent.wait(20) == 0
        assert world.show(run)["state"] == "running"
        (folder / "go").touch()
        following = world.agent()
        ended = world.until(run)
        assert (ended["state"], ended["exit_code"]) == ("failed", 7)
        assert ended["attempt"] == 1
        assert world.log(run) == "before\nafter\n"
        world.ok("agent", "stop")
        assert following.wait(20) == 0


def test_a_second_agent_stands_by_and_takes_over(world, folder):
    first = world.agent()
    second = world.spawn_agent()
    world.wait_until(lambda: "stand" in second.log.read_text(), what="the second to stand by")
    assert world.agent_pid() == first.pid
    run = world.shell(HOLD_ON)
    world.until(run, "running")
    first.kill()
    first.wait()
    world.wait_until(lambda: world.agent_pid() == second.pid, timeout=5, what="the take-over")
    (folder / "go").touch()
    assert world.until(run)["state"] == "finished"


def test_the_agent_tells_events_as_json_lines(world, folder):
    agent = world.agent("--json")
    run = world.shell("true")
    world.until(run)

    def told():
        events = [json.loads(line) for line in agent.log.read_text().splitlines()]
        return [event for event in events if event["run_id"] == run]

    events = world.wait_until(lambda: told() if told() and told()[-1]["state"] == "finished" else 0)
    assert set(events[0]) == {"at", "kind", "text", "run_id", "state", "queue"}
    assert [event["state"] for event in events if event["state"]][-1] == "finished"
