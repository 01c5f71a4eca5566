"""What an earlier version left is taken up by this one: its store, and supervisors that still run.

`store-v1` is a store as version 1 wrote it, `supervisor-v1.txt` the program that its agents started
for each job. Each is kept as it was; a later version adds its own beside it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from launch_tui.domain.attempt import Attempt
from launch_tui.store import claiming
from launch_tui.store.database import Database
from launch_tui.store.paths import Home
from launch_tui.targets import fork_server, records
from launch_tui.targets.local_process import LocalProcess
from launch_tui.targets.processes import alive
from tests.faults.world import wait_until

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
STORES = sorted(FIXTURES.glob("store-v*"))
SUPERVISORS = sorted(FIXTURES.glob("supervisor-v*.txt"))
JOB = """
while ! [ -e {gate} ]; do sleep 0.02; done
mkdir -p $WANDB_DIR/wandb/offline-run-20260101_000000-{run}
: > $WANDB_DIR/wandb/offline-run-20260101_000000-{run}/run-{run}.wandb
echo whole
"""


def start_as_then(attempt, supervisor, monkeypatch):
    """Start an attempt under the supervisor of then; its agent is gone when this returns."""
    monkeypatch.setattr(fork_server, "SUPERVISOR", supervisor)

    async def start():
        target = LocalProcess()
        await target.start(attempt)
        await target.close()

    asyncio.run(start())
    monkeypatch.undo()


@pytest.mark.parametrize("supervisor", SUPERVISORS, ids=lambda path: path.stem)
@pytest.mark.parametrize("store", STORES, ids=lambda path: path.name)
def test_a_store_and_a_running_job_of_then_are_taken_up(world, monkeypatch, store, supervisor):
    world.home.mkdir()
    shutil.copy(store / "launch.db", world.home)
    names = {row["name"]: row["id"] for row in world.rows().values()}
    run, gate = names["running"], world.root / "gate"
    directory = world.attempt(run)
    (directory / "wandb").mkdir(parents=True)
    variables = {"PATH": os.environ["PATH"], "WANDB_DIR": str(directory / "wandb")}
    attempt = Attempt(
        run_id=run,
        number=1,
        directory=directory,
        command=("sh", "-c", JOB.format(gate=gate, run=run)),
        working_directory=world.root,
        environment=variables | {"MARKS": str(world.marks)},
    )
    start_as_then(attempt, supervisor, monkeypatch)
    job = records.read_started(directory).job
    agent = world.start_agent()
    wait_until(lambda: f"{run}  gpu  adopted" in world.said(), "the job of then is adopted")
    assert alive(job)
    # What came later works on what was there before.
    world.queue("q")
    behind = world.probe("q", "3,0", retries=1, retry_on=("failed",), after=(f"{run}:ok",))
    hopeless = world.probe("q", after=(f"{run}:failed",))
    assert world.rows()[behind]["state"] == "queued"
    gate.touch()
    left = ("finished", "failed", "lost", "stopped", "held")
    wait_until(
        lambda: all(row["ended_at"] or row["name"] in left for row in world.rows().values()),
        "everything that may has ended",
    )
    rows = {row["name"]: row for row in world.rows().values()}
    assert (rows["running"]["state"], rows["running"]["exit_code"]) == ("finished", 0)
    later = {id_: (row["state"], row["retried"]) for id_, row in world.rows().items()}
    assert (later[behind], later[hopeless]) == (("finished", 1), ("stopped", 0))
    assert [ran.code for ran in world.ran(behind)] == [3, 0]
    assert world.log(run, 1) == b"whole\n"
    # Their source is not here, and that is what is said of them.
    for name in ("claimed", "queued"):
        assert (rows[name]["state"], rows[name]["phase"]) == ("failed", "source"), rows[name]
    assert rows["held"]["state"] == "held"
    assert agent.poll() is None


def test_each_version_is_kept():
    """A supervisor that writes other records than the last one kept has to be kept as well."""
    now = Path(fork_server.__file__).with_name("supervisor.py").read_text()
    assert SUPERVISORS
    kept = SUPERVISORS[-1].read_text()
    for record in ("started", "pid", "exit"):
        assert f'"{record}"' in kept
        assert f'"{record}"' in now


def test_records_of_then_are_read(tmp_path):
    (tmp_path / "started").write_text('{"pid": 71, "start_time": 900, "boot_id": "b"}\n')
    (tmp_path / "pid").write_text(
        '{"pid": 72, "start_time": 901, "boot_id": "b", "supervisor_pid": 71,'
        ' "supervisor_start_time": 900, "started_at": 1750000000.5}\n'
    )
    (tmp_path / "exit").write_text(
        '{"kind": "exited", "exit_code": -15, "ended_at": 1750000001.5, "user_seconds": 0.1,'
        ' "system_seconds": 0.2, "max_rss_bytes": 1000, "left_processes": false}\n'
    )
    assert records.read_token(tmp_path).supervisor.pid == 71
    started = records.read_started(tmp_path)
    assert (started.job.pid, started.supervisor.start_time) == (72, 900)
    ended = records.read_exit(tmp_path)
    assert (ended.ended.exit_code, ended.ended.ended_at, ended.left_processes) == (
        -15, 1750000001.5, False
    )  # fmt: skip


def test_the_kept_store_opens_as_it_is(tmp_path):
    shutil.copy(STORES[0] / "launch.db", tmp_path)
    with Database(Home(tmp_path)) as db:
        assert [c.run.name for c in claiming.take_over(db, "next")] == ["running", "claimed"]
