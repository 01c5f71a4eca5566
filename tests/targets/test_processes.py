"""Naming processes so that no other one is ever meant."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from launch_tui.targets.processes import alive, gone, group_of, identify, send, tree


@pytest.fixture
def child():
    process = subprocess.Popen(
        ["sleep", "600"], start_new_session=True, env={**os.environ, "MARK": "here"}
    )
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("name", ["plain", "a) R 1 (b", ") )"])
def test_a_process_is_identified_whatever_its_name(name):
    code = "import sys; open('/proc/self/comm', 'w').write(sys.argv[1]); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-IS", "-c", code, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        found = identify(process.pid)
        me = identify(os.getpid())
        assert found.start_time >= me.start_time
        assert found in tree(me, None, "NONE=SUCH")
        process.communicate(b"\n")
    assert identify(process.pid) is None


def test_a_zombie_is_not_alive(child):
    found = identify(child.pid)
    assert alive(found)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not alive(found)
    assert found not in tree(None, found, "MARK=here")


async def test_the_end_of_a_process_wakes_its_watcher(child):
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(gone(identify(child.pid)))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert send(identify(child.pid), signal.SIGTERM)
        await waiting
    assert child.wait() == -signal.SIGTERM


async def test_a_watcher_that_is_cancelled_leaves_nothing(child):
    before = len(os.listdir("/proc/self/fd"))
    waiting = asyncio.create_task(gone(identify(child.pid)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert len(os.listdir("/proc/self/fd")) == before


async def test_another_process_with_the_same_pid_is_not_meant(child):
    other = replace(identify(child.pid), start_time=1)
    assert not alive(other)
    assert not send(other, signal.SIGKILL)
    async with asyncio.timeout(5):
        await gone(other)
    assert tree(other, other, "NONE=SUCH") == []
    assert child.poll() is None


def test_a_tree_is_found_by_ancestry_and_by_its_mark(child):
    found = identify(child.pid)
    assert found in tree(identify(os.getpid()), None, "NONE=SUCH")
    assert tree(None, None, "MARK=here") == [found]
    assert tree(None, None, "MARK=her") == []
    assert tree(None, found, "NONE=SUCH") == [found]
    assert tree(found, None, "NONE=SUCH") == []


def test_a_process_group_is_that_of_its_leader(child):
    me, found = identify(os.getpid()), identify(child.pid)
    assert group_of(found, [me, found]) == [found]
