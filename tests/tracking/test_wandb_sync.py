"""Real wandb of each version sends a run to a server, and what that came to is told truly."""

from __future__ import annotations

import os
import time

import pytest

from launch_tui.tracking import wandb_sync
from launch_tui.tracking.wandb_sync import (
    Busy,
    RunSync,
    files_to_send,
    forget_sent,
    python_with_wandb,
)
from tests.tracking.conftest import ID
from tests.wandb_server import WandbServer

pytestmark = [pytest.mark.wandb, pytest.mark.timeout(600)]

SCRIPT = """
import wandb
wandb.init()
for step in range(3):
    wandb.log({"loss": step})
wandb.finish()
"""


@pytest.fixture
def server(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = WandbServer()
    yield made
    made.close()


@pytest.fixture
def recorded(job):
    """A run that was recorded offline, as its directory."""
    status, _ = job.run(SCRIPT, project="digits")
    assert status == 0, job.output()
    (job.directory / wandb_sync.PYTHON).write_text(str(job.python))
    return job.directory.parent


def send(root, url, *, seconds=120.0):
    account = {"WANDB_BASE_URL": url, "WANDB_API_KEY": "local" + "0" * 40}
    with RunSync(root, 1) as sending:
        sending.clear()
        sending.start(python_with_wandb(root, 1), files_to_send(root, 1), os.environ, account)
        deadline = time.monotonic() + seconds
        while (sent := sending.ended()) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert sending.left() == sent
        return sent


def test_a_run_arrives_whole_and_once(recorded, server):
    (file,) = files_to_send(recorded, 1)
    sent = send(recorded, server.url)
    assert (sent.cause, sent.url.endswith(f"/digits/runs/{ID}")) == ("", True), sent
    assert server.values(ID, "loss") == [0, 1, 2]
    assert server.complete == {ID: 0}
    assert file.with_name(f"{file.name}.synced").exists()
    forget_sent(recorded, 1)
    assert send(recorded, server.url).cause == ""
    assert server.values(ID, "loss") == [0, 1, 2] * 2


@pytest.mark.parametrize("version", ["newest"])
def test_what_lies_in_a_folder_of_the_scripts_own_is_sent(job, server, tmp_path):
    far = tmp_path / "far"
    far.mkdir()
    status, _ = job.run(SCRIPT.replace("init()", f"init(dir={str(far)!r})"), project="digits")
    assert status == 0, job.output()
    (job.directory / wandb_sync.PYTHON).write_text(str(job.python))
    root = job.directory.parent
    (file,) = files_to_send(root, 1)
    assert file.is_relative_to(far)
    assert send(root, server.url).cause == ""
    assert server.values(ID, "loss") == [0, 1, 2]


@pytest.mark.parametrize("version", ["newest", "0.30.0"])
def test_a_server_that_goes_away_is_no_success(recorded, server):
    server.status = 500
    sent = send(recorded, server.url)
    assert sent.cause
    assert not sent.final
    assert server.complete == {}


@pytest.mark.parametrize("version", ["newest"])
def test_one_that_takes_too_long_is_ended(recorded, server, monkeypatch):
    monkeypatch.setattr(wandb_sync, "LONGEST_S", 3.0)
    server.hold.set()
    account = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": "local" + "0" * 40}
    with RunSync(recorded, 1) as sending:
        files = files_to_send(recorded, 1)
        sending.start(python_with_wandb(recorded, 1), files, os.environ, account)
        with pytest.raises(Busy), RunSync(recorded, 1):
            pass
        while (sent := sending.ended()) is None:
            time.sleep(0.05)
        assert sent.cause.startswith("it was not sent within")
        assert sending.left() is None


def test_a_python_without_wandb_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / wandb_sync.PYTHON).write_text("/nowhere/python")
    monkeypatch.setattr(wandb_sync, "_has_wandb", lambda python: False)
    assert python_with_wandb(tmp_path, 1) == ()
    assert python_with_wandb(tmp_path, 1, "/bin/uv")[0] == "/bin/uv"
