"""What a run waits for in other runs, and when such a wait is over or hopeless.

Follows Slurm's ``--dependency=afterok|afternotok|afterany``: ``ok`` is met by a run that finished,
``failed`` by one that ended badly of itself, ``any`` by every end. A run that its user stopped
ended neither well nor badly.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from launch_tui.domain.run import ENDED, RunState
from launch_tui.errors import UsageError


class Condition(StrEnum):
    """How the other run has to end."""

    OK = "ok"
    FAILED = "failed"
    ANY = "any"


_MET_BY = {
    Condition.OK: frozenset({RunState.FINISHED}),
    Condition.FAILED: frozenset({RunState.FAILED, RunState.LOST, RunState.PREEMPTED}),
    Condition.ANY: ENDED,
}


@dataclass(frozen=True, slots=True)
class Dependency:
    """A run to wait for and how it has to end."""

    run: str
    condition: Condition = Condition.OK

    def __str__(self) -> str:
        return f"{self.run}:{self.condition}"


def parse_dependency(text: str, *, field: str = "--after") -> Dependency:
    """Return what ``RUN[:ok|failed|any]`` says; the run is still as it was typed."""
    run, separator, word = text.strip().partition(":")
    try:
        condition = Condition(word) if separator else Condition.OK
    except ValueError:
        condition = None
    if not run or condition is None:
        allowed = "RUN, RUN:ok, RUN:failed or RUN:any"
        raise UsageError(field, f"{text!r} names no run to wait for", allowed=allowed)
    return Dependency(run, condition)


def is_met(condition: Condition, state: RunState) -> bool | None:
    """Say whether a run in ``state`` meets a condition; None while it has not ended."""
    return state in _MET_BY[condition] if state in ENDED else None


def why_hopeless(dependency: Dependency, state: RunState) -> str:
    """Return the cause for a run whose condition can no longer be met."""
    wanted = {Condition.OK: "its success", Condition.FAILED: "its failure"}[dependency.condition]
    return f"run {dependency.run} is {state}; this one was to start after {wanted}"
