"""Every fault point, one after the other: kill there, go on, and look at what is left.

The list comes from the code. A point at which nothing dies fails its test, so the list cannot
rot.
"""

from __future__ import annotations

import pytest

from launch_tui import faults
from tests.faults.world import LINES, wait_until

SUPERVISED = {name for name in faults.POINTS if name.startswith("supervisor.")}
AFTER_THE_JOB = {"supervisor.job_ended"}
"""Points where the exit status is lost with the supervisor: the job ran, nobody saw its end."""


def story(world, fault):
    """Launch a git and a code job and run them, with every process able to die at ``fault``."""
    words = ("-q", "default", "--setenv", f"MARKS={world.marks}")
    for place in (
        ("-u", str(world.repository), "-E", "python job.py"),
        ("-u", str(world.folder), "-E", "python job.py"),
    ):
        before = set(world.rows())
        if world.launch(*place, *words, fault=fault) is None and set(world.rows()) == before:
            # Not acknowledged and not there: the person types it again.
            assert world.launch(*place, *words) is not None
    world.cli("queue", "update", "default", "--max-running", "2", "--tracking", "optional")
    agent = world.start_agent(fault)
    wait_until(lambda: agent.poll() is not None or world.all_ended(), f"an end at {fault}")
    if agent.poll() is not None and agent.returncode < 0:
        world.killed += 1
    world.kill(agent)


@pytest.mark.parametrize("fault", sorted(faults.POINTS))
def test_nothing_is_lost_or_done_twice(world, fault):
    story(world, fault)
    world.start_agent()
    after = world.launch(
        "-q", "default", "--setenv", f"MARKS={world.marks}", "--", "python", "job.py"
    )
    wait_until(world.all_ended, f"all runs ended after a kill at {fault}: {world.rows()}")
    rows = world.rows()
    assert len(rows) == 3
    assert rows[after]["state"] == "finished"
    for run, row in rows.items():
        check(world, run, row, fault)
    assert world.killed or fault in SUPERVISED, f"{fault} was never reached"
    assert world.processes() == []


def check(world, run, row, fault):
    """Compare what the store says of a run with what the job itself wrote."""
    started, ended = world.started(run), world.ended(run)
    assert len(started) <= 1, f"{run} was started {len(started)} times"
    if row["state"] == "finished":
        assert ended == started == [str(row["attempt"])]
        assert row["exit_code"] == 0
        lines = world.log(run, row["attempt"]).split(b"\n")
        assert lines == [f"line {number}".encode() for number in range(LINES)] + [b""]
    elif fault in SUPERVISED and row["state"] in ("lost", "failed"):
        # The supervisors of the faulty agent all died at the point; that is how it shows.
        assert fault in AFTER_THE_JOB or not ended or row["state"] == "lost"
        assert row["cause"]
    else:
        raise AssertionError(f"{run} is {row['state']}: {row['cause']} after {fault}")


@pytest.mark.parametrize("fault", sorted(SUPERVISED - {"supervisor.exit_written"}))
def test_a_supervisors_point_shows_in_the_outcome(world, fault):
    story(world, fault)
    causes = [row["cause"] or "" for row in world.rows().values()]
    assert any("supervisor" in cause for cause in causes), causes
