"""Every fault point, one after the other: kill there, go on, and look at what is left.

The list comes from the code. A point at which nothing dies fails its test, so the list cannot
rot. Two stories are told: of runs that are built and tracked, and of runs that wait for each other,
for their time, for slots and for another attempt.
"""

from __future__ import annotations

import itertools

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
OF_WAITING = {
    "blocked.noted",
    "limit.over",
    "retry.after",
    "retry.before",
    "retry.written",
    "settle.dependants",
    "wake.after",
    "wake.before",
}
"""Points that only runs reach that wait, are tried again or are ended by a limit."""
ALSO_OF_WAITING = {
    "claim.before",
    "claim.committed",
    "end.seen",
    "running.recorded",
    "settle.after",
    "settle.before",
    "start.answered",
    "start.intended",
    "target.answered",
    "target.requested",
}
OF_CONTAINERS = {name for name in faults.POINTS if name.startswith(("container.", "image."))}
"""Points that only runs in containers reach: ``test_containers`` goes through those."""
OF_WEBHOOKS = {"outbox.before", "outbox.answered", "outbox.noted"}
"""Points that only an agent with a webhook reaches: tests/faults/test_webhooks.py goes there."""
OF_CARE = {name for name in faults.POINTS if name.startswith(("seal.", "mend."))}
"""Points at which the store is looked after: tests/faults/test_damage.py goes there."""
OF_KEEPING = {n for n in faults.POINTS if n.startswith(("backup.", "restore.", "prune."))}
"""Points that only a person's backup, restore or prune reaches: tests/faults/test_keeping.py."""
OF_SYNCS = {"sync.before", "sync.started", "sync.ended", "sync.noted"}
"""Points that only an agent reaches that sends runs: tests/faults/test_sync.py goes there."""
OF_OTHERS = (OF_WAITING, OF_CONTAINERS, OF_WEBHOOKS, OF_SYNCS, OF_CARE, OF_KEEPING)
KILLS = 3
"""How many agents in a row die at the point, the first time that each of them comes there."""
BACKOFF_S = 0.2
HOUR_S = 3600.0


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


@pytest.mark.parametrize(
    "fault",
    sorted(
        set(faults.POINTS).difference(
            OF_WAITING, OF_CONTAINERS, OF_WEBHOOKS, OF_SYNCS, OF_CARE, OF_KEEPING
        )
    ),
)
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


@pytest.mark.parametrize("fault", sorted(OF_WAITING | ALSO_OF_WAITING))
def test_who_waits_gets_exactly_what_it_waits_for(world, fault):
    runs = waiting_story(world)
    for _ in range(KILLS):
        agent = world.start_agent(fault)
        wait_until(
            lambda agent=agent: agent.poll() is not None or world.all_ended(), f"an end at {fault}"
        )
        world.killed += agent.poll() is not None
        world.kill(agent)
    world.start_agent()
    wait_until(world.all_ended, f"all runs ended after kills at {fault}: {world.rows()}")
    assert world.killed, f"{fault} was never reached"
    check_waiting(world, runs)
    assert world.processes() == []


def waiting_story(world):
    """Enqueue runs that wait for all that a run can wait for; return their ids by name."""
    world.queue("q", "--max-running", "20")
    world.queue("slots", "--max-running", "20")
    runs = {
        "again": world.probe("q", "3,3,0", retries=2, retry_on=("failed",), backoff=BACKOFF_S),
        "in vain": world.probe("q", "3", retries=1, retry_on=("failed",), backoff=0.0),
        "later": world.probe("q", begin="+1s"),
        "too long": world.probe("q", hold=HOUR_S, resource_args={"timeout": 1}),
        "too big": world.probe("slots", resource_args={"cpus": 1}),
        "wide": world.probe("slots", hold=0.2, resource_args={"cpus": 0.5}),
        "wide too": world.probe("slots", resource_args={"cpus": 0.4}),
    }
    for name, after in {
        "ok": ("again:ok",),
        "not failed": ("again:failed",),
        "behind": ("not failed:ok",),
        "beside": ("behind:any", "too big:failed"),
        "both": ("ok:ok", "in vain:failed", "too long:failed"),
    }.items():
        pairs = (each.rpartition(":") for each in after)
        runs[name] = world.probe("q", after=tuple(f"{runs[on]}:{how}" for on, _, how in pairs))
    # From here on there is no place for one of them.
    world.limit_agent(cpus=0.5, stopped_run_timeout=0.2)
    return runs


def check_waiting(world, runs):
    """Compare what the store says with what the jobs wrote down of themselves."""
    rows = world.rows()
    row = {name: rows[run] for name, run in runs.items()}
    ran = {name: world.ran(run) for name, run in runs.items()}
    told = {name: (each["state"], each["exit_code"]) for name, each in row.items()}
    assert told == {
        "again": ("finished", 0),
        "in vain": ("failed", 3),
        "later": ("finished", 0),
        "too long": ("failed", row["too long"]["exit_code"]),
        "too big": ("failed", None),
        "wide": ("finished", 0),
        "wide too": ("finished", 0),
        "ok": ("finished", 0),
        "not failed": ("stopped", None),
        "behind": ("stopped", None),
        "beside": ("finished", 0),
        "both": ("finished", 0),
    }
    starts = {"again": 3, "in vain": 2, "too big": 0, "not failed": 0, "behind": 0}
    assert {name: len(each) for name, each in ran.items()} == dict.fromkeys(runs, 1) | starts
    assert [each.code for each in ran["again"]] == [3, 3, 0]
    assert {name: each["retried"] for name, each in row.items() if each["retried"]} == {
        "again": 2, "in vain": 1
    }  # fmt: skip
    for name, run in runs.items():
        check_attempts(run, row[name], ran[name])
    waits = [b.began - a.ended for a, b in itertools.pairwise(ran["again"])]
    assert waits[0] >= BACKOFF_S
    assert waits[1] >= 2 * BACKOFF_S
    assert row["later"]["started_at"] >= row["later"]["not_before"]
    assert (row["too long"]["failure"], row["too long"]["phase"]) == ("timeout", "run")
    assert "CPU" in row["too big"]["cause"]
    assert ran["wide too"][0].began >= ran["wide"][0].ended
    assert ran["ok"][0].began >= ran["again"][-1].ended
    assert ran["both"][0].began >= max(ran["ok"][0].ended, ran["in vain"][-1].ended)
    for name, on in (("not failed", "again"), ("behind", "not failed")):
        assert row[name]["failure"] == "dependency"
        assert runs[on] in row[name]["cause"]


def check_attempts(run, row, ran):
    """Each start is a later attempt of one and the same run, and has what the former ones left."""
    attempts = [each.attempt for each in ran]
    assert attempts == sorted(set(attempts)), f"{run} ran as attempts {attempts}"
    if ran:
        assert row["attempt"] == attempts[-1]
    for number, each in enumerate(ran):
        assert (each.run_id, each.resume) == (run, "allow" if each.attempt > 1 else "")
        assert each.kept == [str(attempt) for attempt in attempts[:number]]
