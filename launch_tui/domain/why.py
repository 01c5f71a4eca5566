"""The one true reason why a run is where it is.

Pure: whoever asks brings what is in the store now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from launch_tui.domain.dependency import Condition
from launch_tui.domain.run import ENDED, RunState

if TYPE_CHECKING:
    from launch_tui.domain.dependency import Dependency
    from launch_tui.domain.queue import Queue
    from launch_tui.domain.run import Run


_NAMED = 3
"""Runs that are named where more are waited for."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a reason is found in.

    ``ahead`` counts the runs that are claimed before this one. ``unmet`` are the runs that it waits
    for, each with its state now. ``now`` is this moment (ISO 8601). ``progress`` is what the agent
    last said of the run.
    """

    run: Run
    queue: Queue
    agent: AgentView | None
    now: str
    ahead: int = 0
    unmet: tuple[tuple[Dependency, RunState], ...] = ()
    progress: str = ""


def explain(situation: Situation) -> Reason:
    """Return the one true reason.

    What a person did comes first, then what the run itself waits for, then its place in line, and
    for the first in line what the agent lacks.
    """
    run = situation.run
    if run.state in ENDED:
        told = f"{run.state}: {run.cause}" if run.cause else str(run.state)
        return Reason(id=run.id, kind=str(run.state), reason=told)
    if run.state is not RunState.QUEUED and run.state is not RunState.HELD:
        return _of_the_active(situation)
    return _of_the_waiting(situation)


def _of_the_active(situation: Situation) -> Reason:
    run, agent = situation.run, situation.agent
    if agent is None or not agent.running:
        told = f"{run.state}, and no agent watches: launch-tui --agent-only"
        return Reason(id=run.id, kind="no_agent", reason=told)
    return Reason(id=run.id, kind=str(run.state), reason=situation.progress or str(run.state))


def _of_the_waiting(situation: Situation) -> Reason:
    run, queue = situation.run, situation.queue
    if run.state is RunState.HELD:
        return Reason(id=run.id, kind="held", reason="held by you")
    if queue.paused:
        return Reason(id=run.id, kind="paused", reason=f"queue {queue.name} is paused")
    if situation.unmet:
        return Reason(id=run.id, kind="after", reason=_after(situation.unmet))
    if run.not_before and run.not_before > situation.now:
        kind = "backoff" if run.retried else "begin"
        what = f"back-off before attempt {run.attempt}" if run.retried else "begins later"
        reason = f"{what}, until {local_clock(run.not_before, situation.now)}"
        return Reason(id=run.id, kind=kind, reason=reason, until=run.not_before)
    if situation.ahead:
        reason = f"{_ordinal(situation.ahead + 1)} in line"
        return Reason(id=run.id, kind="position", reason=reason)
    kind, reason = _of_the_first(situation)
    return Reason(id=run.id, kind=kind, reason=reason)


def _of_the_first(situation: Situation) -> tuple[str, str]:
    queue, agent = situation.queue, situation.agent
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
    if situation.run.blocked:
        kind, _, reason = situation.run.blocked.partition(": ")
        return kind, reason
    return "next", "next in line"


def _after(unmet: tuple[tuple[Dependency, RunState], ...]) -> str:
    ends = {Condition.OK: "", Condition.FAILED: " to fail", Condition.ANY: " to end"}
    told = [f"run {d.run}{ends[d.condition]} ({state})" for d, state in unmet[:_NAMED]]
    more = f" and {len(unmet) - _NAMED} more" if len(unmet) > _NAMED else ""
    return f"after {', '.join(told)}{more}"


def local_clock(moment: str, now: str) -> str:
    """Return a time of the store as a clock of here shows it, with the day if not today."""
    here = datetime.fromisoformat(moment).astimezone()
    today = datetime.fromisoformat(now).astimezone().date()
    return here.strftime("%H:%M:%S" if here.date() == today else "%Y-%m-%d %H:%M")


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return str(number) + {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
