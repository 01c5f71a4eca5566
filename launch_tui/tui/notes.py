"""NOTE: the one thing worth knowing of a run, without asking the store for every row at each frame.

A run that has ended says it itself. One that waits or works is asked for, the rows in view only, a
few milliseconds' worth at a time, and not again before the store has changed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from launch_tui.domain.metrics import most_telling
from launch_tui.domain.run import ENDED, RunState
from launch_tui.errors import LaunchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from launch_tui.domain.run import Run
    from launch_tui.sdk import Launch

BUDGET_S = 0.004
"""Time one look may take; what is not reached keeps its note until the next frame."""


class Notes:
    """The notes of the rows in view.

    Args:
        launch: The data directory, on the thread that asks.
        budget: Seconds one look may take.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        launch: Launch,
        *,
        budget: float = BUDGET_S,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._launch = launch
        self._budget = budget
        self._clock = clock
        self._known: dict[str, tuple[int, str]] = {}
        self._generation = 0
        self.complete = False
        """Whether the last look reached every row that it was given."""

    @property
    def generation(self) -> int:
        """How often the store was found changed."""
        return self._generation

    def outdate(self) -> None:
        """Note that the store has changed."""
        self._generation += 1

    def of(self, run: Run) -> str:
        """Return the note of a run, as far as it is known; asks nothing."""
        if run.state in ENDED:
            return _outcome(run)
        return self._known.get(run.id, (0, ""))[1]

    def look(self, runs: Iterable[Run]) -> bool:
        """Ask for the notes of runs in view that are not known since the last change.

        Returns:
            Whether any note is another one now.
        """
        self.complete = False
        due = [run for run in runs if run.state not in ENDED and self._is_due(run.id)]
        # Those that have never been asked for come first: an empty cell is worse than an old one.
        due.sort(key=lambda run: run.id in self._known)
        changed = False
        end = self._clock() + self._budget
        for run in due:
            changed = self._ask(run) or changed
            if self._clock() > end:
                break
        else:
            self.complete = True
        if len(self._known) > 1000:
            in_view = {run.id for run in due}
            self._known = {k: v for k, v in self._known.items() if k in in_view}
        return changed

    def _is_due(self, run_id: str) -> bool:
        return self._known.get(run_id, (-1, ""))[0] != self._generation

    def _ask(self, run: Run) -> bool:
        before = self._known.get(run.id, (0, ""))[1]
        try:
            reason = self._launch.runs.why(run.id)
        except LaunchError:
            # Deleted since; the next page will not have it.
            return False
        note = "" if reason.reason == run.state else reason.reason
        self._known[run.id] = (self._generation, note)
        return note != before


def _outcome(run: Run) -> str:
    if run.state is RunState.FINISHED:
        return most_telling(run.summary)
    if run.cause and run.state is RunState.FAILED and run.phase not in (None, "", "run"):
        return f"{run.phase}: {run.cause}"
    return run.cause or ""
