"""When the agent last asked a queue for work, in the few words that a page has room for.

An agent asks all its queues at once: at each change of the store, and whether there was one at
least each second. It writes down when that was with each look at the machine (``host.jsonl``), so
what is told here is some seconds behind, and stands still when the agent does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.tui.glance import seconds
from launch_tui.tui.rows import ago

if TYPE_CHECKING:
    from launch_tui.sdk.devices import HostLook
    from launch_tui.store.agents import AgentStatus

FRESH_S = 20.0
"""Younger than this is as young as can be told: an agent writes it down every five seconds."""


def polled(agent: AgentStatus | None, last: HostLook | None, now: float, queue: str = "") -> str:
    """Return when a queue was last polled.

    Args:
        agent: The agent of this data directory; None when there never was one.
        last: The last look at the machine; None when there is none.
        now: Seconds since the epoch.
        queue: Its name; without one any queue that the agent serves is meant.
    """
    if agent is None:
        return "never"
    if queue and not serves(agent, queue):
        return "not by this agent" if agent.running else "not by the last agent"
    at = last.polled_at if last is not None else None
    if at is None or at < seconds(agent.since):
        # What is written there is of an agent before this one, and of the queues that it had.
        return "not yet" if agent.running else "not known"
    if not agent.running:
        return f"{_ago(now - at)}, no agent now"
    return _ago(now - at) + (", drains now" if agent.state == "draining" else "")


def serves(agent: AgentStatus, queue: str) -> bool:
    """Say whether an agent takes runs from a queue."""
    return agent.queues is None or queue in agent.queues


def _ago(passed: float) -> str:
    if passed < FRESH_S:
        return "just now"
    return ago(passed)
