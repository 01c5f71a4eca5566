"""Going along with a run to its end: ``--wait`` and ``--follow``, and how an outcome is told."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from launch_tui.cli.output import say
from launch_tui.cli.times import between
from launch_tui.domain.run import RunState

if TYPE_CHECKING:
    from launch_tui.domain.run import Run
    from launch_tui.sdk import Launch

POLL_S = 0.02


def go_along(sdk: Launch, run_id: str, *, follow: bool) -> int:
    """Wait for a run's outcome, with its log if asked for, and return the exit status.

    The outcome is told on stderr. An interrupt leaves the run as it is.
    """
    from launch_tui.cli.stream import StateWatch, follow_log, tell_state

    ended = StateWatch(sdk, run_id, tell=tell_state if sys.stderr.isatty() else None)
    try:
        if follow:
            follow_log(sdk, run_id, sdk.runs.log_path(run_id))
        while not ended():
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        say(f"{run_id} goes on: launch-tui logs -f {run_id}, launch-tui stop {run_id}")
        raise
    run = sdk.runs.get(run_id)
    say(outcome(run))
    return 0 if run.state is RunState.FINISHED else 1


def outcome(run: Run) -> str:
    """Return how a run ended, with cause and next step, as one line."""
    took = between(run.started_at, run.ended_at)
    text = f"{run.id}  {run.state}" + (f" after {took}" if took else "")
    if run.phase and run.state is RunState.FAILED:
        text += f" in phase {run.phase}"
    if run.cause:
        text += f": {run.cause}"
    if run.next_step:
        text += f". Next: {run.next_step}"
    return text
