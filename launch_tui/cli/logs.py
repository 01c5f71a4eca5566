"""``logs``: the output of a run's job, or of its build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.cli.outcome import outcome
from launch_tui.cli.output import say
from launch_tui.cli.stream import copy_log, follow_log
from launch_tui.domain.run import ENDED, RunState
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from launch_tui.cli.parsing import Arguments


def logs(arguments: Arguments) -> int:
    """Print a log; with ``-f`` until the run has ended."""
    build, tail = arguments.on("build"), arguments.number("tail")
    if tail is not None and tail < 0:
        raise UsageError("-n", f"{tail} is no number of lines", allowed="0 or more")
    with arguments.open() as sdk:
        run_id = sdk.runs.resolve(arguments.words[0])
        attempt = arguments.number("attempt")
        path = sdk.runs.log_path(run_id, attempt=attempt, build=build)
        if arguments.on("follow"):
            if not sdk.agents.is_running() and sdk.runs.get(run_id).state not in ENDED:
                say("no agent is running: start one with launch-tui --agent-only")
            follow_log(sdk, run_id, path, build=build, tail=tail)
        elif not copy_log(path, tail=tail):
            what = "build" if build else "job"
            say(f"{run_id}: the {what} has written nothing: {sdk.runs.why(run_id).reason}")
        run = sdk.runs.get(run_id)
    if run.state in ENDED and run.state is not RunState.FINISHED:
        say(outcome(run))
    return 0
