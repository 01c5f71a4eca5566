"""Whoever is killed, wherever: a job starts at most once and its outcome is the truth."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from launch_tui import faults
from launch_tui.domain.attempt import EndKind
from launch_tui.errors import DiskFull, StartFailed
from launch_tui.targets import processes
from launch_tui.targets.local_process import LocalProcess
from launch_tui.targets.processes import alive, gone, identify, send

SUPERVISOR_DIES = {
    # The first supervisor never took the token, so a second one runs the job.
    "supervisor.forked": (EndKind.EXITED, "", 1),
    "supervisor.token_taken": (
        EndKind.VOID, "supervisor killed before it started the job", 0
    ),
    "supervisor.job_forked": (
        EndKind.VOID, "supervisor killed before it started the job", 0
    ),
    "supervisor.pid_written": (EndKind.LOST, "supervisor killed", 0),
    "supervisor.job_started": (EndKind.LOST, "supervisor killed", 1),
    "supervisor.job_ended": (EndKind.LOST, "supervisor killed", 1),
    "supervisor.exit_written": (EndKind.EXITED, "", 1),
}  # fmt: skip
"""Where it is killed -> how the attempt ends, why, and how often the job ran."""

AGENT_DIES = ["target.requested", "target.answered"]

AGENT = """
import asyncio, pickle, sys
from launch_tui.targets.local_process import LocalProcess
async def main():
    target = LocalProcess()
    handle = await target.start(pickle.load(sys.stdin.buffer))
    print("started", flush=True)
    async for status in target.watch(handle):
        pass
    await target.close()
asyncio.run(main())
"""


def start_agent(attempt, fault=""):
    """A process that starts the attempt and watches it, as an agent does."""
    agent = subprocess.Popen(
        [sys.executable, "-c", AGENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "LAUNCH_TUI_FAULT": fault},
    )
    with agent.stdin:
        pickle.dump(attempt, agent.stdin)
    return agent


def test_every_point_has_its_test():
    mine = {name for name in faults.POINTS if name.startswith(("supervisor.", "target."))}
    assert mine == {*SUPERVISOR_DIES, *AGENT_DIES, "target.voided"}


@pytest.mark.parametrize("point", SUPERVISOR_DIES)
async def test_a_supervisor_killed_anywhere(
    target, make_attempt, outcome, monkeypatch, tmp_path, point
):
    kind, cause, ran = SUPERVISOR_DIES[point]
    attempt = make_attempt("sh", "-c", "echo x >> marker; echo ok")
    monkeypatch.setenv("LAUNCH_TUI_FAULT", point)
    handle = await target.start(attempt)
    monkeypatch.delenv("LAUNCH_TUI_FAULT")
    ended = (await outcome(target, handle))[-1]
    assert (ended.kind, ended.cause) == (kind, cause)
    marker = tmp_path / "marker"
    assert (marker.read_text() if marker.exists() else "") == "x\n" * ran
    other = LocalProcess()
    again = (await outcome(other, await other.start(attempt)))[-1]
    assert (again.kind, again.cause) == (kind, cause)
    assert (marker.read_text() if marker.exists() else "") == "x\n" * ran
    await other.close()


@pytest.mark.parametrize("point", AGENT_DIES)
async def test_an_agent_killed_during_a_start(target, make_attempt, outcome, tmp_path, point):
    attempt = make_attempt("sh", "-c", "echo x >> marker; exit 5")
    agent = start_agent(attempt, point)
    assert await asyncio.to_thread(agent.wait) == -signal.SIGKILL
    agent.stdout.close()
    handle = await target.adopt(attempt) or await target.start(attempt)
    assert (await outcome(target, handle))[-1].exit_code == 5
    assert (tmp_path / "marker").read_text() == "x\n"


async def test_an_agent_killed_after_making_an_attempt_void(target, make_attempt):
    attempt = make_attempt("true")
    code = AGENT.replace("await target.start(", "await target.void(")
    agent = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-c", code],
        input=pickle.dumps(attempt),
        env={**os.environ, "LAUNCH_TUI_FAULT": "target.voided"},
        check=False,
    )
    assert agent.returncode == -signal.SIGKILL
    with pytest.raises(StartFailed):
        await target.start(attempt)


async def test_a_job_outlives_its_agent(target, make_attempt, outcome, tmp_path):
    os.mkfifo(tmp_path / "gate")
    attempt = make_attempt("sh", "-c", "echo before; read line < gate; echo after; exit 3")
    agent = start_agent(attempt)
    assert await asyncio.to_thread(agent.stdout.readline) == b"started\n"
    server = [identify(pid) for pid in children(agent.pid)]
    agent.kill()
    agent.wait()
    agent.stdout.close()
    async with asyncio.timeout(20):
        for process in server:
            await gone(process)
    handle = await target.adopt(attempt)
    assert alive(handle.job)
    await asyncio.to_thread((tmp_path / "gate").write_text, "go\n")
    assert (await outcome(target, handle))[-1].exit_code == 3
    assert (attempt.directory / "output.log").read_text() == "before\nafter\n"


def children(pid):
    table = {other: processes._read_stat(other) for other in processes._pids()}
    return [other for other, found in table.items() if found and found.parent == pid]


async def test_fifty_attempts_started_by_two_targets_run_once(
    target, make_attempt, outcome, tmp_path
):
    other = LocalProcess()
    for _ in range(50):
        attempt = make_attempt("sh", "-c", "echo $$ >> marker")
        mine, theirs = await asyncio.gather(target.start(attempt), other.start(attempt))
        assert mine == theirs
        assert (await outcome(target, mine))[-1].exit_code == 0
    await other.close()
    assert len((tmp_path / "marker").read_text().split()) == 50


async def test_starting_and_voiding_at_once_agree(target, make_attempt, outcome, tmp_path):
    await target.open()

    async def start(attempt):
        try:
            return await target.start(attempt)
        except StartFailed:
            return None

    ran = 0
    for turn in range(40):
        attempt = make_attempt("sh", "-c", "echo x >> marker")
        starting = asyncio.create_task(start(attempt))
        for _ in range(turn * 20):
            await asyncio.sleep(0)
        voided = await target.void(attempt)
        handle = await starting
        assert voided == (handle is None)
        if handle:
            await outcome(target, handle)
            ran += 1
    marker = tmp_path / "marker"
    assert (marker.read_text() if marker.exists() else "") == "x\n" * ran


async def test_a_supervisor_killed_while_its_job_runs(target, make_attempt, outcome, tmp_path):
    os.mkfifo(tmp_path / "gate")
    handle = await target.start(make_attempt("sh", "-c", "read line < gate; echo done"))
    send(handle.supervisor, signal.SIGKILL)
    await gone(handle.supervisor)
    watching = asyncio.create_task(outcome(target, handle))
    adopted = await target.adopt(as_attempt(handle, make_attempt))
    assert adopted == handle
    assert alive(handle.job)
    assert not watching.done()
    await asyncio.to_thread((tmp_path / "gate").write_text, "go\n")
    ended = (await watching)[-1]
    assert (ended.kind, ended.cause) == (EndKind.LOST, "supervisor killed")
    assert (handle.directory / "output.log").read_text() == "done\n"


def as_attempt(handle, make_attempt):
    run_id, _, number = handle.name.rpartition(".")
    return replace(
        make_attempt("true"), run_id=run_id, number=int(number), directory=handle.directory
    )


async def test_leftovers_of_a_killed_supervisor_are_ended(
    target, make_attempt, outcome, monkeypatch, tmp_path, until
):
    monkeypatch.setenv("LAUNCH_TUI_FAULT", "supervisor.exit_written")
    script = "setsid sleep 600 & echo $! > left; read line < gate"
    os.mkfifo(tmp_path / "gate")
    handle = await target.start(make_attempt("sh", "-c", script))
    pid_file = tmp_path / "left"
    left = identify(int(await until(lambda: pid_file.exists() and pid_file.read_text())))
    await asyncio.to_thread((tmp_path / "gate").write_text, "go\n")
    assert (await outcome(target, handle))[-1].kind is EndKind.EXITED
    assert not alive(left)


async def test_signals_do_not_end_a_supervisor(target, make_attempt, outcome, tmp_path):
    os.mkfifo(tmp_path / "gate")
    handle = await target.start(make_attempt("sh", "-c", "read line < gate; exit 8"))
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE, signal.SIGUSR1):
        send(handle.supervisor, number)
        send(identify(target._server.pid), number)
    await asyncio.to_thread((tmp_path / "gate").write_text, "go\n")
    assert (await outcome(target, handle))[-1].exit_code == 8


async def test_a_killed_fork_server_is_replaced(target, make_attempt, outcome, tmp_path):
    os.mkfifo(tmp_path / "gate")
    first = await target.start(make_attempt("sh", "-c", "read line < gate; exit 8"))
    for _ in range(5):
        attempts = [make_attempt("sh", "-c", "echo x >> marker") for _ in range(4)]
        starts = [asyncio.create_task(target.start(attempt)) for attempt in attempts]
        await asyncio.sleep(0)
        os.kill(target._server.pid, signal.SIGKILL)
        for start in starts:
            assert (await outcome(target, await start))[-1].exit_code == 0
    assert (tmp_path / "marker").read_text() == "x\n" * 20
    await asyncio.to_thread((tmp_path / "gate").write_text, "go\n")
    assert (await outcome(target, first))[-1].exit_code == 8


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(["mount", *options], check=False, capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs needs privileges")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    with (folder / "filler").open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass
    assert os.statvfs(folder).f_bavail == 0


async def test_a_full_disk_takes_no_token_and_keeps_the_outcome(
    target, make_attempt, outcome, tmp_path, small_disk
):
    os.mkfifo(tmp_path / "gate")
    running = make_attempt("sh", "-c", "read line < gate; exit 7", root=small_disk)
    waiting = make_attempt("true", root=small_disk)
    handle = await target.start(running)
    fill(small_disk)
    with pytest.raises(StartFailed, match="no space left"):
        await target.start(waiting)
    with pytest.raises(DiskFull, match="No space left"):
        await target.void(waiting)
    assert await target.adopt(waiting) is None
    await asyncio.to_thread((tmp_path / "gate").write_text, "go\n")
    assert (await outcome(target, handle))[-1].exit_code == 7
    (small_disk / "filler").unlink()
    assert (await outcome(target, await target.start(waiting)))[-1].exit_code == 0
