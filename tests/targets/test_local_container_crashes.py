"""Whoever is killed, wherever: a container's job starts at most once, and its end is the truth."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from launch_tui import faults
from launch_tui.domain.attempt import EndKind
from launch_tui.domain.container import Mount
from launch_tui.targets.container_launcher import TOKEN_FOLDER
from launch_tui.targets.local_container import LocalContainer
from tests.targets.docker_attempts import remove_all

OTHER_USER = 12345

AGENT = """
import asyncio, json, os, pickle, sys
from pathlib import Path
from launch_tui.engine.client import Engine
from launch_tui.targets.local_container import LocalContainer
async def main():
    home, attempt, verb = pickle.load(sys.stdin.buffer)
    engine = Engine()
    target = LocalContainer(engine, home)
    if verb == "void":
        print(await target.void(attempt))
        return
    await target.prepare(attempt)
    handle = await target.start(attempt)
    print("started", flush=True)
    async for status in target.watch(handle):
        ended = status
    await target.forget(handle)
    print(json.dumps([ended.kind, ended.exit_code]))
    await target.close()
    await engine.close()
asyncio.run(main())
"""


def start_agent(home, attempt, fault="", verb="run", as_other=False):
    """A process that does to an attempt what an agent does."""
    other = ("setpriv", f"--reuid={OTHER_USER}", f"--regid={socket_group()}", "--clear-groups")
    agent = subprocess.Popen(
        [*(other if as_other else ()), sys.executable, "-c", AGENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "LAUNCH_TUI_FAULT": fault},
    )
    with agent.stdin:
        pickle.dump((home, attempt, verb), agent.stdin)
    return agent


def socket_group():
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    return os.stat(host.removeprefix("unix://")).st_gid


def log(attempt):
    return (attempt.directory / "output.log").read_bytes()


async def died(agent):
    assert await asyncio.to_thread(agent.wait, 60) == -signal.SIGKILL
    agent.stdout.close()


async def another(engine, home, attempt):
    """What the next agent finds: its target and its handle."""
    target = LocalContainer(engine, home)
    return target, await target.adopt(attempt)


def test_every_point_has_its_test():
    mine = {name for name in faults.POINTS if name.startswith("container.")}
    assert mine == {"container.created", "container.started", "container.voided",
                    "container.removed"}  # fmt: skip


async def test_an_agent_killed_before_the_start_leaves_a_container_that_never_starts(
    docker_target, docker_engine, make_container, home, inspected
):
    attempt = make_container("echo", "never")
    await died(start_agent(home, attempt, "container.created"))
    target, handle = await another(docker_engine, home, attempt)
    assert handle is None
    assert await target.void(attempt)
    handle = await target.adopt(attempt)
    assert handle.void
    assert inspected(handle) is None
    assert log(attempt) == b""


async def test_an_agent_killed_after_the_start_leaves_a_job_that_goes_on(
    docker_target, docker_engine, make_container, home, outcome
):
    mounts = (Mount(source=home, target="/home"),)
    code = "echo ran; while [ ! -e /home/go ]; do sleep 0.05; done; echo end; exit 6"
    attempt = make_container("sh", "-c", code, mounts=mounts)
    await died(start_agent(home, attempt, "container.started"))
    target, handle = await another(docker_engine, home, attempt)
    assert await target.start(attempt) == handle
    (home / "go").touch()
    ended = (await outcome(target, handle))[-1]
    assert (ended.kind, ended.exit_code) == (EndKind.EXITED, 6)
    assert log(attempt) == b"ran\nend\n"
    await target.close()


async def test_an_agent_killed_while_it_watches_changes_nothing(
    docker_target, docker_engine, make_container, home, outcome
):
    attempt = make_container("sh", "-c", "echo ran; sleep 1; echo end; exit 6")
    agent = start_agent(home, attempt)
    assert await asyncio.to_thread(agent.stdout.readline) == b"started\n"
    agent.kill()
    await died(agent)
    target, handle = await another(docker_engine, home, attempt)
    assert (await outcome(target, handle))[-1].exit_code == 6
    assert log(attempt) == b"ran\nend\n"
    await target.close()


async def test_an_agent_killed_while_it_gives_up_leaves_an_attempt_that_never_starts(
    docker_target, docker_engine, make_container, home, inspected
):
    attempt = make_container("echo", "never")
    await died(start_agent(home, attempt, "container.created"))
    await died(start_agent(home, attempt, "container.voided", "void"))
    target, handle = await another(docker_engine, home, attempt)
    assert handle.void
    assert inspected(handle) is not None
    docker_engine.ask_blocking(lambda api: api.start(handle.container))
    docker_engine.ask_blocking(lambda api: api.wait(handle.container))
    assert log(attempt) == b""
    assert await target.sweep(lambda *_: False) == [handle.container]


async def test_an_agent_killed_when_it_has_removed_the_container(
    docker_target, docker_engine, make_container, home, inspected
):
    attempt = make_container("echo", "ran")
    await died(start_agent(home, attempt, "container.removed"))
    target, handle = await another(docker_engine, home, attempt)
    assert inspected(handle) is None
    await target.forget(handle)
    assert log(attempt) == b"ran\n"


async def test_an_agent_killed_while_the_engine_starts_the_container(
    docker_target, docker_engine, make_container, home, outcome
):
    """The engine carries out what it was asked, and the next agent looks at any moment of that."""
    for delay in (0.0, 0.02, 0.05, 0.1, 0.15, 0.2):
        attempt = make_container("sh", "-c", "echo ran; exit 4")
        agent = start_agent(home, attempt)
        await found(docker_target, attempt)
        await asyncio.sleep(delay)
        agent.kill()
        await asyncio.to_thread(agent.wait)
        agent.stdout.close()
        target, handle = await another(docker_engine, home, attempt)
        if handle is None and await target.void(attempt):
            assert log(attempt) == b""
            continue
        handle = handle or await target.adopt(attempt)
        ended = (await outcome(target, handle))[-1]
        assert log(attempt) == b"ran\n"
        # It may have been seen to its end, and its container been removed.
        assert (ended.kind, ended.exit_code) in ((EndKind.EXITED, 4), (EndKind.LOST, None))
        await target.close()


async def found(target, attempt):
    async with asyncio.timeout(20):
        name = f"launch-tui-{attempt.handle}"
        while await target._containers.find(name) is None:  # noqa: ASYNC110, nobody announces it
            await asyncio.sleep(0.005)


# Another user


@pytest.fixture
def others_home(docker_engine):
    """A data directory of a user who is not root and may use the engine."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root, to become another user")
    probe = ["setpriv", f"--reuid={OTHER_USER}", f"--regid={socket_group()}", "--clear-groups",
             sys.executable, "-c", "import launch_tui"]  # fmt: skip
    if subprocess.run(probe, capture_output=True).returncode != 0:
        pytest.skip("needs a Python that other users may run")
    # Not below a folder of pytest's, which is closed to others.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        remove_all(docker_engine, folder)


@pytest.mark.parametrize("shell", [True, False])
async def test_files_belong_to_the_agents_user_whoever_that_is(
    make_container, others_home, tiny_image, image_of, shell
):
    shared = others_home / "shared"
    more = {"mounts": (Mount(source=shared, target=str(shared)),)}
    command = ("sh", "-c", f"id -u; id -g; echo x > {shared}/made; exit 3")
    if not shell:
        more["image"] = image_of(tiny_image)
        command = ("/busybox", *command[:2], command[2].replace("id ", "/busybox id "))
    attempt = replace(make_container(*command, **more), directory=others_home / "runs" / "x" / "1")
    for folder in (shared, attempt.directory):
        folder.mkdir(parents=True)
    own = (OTHER_USER, socket_group())
    for path in (others_home, *others_home.rglob("*")):
        os.chown(path, *own)
    agent = start_agent(others_home, attempt, as_other=True)
    told = await asyncio.to_thread(agent.stdout.read)
    agent.stdout.close()
    assert await asyncio.to_thread(agent.wait) == 0
    assert told.splitlines()[-1] == b'["exited", 3]'
    assert log(attempt) == f"{own[0]}\n{own[1]}\n".encode()
    token = attempt.directory / TOKEN_FOLDER / "started"
    for path in (shared / "made", attempt.directory / "output.log", token):
        assert (path.stat().st_uid, path.stat().st_gid) == own


# Much at once


LINES = """\
import sys, time, hashlib
begin, number, digest = time.monotonic(), 0, hashlib.sha256()
while number < {lines}:
    # So many lines a second, and no fewer because of whoever reads them.
    due = min({lines}, int((time.monotonic() - begin) * 10_000) + 100)
    chunk = "".join(f"{{n}} of {name} " + "x" * (n % 90) + "\\n" for n in range(number, due))
    number = due
    sys.stdout.write(chunk); sys.stdout.flush()
    digest.update(chunk.encode())
    time.sleep(0.005)
sys.stderr.write(digest.hexdigest())
"""


@pytest.mark.slow
async def test_twenty_containers_that_write_ten_thousand_lines_a_second_lose_nothing(
    docker_target, make_python_container, outcome
):
    lines = 30_000
    attempts = [make_python_container(LINES.format(lines=lines, name=n)) for n in range(20)]

    async def whole(attempt):
        await docker_target.prepare(attempt)
        handle = await docker_target.start(attempt)
        async with asyncio.timeout(50):
            statuses = [status async for status in docker_target.watch(handle)]
        await docker_target.forget(handle)
        return statuses[-1].exit_code

    assert await asyncio.gather(*map(whole, attempts)) == [0] * 20
    for attempt in attempts:
        written, _, digest = log(attempt).rpartition(b"\n")
        assert hashlib.sha256(written + b"\n").hexdigest() == digest.decode()
        assert written.count(b"\n") + 1 == lines
