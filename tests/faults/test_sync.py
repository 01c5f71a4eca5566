"""Whoever dies when: a run that is to be sent to a W&B server is sent, and once.

Real wandb sends to a server on loopback. ``wandb sync`` outlives the agent that started it: the
next one waits for it and notes how it has ended.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.test_points import KILLS, OF_SYNCS
from tests.faults.world import wait_until
from tests.wandb_envs import wandb_python
from tests.wandb_server import WandbServer

pytestmark = [pytest.mark.wandb, pytest.mark.timeout(600)]

SCRIPT = """
import wandb
wandb.init()
for step in range(3):
    wandb.log({"loss": step})
"""


@pytest.fixture
def server(world, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = WandbServer()
    world.variables |= {"WANDB_BASE_URL": made.url, "WANDB_API_KEY": "local" + "0" * 40}
    yield made
    made.close()


@pytest.fixture
def recorded(world, server):
    """Launches a run of real wandb whose queue has it sent; returns the run's id."""
    world.queue("q", "-c", '{"sync": "finished"}')
    (world.folder / "train.py").write_text(SCRIPT)
    return lambda: world.launch_here("q", str(wandb_python("newest")), "train.py")


@pytest.fixture(autouse=True)
def wandb_on_path(world, server):
    """The run's environment: with a wandb that can send."""

    folder = str(wandb_python("newest").parent)
    world.variables["PATH"] = os.pathsep.join([folder, os.environ["PATH"]])


def sync_of(world, run):
    return world.rows()[run]["sync"]


def sends(server):
    """How many times a sync has begun; each asks twice."""
    return sum(name == "UpsertBucket" for name, _ in server.requests) / 2


@pytest.mark.parametrize("fault", sorted(OF_SYNCS | {"settle.dependants", "settle.after"}))
def test_each_run_is_sent_once_whoever_dies(world, server, recorded, fault):
    run = recorded()
    for _ in range(KILLS):
        agent = world.start_agent(fault)
        wait_until(
            lambda agent=agent: (
                agent.poll() is not None or (world.killed and sync_of(world, run) == "synced")
            ),
            f"an end at {fault}",
        )
        world.killed += agent.poll() is not None
        world.kill(agent)
    assert world.killed, f"{fault} was never reached"
    world.start_agent()
    wait_until(lambda: sync_of(world, run) == "synced", f"it is sent after {fault}")
    assert server.values(run, "loss") == [0, 1, 2]
    assert server.complete == {run: 0}
    assert sends(server) == 1


def test_one_that_goes_on_is_waited_for(world, server, recorded):
    server.hold.set()
    run = recorded()
    agent = world.start_agent()
    wait_until(lambda: any("file_stream" in name for name, _ in server.requests), "a sync is on")
    world.kill(agent)
    world.start_agent()
    wait_until(lambda: world.agent_is_active(world.agents[-1]), "the next agent works")
    # A person who asks meanwhile starts no second one.
    asked = world.cli("sync", run, "--no-wait")
    assert asked.returncode == 0, asked.stderr
    wait_until(lambda: world.rows()[run]["sync_not_before"], "the next agent has looked")
    assert sync_of(world, run) == "syncing"
    server.hold.clear()
    server.released.set()
    wait_until(lambda: sync_of(world, run) == "synced", "it is sent")
    assert sends(server) == 1
    assert server.values(run, "loss") == [0, 1, 2]


def test_a_sync_that_was_killed_itself_is_begun_again(world, server, recorded):
    server.hold.set()
    run = recorded()
    agent = world.start_agent()
    wait_until(lambda: any("file_stream" in name for name, _ in server.requests), "a sync is on")
    world.kill(agent)
    end_of_session(world.home / "runs" / run / "sync")
    server.hold.clear()
    server.released.set()
    world.start_agent()
    wait_until(lambda: sync_of(world, run) == "synced", "it is sent")
    assert sends(server) == 2
    assert server.complete == {run: 0}


def end_of_session(folder):
    """SIGKILL the processes that work in the folder of a sync: those of one run of this test."""

    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink() == folder:
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue
