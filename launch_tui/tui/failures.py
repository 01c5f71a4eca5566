"""Tells of runs that fail while one looks elsewhere: one toast for all that fail together.

What failed is read from the events of the store, so it does not matter which process saw it. The
first is told after a moment, in which others may follow; then there is quiet while the toast
stands, and what fails meanwhile is told together. A failure that is tried again is none.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from launch_tui.errors import LaunchError
from launch_tui.tui.glance import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch_tui.domain.run import Run
    from launch_tui.tui.app import LaunchApp

GATHERED_S = 1.0
"""How long others are waited for that fail together with the first."""
STANDS_S = 10.0
"""How long the toast stands, and nothing more is told."""


ROOMY = 110
"""Columns from which on a toast that tells the next step leaves the rest of the screen in view."""


class FailureNews:
    """Watches for failures from now on.

    Args:
        app: Whose store is watched and who tells.
        clock: Seconds, monotonic.
    """

    def __init__(self, app: LaunchApp, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._seen, _ = app.launch.agents.ends_after(0, FAILED, limit=0)
        self._failed: dict[str, None] = {}
        self._due = 0.0
        self._quiet_until = 0.0

    def look(self) -> None:
        """Note the runs that have failed since the last look: the store has changed."""
        self._seen, fresh = self._app.launch.agents.ends_after(self._seen, FAILED)
        if fresh and not self._failed:
            self._due = max(self._clock() + GATHERED_S, self._quiet_until)
        self._failed |= dict.fromkeys(fresh)

    def tell(self) -> None:
        """Tell what has failed, once it is due."""
        now = self._clock()
        if not self._failed or now < self._due:
            return
        runs, self._failed = self._runs(), {}
        if runs:
            self._quiet_until = now + STANDS_S
            whole = self._app.size.width >= ROOMY
            told = f"{told_of(runs, whole=whole)}  {self._app.key('runs.failures')} to list"
            self._app.tell(told, severity="error", seconds=STANDS_S)

    def _runs(self) -> list[Run]:
        """Return the runs that are failed still, in the order in which they were noted."""
        found = []
        for run_id in self._failed:
            try:
                run = self._app.launch.runs.get(run_id)
            except LaunchError:
                continue
            if run.state in FAILED:
                found.append(run)
        return found


def told_of(runs: Sequence[Run], *, whole: bool = True) -> str:
    """Return what is told of runs that failed: of one why, of many how many and where.

    Args:
        runs: The runs.
        whole: Whether to tell the next step too, which the row and the run's screen have anyway.
    """
    if len(runs) == 1:
        run = runs[0]
        what = f"{run.id} failed in {run.phase}" if run.phase else f"{run.id} {run.state}"
        told = f"{what} on {run.queue}" + (f": {run.cause}" if run.cause else "")
        return told + (f". Next: {run.next_step}" if run.next_step and whole else "")
    queues = Counter(run.queue for run in runs)
    where = ", ".join(
        name if len(queues) == 1 else f"{number} on {name}" for name, number in queues.items()
    )
    if len(queues) == 1:
        return f"{len(runs):,} runs failed on {where}"
    return f"{len(runs):,} runs failed: {where}"
