"""Why nothing is happening, or what will happen next, in one sentence for each queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.tui import keys
from launch_tui.tui.polls import serves

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from launch_tui.domain.queue import Queue
    from launch_tui.store.agents import AgentStatus
    from launch_tui.tui.glance import Glance


def own_key(action_id: str) -> str:
    """Return the key of an action as the table has it."""
    return keys.BY_ID[action_id].key


def why_still(glance: Glance, heads: Mapping[str, str], key: Callable[[str], str] = own_key) -> str:
    """Return the one sentence that answers "why is nothing happening".

    Args:
        glance: How things stand.
        heads: What the first in line of each queue lacks, empty for nothing; a queue is left out
            where all wait for a time or for other runs.
        key: Returns the key of an action.
    """
    waits = [queue for queue in glance.queues if queue.depth]
    agent = glance.agent
    if not glance.agent_runs or agent is None:
        what = f"{glance.waiting:,} runs wait and nothing" if glance.waiting else "Nothing"
        return f"{what} will be started: no agent runs here. launch-tui --agent-only starts one."
    if agent.state == "draining":
        return f"The agent is draining: it starts nothing more and leaves after {_runs(glance)}."
    if not waits:
        if glance.active:
            return f"{_runs(glance)} at work, and nothing waits."
        return f"Nothing waits and nothing runs. {key('app.launch')} launches a run."
    blocked = [blocks(queue, agent, key) or _head(queue, heads) for queue in waits]
    if all(blocked):
        return f"Nothing more is started: {'; '.join(blocked)}."
    free = [queue.name for queue, why in zip(waits, blocked, strict=True) if not why]
    return f"The next of {', '.join(free)} is started as soon as the agent comes to it."


def blocks(queue: Queue, agent: AgentStatus | None, key: Callable[[str], str] = own_key) -> str:
    """Return what keeps the runs of a queue from being started; empty for nothing."""
    if agent is None or not agent.running:
        return "no agent runs"
    if queue.paused:
        return f"{queue.name} is paused ({key('app.queues')}, then {key('queues.pause')})"
    if not serves(agent, queue.name):
        return f"the agent does not serve {queue.name}"
    if queue.running >= queue.max_running:
        more = f"{key('app.queues')}, then {key('queues.more')} for more"
        return f"{queue.name} is full, {queue.running}/{queue.max_running} ({more})"
    if agent.max_jobs is not None and len(agent.runs) >= agent.max_jobs:
        return f"the agent has its {agent.max_jobs} jobs"
    return ""


def _head(queue: Queue, heads: Mapping[str, str]) -> str:
    """Return what keeps the first in line of a queue that is not kept itself."""
    if queue.name not in heads:
        return f"what waits in {queue.name} is held, or waits for a time or for other runs"
    return heads[queue.name]


def _runs(glance: Glance) -> str:
    return f"{glance.active:,} {'run' if glance.active == 1 else 'runs'}"
