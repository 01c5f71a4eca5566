"""Backups, restores and pruning that are killed at every point.

Nothing is lost, the next one works, and removes what the killed one left behind.
"""

from __future__ import annotations

import os
import sqlite3
import time

import pytest

from launch_tui import faults
from tests.faults.world import KILLED, wait_until

OLD_S = 7200.0


@pytest.fixture
def ended(world):
    """A world in which a code job and a git job have run, whose jobs are deleted by now."""
    words = ("-q", "default", "--setenv", f"MARKS={world.marks}")
    world.code = world.launch("-u", world.folder, "-E", "python job.py", *words)
    world.git = world.launch("-u", world.repository.as_uri(), "-E", "python job.py", *words)
    agent = world.start_agent()
    wait_until(world.all_ended, "the end of both runs")
    agent.terminate()
    agent.wait(timeout=20)
    return world


def dies(world, fault, *words):
    done = world.cli(*words, fault=fault)
    assert done.returncode == KILLED, (fault, done)


def does(world, *words):
    done = world.cli(*words)
    assert done.returncode == 0, done
    return done


def files(folder, pattern="*"):
    return [path for path in folder.rglob(pattern) if path.is_file() or path.is_symlink()]


def age(*paths):
    for path in paths:
        past = time.time() - OLD_S
        os.utime(path, (past, past))


@pytest.mark.parametrize("fault", sorted(p for p in faults.POINTS if p.startswith("backup.")))
def test_a_backup_that_is_killed_is_none(ended, tmp_path, fault):
    place = tmp_path / "backups"
    place.mkdir()
    dies(ended, fault, "backup", place / "b.tar.gz")
    assert not (place / "b.tar.gz").exists()
    left = list((ended.home / "tmp").glob("backup-*"))
    assert left or list(place.glob(".b.tar.gz.*.partial"))
    age(*left)
    does(ended, "backup", place / "b.tar.gz")
    assert [path.name for path in place.iterdir()] == ["b.tar.gz"]
    assert list((ended.home / "tmp").glob("backup-*")) == []
    does(ended, "restore", "--home", tmp_path / "new", place / "b.tar.gz")


@pytest.mark.parametrize("fault", ["restore.unpacked", "restore.adapted"])
def test_a_restore_that_is_killed_leaves_the_place_as_it_was(ended, tmp_path, fault):
    does(ended, "backup", tmp_path / "b.tar.gz")
    place = tmp_path / "place"
    place.mkdir()
    dies(ended, fault, "restore", "--home", place / "new", tmp_path / "b.tar.gz")
    assert not (place / "new").exists()
    does(ended, "restore", "--home", place / "new", tmp_path / "b.tar.gz")
    assert [path.name for path in place.iterdir()] == ["new"]
    before = ended.rows()
    dies(ended, fault, "restore", "--replace", tmp_path / "b.tar.gz")
    assert ended.rows() == before
    does(ended, "delete", ended.code)


def test_a_directory_that_was_replaced_is_there_wherever_the_restore_died(ended, tmp_path):
    does(ended, "backup", tmp_path / "b.tar.gz")
    does(ended, "delete", ended.code)
    dies(ended, "restore.exchanged", "restore", "--replace", tmp_path / "b.tar.gz")
    assert len(ended.rows()) == 2
    (old,) = tmp_path.glob(".home.restoring-*")
    does(ended, "restore", "--replace", tmp_path / "b.tar.gz")
    with sqlite3.connect(old / "launch.db") as store:
        assert store.execute("SELECT count(*) FROM runs").fetchone()[0] == 1
    store.close()


def test_runs_that_are_forgotten_lose_their_directories_with_the_next_prune(ended):
    dies(ended, "prune.rows", "prune", "--older-than", "0s")
    assert ended.rows() == {}
    assert len(list((ended.home / "runs").iterdir())) == 2
    does(ended, "prune")
    assert list((ended.home / "runs").iterdir()) == []


def test_a_working_copy_is_cleared_on(ended):
    result = ended.attempt(ended.code) / "source" / "model.pt"
    result.write_text("weights")
    with sqlite3.connect(ended.home / "launch.db") as store:
        store.execute("UPDATE runs SET ended_at = '2020-01-01T00:00:00Z'")
    store.close()
    dies(ended, "prune.copy", "prune", "--older-than", "500w")
    assert len(ended.rows()) == 2
    does(ended, "prune", "--older-than", "500w")
    names = [path.name for path in files(ended.attempt(ended.code) / "source")]
    assert "job.py" not in names
    assert result.read_text() == "weights"


def test_contents_without_a_manifest_go_with_the_next_prune(ended):
    job = ended.rows()[ended.code]["job"]
    does(ended, "job", "delete", job)
    age(*files(ended.home / "artifacts" / "manifests"))
    dies(ended, "prune.manifests", "prune", "--older-than", "0s")
    assert files(ended.home / "artifacts" / "manifests") == []
    assert files(ended.home / "artifacts" / "blobs") != []
    does(ended, "prune")
    assert files(ended.home / "artifacts" / "blobs") == []


def test_a_cache_whose_removal_was_cut_short_is_none(ended):
    job = ended.rows()[ended.git]["job"]
    does(ended, "job", "delete", job)
    age(*(ended.home / "repos").iterdir())
    dies(ended, "prune.cache", "prune", "--older-than", "0s")
    assert list((ended.home / "repos").glob("*.git")) == []
    assert list((ended.home / "repos").glob("*.removed")) != []
    does(ended, "prune")
    assert list((ended.home / "repos").glob("*.removed")) == []
    words = ("-q", "default", "--setenv", f"MARKS={ended.marks}")
    run = ended.launch("-u", ended.repository.as_uri(), "-E", "python job.py", *words)
    ended.start_agent()
    wait_until(ended.all_ended, "the end of a run from a new cache")
    assert ended.rows()[run]["state"] == "finished"
