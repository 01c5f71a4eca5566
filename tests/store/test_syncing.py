"""What is to be sent is in the store as long as it is owed, and the counters are counts."""

from __future__ import annotations

import time

import pytest

from launch_tui.domain.run import RunState
from launch_tui.domain.sync import SyncState, address_in
from launch_tui.store import read, syncing
from launch_tui.store.clock import iso
from tests.tui.world import OWNER, World


@pytest.fixture
def world(private_home, monkeypatch):
    made = World(private_home, monkeypatch)
    # Times are compared with this machine's clock here.
    monkeypatch.setattr("launch_tui.store.clock.time", time)
    made.queue("gpu")
    yield made
    made.close()


def ended(world, resources=None, *, state=RunState.FINISHED, tracked=True):
    from launch_tui.store import write

    run = world.run(RunState.RUNNING)
    db = world.launch.db
    text = "{}" if resources is None else resources
    db.execute("UPDATE runs SET spec = json_set(spec, '$.resources', json(?))", (text,))
    write.settle(db, run, RunState.RUNNING, state, owner=OWNER, actor=OWNER, changes={},
                 observed={"tracked": tracked})  # fmt: skip
    return run


def counted(db):
    rows = db.all("SELECT sync, count(*) AS runs FROM runs WHERE sync <> '' GROUP BY 1")
    return {SyncState(row["sync"]): row["runs"] for row in rows}


@pytest.mark.parametrize(
    ("resources", "state", "expected"),
    [
        (None, RunState.FINISHED, "unsynced"),
        ('{"sync": "never"}', RunState.FINISHED, "unsynced"),
        ('{"sync": "finished"}', RunState.FINISHED, "waiting"),
        ('{"sync": "finished"}', RunState.FAILED, "unsynced"),
        ('{"sync": "ended"}', RunState.FAILED, "waiting"),
        ('{"sync": "ended"}', RunState.STOPPED, "waiting"),
        ('{"wandb": "online", "sync": "ended"}', RunState.FINISHED, "online"),
    ],
)
def test_the_rule_holds_from_the_moment_of_the_end(world, resources, state, expected):
    run = ended(world, resources, state=state)
    assert read.run(world.launch.db, run).sync.state == expected


def test_what_was_never_tracked_has_nothing_to_send(world):
    run = ended(world, '{"sync": "ended"}', tracked=False)
    assert read.run(world.launch.db, run).sync.state is SyncState.NONE
    syncing.ask(world.launch.db, [run])
    assert syncing.next_at(world.launch.db) is None


def test_the_way_of_a_run_and_its_counters(world):
    db = world.launch.db
    first, second = ended(world), ended(world)
    assert syncing.unsent(db) == [first, second]
    assert syncing.due(db) is None
    syncing.ask(db, [first])
    assert syncing.counts(db) == counted(db) == {SyncState.UNSYNCED: 1, SyncState.WAITING: 1}
    assert syncing.due(db) == first
    syncing.begin(db, first)
    # One that is being sent is not asked for anew.
    syncing.ask(db, [first])
    assert read.run(db, first).sync.state is SyncState.SYNCING
    later = iso(time.time() + 60)
    syncing.failed(db, first, "down", "wait", later)
    found = read.run(db, first).sync
    assert (found.state, found.cause, found.tries, found.next_at) == ("waiting", "down", 1, later)
    assert (syncing.due(db), syncing.next_at(db)) == (None, later)
    syncing.begin(db, first)
    syncing.synced(db, first, "http://page")
    found = read.run(db, first).sync
    assert (found.state, found.url, found.cause, found.tries) == ("synced", "http://page", None, 2)
    syncing.failed(db, second, "no key", "get one", None)
    assert syncing.counts(db) == counted(db) == {SyncState.SYNCED: 1, SyncState.FAILED: 1}
    assert syncing.unsent(db) == [second]
    world.launch.runs.delete(first)
    assert syncing.counts(db) == counted(db) == {SyncState.FAILED: 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wandb: View run x at http://h:1/me/p/runs/abc", "http://h:1/me/p/runs/abc"),
        ("Syncing: http://h:1//p/runs/abc ... done.", "http://h:1/p/runs/abc"),
        ("at \x1b[34mhttps://h/e/p/runs/a\x1b[0m\n", "https://h/e/p/runs/a"),
        ("see https://wandb.ai/site", ""),
    ],
)
def test_the_address_in_wandbs_words(text, expected):
    assert address_in(text) == expected
