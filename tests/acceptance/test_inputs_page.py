"""The page on inputs does what it says: its files are written, its commands run, in its order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.wandb_envs import wandb_python

PAGE = Path(__file__).parents[2] / "docs" / "inputs.md"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.wandb
@pytest.mark.timeout(600)
def test_the_examples_of_the_page(world, tmp_path, monkeypatch):
    world.ok("queue", "create", "default", "-r", "process")
    world.agent()
    folder = tmp_path / "example"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VIRTUAL_ENV", str(wandb_python("inputs").parent.parent))
    said = ""
    ran = 0
    for language, name, text in BLOCK.findall(PAGE.read_text()):
        if name:
            (folder / name).write_text(text)
        if language != "console":
            continue
        for line in text.splitlines():
            if line.startswith("$ launch-tui "):
                result = world.lt(*shlex.split(line)[2:], timeout=90)
                said = result.out + result.err
                ran += 1
                assert result.status in (0, 2), (line, said)
            else:
                assert line in said.splitlines(), (line, said)
    assert ran == 10
