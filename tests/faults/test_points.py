"""Every fault point, one after the other: kill there, go on, and look at what is left.

The list comes from the code. A point at which nothing dies fails its test, so the list cannot
rot.
"""

from __future__ import annotations

import pytest

from launch_tui import faults
from tests.faults.world import LINES, wait_until

SUPERVISED = {name for name in faults.POINTS if name.startswith("supervisor.")}
SEEN_AS = {
    "supervisor.token_taken": "another attempt",
    "supervisor.job_forked": "another attempt",
    "supervisor.pid_written": "lost",
    "supervisor.job_started": "finished by wandb's record",
    "supervisor.job_ended": "finished by wandb's record",
}
"""What shows that the first supervisor died there. After ``forked`` the target asks again, and
after ``exit_written`` all is recorded: tests/targets proves those two."""
BEFORE = {"target.voided": "start.intended"}
"""Points that only an agent that takes up another's run can reach: where the other one died."""


def story(world, fault):
    """Launch a git and a code job and run them, with every process able to die at ``fault``."""
    words = ("-q", "default", "--setenv", f"MARKS={world.marks}")
    for place in (
        ("-u", world.repository.as_uri(), "-E", "python job.py"),
        ("-u", str(world.folder), "-E", "python job.py"),
    ):
        before = set(world.rows())
        if world.launch(*place, *words, fault=fault) is None and set(world.rows()) == before:
            # Not acknowledged and not there: the person types it again.
            assert world.launch(*place, *words) is not None
    assert world.cli("queue", "update", "default", "--max-running", "2").returncode == 0
    if fault in BEFORE:
        world.start_agent(BEFORE[fault]).wait(timeout=20)
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
    if row["state"] == "lost":
        assert fault == "supervisor.pid_written"
        assert (row["cause"], started) == ("supervisor killed", [])
        return
    assert row["state"] == "finished", f"{run} is {row['state']}: {row['cause']} after {fault}"
    assert ended == started == [str(row["attempt"])]
    assert row["exit_code"] == 0
    assert row["tracked"]
    lines = world.log(run, row["attempt"]).split(b"\n")
    assert lines == [f"line {number}".encode() for number in range(LINES)] + [b""]
    assert world.steps(run) == list(range(LINES))


@pytest.mark.parametrize("fault", sorted(SEEN_AS))
def test_a_supervisors_point_shows_in_the_outcome(world, fault):
    story(world, fault)
    rows = world.rows().values()
    seen = {
        "another attempt": any(row["attempt"] == 2 for row in rows),
        "lost": any(row["state"] == "lost" for row in rows),
        "finished by wandb's record": any("exit record" in (row["cause"] or "") for row in rows),
    }
    assert seen[SEEN_AS[fault]], [(row["state"], row["attempt"], row["cause"]) for row in rows]
