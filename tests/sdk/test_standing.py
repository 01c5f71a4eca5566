from __future__ import annotations

import pytest

from launch_tui.domain.run import ACTIVE, WAITING, RunState
from launch_tui.sdk.standing import reasons
from launch_tui.store import read
from tests.tui.world import World, busy


@pytest.fixture
def world(private_home, monkeypatch):
    made, _ = busy(private_home, monkeypatch)
    yield made
    made.close()


def told(world):
    launch = world.launch
    runs = [run for run in launch.runs.every() if run.state in ACTIVE | WAITING]
    found = reasons(launch, runs, launch.queues.list(), launch.agents.status())
    return runs, found


def test_the_reasons_of_a_page_are_those_of_why(world):
    runs = world.launch.runs
    world.launch.queues.update("gpu", prioritized=True)
    world.launch.queues.resume("nightly")
    late = [world.run(queue="nightly"), world.run(RunState.HELD), world.run()]
    runs.edit(late[2], {"after": [f"{late[0]}:any"]})
    runs.priority("run00009", "critical")
    runs.front("run00011")
    shown, found = told(world)
    assert {run.id: found[run.id].reason for run in shown} == {
        run.id: runs.why(run.id) for run in shown
    }
    assert found["run00008"].reason.reason == "2nd in line"
    assert found[late[2]].reason.kind == "after"


def test_a_page_far_back_asks_twice_for_each_run_not_for_the_whole_queue(world, monkeypatch):
    asked = []
    one = world.launch.db.one
    monkeypatch.setattr(
        type(world.launch.db), "one", lambda db, sql, *a: asked.append(sql) or one(sql, *a)
    )
    queued = [world.run() for _ in range(20)]
    asked.clear()
    standing = read.standing(world.launch.db, queued)
    assert [standing[run_id].ahead for run_id in queued] == list(range(2, 22))
    assert sum("(rank, place) >=" not in sql for sql in asked) == 1


def test_a_run_that_is_gone_is_left_out(world):
    run = world.launch.runs.get("run00008")
    assert read.standing(world.launch.db, ["nosuch"]) == {}
    world.launch.runs.stop("run00008")
    world.launch.runs.delete("run00008")
    assert reasons(world.launch, [run], world.launch.queues.list(), None) == {}


def test_how_often_a_run_may_be_tried_is_told_once_it_was_retried(world):
    run_id = world.run(spec={"retries": 3})
    _, found = told(world)
    assert found[run_id].retries is None
    world.launch.db.execute("UPDATE runs SET retried = 1 WHERE id = ?", (run_id,))
    _, found = told(world)
    assert found[run_id].retries == 3


def test_runs_of_two_queues_are_counted_apart(private_home, monkeypatch):
    world = World(private_home, monkeypatch)
    world.queue("a")
    world.queue("b")
    ids = [world.run(queue=name) for name in ("a", "b", "a", "b", "a")]
    standing = read.standing(world.launch.db, ids)
    assert [standing[run_id].ahead for run_id in ids] == [0, 0, 1, 1, 2]
    world.close()
