"""Runs in the store: places, states, guards, counters."""

from __future__ import annotations

import pytest

from launch_tui.domain.dependency import Condition, Dependency
from launch_tui.domain.queue import Queue, Resource
from launch_tui.domain.run import BadTransition, RunState, StopMode
from launch_tui.errors import NotFound, Stale, UsageError
from launch_tui.store import claiming, enqueuing, queues, read, waiting, write
from launch_tui.store.read import RunQuery

AGENT = "here:1:agent"


def claimed_ids(db, count=1000, **more):
    taken = []
    while len(taken) < count and (claimed := claiming.claim(db, AGENT, queues=None, **more)):
        taken.append(claimed.run.id)
    return taken


def end(db, run_id, state=RunState.CLAIMED, to=RunState.FAILED, owner=AGENT):
    write.settle(db, run_id, state, to, owner=owner, actor=AGENT, changes={"cause": "x"})


def test_a_run_is_as_it_was_enqueued(db, queue, new_run):
    new = new_run(name="first", config={"lr": 0.1, "l": [1]}, tags=("a", "ü"), note="n\nn")
    enqueued = enqueuing.enqueue(db, [new])[0]
    assert (enqueued.queue, enqueued.position) == ("q", 1)
    run = read.run(db, enqueued.id)
    assert run.state is RunState.QUEUED
    assert run.config == {"lr": 0.1, "l": [1]}
    assert (run.name, run.tags, run.note) == ("first", ("a", "ü"), "n\nn")
    assert read.spec(db, run.id) == new.spec
    assert [e.state for e in read.events(db, run.id)] == ["queued"]


def test_ids_are_as_those_of_wandb():
    ids = {enqueuing.new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(i.isalnum() and i.islower() and i[0].isalpha() and len(i) == 8 for i in ids)


def test_positions_count_the_runs_that_wait(db, queue, new_run):
    first = enqueuing.enqueue(db, [new_run() for _ in range(3)])
    assert [e.position for e in first] == [1, 2, 3]
    claimed_ids(db, 1)
    assert enqueuing.enqueue(db, [new_run()])[0].position == 3


def test_a_bulk_is_as_its_runs_one_by_one(db, new_run):
    for name in ("one", "bulk"):
        for prefix, prioritized in (("p", True), ("f", False)):
            queues.create(
                db,
                Queue(
                    name=f"{prefix}-{name}",
                    resource=Resource.LOCAL_PROCESS,
                    prioritized=prioritized,
                ),
            )
    first = enqueuing.enqueue(db, [new_run(queue="f-one")])[0].id

    def wanted(name):
        waits = (Dependency(first, Condition.OK),)
        kinds = [{}, {"held": True}, {"not_before": "2999-01-01T00:00:00+00:00"}, {"after": waits}]
        return [
            new_run(queue=f"{prefix}-{name}", priority=level, name=f"{prefix}{level}{at}", **kind)
            for level in ("low", "critical", "medium", "high")
            for at, kind in enumerate(kinds)
            for prefix in "pf"
        ]

    single = [enqueuing.enqueue(db, [new])[0] for new in wanted("one")]
    bulk = enqueuing.enqueue(db, wanted("bulk"))
    # The queue f-one has one run more from the beginning.
    ahead = [1 if made.queue == "f-one" else 0 for made in single]
    assert [made.position for made in bulk] == [
        made.position - more for made, more in zip(single, ahead, strict=True)
    ]
    columns = "name, state, priority, rank, waits, not_before, tags, note, config, spec"
    rows = {
        name: [
            tuple(row)
            for row in db.all(
                f"SELECT {columns} FROM runs WHERE queue_id IN"
                " (SELECT id FROM queues WHERE name LIKE ?) AND id <> ? ORDER BY place",
                (f"%-{name}", first),
            )
        ]
        for name in ("one", "bulk")
    }
    assert rows["one"] == rows["bulk"]
    places = [row["place"] for row in db.all("SELECT place FROM runs ORDER BY seq")]
    assert places == sorted(set(places))
    assert [len(read.events(db, made.id)) for made in bulk] == [1] * len(bulk)


def test_an_unknown_queue_refuses_all_of_a_bulk(db, queue, new_run):
    with pytest.raises(NotFound):
        enqueuing.enqueue(db, [new_run(), new_run(queue="nowhere")])
    assert read.count(db, RunQuery()) == 0


def test_claims_follow_the_order_of_enqueueing(db, queue, new_run):
    ids = [e.id for e in enqueuing.enqueue(db, [new_run() for _ in range(5)])]
    assert claimed_ids(db) == ids
    assert all(read.run(db, i).agent == AGENT for i in ids)


def test_a_queue_runs_no_more_at_once_than_it_may(db, queue, new_run):
    queues.update(db, "q", max_running=2)
    ids = [e.id for e in enqueuing.enqueue(db, [new_run() for _ in range(4)])]
    assert claimed_ids(db) == ids[:2]
    end(db, ids[0])
    assert claimed_ids(db) == ids[2:3]


def test_a_paused_queue_starts_nothing(db, queue, new_run):
    ids = [e.id for e in enqueuing.enqueue(db, [new_run()])]
    queues.update(db, "q", paused=True)
    assert claimed_ids(db) == []
    queues.update(db, "q", paused=False)
    assert claimed_ids(db) == ids


def test_queues_take_turns(db, queue, new_run):
    queues.create(db, Queue(name="r", resource=Resource.LOCAL_PROCESS, max_running=9))
    queues.create(db, Queue(name="s", resource=Resource.LOCAL_PROCESS, max_running=9))
    enqueuing.enqueue(db, [new_run(queue=name) for name in "qqqrrrsss"])
    order, last = [], ""
    while claimed := claiming.claim(db, AGENT, queues=None, after=last):
        last = claimed.run.queue
        order.append(last)
    assert "".join(order) == "qrsqrsqrs"


def test_an_agent_takes_from_its_own_queues_only(db, queue, new_run):
    queues.create(db, Queue(name="r", resource=Resource.LOCAL_PROCESS))
    enqueuing.enqueue(db, [new_run(), new_run(queue="r")])
    assert claiming.claim(db, AGENT, queues=["r"]).run.queue == "r"
    assert claiming.claim(db, AGENT, queues=["r"]) is None


def test_a_held_run_is_passed_over_and_keeps_its_place(db, queue, new_run):
    first, second, third = (e.id for e in enqueuing.enqueue(db, [new_run() for _ in range(3)]))
    waiting.hold(db, first)
    waiting.hold(db, first)
    assert claimed_ids(db, 1) == [second]
    waiting.release(db, first)
    assert claimed_ids(db) == [first, third]


def test_a_run_moved_to_the_front_is_next(db, queue, new_run):
    ids = [e.id for e in enqueuing.enqueue(db, [new_run() for _ in range(4)])]
    waiting.move_to_front(db, ids[2])
    waiting.move_to_front(db, ids[3])
    assert read.ahead(db, ids[0]) == 2
    assert claimed_ids(db) == [ids[3], ids[2], ids[0], ids[1]]


def test_what_comes_after_a_move_to_the_front_still_comes_last(db, queue, new_run):
    ids = [e.id for e in enqueuing.enqueue(db, [new_run() for _ in range(2)])]
    waiting.move_to_front(db, ids[1])
    ids += [e.id for e in enqueuing.enqueue(db, [new_run()])]
    assert claimed_ids(db) == [ids[1], ids[0], ids[2]]


def test_only_a_waiting_run_can_be_held_released_moved_or_edited(db, queue, new_run):
    run_id = enqueuing.enqueue(db, [new_run()])[0].id
    claimed_ids(db)
    for act in (
        lambda: waiting.hold(db, run_id),
        lambda: waiting.release(db, run_id),
        lambda: waiting.move_to_front(db, run_id),
        lambda: waiting.edit_waiting(db, run_id, {"name": "other"}),
    ):
        with pytest.raises(UsageError, match=run_id):
            act()
    assert read.run(db, run_id).name == "n"


def test_stopping_a_waiting_run_ends_it_at_once(db, queue, new_run):
    queued, held = (e.id for e in enqueuing.enqueue(db, [new_run(), new_run(held=True)]))
    for run_id in (queued, held):
        assert write.request_stop(db, run_id, StopMode.GRACEFUL) is RunState.STOPPED
        run = read.run(db, run_id)
        assert (run.state, run.cause) == (RunState.STOPPED, "cancelled before it started")
        assert run.ended_at
    assert claimed_ids(db) == []
    assert read.stop_requests(db) == []


def test_stopping_a_run_that_an_agent_has_is_a_request_to_it(db, queue, new_run):
    run_id = enqueuing.enqueue(db, [new_run()])[0].id
    claimed_ids(db)
    assert write.request_stop(db, run_id, StopMode.GRACEFUL) is RunState.CLAIMED
    assert [(s.run_id, s.mode) for s in read.stop_requests(db)] == [(run_id, "graceful")]
    write.request_stop(db, run_id, StopMode.NOW)
    assert [s.mode for s in read.stop_requests(db)] == ["now"]
    end(db, run_id, to=RunState.STOPPED)
    assert read.stop_requests(db) == []
    with pytest.raises(UsageError, match="ended already"):
        write.request_stop(db, run_id, StopMode.GRACEFUL)


def test_a_step_from_another_state_or_of_another_owner_is_stale(db, queue, new_run):
    run_id = enqueuing.enqueue(db, [new_run()])[0].id
    claimed_ids(db)
    events = len(read.events(db, run_id))
    for state, owner in (
        (RunState.SOURCING, AGENT),
        (RunState.CLAIMED, "somebody else"),
        (RunState.CLAIMED, None),
    ):
        with pytest.raises(Stale):
            end(db, run_id, state, owner=owner)
    assert read.run(db, run_id).state is RunState.CLAIMED
    assert len(read.events(db, run_id)) == events


def test_a_step_that_does_not_exist_is_not_taken(db, queue, new_run):
    run_id = enqueuing.enqueue(db, [new_run()])[0].id
    with pytest.raises(BadTransition):
        end(db, run_id, RunState.QUEUED, RunState.FINISHED, owner=None)
    assert read.run(db, run_id).state is RunState.QUEUED


def test_an_outcome_is_stored_with_what_tracking_saw(db, queue, new_run):
    run_id = enqueuing.enqueue(db, [new_run(config={"lr": 0.1})])[0].id
    claimed_ids(db)
    write.settle(
        db,
        run_id,
        RunState.CLAIMED,
        RunState.FAILED,
        owner=AGENT,
        actor=AGENT,
        changes={"phase": "run", "cause": "exit status 3", "exit_code": 3},
        observed={"summary": {"loss": 1}, "observed": {"lr": 9, "seed": 1}, "tracked": True},
    )
    run = read.run(db, run_id)
    assert (run.state, run.phase, run.exit_code) == (RunState.FAILED, "run", 3)
    assert run.summary == {"loss": 1}
    assert run.config == {"lr": 0.1, "seed": 1}
    assert run.tracked
    assert read.given_config(db, run_id) == {"lr": 0.1}
    assert read.events(db, run_id)[-1].message == "exit status 3"


def test_a_stale_outcome_stores_nothing_of_what_tracking_saw(db, queue, new_run):
    run_id = enqueuing.enqueue(db, [new_run()])[0].id
    claimed_ids(db)
    with pytest.raises(Stale):
        write.settle(
            db,
            run_id,
            RunState.RUNNING,
            RunState.FINISHED,
            owner=AGENT,
            actor=AGENT,
            changes={},
            observed={"summary": {"loss": 1}},
        )
    assert read.run(db, run_id).summary == {}


def test_a_new_agent_takes_over_what_the_dead_one_had(db, queue, new_run):
    ids = [e.id for e in enqueuing.enqueue(db, [new_run() for _ in range(3)])]
    claimed_ids(db, 2)
    assert [c.run.id for c in claiming.take_over(db, "next")] == ids[:2]
    assert [read.run(db, i).agent for i in ids] == ["next", "next", None]
    with pytest.raises(Stale):
        end(db, ids[0], owner=AGENT)


def test_a_requeued_run_has_its_old_place(db, queue, new_run):
    ids = [e.id for e in enqueuing.enqueue(db, [new_run() for _ in range(3)])]
    claimed_ids(db, 1)
    write.transition(
        db,
        ids[0],
        RunState.CLAIMED,
        RunState.QUEUED,
        owner=AGENT,
        actor=AGENT,
        changes={"owner": None, "attempt": 2},
    )
    assert claimed_ids(db) == ids
    assert [r.attempt for r in read.runs(db, RunQuery(), limit=9)] == [1, 1, 2]


def test_only_a_run_that_has_ended_can_be_deleted(db, queue, new_run):
    run_id = enqueuing.enqueue(db, [new_run()])[0].id
    with pytest.raises(UsageError, match="stop it first"):
        write.delete(db, run_id)
    write.request_stop(db, run_id, StopMode.NOW)
    write.delete(db, run_id)
    assert read.count(db, RunQuery()) == 0
    assert read.events(db, run_id) == []
    with pytest.raises(NotFound):
        read.run(db, run_id)


def test_edits_and_notes(db, queue, new_run):
    run_id = enqueuing.enqueue(db, [new_run()])[0].id
    waiting.edit_waiting(db, run_id, {"name": "b", "config": {"x": 1}, "tags": ["t"]})
    write.annotate(db, run_id, tags=None, note="kept")
    run = read.run(db, run_id)
    assert (run.name, run.config, run.tags, run.note) == ("b", {"x": 1}, ("t",), "kept")
    with pytest.raises(ValueError, match="state"):
        waiting.edit_waiting(db, run_id, {"state": "finished"})


def test_references(db, queue, new_run):
    ids = [e.id for e in enqueuing.enqueue(db, [new_run() for _ in range(3)])]
    assert read.resolve(db, "@") == ids[2]
    assert read.resolve(db, "@~2") == ids[0]
    assert read.resolve(db, ids[1]) == ids[1]
    db.execute("UPDATE runs SET id = 'abcd1111' WHERE id = ?", (ids[0],))
    db.execute("UPDATE runs SET id = 'abcd2222' WHERE id = ?", (ids[1],))
    assert read.resolve(db, "abcd1") == "abcd1111"
    for bad in ("abcd", "", "zzzz", "@~3", "ABCD1", "%", "_bcd1111", "'; --"):
        with pytest.raises(NotFound):
            read.resolve(db, bad)
    with pytest.raises(UsageError):
        read.resolve(db, "@1")


def test_pages_of_runs_hold_each_once_newest_first(db, queue, new_run):
    ids = [e.id for e in enqueuing.enqueue(db, [new_run() for _ in range(7)])]
    assert [r.id for r in read.every_run(db, RunQuery(), page=3)] == ids[::-1]
    assert [r.id for r in read.runs(db, RunQuery(), limit=2, offset=2)] == ids[4:2:-1]


def test_runs_are_found_by_queue_state_and_job(db, queue, new_run):
    queues.create(db, Queue(name="r", resource=Resource.LOCAL_PROCESS))
    enqueuing.enqueue(
        db, [new_run(queue="r", job="k", version="v1"), new_run(), new_run(held=True)]
    )
    for query, count in (
        (RunQuery(queue="q"), 2),
        (RunQuery(queue="q", states=(RunState.HELD,)), 1),
        (RunQuery(job="k"), 1),
        (RunQuery(job="k:v1"), 1),
        (RunQuery(job="k:v0"), 0),
        (RunQuery(), 3),
    ):
        assert read.count(db, query) == count
        assert len(read.runs(db, query, limit=9)) == count


def test_the_hot_queries_go_by_an_index(db, queue, new_run):
    enqueuing.enqueue(db, [new_run() for _ in range(10)])
    for sql, parameters in (
        (claiming._HEAD, (1,)),
        (read._STOPPING, ()),
        (f"{read.RUN_COLUMNS} WHERE r.id = ?", ("a",)),
        (f"{read.RUN_COLUMNS} ORDER BY r.seq DESC LIMIT 50", ()),
        ("SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", ("a", "b", 2)),
    ):
        plan = [row["detail"] for row in db.all(f"EXPLAIN QUERY PLAN {sql}", parameters)]
        assert not [line for line in plan if "SCAN runs" in line or "TEMP B-TREE" in line], plan
