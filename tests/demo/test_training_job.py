from __future__ import annotations

import asyncio
import os
import re

import pytest

from launch_tui.builders.venv import VenvBuilder
from launch_tui.demo import CONFIGURATIONS, JOB_DIRECTORY
from launch_tui.domain.job import Environment


def test_configurations_change_only_what_the_job_knows():
    script = (JOB_DIRECTORY / "train.py").read_text()
    defaults = re.search(r"^DEFAULTS = \{(.*?)^\}", script, re.DOTALL | re.MULTILINE)[1]
    known = set(re.findall(r'"(\w+)":', defaults))
    assert len(CONFIGURATIONS) == 3
    assert all(set(changes) <= known for changes in CONFIGURATIONS.values())


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_job_trains_by_itself_in_the_environment_it_asks_for(tmp_path):
    built = await VenvBuilder(tmp_path / "envs").build(
        JOB_DIRECTORY, Environment(), tmp_path / "build.log", lambda step: None
    )
    assert built.wandb
    # Few epochs, given as launch_tui gives them.
    variables = {
        "WANDB_MODE": "offline",
        "WANDB_LAUNCH": "true",
        "WANDB_DIR": str(tmp_path),
        "WANDB_CONFIG": '{"epochs": 3, "hidden_size": 16}',
    }
    process = await asyncio.create_subprocess_exec(
        *built.command(["python", JOB_DIRECTORY / "train.py"]),
        env=built.environ({**os.environ, **variables}),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = (stream.decode() for stream in await process.communicate())

    assert process.returncode == 0, errors
    assert re.findall(r"^epoch +(\d+) ", output, re.MULTILINE) == ["1", "2", "3"]
    best = float(re.search(r"best validation accuracy ([\d.]+)", output)[1])
    assert 0.5 < best <= 1
    assert "3/3" in errors
    assert list(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
