"""How far the runs in view are, read by a thread: the screen only picks up what has been read.

A run is read when it comes into view, and again while it runs and its files have changed. Reading
takes a small part of the time, however many runs are in view and however much they log.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from launch_tui.domain.metrics import find_telling, value_of
from launch_tui.domain.run import WAITING, RunState
from launch_tui.sdk.progress import Progress, progress_of, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from launch_tui.domain.run import Run
    from launch_tui.errors import LaunchError
    from launch_tui.sdk import Launch
    from launch_tui.tui.app import LaunchApp

EVERY_S = 1.0
"""How often the files of runs that go on are looked at."""
SHARE = 0.05
"""How much of the time reading may take at most."""
JUDGED_EVERY_S = 5.0
"""How often a time that is left is judged anew though nothing was written."""
_KEPT = 1_000

_Read = tuple[object, Progress, float]


class Progresses:
    """What is known of how far runs are.

    Args:
        app: Has the threads and the time.
        clock: Seconds, monotonic.
    """

    def __init__(self, app: LaunchApp, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._known: dict[str, _Read] = {}
        self._not_before = 0.0
        self._reading = False
        self._news = False

    def of(self, run: Run) -> Progress:
        """Return what is known of a run; before it was read, what its summary says."""
        known = self._known.get(run.id)
        if known is not None:
            return known[1]
        telling = find_telling(run.summary)
        if telling is None:
            return Progress()
        return Progress(key=telling.key, value=value_of(run.summary, telling.key))

    def look(self, runs: Iterable[Run]) -> bool:
        """Have the runs in view read that are due; say whether there is news since the last look.

        Args:
            runs: The runs in view.
        """
        news, self._news = self._news, False
        if not self._reading:
            due = self._due([run for run in runs if run.state not in WAITING])
            if due:
                self._read(due)
        return news

    def _due(self, runs: Sequence[Run]) -> list[Run]:
        # What was never read, or has ended since, is not kept waiting.
        new = [run for run in runs if self._is_new(run)]
        if self._clock() < self._not_before:
            return new
        return [run for run in runs if run.state is RunState.RUNNING or self._is_new(run)]

    def _is_new(self, run: Run) -> bool:
        known = self._known.get(run.id)
        return known is None or _step_of(known[0]) != (run.state, run.attempt)

    def _read(self, runs: Sequence[Run]) -> None:
        self._reading = True
        began, now = self._clock(), self._app.clock()
        known = {run.id: self._known[run.id] for run in runs if run.id in self._known}

        def work(launch: Launch) -> dict[str, _Read]:
            return {run.id: _read(launch, run, known.get(run.id), now) for run in runs}

        def done(read: dict[str, _Read]) -> None:
            self._rest(began)
            self._news = any(
                run_id not in known or known[run_id][1] != one[1] for run_id, one in read.items()
            )
            if len(self._known) > _KEPT:
                self._known.clear()
            self._known |= read

        def failed(_: LaunchError) -> None:
            self._rest(began)

        self._app.act(work, done, failed=failed, group="progress")

    def _rest(self, began: float) -> None:
        self._reading = False
        ended = self._clock()
        self._not_before = ended + max((ended - began) * (1 / SHARE - 1), EVERY_S)


def _read(launch: Launch, run: Run, known: _Read | None, now: float) -> _Read:
    """Return what there is to tell of a run; what is known where nothing has changed."""
    seen = stamp(launch, run)
    if known is not None and known[0] == seen:
        judged = known[1].ends_at is None or now - known[2] < JUDGED_EVERY_S
        if judged:
            return known
    return seen, progress_of(launch, run, now), now


def _step_of(seen: object) -> object:
    return seen[:2] if isinstance(seen, tuple) else None
