"""Stores of every version so far open in this one, and a migration is whole or nothing."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from launch_tui.domain.run import RunState
from launch_tui.store import agents, claiming, jobs, queues, read, waiting
from launch_tui.store.database import APPLICATION_ID, SCHEMA_VERSION, Database
from launch_tui.store.paths import Home
from launch_tui.store.read import RunQuery
from tests.store.test_order import assert_counters_are_counts

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
KEPT = sorted(FIXTURES.glob("store-v*"))


def load_maker():
    spec = importlib.util.spec_from_file_location("make_store", FIXTURES / "make_store.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def schema_of(db):
    rows = db.all("SELECT type, name, sql FROM sqlite_master ORDER BY type, name")
    return [tuple(row) for row in rows]


@pytest.fixture(params=KEPT, ids=lambda path: path.name)
def kept(request, home):
    """A copy of a store as an earlier version, or this one, left it."""
    home.root.mkdir(parents=True)
    shutil.copy(request.param / "launch.db", home.store)
    return home


def test_a_store_of_each_version_is_kept():
    assert [path.name for path in KEPT] == [f"store-v{n}" for n in range(1, SCHEMA_VERSION + 1)]


def test_a_kept_store_opens_with_everything_in_it(kept):
    states = load_maker().NAMES
    with Database(kept) as db:
        assert db.one("PRAGMA user_version")[0] == SCHEMA_VERSION
        runs = {run.name: run for run in read.every_run(db, RunQuery())}
        assert {name: run.state for name, run in runs.items()} == states
        failed = runs["failed"]
        assert (failed.phase, failed.cause, failed.exit_code) == ("run", "exit status 3", 3)
        assert failed.config == {"lr": 0.001, "nested": {"a": [1, None, "ü"]}}
        assert failed.summary == {"loss": 0.5}
        assert read.spec(db, failed.id).secrets == ("TOKEN",)
        assert [e.state for e in read.events(db, failed.id)] == [
            "queued", "claimed", "sourcing", "building", "starting", "running", "failed"
        ]  # fmt: skip
        assert jobs.get(db, "digits:prod").version == "v0"
        assert jobs.get(db, "digits").inputs["properties"]["lr"]["default"] == 0.1
        assert jobs.get(db, "remote").source.commit == "c" * 40
        assert {q.name: (q.depth, q.running, q.paused) for q in queues.every(db)} == {
            "gpu": (2, 2, False),
            "cpu": (0, 0, True),
        }
        assert agents.status(db).pid


def test_a_kept_store_goes_on(kept):
    with Database(kept) as db:
        taken = claiming.take_over(db, "next")
        assert [c.run.name for c in taken] == ["running", "claimed"]
        assert_counters_are_counts(db)
        assert claiming.claim(db, "next", queues=None).run.name == "queued"
        first = read.runs(db, RunQuery(states=(RunState.HELD,)), limit=1)[0]
        waiting.release(db, first.id)
        assert claiming.claim(db, "next", queues=None).run.id == first.id


def test_a_kept_store_comes_to_have_the_schema_of_a_fresh_one(kept, tmp_path):
    with Database(kept) as old, Database(Home(tmp_path / "fresh")) as fresh:
        assert schema_of(old) == schema_of(fresh)


def test_a_store_of_the_current_version_opens_without_the_migrations(home, db, run_script):
    done = run_script("Database(home).close()\nprint('sqlite_utils' in sys.modules)")
    assert done.stdout == "False\n"


@pytest.mark.parametrize("moment", ["migration.apply", "migration._record_applied"])
def test_a_migration_that_is_killed_is_done_anew(home, run_script, moment):
    script = f"""
from launch_tui.store import schema
real = schema.{moment}
def dying(*arguments):
    real(*arguments)
    os.kill(os.getpid(), 9)
schema.{moment} = dying
Database(home)
"""
    assert run_script(script).returncode == -9
    with Database(home) as db:
        assert db.one("PRAGMA application_id")[0] == APPLICATION_ID
        assert read.count(db, RunQuery()) == 0
