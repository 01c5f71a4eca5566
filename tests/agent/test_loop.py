from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

from launch_tui.agent import loop, wake
from launch_tui.agent.config import AgentConfig
from launch_tui.agent.loop import Agent
from launch_tui.errors import StoreError
from launch_tui.store.paths import Home


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_when_the_queues_were_polled_stands_still_while_they_are_not(
    private_home, monkeypatch
):
    monkeypatch.setattr(wake, "NOTIFIED_POLL_S", 0.01)
    monkeypatch.setattr(loop, "RETRY_S", 600.0)
    agent = Agent(Home(private_home), report=lambda event: None)
    assert agent._polled() is None
    work = asyncio.create_task(agent.run())
    await until(lambda: agent._polled() is not None)
    first = agent._polled()
    assert abs(first - time.time()) < 20
    await until(lambda: agent._polled() > first)

    def fails(*_):
        raise StoreError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr("launch_tui.agent.loop.agents.requested", fails)
        agent._look()
        stands, asked = agent._polled(), agent._changes.asked_at
        await until(lambda: agent._changes.asked_at > asked)
        assert agent._polled() == stands
    agent._look()
    await until(lambda: agent._polled() > stands)
    agent._draining = True
    stands, asked = agent._polled(), agent._changes.asked_at
    await until(lambda: agent._changes.asked_at > asked)
    assert agent._polled() == stands
    agent.leave()
    await work


async def test_a_run_given_back_and_claimed_again_is_still_counted(private_home, monkeypatch):
    """Else the agent would run more than ``max_jobs``, and pass no stop on to it."""
    one = AgentConfig(max_jobs=1)
    agent = Agent(Home(private_home), config=one, report=lambda event: None)
    monkeypatch.setattr(agent, "_look", lambda: None)
    monkeypatch.setattr(agent, "_hold", lambda: None)
    ended = asyncio.Event()

    async def go_on():
        await ended.wait()

    again = SimpleNamespace(run=SimpleNamespace(id="abcd1234"), take_up=go_on)

    async def give_back():
        agent._begin(again, taken_up=True)

    first = SimpleNamespace(run=SimpleNamespace(id="abcd1234"), take_up=give_back)
    agent._begin(first, taken_up=True)
    await asyncio.wait(set(agent._tasks))
    await asyncio.sleep(0)
    assert agent._executions == {"abcd1234": again}
    assert not agent._has_room()
    ended.set()
    await asyncio.wait(set(agent._tasks))
    await asyncio.sleep(0)
    assert agent._has_room()
