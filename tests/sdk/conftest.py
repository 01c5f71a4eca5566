from __future__ import annotations

import pytest

from launch_tui.sdk import Launch
from launch_tui.sdk.jobs import JobRequest
from launch_tui.store import claiming


@pytest.fixture
def launch(private_home):
    with Launch() as launch:
        yield launch


@pytest.fixture
def folder(tmp_path):
    """A project with a script, and nothing that asks for an environment."""
    folder = tmp_path / "my project"
    folder.mkdir()
    (folder / "train.py").write_text("print(1)\n")
    return folder


@pytest.fixture
def job(launch, folder):
    return launch.jobs.create(JobRequest(place=str(folder), venv="none")).job


@pytest.fixture
def claim(launch):
    """Returns ``claim()``: what an agent would get now."""
    return lambda: claiming.claim(launch.db, "here:1:agent", queues=None)
