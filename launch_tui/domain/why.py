"""The one true reason why a run is where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from launch_tui.domain.run import ENDED, RunState

if TYPE_CHECKING:
    from launch_tui.domain.queue import Queue
    from launch_tui.domain.run import Run


class AgentView(Protocol):
    """What the reason depends on of the agent."""

    @property
    def running(self) -> bool:
        """Whether an agent lives."""
        ...

    @property
    def state(self) -> str:
        """``active`` or ``draining``."""
        ...

    @property
    def queues(self) -> tuple[str, ...] | None:
        """The queues it serves; None for all."""
        ...

    @property
    def max_jobs(self) -> int | None:
        """How many runs it has at once; None for no limit."""
        ...

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs that it has."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a run is where it is.

    ``kind`` is one word for scripts; ``until`` is a time (ISO 8601) where one is known.
    """

    id: str
    reason: str
    kind: str
    until: str | None = None


def explain(
    run: Run, *, queue: Queue, ahead: int, progress: str, agent: AgentView | None
) -> Reason:
    """Return the reason; ``ahead`` counts the runs before it in its queue."""
    kind, reason = _reason(run, queue, ahead, progress, agent)
    return Reason(id=run.id, kind=kind, reason=reason)


def _reason(
    run: Run, queue: Queue, ahead: int, progress: str, agent: AgentView | None
) -> tuple[str, str]:
    if run.state in ENDED:
        return str(run.state), f"{run.state}: {run.cause}" if run.cause else str(run.state)
    if run.state is RunState.HELD:
        return "held", "held by you"
    if run.state is not RunState.QUEUED:
        if agent is None or not agent.running:
            return "no_agent", f"{run.state}, and no agent watches: launch-tui --agent-only"
        return str(run.state), progress or str(run.state)
    if queue.paused:
        return "paused", f"queue {queue.name} is paused"
    if ahead:
        return "position", f"{_ordinal(ahead + 1)} in line"
    return _reason_of_the_first(queue, agent)


def _reason_of_the_first(queue: Queue, agent: AgentView | None) -> tuple[str, str]:
    if agent is None or not agent.running:
        return "no_agent", "no agent is running: launch-tui --agent-only"
    if agent.state == "draining":
        return "draining", "the agent is draining and claims nothing more"
    if agent.queues is not None and queue.name not in agent.queues:
        return "not_served", f"the agent does not serve queue {queue.name}"
    if queue.running >= queue.max_running:
        return "max_running", f"max_running {queue.running}/{queue.max_running}"
    if agent.max_jobs is not None and len(agent.runs) >= agent.max_jobs:
        return "max_jobs", f"the agent has {len(agent.runs)}/{agent.max_jobs} jobs"
    return "next", "next in line"


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return str(number) + {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
