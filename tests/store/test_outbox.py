"""Who is owed what: written with the outcome by whoever writes it, and gone once it was told."""

from __future__ import annotations

import time

import pytest

from launch_tui.domain.dependency import Condition, Dependency
from launch_tui.domain.run import RunState, StopMode
from launch_tui.store import claiming, enqueuing, outbox, write
from launch_tui.store.clock import iso

AGENT = "host:1:test"
ALL = ("finished", "failed", "stopped", "lost")


@pytest.fixture
def running(db, queue, new_run):
    """Returns ``running() -> id``: a run whose job is at work."""

    def make():
        (made,) = enqueuing.enqueue(db, [new_run()])
        claimed = claiming.claim(db, AGENT, queues=None)
        assert claimed.run.id == made.id
        state = RunState.CLAIMED
        for to in (RunState.SOURCING, RunState.BUILDING, RunState.STARTING, RunState.RUNNING):
            write.transition(db, made.id, state, to, owner=AGENT, actor=AGENT)
            state = to
        return made.id

    return make


def end(db, run, to=RunState.FINISHED):
    write.settle(db, run, RunState.RUNNING, to, owner=AGENT, actor=AGENT, changes={"cause": "c"})


def owed(db, name="a"):
    rows = db.all("SELECT run_id, state FROM outbox WHERE subscriber = ? ORDER BY id", (name,))
    return [(row["run_id"], row["state"]) for row in rows]


def test_nothing_is_written_where_nobody_listens(db, running):
    outbox.subscribe(db, [])
    end(db, running())
    assert db.one("SELECT count(*) FROM outbox")[0] == 0
    assert outbox.standing(db) == []


def test_each_hears_of_what_it_asked_for(db, running):
    outbox.subscribe(db, [("a", ALL), ("b", ("failed",))])
    first, second = running(), running()
    end(db, first)
    end(db, second, RunState.FAILED)
    assert owed(db, "a") == [(first, "finished"), (second, "failed")]
    assert owed(db, "b") == [(second, "failed")]


def test_what_never_started_is_told_too_whoever_ends_it(db, queue, new_run):
    outbox.subscribe(db, [("a", ALL)])
    (first,) = enqueuing.enqueue(db, [new_run()])
    (second,) = enqueuing.enqueue(
        db, [new_run(after=(Dependency(run=first.id, condition=Condition.OK),))]
    )
    write.request_stop(db, first.id, StopMode.GRACEFUL)
    assert owed(db) == [(first.id, "stopped"), (second.id, "stopped")]


def test_it_is_written_with_the_outcome_or_not_at_all(db, running):
    outbox.subscribe(db, [("a", ALL)])
    run = running()

    def end_and_fail():
        with db.transaction():
            end(db, run)
            assert owed(db) == [(run, "finished")]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        end_and_fail()
    assert owed(db) == []


@pytest.mark.parametrize("through", [RunState.FAILED, RunState.LOST, RunState.PREEMPTED])
def test_an_attempt_that_is_tried_again_is_no_end(db, running, through):
    outbox.subscribe(db, [("a", ALL)])
    other, run = running(), running()
    end(db, other)
    write.requeue(db, run, RunState.RUNNING, owner=AGENT, message="m", attempt=2, through=through)
    assert owed(db) == [(other, "finished")]


def test_a_stop_that_comes_between_is_an_end(db, running):
    outbox.subscribe(db, [("a", ALL)])
    run = running()
    write.request_stop(db, run, StopMode.GRACEFUL)
    write.requeue(db, run, RunState.RUNNING, owner=AGENT, message="m", attempt=2,
                  through=RunState.FAILED)  # fmt: skip
    assert owed(db) == [(run, "stopped")]


def test_what_is_told_is_gone_and_counted(db, running):
    outbox.subscribe(db, [("a", ALL)])
    run = running()
    end(db, run)
    letter = outbox.due(db, "a")
    assert (letter.run_id, letter.state, letter.tries) == (run, "finished", 0)
    assert letter.key == f"{run}.1.finished"
    outbox.delivered(db, letter)
    assert outbox.due(db, "a") is None
    assert outbox.next_at(db, "a") is None
    (standing,) = outbox.standing(db)
    assert (standing.delivered, standing.pending, standing.error) == (1, 0, "")
    assert standing.delivered_at


def test_what_failed_is_due_later_and_others_are_not_held_up(db, running):
    outbox.subscribe(db, [("a", ALL)])
    first, second = running(), running()
    end(db, first)
    end(db, second)
    letter = outbox.due(db, "a")
    later = iso(time.time() + 60)
    outbox.failed(db, letter, "HTTP 500", later)
    assert outbox.due(db, "a").run_id == second
    assert outbox.next_at(db, "a") == ""
    outbox.delivered(db, outbox.due(db, "a"))
    assert outbox.due(db, "a") is None
    assert outbox.next_at(db, "a") == later
    # The error of a try that has succeeded since is no error any more.
    (standing,) = outbox.standing(db)
    assert (standing.pending, standing.fresh, standing.error, standing.next_at) == (1, 0, "", later)
    db.execute("UPDATE outbox SET not_before = ?", (iso(time.time() - 1),))
    again = outbox.due(db, "a")
    assert (again.run_id, again.tries) == (first, 1)
    assert again.first_tried_at
    assert again.key == letter.key


def test_what_is_given_up_is_counted(db, running):
    outbox.subscribe(db, [("a", ALL)])
    end(db, running())
    outbox.give_up(db, outbox.due(db, "a"), "HTTP 410")
    (standing,) = outbox.standing(db)
    assert (standing.given_up, standing.pending, standing.error) == (1, 0, "HTTP 410")


def test_new_settings_keep_what_is_owed_to_whom_they_still_name(db, running):
    outbox.subscribe(db, [("a", ALL), ("b", ALL)])
    end(db, running())
    for name in ("a", "b"):
        outbox.failed(db, outbox.due(db, name), "HTTP 500", iso(time.time() + 60))
    outbox.subscribe(db, [("b", ("failed",)), ("c", ALL)])
    # What was wrong may have been put right: it is tried at once.
    assert outbox.due(db, "b") is not None
    assert owed(db, "a") == []
    assert [(each.name, each.on, each.pending) for each in outbox.standing(db)] == [
        ("b", ("failed",), 1),
        ("c", ALL, 0),
    ]
    outbox.subscribe(db, [])
    assert outbox.standing(db) == []
    assert db.one("SELECT count(*) FROM outbox")[0] == 0


def test_a_hundred_thousand_ends_are_no_burden_to_a_due_one(db, running):
    outbox.subscribe(db, [("a", ALL)])
    end(db, running())
    later = iso(time.time() + 3600)
    db.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        " INSERT INTO outbox (subscriber, run_id, attempt, state, created_at, not_before)"
        " SELECT 'a', 'r' || i, 1, 'failed', '', ? FROM n",
        (later,),
    )
    plan = " ".join(
        row["detail"]
        for row in db.all("EXPLAIN QUERY PLAN " + outbox._DUE, ("a", iso(time.time())))
    )
    assert "outbox_due" in plan
    assert "TEMP B-TREE" not in plan
    assert outbox.due(db, "a").state == "finished"
