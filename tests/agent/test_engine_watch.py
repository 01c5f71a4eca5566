"""Whether the agent may claim for containers: by an engine that is not there, then is."""

from __future__ import annotations

import asyncio

import pytest

from launch_tui.agent import engine_watch
from launch_tui.agent.engine_watch import EngineWatch
from launch_tui.engine.client import Engine
from launch_tui.errors import EngineDown


@pytest.fixture
def socket(tmp_path):
    """Where the engine will be."""
    return tmp_path / "docker.sock"


@pytest.fixture
async def watch(socket, monkeypatch):
    """A watch on it that asks often, and what it said."""
    monkeypatch.setattr(engine_watch, "POLL_S", 0.02)
    engine = Engine({"DOCKER_HOST": f"unix://{socket}"})
    said = asyncio.Queue()
    made = EngineWatch(engine, said.put_nowait)
    made.said = said
    yield made
    await made.close()
    await engine.close()


async def test_nothing_is_claimed_before_the_engine_has_answered(watch, socket):
    assert watch.shortage().kind == "engine"
    assert watch.shortage().text == "waits for the Docker engine: it has not answered yet"
    assert await watch.said.get() is False
    assert str(socket) in watch.shortage().text
    assert "\n" not in watch.shortage().text


async def test_it_goes_on_when_the_engine_is_there(watch, socket, docker_engine):
    watch.shortage()
    assert await watch.said.get() is False
    socket.symlink_to(docker_engine.endpoint.url.removeprefix("unix://"))
    assert await asyncio.wait_for(watch.said.get(), 20) is True
    assert watch.shortage() is None


async def test_a_question_without_an_answer_is_enough_to_wait_again(watch, socket, docker_engine):
    socket.symlink_to(docker_engine.endpoint.url.removeprefix("unix://"))
    watch.shortage()
    assert await asyncio.wait_for(watch.said.get(), 20) is True
    watch.failed(EngineDown("the engine is gone", next_step="Start it"))
    assert await watch.said.get() is False
    assert watch.shortage().text.endswith("the engine is gone. Start it")
    assert await asyncio.wait_for(watch.said.get(), 20) is True
    assert watch.shortage() is None
