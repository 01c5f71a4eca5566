"""Lists of runs in any order, from either end, and runs by what they are called."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from launch_tui.domain.filter import Filter
from launch_tui.domain.job import CodeSource, JobKind, JobVersion
from launch_tui.domain.metrics import Telling
from launch_tui.domain.run import RunState
from launch_tui.domain.sorting import Sort
from launch_tui.errors import NotFound
from launch_tui.store import enqueuing, filters, jobs, naming, read, searching, sorting, write
from launch_tui.store.database import Database
from launch_tui.store.read import RunQuery

NAMES = ("beta", "Alpha", "gamma", "alpha", "Beta")
LOSSES = (0.3, None, 0.1, 0.2, None)


@pytest.fixture
def runs(db, queue, new_run):
    """Five runs, oldest first: their numbers by name and loss."""
    made = []
    for name, loss in zip(NAMES, LOSSES, strict=True):
        run_id = enqueuing.enqueue(db, [new_run(name=name)])[0].id
        if loss is not None:
            write.observe(db, run_id, {"summary": {"loss": loss}})
        made.append(run_id)
    return made


def names(found):
    return [run.name for run in found]


def page(db, sort, first, count, *, backwards=False):
    return sorting.sorted_runs(db, sort, limit=count, offset=first, size=5, backwards=backwards)


def test_by_name_capitals_or_not_and_the_newest_of_one_name_first(db, runs):
    found = page(db, Sort.NAME, 0, 5)
    assert names(found) == ["alpha", "Alpha", "Beta", "beta", "gamma"]
    assert names(page(db, Sort.NAME, 0, 5, backwards=True)) == names(found)[::-1]


def test_by_metric_the_best_first_and_what_has_none_last_either_way(db, runs):
    assert names(page(db, Sort.METRIC, 0, 5)) == ["gamma", "alpha", "beta", "Beta", "Alpha"]
    turned = names(page(db, Sort.METRIC, 0, 5, backwards=True))
    assert turned == ["beta", "alpha", "gamma", "Alpha", "Beta"]


@pytest.mark.parametrize("sort", sorting.BY_INDEX)
@pytest.mark.parametrize("backwards", [False, True])
def test_pages_from_either_end_are_parts_of_one_list(db, runs, sort, backwards):
    whole = page(db, sort, 0, 5, backwards=backwards)
    for first in range(6):
        for count in (1, 2, 3, 9):
            part = page(db, sort, first, count, backwards=backwards)
            assert part == whole[first : first + count]


@pytest.mark.parametrize("query", [RunQuery(), RunQuery(queue="q"), RunQuery(states=("queued",))])
@pytest.mark.parametrize("oldest_first", [False, True])
def test_the_last_pages_are_read_from_the_end(db, runs, query, oldest_first):
    whole = read.runs(db, query, limit=9, oldest_first=oldest_first)
    assert names(whole) == list(NAMES if oldest_first else NAMES[::-1])
    for first in range(6):
        for count in (1, 2, 9):
            part = read.runs(
                db, query, limit=count, offset=first, size=5, oldest_first=oldest_first
            )
            assert part == whole[first : first + count]


def test_the_orders_go_by_an_index_and_nothing_is_sorted(db, runs):
    for order in sorting._ORDERS.values():
        for one in order:
            plan = db.all(f"EXPLAIN QUERY PLAN SELECT r.seq FROM runs r ORDER BY {one} LIMIT 5")
            told = " ".join(row["detail"] for row in plan)
            assert "COVERING INDEX runs_by_" in told
            assert "TEMP B-TREE" not in told


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("backwards", [False, True])
def test_what_was_found_is_put_in_the_same_order(db, runs, sort, backwards):
    found = [row["seq"] for row in db.all("SELECT seq FROM runs ORDER BY seq DESC")]
    for total in (5, 10_000):
        ordered = list(sorting.arranged(db, found, sort, total=total, backwards=backwards))
        if sort in sorting.BY_INDEX:
            expected = page(db, sort, 0, 5, backwards=backwards)
            assert read.runs_at(db, ordered) == expected
        assert sorted(ordered) == sorted(found)


def test_found_runs_by_state_are_live_first_and_what_waits_in_its_order(db, runs):
    db.execute("UPDATE runs SET state = 'finished' WHERE id IN (?, ?)", (runs[0], runs[1]))
    db.execute("UPDATE runs SET state = 'running' WHERE id = ?", (runs[3],))
    db.execute("UPDATE runs SET rank = -1 WHERE id = ?", (runs[4],))
    found = [row["seq"] for row in db.all("SELECT seq FROM runs ORDER BY seq DESC")]
    ordered = read.runs_at(db, sorting.arranged(db, found, Sort.STATE, total=5))
    assert [run.id for run in ordered] == [runs[3], runs[4], runs[2], runs[1], runs[0]]
    some = [seq for seq in found if seq != 4]
    ordered = read.runs_at(db, sorting.arranged(db, some, Sort.STATE, total=5, backwards=True))
    assert [run.id for run in ordered] == [runs[0], runs[1], runs[2], runs[4]]


def test_runs_by_a_part_of_what_they_are_called(db, runs, new_run):
    for text in ("ALPH", "lph"):
        assert {read.runs_at(db, [seq])[0].name for seq in naming.called(db, text, 50)} == {
            "Alpha", "alpha",
        }  # fmt: skip
    assert naming.called(db, runs[2][:6], 50) == [3]
    assert naming.called(db, "100%", 50) == []
    assert len(naming.called(db, "a", 2)) == 2
    assert sorted(naming.ids_at(db, [1, 2, 99])) == sorted(runs[:2])


def test_names_are_looked_through_in_their_index_not_in_the_rows(db, runs):
    plan = db.all(f"EXPLAIN QUERY PLAN {naming._BY_NAME}", ("%a%", 50))
    assert "COVERING INDEX runs_by_name" in " ".join(row["detail"] for row in plan)


def test_a_summary_says_what_a_run_is_sorted_by(db, runs):
    row = db.one("SELECT metric, metric_key FROM runs WHERE id = ?", (runs[0],))
    assert tuple(row) == (0.3, "loss")
    write.observe(db, runs[0], {"summary": {"accuracy": 0.75}})
    row = db.one("SELECT metric, metric_key FROM runs WHERE id = ?", (runs[0],))
    assert tuple(row) == (-0.75, "accuracy")


def test_a_declared_metric_sorts_the_runs_of_its_version(db, queue, new_run):
    job = jobs.save_version(
        db,
        JobVersion(
            name="train", version="", kind=JobKind.CODE, source=CodeSource(digest="d", path="/x"),
            entry_point=("python", "train.py"),
        ),
    ).job  # fmt: skip
    ids = [
        enqueuing.enqueue(db, [new_run(job=job.name, version=version)])[0].id
        for version in (job.version, job.version, "v9")
    ]
    for run_id, f1 in zip(ids, (0.5, 0.75, 0.9), strict=True):
        write.observe(db, run_id, {"summary": {"loss": 1.0, "f1": f1}})
    declared = jobs.declare_metric(db, job.name, Telling(key="f1", goal="max"))
    assert declared.outputs["metric"] == {"name": "f1", "goal": "max"}
    keys = {row["id"]: row["metric_key"] for row in db.all("SELECT id, metric_key FROM runs")}
    assert keys == {ids[0]: "f1", ids[1]: "f1", ids[2]: "loss"}
    # What runs from now on goes by it as well.
    write.observe(db, ids[0], {"summary": {"loss": 1.0, "f1": 0.8}})
    assert db.one("SELECT metric FROM runs WHERE id = ?", (ids[0],))[0] == -0.8
    assert write.telling_metric(db, ids[1]) == Telling(key="f1", goal="max")
    assert write.telling_metric(db, ids[2]) is None
    jobs.declare_metric(db, job.name, None)
    assert db.one("SELECT metric_key FROM runs WHERE id = ?", (ids[0],))[0] == "loss"


def test_stretches_go_through_all_runs_once_and_tell_how_far(db, queue, new_run, monkeypatch):
    enqueuing.enqueue(db, [new_run(config={"n": n}) for n in range(50)])
    monkeypatch.setattr(searching, "FIRST_STRETCH", 7)
    monkeypatch.setattr(searching, "STRETCH_S", 0.0)
    stretches = list(searching.search(db, RunQuery(), Filter("n>=10"), 0.0))
    assert [seq for one in stretches for seq in one.found] == list(range(50, 10, -1))
    shares = [one.done for one in stretches]
    assert len(shares) == 8
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    part = list(searching.search(db, RunQuery(), Filter("n>=10"), 0.0, down_to=45))
    assert [seq for one in part for seq in one.found] == list(range(50, 44, -1))


def test_below_which_number_nothing_changes_any_more(db, runs):
    assert searching.settled_below(db) == 1
    db.execute("UPDATE runs SET state = ? WHERE seq <> 4", (RunState.FINISHED,))
    assert searching.settled_below(db) == 4
    db.execute("UPDATE runs SET state = ?", (RunState.FINISHED,))
    assert searching.settled_below(db) == 6


def test_filters_have_names(db):
    filters.save(db, "mine", "author=ada")
    filters.save(db, "bad ones", "state:bad")
    filters.save(db, "mine", "author=bob")
    assert filters.every(db) == {"bad ones": "state:bad", "mine": "author=bob"}
    assert filters.get(db, "mine") == "author=bob"
    filters.delete(db, "mine")
    with pytest.raises(NotFound, match="bad ones"):
        filters.get(db, "mine")
    with pytest.raises(NotFound):
        filters.delete(db, "mine")


def test_an_older_store_gets_what_its_runs_are_sorted_by(home):
    home.root.mkdir(parents=True)
    fixtures = Path(__file__).resolve().parent.parent / "fixtures"
    shutil.copy(fixtures / "store-v2" / "launch.db", home.store)
    with Database(home) as db:
        rows = db.all("SELECT summary, metric, metric_key FROM runs")
        assert {(row["metric_key"], row["metric"]) for row in rows} == {("", None), ("loss", 0.5)}
        for row in rows:
            assert bool(json.loads(row["summary"]).get("loss")) is (row["metric"] is not None)
