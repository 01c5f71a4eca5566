"""The verbs of the local-process target, on real processes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import stat
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from launch_tui.domain.attempt import Ended, EndKind, Running
from launch_tui.errors import StartFailed
from launch_tui.targets import local_process, processes, records
from launch_tui.targets.local_process import LocalProcess
from launch_tui.targets.processes import alive, identify

DETACH = (
    "import os, signal, sys, time\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        {ignore}\n"
    "        open('detached', 'w').write(str(os.getpid()))\n"
    "        time.sleep(600)\n"
    "    os._exit(0)\n"
    "os.wait()\n"
    "while not os.path.exists('detached') or not open('detached').read(): time.sleep(0.01)\n"
)
"""A job that leaves a grandchild in a session of its own, out of every process group."""
IGNORE = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def read_pid(path):
    return int(path.read_text()) if path.exists() and path.read_text() else None


async def test_a_job_runs_and_its_outcome_is_recorded(target, make_attempt, outcome):
    attempt = make_attempt("sh", "-c", "echo out; echo err >&2; exit 3")
    handle = await target.start(attempt)
    running, ended = await outcome(target, handle)
    assert running == Running(pid=handle.job.pid, started_at=handle.started_at)
    assert abs(running.started_at - time.time()) < 30
    assert (ended.kind, ended.exit_code) == (EndKind.EXITED, 3)
    assert abs(ended.ended_at - time.time()) < 30
    assert (attempt.directory / "output.log").read_text() == "out\nerr\n"
    record = records.read_exit(attempt.directory)
    assert record.max_rss_bytes > 100_000
    assert not record.left_processes
    assert not list(attempt.directory.glob(".*")), "temporary files are left"


async def test_a_signal_is_a_negative_exit_code(target, make_attempt, outcome):
    handle = await target.start(make_attempt("sh", "-c", "kill -SEGV $$"))
    assert (await outcome(target, handle))[-1].exit_code == -signal.SIGSEGV


async def test_start_returns_while_the_job_runs_and_the_end_is_seen_at_once(
    target, make_attempt, outcome, tmp_path
):
    os.mkfifo(tmp_path / "gate")
    handle = await target.start(make_attempt("sh", "-c", "read line < gate"))
    assert alive(handle.job)
    async with asyncio.timeout(20):
        statuses = target.watch(handle)
        assert isinstance(await anext(statuses), Running)
        # A writer of the fifo opens it as soon as the job reads it.
        await asyncio.to_thread((tmp_path / "gate").write_text, "go\n")
        ended = await anext(statuses)
    assert time.time() - ended.ended_at < 1
    assert ended.exit_code == 0


async def test_a_job_has_default_signals_no_terminal_and_an_empty_stdin(
    target, make_attempt, outcome
):
    attempt = make_attempt(
        "sh", "-c", "grep -E 'Sig(Blk|Ign)' /proc/self/status; cat; ls /proc/$$/fd"
    )
    await outcome(target, await target.start(attempt))
    words = (attempt.directory / "output.log").read_text().split()
    assert words == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16, "0", "1", "2"]


@pytest.mark.parametrize(
    ("content", "mode", "cause"),
    [
        (None, 0, "command not found: ./prog"),
        ("#!/bin/sh\n", 0o644, "permission denied: ./prog"),
        ("#!/no/such/interpreter\n", 0o755, "prog: no such interpreter"),
        ("just words\n", 0o755, "./prog is neither a program nor a script with a #! line"),
    ],
)
async def test_a_command_that_cannot_be_executed_says_why(
    target, make_attempt, outcome, tmp_path, content, mode, cause
):
    if content is not None:
        (tmp_path / "prog").write_text(content)
        (tmp_path / "prog").chmod(stat.S_IFREG | mode)
    handle = await target.start(make_attempt("./prog"))
    (ended,) = await outcome(target, handle)
    assert ended.kind is EndKind.NOT_STARTED
    assert ended.cause.endswith(cause)


async def test_a_command_is_looked_up_in_the_jobs_path(target, make_attempt, outcome, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "prog").write_text("#!/bin/sh\nexit 5\n")
    (tmp_path / "bin" / "prog").chmod(0o755)
    found = await target.start(make_attempt("prog", environment={"PATH": str(tmp_path / "bin")}))
    assert (await outcome(target, found))[-1].exit_code == 5
    missing = await target.start(make_attempt("prog"))
    assert (await outcome(target, missing))[-1].cause == "command not found: prog"


async def test_an_argument_that_is_too_long_is_refused_by_the_kernel(target, make_attempt, outcome):
    handle = await target.start(make_attempt("true", "x" * 3_000_000))
    (ended,) = await outcome(target, handle)
    assert ended.cause == "cannot execute true: Argument list too long"


async def test_a_missing_working_directory_is_named(target, make_attempt, outcome, tmp_path):
    attempt = make_attempt("true", cwd=tmp_path / "gone")
    with pytest.raises(StartFailed, match="working directory missing"):
        await target.prepare(attempt)
    (ended,) = await outcome(target, await target.start(attempt))
    assert ended.cause == f"working directory missing: {tmp_path / 'gone'}"


@pytest.mark.parametrize("environment", [{"A=B": "x"}, {"": "x"}, {"A": "x\0y"}])
async def test_an_environment_that_cannot_be_is_refused(target, make_attempt, environment):
    attempt = make_attempt("true", environment=environment)
    with pytest.raises(StartFailed):
        await target.start(attempt)
    assert await target.adopt(attempt) is None


async def test_secrets_reach_the_job_and_nothing_else(target, make_attempt, tmp_path, until):
    secret = "s3cr3t-\n-line two \udcff"
    attempt = make_attempt(
        "sh", "-c", "cp /proc/self/environ seen.tmp; mv seen.tmp seen; exec sleep 600",
        environment={"TOKEN": secret},
    )  # fmt: skip
    handle = await target.start(attempt)
    await until((tmp_path / "seen").exists)
    variables = (tmp_path / "seen").read_bytes().split(b"\0")
    assert b"TOKEN=" + os.fsencode(secret) in variables
    assert f"LAUNCH_TUI_HANDLE={attempt.handle}".encode() in variables
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                assert b"s3cr3t" not in (folder / "cmdline").read_bytes()
    environ = Path(f"/proc/{handle.supervisor.pid}/environ").read_bytes()
    assert b"s3cr3t" not in environ
    assert b"PATH=" not in environ.replace(b"LD_LIBRARY_PATH=", b"")
    for path in attempt.directory.iterdir():
        assert b"s3cr3t" not in path.read_bytes()
    await target.stop(handle, 0)


async def test_every_line_of_output_is_kept_in_order(target, make_python, outcome):
    code = (
        "import os\n"
        "os.write(1, b''.join(b'%d\\n' % n for n in range(900_000)))\n"
        "for n in range(900_000, 1_000_000): os.write(1 + n % 2, b'%d\\n' % n)\n"
    )
    attempt = make_python(code)
    await outcome(target, await target.start(attempt))
    lines = (attempt.directory / "output.log").read_bytes().splitlines()
    assert lines == [b"%d" % n for n in range(1_000_000)]


async def test_five_hundred_starts_leave_no_zombie_and_no_descriptor(
    target, make_attempt, outcome, tmp_path
):
    await outcome(target, await target.start(make_attempt("true")))
    server = target._server.pid
    before = len(os.listdir("/proc/self/fd")), len(os.listdir(f"/proc/{server}/fd"))

    async def one():
        attempt = make_attempt("sh", "-c", "echo x >> F")
        return (await outcome(target, await target.start(attempt)))[-1].exit_code

    assert await asyncio.gather(*(one() for _ in range(500))) == [0] * 500
    assert (tmp_path / "F").read_text() == "x\n" * 500
    assert (len(os.listdir("/proc/self/fd")), len(os.listdir(f"/proc/{server}/fd"))) == before
    assert processes.tree(identify(server), None, "NONE=SUCH") == []
    states = {processes._read_stat(pid) for pid in processes._pids()} - {None}
    assert not [s for s in states if s.state == b"Z" and s.parent in (server, os.getpid())]


# --- ending ---


async def test_stop_lets_python_end_in_order(target, make_python, outcome, until, tmp_path):
    code = (
        "import time\n"
        "try:\n"
        "    open('ready', 'w').close(); time.sleep(600)\n"
        "except KeyboardInterrupt:\n"
        "    open('saved', 'w').close(); raise SystemExit(4)\n"
    )
    handle = await target.start(make_python(code))
    await until((tmp_path / "ready").exists)
    await target.stop(handle, 20)
    assert (tmp_path / "saved").exists()
    assert (await outcome(target, handle))[-1].exit_code == 4


async def test_stop_insists_on_a_job_that_ignores_it(
    target, make_attempt, outcome, until, tmp_path
):
    script = "trap '' INT TERM; touch ready; while :; do sleep 0.05; done"
    handle = await target.start(make_attempt("sh", "-c", script))
    await until((tmp_path / "ready").exists)
    await target.stop(handle, 0.2)
    assert not alive(handle.job)
    assert not alive(handle.supervisor)
    assert (await outcome(target, handle))[-1].exit_code == -signal.SIGKILL
    assert target.pids(handle) == []


@pytest.mark.parametrize("grace", [0, 0.2])
@pytest.mark.parametrize("supervised", [True, False])
async def test_stop_ends_children_that_detached_themselves(
    target, make_python, outcome, until, tmp_path, grace, supervised
):
    handle = await target.start(make_python(DETACH.format(ignore=IGNORE) + "time.sleep(600)"))
    child = identify(await until(lambda: read_pid(tmp_path / "detached")))
    assert {child.pid, handle.job.pid} <= set(target.pids(handle))
    if not supervised:
        os.kill(handle.supervisor.pid, signal.SIGKILL)
        await processes.gone(handle.supervisor)
    await target.stop(handle, grace)
    assert not alive(child)
    assert not alive(handle.job)
    expected = EndKind.EXITED if supervised else EndKind.LOST
    assert (await outcome(target, handle))[-1].kind is expected


@pytest.mark.parametrize("ignore", ["pass", IGNORE])
async def test_what_a_job_leaves_behind_is_ended_before_its_end_is_told(
    target, make_python, outcome, tmp_path, ignore
):
    handle = await target.start(make_python(DETACH.format(ignore=ignore) + "sys.exit(6)"))
    ended = (await outcome(target, handle))[-1]
    assert ended.exit_code == 6
    assert records.read_exit(handle.directory).left_processes
    assert identify(read_pid(tmp_path / "detached")) is None


async def test_stop_may_be_cancelled_and_repeated(target, make_attempt, outcome, until, tmp_path):
    handle = await target.start(make_attempt("sh", "-c", "trap '' INT; touch ready; sleep 600; :"))
    await until((tmp_path / "ready").exists)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await target.stop(handle, 60)
    await asyncio.gather(target.stop(handle, 0), target.stop(handle, 0))
    await target.stop(handle, 60)
    assert (await outcome(target, handle))[-1].kind is EndKind.EXITED


async def test_a_recycled_pid_is_never_signalled(target, make_attempt, outcome):
    handle = await target.start(make_attempt("true"))
    await outcome(target, handle)
    bystander = subprocess.Popen(["sleep", "600"], start_new_session=True)  # noqa: ASYNC220
    try:
        found = identify(bystander.pid)
        (handle.directory / "exit").unlink()
        for other in (
            replace(found, start_time=found.start_time + 1),
            replace(found, boot_id="another"),
        ):
            stale = replace(handle, job=other, supervisor=other)
            await target.stop(stale, 0)
            assert target.pids(stale) == []
            kind = EndKind.REBOOTED if other.boot_id == "another" else EndKind.LOST
            assert (await outcome(target, stale))[-1].kind is kind
            assert not processes.send(other, signal.SIGKILL)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


async def test_without_pidfds_it_looks_again_and_again(target, make_attempt, outcome, monkeypatch):
    def refuse(pid):
        raise OSError(errno.ENOSYS, "no pidfd")

    monkeypatch.setattr(processes, "_pidfd_open", refuse)
    short = await target.start(make_attempt("true"))
    assert (await outcome(target, short))[-1].exit_code == 0
    long = await target.start(make_attempt("sleep", "600"))
    await target.stop(long, 20)
    assert (await outcome(target, long))[-1].exit_code == -signal.SIGINT


# --- finding again ---


async def test_adopt_finds_a_job_that_another_agent_started(make_attempt, outcome, tmp_path):
    os.mkfifo(tmp_path / "gate")
    attempt = make_attempt("sh", "-c", "read line < gate; exit 9")
    first, second = LocalProcess(), LocalProcess()
    started = await first.start(attempt)
    await first.close()
    adopted = await second.adopt(attempt)
    assert adopted == started
    assert alive(adopted.job)
    await asyncio.to_thread((tmp_path / "gate").write_text, "go\n")
    assert (await outcome(second, adopted))[-1].exit_code == 9
    assert (await outcome(second, await second.adopt(attempt)))[-1].exit_code == 9


async def test_adopt_finds_nothing_before_the_start(target, make_attempt):
    assert await target.adopt(make_attempt("true")) is None


async def test_after_a_reboot_a_job_without_an_outcome_is_lost(target, make_attempt, outcome):
    attempt = make_attempt("sleep", "600")
    handle = await target.start(attempt)
    for name in ("started", "pid"):
        path = attempt.directory / name
        path.write_text(path.read_text().replace(processes.boot_id(), "an-earlier-boot"))
    adopted = await target.adopt(attempt)
    assert (await outcome(target, adopted))[-1] == Ended(
        kind=EndKind.REBOOTED, cause="rebooted", ended_at=pytest.approx(time.time(), abs=20)
    )
    await target.stop(adopted, 0)
    assert alive(handle.job)
    await target.stop(handle, 0)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}'])
async def test_an_unreadable_token_is_a_lost_run(target, make_attempt, outcome, content):
    attempt = make_attempt("true")
    (attempt.directory / "started").write_text(content)
    handle = await target.start(attempt)
    (ended,) = await outcome(target, handle)
    assert (ended.kind, ended.cause) == (EndKind.LOST, "no trace of its supervisor")


async def test_a_void_attempt_never_starts(target, make_attempt, outcome, tmp_path):
    attempt = make_attempt("touch", "ran")
    assert await target.void(attempt)
    assert await target.void(attempt)
    with pytest.raises(StartFailed, match="given up"):
        await target.start(attempt)
    (ended,) = await outcome(target, await target.adopt(attempt))
    assert ended.kind is EndKind.VOID
    await target.stop(await target.adopt(attempt), 0)
    assert not (tmp_path / "ran").exists()


async def test_a_started_attempt_cannot_be_made_void(target, make_attempt, outcome):
    attempt = make_attempt("true")
    handle = await target.start(attempt)
    assert not await target.void(attempt)
    assert (await outcome(target, handle))[-1].exit_code == 0


async def test_an_answer_that_never_comes_gives_the_attempt_up(
    target, make_attempt, monkeypatch, tmp_path, until
):
    monkeypatch.setattr(local_process, "START_SECONDS", 0.3)
    await target.open()
    server = identify(target._server.pid)
    processes.send(server, signal.SIGSTOP)
    attempt = make_attempt("touch", "ran")
    with pytest.raises(StartFailed, match="no answer"):
        await target.start(attempt)
    processes.send(server, signal.SIGCONT)
    monkeypatch.undo()
    await target.start(make_attempt("true"))
    assert not (tmp_path / "ran").exists()
    assert not (attempt.directory / "output.log").exists()
