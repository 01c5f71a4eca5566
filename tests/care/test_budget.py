"""A budget for what can be had again: what it counts, what goes first, and what never goes."""

from __future__ import annotations

import os
import time

import pytest

from launch_tui.builders.environments import CachedEnvironment, EnvironmentStore
from launch_tui.care import disk
from launch_tui.care.budget import Budget
from launch_tui.care.disk import Disk, Record
from launch_tui.care.keeping import copying
from launch_tui.sdk import Launch
from tests.faults.world import wait_until

GIB = 1 << 30
DAY_S = 86400.0


def environment(sdk, key, *, days, size=1000):
    """Make a cached environment that was last used so many days ago."""
    store = EnvironmentStore(sdk.home.environments)
    path = store.path(key)
    (path / "bin").mkdir(parents=True)
    (path / "lib").write_bytes(bytes(size))
    store.mark(CachedEnvironment(key=key, path=path, size=size))
    past = time.time() - days * DAY_S
    os.utime(path / "complete", (past, past))
    return path


def test_what_is_longest_unused_goes_first_until_it_fits(ended):
    with Launch(ended.home) as sdk:
        old, middle, new = (environment(sdk, f"e{d}", days=d) for d in (9, 5, 0))
        sdk.db.execute(
            "UPDATE runs SET ended_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-7 days')"
        )
        everything = Budget().look(sdk.db, None)
        assert everything.budget is None
        assert everything.kinds["environments"] >= 3000
        assert everything.kinds["working copies"] > 0
        assert everything.kinds["git caches"] > 0
        assert old.exists()
        record = Budget().look(sdk.db, everything.used - 1)
        assert record.used <= everything.used - 1
        assert (record.freed, old.exists(), middle.exists()) == (1000, False, True)
        assert (sdk.home.attempt(ended.code, 1) / "source" / "job.py").exists()
        record = Budget().look(sdk.db, everything.used - 1001)
        assert (
            not (sdk.home.attempt(ended.code, 1) / "source" / "job.py").exists()
            or not (sdk.home.attempt(ended.git, 1) / "source" / "job.py").exists()
        )
        assert middle.exists()
        record = Budget().look(sdk.db, 0)
        assert not middle.exists()
        assert new.exists(), "it was used within the hour"
        assert record.kinds["git caches"] > 0, "a job version refers to it"
        assert record.kinds["working copies"] == 0


def test_what_a_run_at_work_uses_stays(world):
    run = world.launch("-q", "default", "--setenv", f"MARKS={world.marks}", "--", "sleep", "30")
    agent = world.start_agent()
    world.wait_for_state(run, "running")
    with Launch(world.home) as sdk:
        sdk.db.execute("UPDATE runs SET claimed_at = '2020-01-01T00:00:00Z'")
        used = environment(sdk, "e", days=100)
        record = Budget().look(sdk.db, 0)
        assert record.freed == 0
        assert used.exists()
        assert (sdk.home.attempt(run, 1) / "source" / "job.py").exists()
        sdk.runs.stop(run, now=True)
    wait_until(world.all_ended, "the end of the run")
    agent.terminate()
    agent.wait(timeout=20)


def test_nothing_goes_during_a_backup(sdk):
    path = environment(sdk, "e", days=9)
    with copying(sdk.home):
        assert Budget().look(sdk.db, 0).freed == 0
    assert path.exists()
    assert Budget().look(sdk.db, 0).freed == 1000
    assert not path.exists()


def test_what_was_measured_is_read_by_everybody(sdk):
    assert disk.read(sdk.home).record is None
    record = Record(at=1.0, kinds={"environments": 3 * GIB}, budget=2 * GIB, freed=1)
    disk.write(sdk.home, record)
    found = disk.read(sdk.home)
    assert found.record == record
    assert found.total > found.free > 0
    assert found.caches_told() == "3G of 2G, all of it needed"
    (sdk.home.root / disk.NAME).write_text('{"kinds": [1]}')
    assert disk.read(sdk.home).record is None


@pytest.mark.parametrize(
    ("free", "total", "full"),
    [
        (30 * GIB, 1000 * GIB, False),
        (19 * GIB, 1000 * GIB, True),
        (10 * GIB, 100 * GIB, False),
        (4 * GIB, 100 * GIB, True),
        (2 * GIB, 10 * GIB, False),
        (GIB - 1, 10 * GIB, True),
    ],
)
def test_when_a_disk_is_nearly_full(free, total, full):
    space = Disk(free=free, total=total)
    assert space.nearly_full is full
    assert ("launch-tui prune" in space.next_step) is full
