"""A data directory in which real jobs have ended, and its command line."""

from __future__ import annotations

import pytest

from launch_tui.sdk import Launch
from tests.faults.world import World, wait_until


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def ended(world):
    """The same after a run of a code job and one of a git job, both tracked; no agent is left."""
    words = ("-q", "default", "--setenv", f"MARKS={world.marks}")
    world.code = world.launch("-u", world.folder, "-E", "python job.py", *words)
    world.git = world.launch("-u", world.repository.as_uri(), "-E", "python job.py", *words)
    agent = world.start_agent()
    wait_until(world.all_ended, "the end of both runs")
    agent.terminate()
    agent.wait(timeout=20)
    assert {row["state"] for row in world.rows().values()} == {"finished"}
    return world


@pytest.fixture
def sdk(world):
    with Launch(world.home) as launch:
        yield launch
