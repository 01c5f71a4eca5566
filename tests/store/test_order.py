"""The order in which runs are taken, and what makes one wait: whatever is done, against a model."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launch_tui.domain.dependency import Condition, Dependency
from launch_tui.domain.job import CodeSource, Environment, JobKind, VenvMode
from launch_tui.domain.queue import Queue, Resource
from launch_tui.domain.run import ACTIVE, ENDED, WAITING, Priority, RunState, StopMode
from launch_tui.domain.slots import Shortage
from launch_tui.domain.spec import RunSpec
from launch_tui.errors import NotFound, UsageError
from launch_tui.store import claiming, clock, enqueuing, queues, read, waiting, write
from launch_tui.store.clock import iso
from launch_tui.store.database import Database
from launch_tui.store.dependencies import WAITS_FOR_TIME
from launch_tui.store.enqueuing import NewRun
from launch_tui.store.paths import Home
from launch_tui.store.read import RunQuery
from tests.store.ordering import Model

AGENT = "here:1:agent"
EPOCH = 1_800_000_000
CRITICAL, HIGH, MEDIUM, LOW = Priority
_SPEC = RunSpec(
    kind=JobKind.CODE,
    source=CodeSource(digest="d", path="/x"),
    command=("true",),
    environment=Environment(mode=VenvMode.NONE),
)


@pytest.fixture
def at(monkeypatch):
    """Sets the store's clock to so many seconds after the beginning."""

    def set_clock(seconds):
        monkeypatch.setattr(clock, "time", SimpleNamespace(time=lambda: EPOCH + seconds))

    set_clock(0)
    return set_clock


@pytest.fixture
def put(db, queue, new_run):
    """Enqueues runs of these priorities, all at once, and returns their ids."""

    def enqueue(*priorities, **more):
        news = [new_run(priority=priority, **more) for priority in priorities]
        return [e.id for e in enqueuing.enqueue(db, news)]

    return enqueue


@pytest.fixture
def priorities(db, queue):
    queues.update(db, "q", prioritized=True)


def taken(db, count=1000, **more):
    ids = []
    while len(ids) < count and (claimed := claiming.claim(db, AGENT, queues=None, **more)):
        ids.append(claimed.run.id)
    return ids


def end(db, run_id, to, state=RunState.CLAIMED):
    write.settle(db, run_id, state, to, owner=AGENT, actor=AGENT, changes={})


def back(db, run_id, **more):
    write.requeue(
        db,
        run_id,
        read.run(db, run_id).state,
        owner=AGENT,
        message="x",
        **{"attempt": 1, **more},
    )


def after(run_id, condition=Condition.OK):
    return (Dependency(run_id, condition),)


def counted(db):
    return {
        row["state"]: row["runs"] for row in db.all("SELECT * FROM queue_counts") if row["runs"]
    }


def test_levels_come_in_order_and_within_a_level_what_came_first(db, put, priorities):
    ids = put(LOW, MEDIUM, CRITICAL, HIGH, MEDIUM, CRITICAL)
    assert taken(db) == [ids[n] for n in (2, 5, 3, 1, 4, 0)]


def test_levels_mean_nothing_in_a_queue_without_them(db, put):
    ids = put(LOW, MEDIUM, CRITICAL)
    assert taken(db) == ids
    with pytest.raises(UsageError, match="no priorities"):
        waiting.set_priority(db, put(LOW)[0], HIGH)


def test_switching_priorities_on_and_off_orders_what_waits_anew(db, put):
    ids = put(LOW, MEDIUM, CRITICAL, MEDIUM)
    waiting.move_to_front(db, ids[3])
    queues.update(db, "q", prioritized=True)
    assert [read.ahead(db, i) for i in ids] == [3, 2, 1, 0]
    queues.update(db, "q", prioritized=False)
    assert [read.ahead(db, i) for i in ids] == [1, 2, 3, 0]
    assert taken(db) == [ids[n] for n in (3, 0, 1, 2)]


def test_what_an_agent_had_comes_back_by_what_its_queue_is_then(db, put):
    low, critical = put(LOW, CRITICAL)
    taken(db)
    queues.update(db, "q", prioritized=True)
    for run_id in (low, critical):
        back(db, run_id)
    assert taken(db) == [critical, low]


@pytest.mark.parametrize("through", [None, RunState.PREEMPTED, RunState.FAILED, RunState.LOST])
def test_a_run_that_comes_back_has_its_old_place_and_level(db, put, priorities, through):
    front = put(LOW)[0]
    ids = put(MEDIUM, CRITICAL, MEDIUM, LOW)
    waiting.move_to_front(db, front)
    assert taken(db, 3) == [front, ids[1], ids[0]]
    waiting.move_to_front(db, ids[3])
    for run_id in (ids[0], front, ids[1]):
        back(db, run_id, attempt=2, through=through)
    assert taken(db) == [ids[3], front, ids[1], ids[0], ids[2]]
    assert read.run(db, front).attempt == 2


def test_another_level_keeps_the_age_and_gives_up_the_front(db, put, priorities):
    ids = put(MEDIUM, MEDIUM, MEDIUM, LOW)
    waiting.set_priority(db, ids[3], HIGH)
    waiting.set_priority(db, ids[1], HIGH)
    waiting.move_to_front(db, ids[2])
    waiting.set_priority(db, ids[2], HIGH)
    assert taken(db) == [ids[n] for n in (1, 2, 3, 0)]


@pytest.mark.parametrize("prioritized", [False, True])
def test_the_position_is_that_of_what_is_taken_before(db, put, new_run, prioritized, at):
    queues.update(db, "q", prioritized=prioritized)
    ids = put(MEDIUM, HIGH, LOW)
    waiting.move_to_front(db, ids[2])
    waiting.hold(db, put(CRITICAL)[0])
    put(CRITICAL, not_before=iso(EPOCH + 60))
    put(CRITICAL, after=after(ids[0]))
    made = [enqueuing.enqueue(db, [new_run(priority=p)])[0] for p in (LOW, HIGH, MEDIUM)]
    assert [e.position for e in made] == ([4, 3, 5] if prioritized else [4, 5, 6])
    assert [read.ahead(db, e.id) for e in made] == ([5, 2, 4] if prioritized else [3, 4, 5])


def test_a_run_begins_no_earlier_than_it_may_and_has_its_place_then(db, put, at):
    late = put(MEDIUM, not_before=iso(EPOCH + 60))
    later = put(MEDIUM, not_before=iso(EPOCH + 90))
    ids = put(MEDIUM, MEDIUM)
    assert waiting.wake_due(db) == iso(EPOCH + 60)
    assert taken(db, 1) == ids[:1]
    assert counted(db) == {"deferred": 2, "queued": 1, "claimed": 1}
    at(60)
    assert waiting.wake_due(db) == iso(EPOCH + 90)
    assert taken(db) == late + ids[1:]
    waiting.set_begin(db, later[0], None)
    assert waiting.wake_due(db) is None
    assert taken(db) == later


def test_what_waits_for_a_time_and_a_run_waits_for_both(db, put, at):
    first = put(MEDIUM)[0]
    early, changed = put(
        MEDIUM, MEDIUM, after=after(first, Condition.ANY), not_before=iso(EPOCH + 9)
    )
    taken(db)
    waiting.set_begin(db, changed, iso(EPOCH + 20))
    at(10)
    waiting.wake_due(db)
    assert taken(db) == []
    waiting.set_begin(db, early, None)
    assert taken(db) == []
    end(db, first, RunState.FAILED)
    assert taken(db) == [early]
    waiting.set_begin(db, changed, iso(EPOCH + 5))
    assert taken(db) == [changed]


def test_what_has_ended_rings_no_bell(db, put, at):
    late = put(MEDIUM, not_before=iso(EPOCH + 60))[0]
    write.request_stop(db, late, StopMode.NOW)
    assert waiting.wake_due(db) is None


def test_a_retry_waits_for_its_back_off_and_comes_before_what_is_younger(db, put, at):
    ids = put(MEDIUM, MEDIUM, MEDIUM)
    taken(db, 1)
    wait = {"not_before": iso(EPOCH + 30), "waits": WAITS_FOR_TIME, "retried": 1}
    back(db, ids[0], attempt=2, through=RunState.FAILED, changes=wait)
    assert taken(db, 1) == ids[1:2]
    at(31)
    assert waiting.wake_due(db) is None
    assert taken(db) == [ids[0], ids[2]]


@pytest.mark.parametrize("condition", Condition)
@pytest.mark.parametrize("state", sorted(ENDED))
def test_a_dependant_goes_or_ends_by_how_the_other_ends(db, put, condition, state):
    first = put(MEDIUM)[0]
    second = put(MEDIUM, after=after(first, condition))[0]
    third = put(MEDIUM, after=after(second))[0]
    assert taken(db) == [first]
    db.execute("UPDATE runs SET state = 'running' WHERE id = ?", (first,))
    end(db, first, state, RunState.RUNNING)
    goes = {
        "ok": state == "finished",
        "failed": state in ("failed", "lost", "preempted"),
        "any": True,
    }[condition]
    if goes:
        assert taken(db) == [second]
        assert read.run(db, third).state is RunState.QUEUED
    else:
        assert taken(db) == []
        for run_id, cause in ((second, first), (third, second)):
            run = read.run(db, run_id)
            assert (run.state, run.failure) == (RunState.STOPPED, "dependency")
            assert cause in run.cause
    assert not [s for s in counted(db) if s == "deferred"] or goes


def test_a_run_waits_for_all_of_several(db, put):
    one, two = put(MEDIUM, MEDIUM)
    both = put(MEDIUM, after=after(one) + after(two, Condition.ANY))[0]
    assert taken(db) == [one, two]
    end(db, two, RunState.STOPPED)
    assert taken(db) == []
    assert queues.get(db, "q").depth == 1
    db.execute("UPDATE runs SET state = 'running' WHERE id = ?", (one,))
    end(db, one, RunState.FINISHED, RunState.RUNNING)
    assert taken(db) == [both]


def test_a_dependant_that_is_held_or_late_stays_so_when_the_other_has_ended(db, put, at):
    first = put(MEDIUM)[0]
    late = put(MEDIUM, after=after(first, Condition.ANY), not_before=iso(EPOCH + 9))[0]
    held = put(MEDIUM, after=after(first, Condition.ANY), held=True)[0]
    taken(db)
    end(db, first, RunState.FAILED)
    assert taken(db) == []
    waiting.release(db, held)
    assert taken(db) == [held]
    at(9)
    waiting.wake_due(db)
    assert taken(db) == [late]


def test_an_end_does_nothing_to_a_dependant_that_was_stopped_before(db, put):
    first = put(MEDIUM)[0]
    second = put(MEDIUM, after=after(first))[0]
    write.request_stop(db, second, StopMode.NOW)
    taken(db)
    end(db, first, RunState.FAILED)
    assert read.run(db, second).cause == "cancelled before it started"


def test_a_retry_tells_no_dependant(db, put):
    first = put(MEDIUM)[0]
    second = put(MEDIUM, after=after(first))[0]
    taken(db)
    back(db, first, attempt=2, through=RunState.FAILED)
    assert read.run(db, second).state is RunState.QUEUED
    assert taken(db) == [first]


def test_waiting_for_oneself_for_nothing_or_for_what_is_over_is_refused(db, put):
    ids = put(MEDIUM, MEDIUM, MEDIUM)
    waiting.set_dependencies(db, ids[1], after(ids[0]))
    waiting.set_dependencies(db, ids[2], after(ids[1]))
    for on in (ids[0], ids[1], ids[2]):
        with pytest.raises(UsageError, match="itself"):
            waiting.set_dependencies(db, ids[0], after(on))
    with pytest.raises(NotFound):
        put(MEDIUM, after=after("nothere1"))
    write.request_stop(db, ids[0], StopMode.NOW)
    with pytest.raises(UsageError, match="stopped"):
        put(MEDIUM, after=after(ids[0]))
    assert put(MEDIUM, after=after(ids[0], Condition.ANY)) == taken(db)


def test_what_a_run_waits_for_can_be_replaced(db, put):
    one, two, third = put(MEDIUM, MEDIUM, MEDIUM)
    waiting.set_dependencies(db, third, after(one) + after(two))
    taken(db)
    waiting.set_dependencies(db, third, after(two, Condition.ANY))
    end(db, two, RunState.FAILED)
    assert taken(db) == [third]


def test_a_run_may_wait_for_one_that_was_stopped_while_it_waited_for_it(db, put):
    one, two = put(MEDIUM, MEDIUM)
    waiting.set_dependencies(db, two, after(one))
    write.request_stop(db, two, StopMode.NOW)
    waiting.set_dependencies(db, one, after(two, Condition.ANY))
    assert taken(db) == [one]


def test_the_first_in_line_keeps_its_queue_waiting_and_says_what_for(db, put):
    needs, plain = put(MEDIUM, spec=replace(_SPEC, resources={"gpus": 1})) + put(MEDIUM)
    lacks = Shortage(kind="GPU", text="none is free")
    assert taken(db, admit=lambda resource, spec: lacks) == []
    assert read.run(db, needs).blocked == "GPU: none is free"
    assert taken(db, admit=lambda resource, spec: ("GPU-1",)) == [needs, plain]
    assert (read.run(db, needs).gpus, read.run(db, needs).blocked) == (("GPU-1",), "")


_POINTED = ("(rowid=?)", "(id=?)", "runs_due", "runs_at_front", "runs_stopping")


def plans(db, act):
    """Return how SQLite finds its rows, for each statement that ``act`` executes."""
    statements = []
    db._connection.set_trace_callback(statements.append)
    try:
        act()
    finally:
        db._connection.set_trace_callback(None)
    wanted = {s for s in statements if s.split()[0] in ("SELECT", "UPDATE", "INSERT", "DELETE")}
    assert wanted
    return [row["detail"] for s in wanted for row in db.all(f"EXPLAIN QUERY PLAN {s}")]


@pytest.mark.parametrize("prioritized", [False, True])
def test_nothing_that_is_done_often_walks_over_what_waits(db, put, new_run, at, prioritized):
    queues.update(db, "q", prioritized=prioritized)
    first, second, third = put(MEDIUM, LOW, HIGH)
    new = new_run(after=after(first, Condition.ANY), not_before=iso(EPOCH + 9))
    at(10)
    acts = {
        "enqueue": lambda: enqueuing.enqueue(db, [new, new_run(priority=HIGH)]),
        "front": lambda: waiting.move_to_front(db, first),
        "hold": lambda: waiting.hold(db, second),
        "release": lambda: waiting.release(db, second),
        "begin": lambda: waiting.set_begin(db, second, iso(EPOCH + 11)),
        "after": lambda: waiting.set_dependencies(db, second, after(first, Condition.ANY)),
        "wake": lambda: waiting.wake_due(db),
        "claim": lambda: claiming.claim(db, AGENT, queues=None),
        "give back": lambda: back(db, first),
        "again": lambda: claiming.claim(db, AGENT, queues=None),
        "settle": lambda: end(db, first, RunState.FAILED),
        "stops": lambda: read.stop_requests(db),
        "queues": lambda: queues.every(db),
    }
    for name, act in acts.items():
        walks = [line for line in plans(db, act) if not _points(line)]
        # The head of the line is one step along its index.
        assert not [w for w in walks if name not in ("claim", "again") or w != _HEAD_PLAN], name
    assert plans(db, lambda: claiming.claim(db, AGENT, queues=None)).count(_HEAD_PLAN) == 1
    for count in (
        lambda: read.ahead(db, third),
        lambda: read.standing(db, [second, third]),
        lambda: queues.waiting_since(db),
    ):
        walks = [line for line in plans(db, count) if not _points(line)]
        assert walks
        assert all(" INDEX runs_eligible " in line for line in walks)


_HEAD_PLAN = "SEARCH runs USING INDEX runs_eligible (queue_id=?)"


def _points(line):
    """Say whether a step of a plan reads some few rows, or none of the runs at all."""
    of_runs = any(f" {name} USING" in line or line == f"SCAN {name}" for name in ("runs", "r"))
    return "TEMP B-TREE" not in line and (not of_runs or any(p in line for p in _POINTED))


_NUMBER = st.integers(0, 30)
_CONDITION = st.sampled_from(Condition)
_SECONDS = st.integers(0, 3)
_AFTER = st.lists(st.tuples(_NUMBER, _CONDITION), max_size=2)
_OPERATION = st.one_of(
    *2
    * [
        st.tuples(
            st.just("enqueue"),
            st.sampled_from("qr"),
            st.sampled_from(Priority),
            st.sampled_from([False, False, False, True]),
            _SECONDS,
            st.one_of(st.just([]), _AFTER),
        ),
        st.tuples(st.just("claim"), st.sampled_from(["", "q", "r"])),
    ],
    *(
        st.tuples(st.just(name), _NUMBER)
        for name in ("hold", "release", "front", "stop", "give_back", "delete", "edit")
    ),
    *(
        st.tuples(st.just("end"), _NUMBER, st.sampled_from([RunState.FINISHED, RunState.FAILED]))
        for _ in range(2)
    ),
    st.tuples(st.just("priority"), _NUMBER, st.sampled_from(Priority)),
    st.tuples(st.just("begin"), _NUMBER, _SECONDS),
    st.tuples(st.just("after"), _NUMBER, _AFTER),
    st.tuples(
        st.just("retry"), _NUMBER, st.sampled_from([RunState.FAILED, RunState.PREEMPTED]), _SECONDS
    ),
    st.tuples(st.just("prioritize"), st.sampled_from("qr"), st.booleans()),
    st.tuples(st.just("pause"), st.sampled_from("qr"), st.booleans()),
    st.tuples(st.just("limit"), st.sampled_from("qr"), st.sampled_from([1, 2, 100])),
    st.tuples(st.just("tick"), st.integers(1, 3)),
)


class Both:
    """Does each thing to the store and to the model, and looks whether they agree."""

    def __init__(self, db, set_clock):
        self.db = db
        self.set_clock = set_clock
        self.model = Model("qr")

    def do(self, name, *arguments):
        if not self.model.runs and arguments and isinstance(arguments[0], int) and name != "tick":
            return
        getattr(self, name)(*arguments)
        self.agree()

    def pick(self, number):
        run_id = list(self.model.runs)[number % len(self.model.runs)]
        return run_id, self.model.runs[run_id]

    def picked(self, pairs):
        if not self.model.runs:
            return {}
        return {self.pick(number)[0]: condition for number, condition in pairs}

    def at(self, seconds):
        return iso(EPOCH + seconds)

    def enqueue(self, queue, priority, held, delay, pairs):
        wanted, begin = self.picked(pairs), self.model.time + delay if delay else 0
        new = NewRun(
            queue=queue,
            job="j",
            version="v0",
            name="n",
            project="p",
            spec=_SPEC,
            priority=priority,
            held=held,
            not_before=self.at(begin) if begin else None,
            after=tuple(Dependency(on, how) for on, how in wanted.items()),
        )
        if not self.model.allows(wanted):
            with pytest.raises(UsageError):
                enqueuing.enqueue(self.db, [new])
            return
        made = enqueuing.enqueue(self.db, [new])[0]
        state = RunState.HELD if held else RunState.QUEUED
        self.model.add(made.id, queue, state=state, priority=priority, begin=begin, after=wanted)
        assert made.position == self.model.ahead(made.id) + 1

    def claim(self, last):
        expected = self.model.next(last)
        claimed = claiming.claim(self.db, AGENT, queues=None, after=last)
        assert (claimed.run.id if claimed else None) == expected
        if expected:
            self.model.runs[expected].state = RunState.CLAIMED
            write.transition(
                self.db,
                expected,
                RunState.CLAIMED,
                RunState.SOURCING,
                owner=AGENT,
                actor=AGENT,
            )
            self.model.runs[expected].state = RunState.SOURCING

    def waits(self, number, act):
        """Do something that only a waiting run allows; return it when it was done."""
        run_id, run = self.pick(number)
        if run.state in WAITING:
            act(run_id)
            return run
        with pytest.raises(UsageError):
            act(run_id)
        return None

    def hold(self, number):
        if run := self.waits(number, lambda i: waiting.hold(self.db, i)):
            run.state = RunState.HELD

    def release(self, number):
        if run := self.waits(number, lambda i: waiting.release(self.db, i)):
            run.state = RunState.QUEUED

    def front(self, number):
        if self.waits(number, lambda i: waiting.move_to_front(self.db, i)):
            self.model.to_front(self.pick(number)[0])

    def edit(self, number):
        changes = {"name": f"edited {number}", "config": {"x": number}}
        if run := self.waits(number, lambda i: waiting.edit_waiting(self.db, i, changes)):
            run.name = f"edited {number}"

    def priority(self, number, level):
        run_id, run = self.pick(number)
        if not self.model.queues[run.queue].prioritized:
            with pytest.raises(UsageError):
                waiting.set_priority(self.db, run_id, level)
        elif self.waits(number, lambda i: waiting.set_priority(self.db, i, level)):
            run.priority, run.front = level, 0

    def begin(self, number, delay):
        at = self.model.time + delay if delay else 0
        when = self.at(at) if at else None
        if self.waits(number, lambda i: waiting.set_begin(self.db, i, when)):
            self.model.begin(self.pick(number)[0], at)

    def after(self, number, pairs):
        run_id, run = self.pick(number)
        wanted = self.picked(pairs)
        dependencies = tuple(Dependency(on, how) for on, how in wanted.items())
        refused = self.model.circle(run_id, wanted) or not self.model.allows(wanted)
        if run.state in WAITING and refused:
            with pytest.raises(UsageError):
                waiting.set_dependencies(self.db, run_id, dependencies)
        elif self.waits(number, lambda i: waiting.set_dependencies(self.db, i, dependencies)):
            run.after = wanted

    def stop(self, number):
        run_id, run = self.pick(number)
        if run.state in ENDED:
            with pytest.raises(UsageError):
                write.request_stop(self.db, run_id, StopMode.NOW)
        else:
            write.request_stop(self.db, run_id, StopMode.NOW)
            if run.state in WAITING:
                self.model.end(run_id, RunState.STOPPED)

    def end(self, number, to):
        run_id, run = self.pick(number)
        if run.state in ACTIVE:
            if to is RunState.FINISHED:
                self.db.execute("UPDATE runs SET state = 'running' WHERE id = ?", (run_id,))
                run.state = RunState.RUNNING
            end(self.db, run_id, to, run.state)
            self.model.end(run_id, to)

    def give_back(self, number):
        run_id, run = self.pick(number)
        if run.state in ACTIVE:
            back(self.db, run_id, attempt=run.attempt)
            run.state = RunState.QUEUED

    def retry(self, number, through, delay):
        run_id, run = self.pick(number)
        if run.state in ACTIVE:
            at = self.model.time + delay if delay else 0
            wait = {
                "not_before": self.at(at) if at else None,
                "waits": WAITS_FOR_TIME if at else 0,
            }
            back(self.db, run_id, attempt=run.attempt + 1, through=through, changes=wait)
            run.state, run.attempt = RunState.QUEUED, run.attempt + 1
            self.model.begin(run_id, at)

    def delete(self, number):
        run_id, run = self.pick(number)
        if run.state in ENDED:
            write.delete(self.db, run_id)
            del self.model.runs[run_id]
        else:
            with pytest.raises(UsageError):
                write.delete(self.db, run_id)

    def prioritize(self, queue, on):
        queues.update(self.db, queue, prioritized=on)
        self.model.queues[queue].prioritized = on

    def pause(self, queue, on):
        queues.update(self.db, queue, paused=on)
        self.model.queues[queue].paused = on

    def limit(self, queue, most):
        queues.update(self.db, queue, max_running=most)
        self.model.queues[queue].max_running = most

    def tick(self, seconds):
        self.model.time += seconds
        self.set_clock(self.model.time)
        due = self.model.wake()
        assert waiting.wake_due(self.db) == (None if due is None else self.at(due))

    def agree(self):
        model = self.model.runs
        kept = {run.id: run for run in read.every_run(self.db, RunQuery())}
        assert {i: (r.state, r.name, r.attempt, r.queue) for i, r in kept.items()} == {
            i: (r.state, r.name, r.attempt, r.queue) for i, r in model.items()
        }
        waits = [i for i, run in model.items() if run.state in WAITING]
        expected = {i: self.model.ahead(i) for i in waits}
        assert {i: read.ahead(self.db, i) for i in waits} == expected
        assert {i: s.ahead for i, s in read.standing(self.db, waits).items()} == expected
        assert_counters_are_counts(self.db)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_OPERATION, min_size=5, max_size=50))
def test_order_and_counters_hold_whatever_is_done(operations):
    root = Path(tempfile.mkdtemp())
    with pytest.MonkeyPatch.context() as patched, Database(Home(root)) as db:

        def set_clock(seconds):
            patched.setattr(clock, "time", SimpleNamespace(time=lambda: EPOCH + seconds))

        set_clock(0)
        for name in "qr":
            queues.create(db, Queue(name=name, resource=Resource.LOCAL_PROCESS, max_running=100))
        both = Both(db, set_clock)
        try:
            for operation in operations:
                both.do(*operation)
        finally:
            shutil.rmtree(root)


def assert_counters_are_counts(db):
    kept = {(r["queue_id"], r["state"]): r["runs"] for r in db.all("SELECT * FROM queue_counts")}
    states = db.all(
        "SELECT queue_id, CASE WHEN state = 'queued' AND waits <> 0 THEN 'deferred' ELSE state END"
        " AS state, count(*) AS n FROM runs GROUP BY 1, 2"
    )
    assert {key: runs for key, runs in kept.items() if runs} == {
        (r["queue_id"], r["state"]): r["n"] for r in states
    }
    levels = {(r["queue_id"], r["rank"]): r["runs"] for r in db.all("SELECT * FROM queue_levels")}
    ranks = db.all(
        "SELECT queue_id, rank, count(*) AS n FROM runs WHERE state = 'queued' AND waits = 0"
        " GROUP BY 1, 2"
    )
    assert {key: runs for key, runs in levels.items() if runs} == {
        (r["queue_id"], r["rank"]): r["n"] for r in ranks
    }
    for queue in queues.every(db):
        assert queue.depth == read.count(db, RunQuery(queue=queue.name, states=tuple(WAITING)))
        assert queue.running == read.count(db, RunQuery(queue=queue.name, states=tuple(ACTIVE)))
