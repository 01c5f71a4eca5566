"""What a run is, which states it can be in, and which state may follow which.

Pure values: nothing here reads a clock, a file or a database. The store applies a transition only
where the run is still in the state that the transition starts from.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from launch_tui.domain.sync import Sync
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PREEMPTIONS = 5
"""Attempts that pre-emption may add to a run, as in W&B Launch (agent, ``_resume_count``)."""


class RunState(StrEnum):
    """Where a run is between being enqueued and its outcome."""

    QUEUED = "queued"
    """Waits in its queue for an agent to take it."""
    HELD = "held"
    """Waits in its queue and is passed over, because the user holds it."""
    CLAIMED = "claimed"
    """An agent has taken it and nothing has happened yet."""
    SOURCING = "sourcing"
    """Its files are being brought into the attempt's directory."""
    BUILDING = "building"
    """Its environment or image is being built, or waited for."""
    STARTING = "starting"
    """The target was told to start it; the job's first instruction has not been seen."""
    RUNNING = "running"
    """The job runs on the target."""
    FINISHED = "finished"
    """Ended with exit status 0 and, unless the rule is off, called ``wandb.init``."""
    FAILED = "failed"
    """Ended badly: see its phase, cause and next step."""
    STOPPED = "stopped"
    """Ended by the user; cancelled, when it never started."""
    PREEMPTED = "preempted"
    """Ended by the target resource; a new attempt was queued unless there were too many."""
    LOST = "lost"
    """No trace of its outcome is left."""


WAITING = frozenset({RunState.QUEUED, RunState.HELD})
ACTIVE = frozenset(
    {
        RunState.CLAIMED,
        RunState.SOURCING,
        RunState.BUILDING,
        RunState.STARTING,
        RunState.RUNNING,
    }
)
ENDED = frozenset(
    {
        RunState.FINISHED,
        RunState.FAILED,
        RunState.STOPPED,
        RunState.PREEMPTED,
        RunState.LOST,
    }
)

BAD_ENDS = frozenset({RunState.FAILED, RunState.LOST, RunState.PREEMPTED})
"""Ends that nobody asked for."""

_FROM_ANY = frozenset({RunState.FAILED, RunState.STOPPED, RunState.PREEMPTED, RunState.LOST})

TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.HELD, RunState.CLAIMED}) | _FROM_ANY,
    RunState.HELD: frozenset({RunState.QUEUED}) | _FROM_ANY,
    # Back to `queued` is how a run keeps its place when its agent goes away before the job ran.
    # From `starting` on only the start token says whether it did: the attempt is made void first.
    RunState.CLAIMED: frozenset({RunState.SOURCING, RunState.QUEUED}) | _FROM_ANY,
    RunState.SOURCING: frozenset({RunState.BUILDING, RunState.QUEUED}) | _FROM_ANY,
    RunState.BUILDING: frozenset({RunState.STARTING, RunState.QUEUED}) | _FROM_ANY,
    RunState.STARTING: frozenset({RunState.RUNNING, RunState.QUEUED}) | _FROM_ANY,
    RunState.RUNNING: frozenset({RunState.FINISHED}) | _FROM_ANY,
    RunState.FINISHED: frozenset(),
    # A retry is the next attempt of the same run; both steps are one transaction.
    RunState.FAILED: frozenset({RunState.QUEUED}),
    RunState.STOPPED: frozenset(),
    RunState.PREEMPTED: frozenset({RunState.QUEUED}),
    RunState.LOST: frozenset({RunState.QUEUED}),
}


class Phase(StrEnum):
    """The part of an attempt in which it failed."""

    SOURCE = "source"
    BUILD = "build"
    START = "start"
    RUN = "run"
    TRACKING = "tracking"


class Priority(StrEnum):
    """W&B's priority levels, first to last; ``medium`` is what a run has that says nothing."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """The level as W&B numbers it: 0 is claimed first, 3 last."""
        return list(Priority).index(self)


def check_priority(value: str, *, field: str = "-P") -> Priority:
    """Return the level that ``value`` names."""
    try:
        return Priority(value.strip().lower())
    except ValueError:
        raise UsageError(field, f"{value!r} is no priority", allowed=", ".join(Priority)) from None


class StopMode(StrEnum):
    """How a stop request ends a job."""

    GRACEFUL = "graceful"
    """SIGINT, grace, SIGTERM, grace, SIGKILL: wandb writes everything."""
    NOW = "now"
    """SIGKILL at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One request to run a job version, from enqueue to outcome.

    Times are ISO 8601 in UTC, or None when they have not come yet. The fields, in this order, are
    the JSON of a run.

    ``group`` is the id that the runs of one parameter product share. ``failure`` is the kind of a
    bad end. ``after`` are the runs that this one waits for, each ``RUN:ok``, ``RUN:failed`` or
    ``RUN:any``. ``not_before`` is when it may start at the earliest, and ``retried`` counts the
    attempts that ``--retries`` added. ``blocked`` is what the agent last lacked to start it.
    ``image`` is the image that it ran in, ``image_digest`` which one of that name it was.
    ``author`` is who launched it. ``sync`` is how far it has been sent to a W&B server.
    """

    id: str
    name: str
    project: str
    job: str
    version: str
    queue: str
    resource: str
    state: RunState
    phase: str | None = None
    cause: str | None = None
    next_step: str | None = None
    exit_code: int | None = None
    tracked: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    priority: str = "medium"
    attempt: int = 1
    tags: tuple[str, ...] = ()
    note: str = ""
    gpus: tuple[str, ...] = ()
    image: str | None = None
    created_at: str
    claimed_at: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    agent: str | None = None
    directory: str
    group: str = ""
    failure: str | None = None
    after: tuple[str, ...] = ()
    not_before: str | None = None
    retried: int = 0
    blocked: str = ""
    image_digest: str | None = None
    author: str = ""
    sync: Sync = field(default_factory=Sync)


class BadTransition(Exception):
    """A transition that the state machine does not have."""


def advance(run: Run, to: RunState, **changes: object) -> Run:
    """Return the run in its next state.

    Args:
        run: The run as it is.
        to: The state it goes to.
        **changes: Fields that change with it.

    Raises:
        BadTransition: When ``TRANSITIONS`` has no such step.
    """
    require_transition(run.state, to)
    return replace(run, state=to, **changes)  # type: ignore[arg-type]


def require_transition(state: RunState, to: RunState) -> None:
    """Raise BadTransition when a run in ``state`` may not go to ``to``."""
    if to not in TRANSITIONS[state]:
        raise BadTransition(f"a run cannot go from {state} to {to}")
