"""The commands of docs/outputs-and-sync.md do what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.wandb_envs import wandb_python
from tests.wandb_server import WandbServer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "outputs-and-sync.md"
BEFORE = """
import os, wandb
run = wandb.init()
wandb.log({"loss": 1})
os.makedirs("checkpoints")
open("checkpoints/config.json", "w").write("{}")
open("checkpoints/w.bin", "wb").write(b"x" * 5000)
"""


def blocks(language):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


@pytest.mark.wandb
@pytest.mark.timeout(600)
def test_the_page(world, folder, monkeypatch, private_home):
    server = WandbServer()
    try:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", "local" + "0" * 40)
        (script,) = blocks("python")
        (folder / "train.py").write_text(BEFORE + script)
        world.ok("queue", "create", "gpu", "-r", "process", "--max-running", "4")
        python = wandb_python("newest")
        entry = ("-n", "train", "-E", "python train.py", "--python", python)
        world.ok("job", "create", "code", ".", *entry)
        world.agent()
        run = world.launch("train", queue="gpu")
        assert world.until(run, timeout=60)["state"] == "finished", world.log(run)
        told = [line.strip() for block in blocks("") for line in block.splitlines() if line]
        shown = world.ok("show", run).out
        assert told
        assert all(line in shown for line in told)
        commands = [line for block in blocks("sh") for line in block.splitlines()]
        assert len(commands) > 10
        for command in commands:
            program, *words = shlex.split(command)
            assert program == "launch-tui"
            world.ok(*words, timeout=60)
        assert (folder / "config.json").read_text() == "{}"
        assert sorted(p.name for p in (folder / "model-v0").iterdir()) == ["config.json", "w.bin"]
        assert (folder / "output.log").exists()
        assert world.show(run)["sync"]["state"] == "synced"
    finally:
        server.close()
