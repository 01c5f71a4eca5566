"""What a verb acts on: runs, and groups of runs with the numbers that they had on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.domain.run import ACTIVE, WAITING, Run, RunState
from launch_tui.errors import LaunchError
from launch_tui.sdk.folding import Group, members

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.sdk import Launch

    Verb = Callable[[Launch, str], object]

_RUNS = "run", "runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Runs and groups, and the states in which a verb means a run."""

    runs: tuple[Run, ...] = ()
    groups: tuple[Group, ...] = ()
    states: frozenset[RunState] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.number)

    @property
    def number(self) -> int:
        """How many runs are meant."""
        return self.among(self.states)

    def among(self, states: frozenset[RunState]) -> int:
        """Return how many of the runs that are meant are in these states."""
        wanted = states & self.states
        single = sum(run.state in wanted for run in self.runs)
        return single + sum(group.among(wanted) for group in self.groups)

    @property
    def named(self) -> str:
        """What is meant, in a few words: its name where it is one, else how many."""
        if not self.groups and len(self.runs) == 1:
            return f"{self.runs[0].id} ({self.runs[0].name})"
        counted = f"{self.number:,} {_RUNS[self.number != 1]}"
        if len(self.groups) == 1 and not self.runs:
            group = self.groups[0]
            of = f"{counted} of {group.size:,}" if self.number != group.size else counted
            return f"group {group.id} ({of})"
        return counted

    @property
    def standing(self) -> str:
        """How what is meant stands, as a sentence."""
        if not self.groups and len(self.runs) == 1:
            run = self.runs[0]
            waits = run.state in WAITING
            return "It has not started and leaves the queue." if waits else f"It is {run.state}."
        active, waiting = self.among(ACTIVE), self.among(WAITING)
        return f"{active:,} of them active, {waiting:,} waiting."

    def narrowed(self, states: frozenset[RunState]) -> Chosen:
        """Return the same for a verb that means runs in these states."""
        runs = tuple(run for run in self.runs if run.state in states)
        groups = tuple(group for group in self.groups if group.among(states))
        return Chosen(runs=runs, groups=groups, states=states)

    def ids(self, launch: Launch) -> list[str]:
        """Return the ids as they are now, those that were enqueued last first.

        So what waits is taken out of a queue from its end, and what is moved to the front one by
        one keeps its order.
        """
        single = sorted(self.runs, key=lambda run: run.created_at, reverse=True)
        found = [run.id for run in single]
        for group in self.groups:
            found += reversed(members(launch, group.id, self.states))
        return list(dict.fromkeys(found))


def for_each(chosen: Chosen, verb: Verb, *, first: frozenset[RunState] = frozenset()) -> Callable[
    [Launch], LaunchError | None
]:  # fmt: skip
    """Return what does something with each run, for a thread.

    Args:
        chosen: The runs.
        verb: What to do with each; an error does not keep it from the others.
        first: States whose runs come before all others.

    Returns:
        A function that returns the first error.
    """

    def work(launch: Launch) -> LaunchError | None:
        ids = chosen.narrowed(first).ids(launch) if first else []
        ids = list(dict.fromkeys([*ids, *chosen.ids(launch)]))
        error: LaunchError | None = None
        for run_id in ids:
            try:
                verb(launch, run_id)
            except LaunchError as wrong:
                error = error or wrong
        return error

    return work
