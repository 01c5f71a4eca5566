"""Tells past the screen that a run has ended: by the terminal's bell or a notice of the desktop.

Only what a person's ``ui.yaml`` asks for, and only while the terminal does not have the focus,
where the terminal tells of that: who looks at the runs sees it anyway. What ended together is told
together. It is read from the events, so that nothing is told twice and nothing that a retry took
back is told at all.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from launch_tui.domain.text import printable
from launch_tui.errors import LaunchError
from launch_tui.tui.clipboard import through_tmux

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from launch_tui.domain.run import Run
    from launch_tui.sdk import Launch
    from launch_tui.tui.settings import News

MOST_EVENTS = 200
"""Events that are looked through at once; more than that in a tenth of a second is no news."""
LONGEST = 120
BELL = "\x07"


class NewsTeller:
    """Looks for ends of runs after each change of the store.

    Args:
        launch: The data directory, on the thread that asks.
        wanted: Returns what the person wants to be told, and how.
        write: Writes to the terminal, past everything that draws.
        watched: Returns whether the person is known to look at the terminal.
    """

    def __init__(
        self,
        launch: Launch,
        *,
        wanted: Callable[[], News],
        write: Callable[[str], None],
        watched: Callable[[], bool],
    ) -> None:
        self._launch = launch
        self._wanted = wanted
        self._write = write
        self._watched = watched
        self._seen: int | None = None

    def look(self) -> None:
        """Tell of the runs that have ended since the last look; the first one tells nothing."""
        wanted = self._wanted()
        if not wanted.on:
            self._seen = None
            return
        events = self._launch.agents.events(limit=MOST_EVENTS if self._seen is not None else 1)
        before, self._seen = self._seen, events[0].id if events else 0
        if before is None:
            return
        ended = {e.run_id: e.state for e in events
                 if e.id > before and e.run_id and e.state in wanted.on}  # fmt: skip
        runs = [run for run_id, state in ended.items() if (run := self._ended(run_id, state))]
        if runs and (wanted.always or not self._watched()):
            self._write(sequences(told(runs), wanted.by, os.environ))

    def _ended(self, run_id: str, state: str | None) -> Run | None:
        try:
            run = self._launch.runs.get(run_id)
        except LaunchError:
            return None
        # A retry goes through the state of the attempt and waits again.
        return run if run.state == state else None


def told(runs: Sequence[Run]) -> str:
    """Return one line about runs that have ended."""
    if len(runs) == 1:
        run = runs[0]
        name = run.job if run.name in ("", run.job) else f"{run.job} {run.name}"
        cause = f": {run.cause}" if run.cause and run.state != "finished" else ""
        return printable(f"run {run.id} {name} {run.state}{cause}")[:LONGEST]
    counts = Counter(str(run.state) for run in runs)
    return f"{len(runs)} runs ended: " + ", ".join(f"{n} {state}" for state, n in counts.items())


def sequences(text: str, by: frozenset[str], environ: Mapping[str, str]) -> str:
    """Return what makes a terminal ring, or its desktop show a line.

    Terminals know one of two sequences for a notice (OSC 9: iTerm2, WezTerm, kitty, Windows
    Terminal; OSC 777: rxvt, foot, Ghostty) and pass over the other.
    """
    found = ""
    if "desktop" in by:
        # A semicolon would end the text of OSC 777.
        body = printable(text).replace(";", ",")
        notices = (f"\x1b]9;launch-tui: {body}\x07", f"\x1b]777;notify;launch-tui;{body}\x07")
        found = "".join(through_tmux(notice, environ) for notice in notices)
    return found + (BELL if "bell" in by else "")
