"""Attempts in real directories, and conditions waited for with a deadline."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time

import pytest
import pytest_asyncio

from launch_tui.domain.attempt import Attempt
from launch_tui.targets.local_process import LocalProcess
from tests.targets.docker_attempts import (  # noqa: F401
    ash_image,
    docker_target,
    home,
    image_of,
    inspected,
    make_container,
    make_python_container,
    python_image,
)


@pytest.fixture
def make_attempt(tmp_path):
    """Returns ``make(*command, environment=…)``; each attempt works in ``tmp_path``."""
    numbers = itertools.count(1)

    def make(*command, environment=None, cwd=None, root=None):
        run_id = f"t{os.getpid()}x{next(numbers)}"
        directory = (root or tmp_path) / "runs" / run_id / "1"
        directory.mkdir(parents=True)
        return Attempt(
            run_id=run_id,
            number=1,
            directory=directory,
            command=command,
            working_directory=cwd or tmp_path,
            environment={"PATH": os.environ["PATH"], **(environment or {})},
        )

    return make


@pytest.fixture
def make_python(make_attempt):
    """Like ``make_attempt``, for a few lines of Python."""

    def make(code, **more):
        return make_attempt(sys.executable, "-IS", "-c", code, **more)

    return make


@pytest_asyncio.fixture
async def target():
    local = LocalProcess()
    yield local
    await local.close()


@pytest.fixture
def outcome():
    """Returns ``outcome(target, handle)``: everything that ``watch`` yields."""

    async def collect(target, handle):
        async with asyncio.timeout(30):
            return [status async for status in target.watch(handle)]

    return collect


@pytest.fixture
def until():
    """Returns ``until(condition)``, which waits for it to be true and gives its value."""

    async def wait(condition, seconds=20):
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, "the condition did not come true in time"
            await asyncio.sleep(0.01)
        return value

    return wait
