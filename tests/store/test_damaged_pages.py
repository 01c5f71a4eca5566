"""A page of the runs is overwritten: what is on the others is read on."""

from __future__ import annotations

import pytest

from launch_tui.domain.run import RunState
from launch_tui.errors import StoreCorrupt
from launch_tui.store import claiming, enqueuing, queues, read
from launch_tui.store.database import Database
from launch_tui.store.read import RunQuery

PAGE = 4096
LEAF = 13


@pytest.fixture
def spoilt(home, db, queue, new_run):
    """Forty runs on many pages; the ids of those whose page is gone, and of the others."""
    queues.create(db, queue_like(queue, "other"))
    ids = [
        enqueuing.enqueue(db, [new_run(note=f"{number:03}" + "n" * 700)])[0].id
        for number in range(40)
    ]
    last = enqueuing.enqueue(db, [new_run(queue="other", note="x" * 3000)])[0].id
    db.close()
    data = bytearray(home.store.read_bytes())
    pages = range(0, len(data), PAGE)
    leaves = [at for at in pages if data[at] == LEAF and b"nnnn" in data[at : at + PAGE]]
    page = bytes(data[leaves[2] : leaves[2] + PAGE])
    gone = [run for run in ids if run.encode() in page and b"n" * 700 in page]
    data[leaves[2] : leaves[2] + PAGE] = b"\xff" * PAGE
    home.store.write_bytes(data)
    with Database(home) as damaged:
        yield damaged, gone, [*ids, last]


def queue_like(queue, name):
    from dataclasses import replace

    return replace(queue, name=name)


def test_a_list_shows_what_it_can_and_names_the_others(spoilt):
    db, gone, ids = spoilt
    assert gone
    with pytest.raises(StoreCorrupt):
        db.all("SELECT note FROM runs")
    shown = read.runs(db, RunQuery(), limit=100)
    assert [run.id for run in shown] == ids[::-1]
    assert [run.id for run in shown if run.cause] == [run for run in ids[::-1] if run in gone]
    for run in shown:
        if run.id in gone:
            assert run.state is RunState.LOST
            assert "fsck --repair" in run.next_step
    assert [run.id for run in read.runs(db, RunQuery(), limit=5, oldest_first=True)] == ids[:5]
    assert [run.id for run in read.every_run(db, RunQuery())] == ids[::-1]
    assert "damaged" in read.run(db, gone[0]).cause


def test_other_queues_are_served_and_what_stands_before_the_damage(spoilt):
    db, gone, ids = spoilt
    claimed, after = [], ""
    while (taken := claiming.claim(db, "a", queues=None, after=after)) is not None:
        claimed.append(taken.run.id)
        after = taken.run.queue
    assert ids[-1] in claimed
    assert set(claimed) == {*ids[: ids.index(gone[0])], ids[-1]}
