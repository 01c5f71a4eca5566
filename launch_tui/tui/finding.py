"""Looks for the runs that a filter means, in a thread, and hands on what it has as it comes.

The screen asks at each frame whether there is news, and only of the first finds is it told at once:
a search that finds a million runs cannot flood it. A search that is not wanted any more ends within
a few hundredths of a second. As the store changes the search is renewed, so seldom that it takes a
small part of the time.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from launch_tui.domain.filter import Filter
from launch_tui.sdk.search import Found, Search

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch_tui.errors import LaunchError
    from launch_tui.sdk import Launch
    from launch_tui.tui.app import LaunchApp
    from launch_tui.tui.wanted import Wanted

MOST_LIVE = 1_000
"""Live runs up to which the first answer is given on the UI's loop."""
SHARE = 0.1
"""How much of the time it may take to look again at the runs that go on."""
SHARE_OF_ALL = 0.02
"""The same for looking again at all of them."""


class Finding:
    """One search, from its beginning until something else is wanted.

    Args:
        app: Has the threads and the clock.
        wanted: What is looked for.
        found: Called on the UI's loop when there are finds for the first time.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        app: LaunchApp,
        wanted: Wanted,
        *,
        found: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._found = found
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._search = Search(
            Filter(wanted.text, field="filter"),
            queue=wanted.queue,
            states=wanted.states,
            job=wanted.job,
            sort=wanted.sort,
            backwards=wanted.backwards,
        )
        self._latest: Found | None = self._at_a_glance()
        self._told: Found | None = None
        self._over = False
        self._stale = False
        self._looking = False
        self._whole_is_due = self._part_is_due = 0.0
        self._look(whole=True)

    def _at_a_glance(self) -> Found | None:
        """Return what the newest runs give, at once: a thread of its own answers frames later.

        Not where putting them in order would read more than these.
        """
        glance = self._app.glance
        if glance.active + glance.waiting > MOST_LIVE:
            return None
        found = self._search.glance(self._app.launch, self._app.clock())
        return found if found.runs else None

    @property
    def progress(self) -> str:
        """``filtering 43 %`` until all has been looked through once."""
        if self._latest is not None and self._latest.done >= 1:
            return ""
        return f"filtering {int((self._latest.done if self._latest else 0) * 100)} %"

    def outdate(self) -> None:
        """Note that the store has changed."""
        self._stale = True

    def end(self) -> None:
        """Look no further: nothing that is found from now on is of use."""
        self._over = True

    def news(self) -> Sequence[int] | None:
        """Return what has been found when that is more or other than it was; else None."""
        self._look_again()
        if self._latest is self._told or self._latest is None:
            return None
        self._told = self._latest
        return self._latest.runs

    def _look_again(self) -> None:
        """Renew the search when the store has changed and enough time has passed."""
        now = self._clock()
        if not self._stale or self._looking or now < self._part_is_due:
            return
        self._stale = False
        self._look(whole=now >= self._whole_is_due)

    def _look(self, *, whole: bool) -> None:
        self._looking = True
        now = self._app.clock()
        began = self._clock()

        def work(launch: Launch) -> None:
            for found in self._search.look(launch, now, whole=whole):
                if self._over:
                    return
                first = bool(found.runs) and not (self._latest and self._latest.runs)
                # What is shown already is complete: a part of it would be a step back.
                if self._latest is None or self._latest.done < 1 or found.done >= 1:
                    self._latest = found
                if first and not self._loop.is_closed():
                    self._loop.call_soon_threadsafe(self._tell_first)

        def done(_: None) -> None:
            self._looking = False
            ended = self._clock()
            took = ended - began
            self._part_is_due = ended + took / SHARE
            if whole:
                self._whole_is_due = ended + took / SHARE_OF_ALL

        self._app.act(work, done, failed=self._failed, group="filter")

    def _tell_first(self) -> None:
        if not self._over:
            self._found()

    def _failed(self, error: LaunchError) -> None:
        self._looking = False
        if not self._over:
            self._app.tell_error(error)
