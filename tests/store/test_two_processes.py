"""The store between processes: opened, filled and emptied at the same time, and killed."""

from __future__ import annotations

import pytest

from launch_tui.domain.queue import Queue, Resource
from launch_tui.domain.run import ACTIVE, Priority, RunState
from launch_tui.errors import Stale
from launch_tui.store import agents, claiming, enqueuing, queues, read, waiting, write
from launch_tui.store.agents import AgentLock
from launch_tui.store.database import SCHEMA_VERSION, Database
from launch_tui.store.read import RunQuery


def test_eight_processes_open_a_fresh_store_at_once(home, together):
    outputs = together("barrier()\nwith Database(home) as db: print(db.data_version() > 0)", 8)
    assert outputs == ["True\n"] * 8
    with Database(home, read_only=True) as db:
        assert db.one("PRAGMA journal_mode")[0] == "wal"
        assert db.one("PRAGMA integrity_check")[0] == "ok"
        assert db.one("SELECT count(*) FROM _sqlite_migrations")[0] == SCHEMA_VERSION


def test_the_default_queue_is_made_once(home, together):
    together(
        "from launch_tui.sdk.queues import Queues\n"
        "barrier()\nwith Database(home) as db: Queues(db).get_or_default('default')",
        4,
    )
    with Database(home) as db:
        assert [q.name for q in queues.every(db)] == ["default"]


def test_four_processes_claim_ten_thousand_runs_in_order_and_none_twice(
    home, db, queue, new_run, together
):
    queues.create(
        db, Queue(name="p", resource=Resource.LOCAL_PROCESS, max_running=10_000, prioritized=True)
    )
    levels = [Priority.LOW, Priority.CRITICAL, Priority.MEDIUM, Priority.HIGH, Priority.MEDIUM]
    news = [new_run(queue="qp"[n % 2], priority=levels[n % 5]) for n in range(10_000)]
    made = list(zip(enqueuing.enqueue(db, news), news, strict=True))
    plain = [e.id for e, new in made if new.queue == "q"]
    ranked = [
        e.id for level in Priority for e, new in made if (new.queue, new.priority) == ("p", level)
    ]
    for line in (plain, ranked):
        waiting.move_to_front(db, line[-1])
        line.insert(0, line.pop())
    outputs = together(
        """
with Database(home) as db:
    me, last = "agent" + os.environ["NUMBER"], ""
    barrier()
    while claimed := claiming.claim(db, me, queues=None, after=last):
        last = claimed.run.queue
        print(claimed.run.id)
""",
        4,
    )
    taken = [output.split() for output in outputs]
    claims = db.all("SELECT run_id, actor FROM events WHERE state = 'claimed' ORDER BY id")
    order = [row["run_id"] for row in claims]
    assert len(order) == len(set(order)) == 10_000
    queue_of = {e.id: new.queue for e, new in made}
    assert [i for i in order if queue_of[i] == "q"] == plain
    assert [i for i in order if queue_of[i] == "p"] == ranked
    assert {row["run_id"]: row["actor"] for row in claims} == {
        i: f"agent{number}" for number, each in enumerate(taken) for i in each
    }
    assert all(taken)


def test_four_processes_together_run_no_more_than_the_queue_allows(
    home, db, queue, new_run, together
):
    queues.update(db, "q", max_running=3)
    ids = [e.id for e in enqueuing.enqueue(db, [new_run() for _ in range(200)])]
    outputs = together(
        """
most = 0
with Database(home) as db:
    me = "agent" + os.environ["NUMBER"]
    barrier()
    while queues.get(db, "q").depth:
        claimed = claiming.claim(db, me, queues=None)
        most = max(most, db.one("SELECT count(*) FROM runs WHERE state = 'claimed'")[0])
        if claimed:
            write.settle(db, claimed.run.id, RunState.CLAIMED, RunState.FAILED, owner=me,
                         actor=me, changes={})
print(most)
""",
        4,
    )
    assert max(int(output) for output in outputs) <= 3
    assert read.count(db, RunQuery(states=(RunState.FAILED,))) == len(ids)


def test_runs_enqueued_by_several_processes_are_all_there(home, db, queue, together):
    outputs = together(
        """
with Database(home) as db:
    barrier()
    for _ in range(100):
        print(enqueuing.enqueue(db, [new_run(name=os.environ["NUMBER"])])[0].id)
""",
        4,
    )
    ids = [i for output in outputs for i in output.split()]
    assert len(set(ids)) == 400
    order = [r["id"] for r in db.all("SELECT id FROM runs ORDER BY place")]
    assert sorted(order) == sorted(ids)
    for output in outputs:
        own = output.split()
        assert [i for i in order if i in set(own)] == own


def test_one_of_two_who_act_on_a_run_is_told_that_it_came_too_late(home, db, queue, new_run):
    run_id = enqueuing.enqueue(db, [new_run()])[0].id
    with Database(home) as other:
        claiming.claim(db, "first", queues=None)
        assert claiming.claim(other, "second", queues=None) is None
        with pytest.raises(Stale):
            write.transition(
                other, run_id, RunState.QUEUED, RunState.CLAIMED, owner=None, actor="second"
            )


def test_a_commit_of_another_process_is_seen(home, db, queue, run_script):
    before = db.data_version()
    assert db.data_version() == before
    assert (
        run_script("with Database(home) as db: enqueuing.enqueue(db, [new_run()])").returncode == 0
    )
    assert db.data_version() != before


ENQUEUE = "with Database(home) as db: enqueuing.enqueue(db, [new_run(name=n) for n in 'ab'])"


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        ("enqueue.before", []),
        ("enqueue.written", []),
        ("enqueue.committed", ["a", "b"]),
    ],
)
def test_an_enqueue_that_is_killed_is_whole_or_nothing(
    home, db, queue, new_run, run_script, fault, names
):
    assert run_script(ENQUEUE, LAUNCH_TUI_FAULT=fault).returncode == -9
    assert [r.name for r in read.every_run(db, RunQuery())] == names[::-1]
    assert queues.get(db, "q").depth == len(names)
    assert len(read.events(db)) == len(names)
    assert db.one("PRAGMA integrity_check")[0] == "ok"
    assert enqueuing.enqueue(db, [new_run()])[0].position == len(names) + 1


def test_a_claim_that_is_killed_before_its_commit_did_not_happen(
    home, db, queue, new_run, run_script
):
    ids = [e.id for e in enqueuing.enqueue(db, [new_run(), new_run()])]
    script = "with Database(home) as db: claiming.claim(db, 'dead', queues=None)"
    assert run_script(script, LAUNCH_TUI_FAULT="claim.before").returncode == -9
    assert read.count(db, RunQuery(states=tuple(ACTIVE))) == 0
    assert claiming.claim(db, "next", queues=None).run.id == ids[0]


def test_a_claim_that_was_committed_belongs_to_the_next_agent(home, db, queue, new_run, run_script):
    ids = [e.id for e in enqueuing.enqueue(db, [new_run(), new_run()])]
    script = """
from launch_tui import faults
with Database(home) as db:
    claiming.claim(db, "dead", queues=None)
    faults.point("claim.committed")
"""
    assert run_script(script, LAUNCH_TUI_FAULT="claim.committed").returncode == -9
    assert read.run(db, ids[0]).agent == "dead"
    assert [c.run.id for c in claiming.take_over(db, "next")] == ids[:1]
    assert claiming.claim(db, "next", queues=None).run.id == ids[1]


def test_the_agent_lock_is_held_by_one_and_by_nobody_dead(home, db, run_script):
    script = """
from launch_tui.store.agents import AgentLock
home.create()
lock = AgentLock(home)
print(lock.acquire(), flush=True)
if "--die" in sys.argv: os.kill(os.getpid(), 9)
"""
    lock = AgentLock(home)
    assert not agents.is_held(home)
    assert lock.acquire()
    assert lock.acquire()
    assert agents.is_held(home)
    assert run_script(script).stdout == "False\n"
    lock.close()
    assert not agents.is_held(home)
    assert run_script(script.replace('if "--die" in sys.argv: ', "")).returncode == -9
    assert not agents.is_held(home)


def test_what_agents_say_of_themselves(home, db, queue, new_run):
    assert agents.status(db) is None
    lock = AgentLock(home)
    lock.acquire()
    agents.register(db, "one", queues=None, max_jobs=None)
    agents.register(db, "two", queues=["q"], max_jobs=3)
    status = agents.status(db)
    assert (status.id, status.running, status.state) == ("two", True, "active")
    assert (status.queues, status.max_jobs, status.runs) == (("q",), 3, ())
    run_id = enqueuing.enqueue(db, [new_run()])[0].id
    claiming.claim(db, "two", queues=None)
    assert agents.status(db).runs == (run_id,)
    agents.request(db, "drain")
    assert (agents.requested(db, "one"), agents.requested(db, "two")) == (None, "drain")
    lock.close()
    assert (agents.status(db).running, agents.status(db).state) == (False, "ended")
