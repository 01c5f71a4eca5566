"""Has working copies and caches kept within the disk budget, and written down what they take.

A thread of its own with a connection of its own: walking over directories, and removing them, holds
up nothing.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from launch_tui.errors import LaunchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.care.disk import Record
    from launch_tui.store.paths import Home

FIRST_S = 2.0
"""When the first look is: an agent that starts has better things to do."""
EVERY_S = 600.0
CLOSE_S = 2.0


class SpaceWatch:
    """Looks at what can be had again, and makes room where it is over the budget.

    Args:
        home: The data directory.
        budget: Bytes that it may take; None for no limit.
        report: Told when something was removed, from a thread.
        first: Seconds until the first look.
        every: Seconds between two looks.
    """

    def __init__(
        self,
        home: Home,
        budget: int | None,
        report: Callable[[str], None],
        *,
        first: float = FIRST_S,
        every: float = EVERY_S,
    ) -> None:
        self._home = home
        self._budget = budget
        self._report = report
        self._first, self._every = first, every
        self._leave = False
        self._wake = threading.Event()
        self._said = ""
        self._thread = threading.Thread(target=self._work, name="space", daemon=True)

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._thread.start()

    def configure(self, budget: int | None) -> None:
        """Keep to another budget from now on."""
        if budget != self._budget:
            self._budget = budget
            self._wake.set()

    def close(self) -> None:
        """Stop looking. A disk that does not answer is not waited for."""
        self._leave = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _work(self) -> None:
        self._wake.wait(self._first)
        if self._leave:
            return
        # Not above: an agent's first claim does not wait for these.
        from launch_tui.care import disk
        from launch_tui.care.budget import Budget
        from launch_tui.store.database import Database

        budget = Budget()
        while not self._leave:
            self._wake.clear()
            # A disk in trouble is told by who claims runs; the next look tries again.
            with contextlib.suppress(LaunchError, OSError):
                with Database(self._home) as db:
                    record = budget.look(db, self._budget)
                disk.write(self._home, record)
                self._tell(record)
            self._wake.wait(self._every)

    def _tell(self, record: Record) -> None:
        from launch_tui.domain.quantities import write_size

        if record.freed:
            self._report(f"made room: {write_size(record.freed)} that nothing needed")
        over = record.budget is not None and record.used > record.budget
        said = ""
        if over and record.budget is not None:
            said = (
                f"over disk_budget by {write_size(record.used - record.budget)}, all of which is"
                " needed or in use"
            )
        if said and said != self._said:
            self._report(said)
        self._said = said
