from __future__ import annotations

import asyncio
from types import SimpleNamespace

from launch_tui.agent.config import AgentConfig
from launch_tui.agent.loop import Agent
from launch_tui.store.paths import Home


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
