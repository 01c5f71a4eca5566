"""``demo``: a real training job, three configurations, two at a time, from nothing.

It goes the way that a person would: a queue, a job from a folder, three launches, an agent. The
agent is a process of its own, unless one runs already, and leaves when the demo's runs have ended.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from launch_tui.cli.outcome import outcome
from launch_tui.cli.output import brief, flattened, line, say, table
from launch_tui.cli.times import between
from launch_tui.domain.run import ENDED, Run, RunState
from launch_tui.errors import LaunchError
from launch_tui.sdk.demo import AT_ONCE, QUEUE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk import Launch

AGENT_START_S = 20.0
"""How long the agent may take to be there."""
AGENT_END_S = 20.0
"""How long the agent may take to leave once nothing runs."""
POLL_S = 0.2
EPOCHS_PER_LINE = 5

_LOSSES = ("train.loss", "val.loss", "val.accuracy")


def demo(arguments: Arguments) -> int:
    """Run the demo; exit 0 only if all of its runs finished and were tracked."""
    if not arguments.on("headless"):
        from launch_tui.cli.ui import open_ui

        return open_ui(arguments.home, read_only=False, ascii_only=False, demo=True)
    with arguments.open() as sdk:
        ids = _launch(sdk)
        agent = None if sdk.agents.is_running() else _start_agent(sdk)
        try:
            _require_served(sdk)
            _show_build(sdk, ids[0])
            runs = _show_progress(sdk, ids, agent)
        except KeyboardInterrupt:
            say(f"the demo's runs go on: launch-tui runs -q {QUEUE}, launch-tui stop {ids[0]} ...")
            raise
        finally:
            if agent is not None:
                _let_go(sdk, agent)
    return _print_results(runs)


def _launch(sdk: Launch) -> list[str]:
    from launch_tui.demo import CONFIGURATIONS
    from launch_tui.sdk.demo import launch_demo

    enqueued = launch_demo(sdk)
    first = enqueued[0]
    line(f"job {first.job}:{first.version} on queue {first.queue}, {AT_ONCE} runs at once")
    for run, name in zip(enqueued, CONFIGURATIONS, strict=True):
        line(f"{run.id}  {name}  queued")
    return [run.id for run in enqueued]


def _start_agent(sdk: Launch) -> subprocess.Popen[bytes]:
    """Start an agent for the demo's queue in a session of its own and wait until it is there."""
    log = sdk.home.temporary / "demo-agent.log"
    command = (sys.executable, "-m", "launch_tui", "--home", str(sdk.home.root), "--agent-only")
    with log.open("wb") as output:
        agent = subprocess.Popen(
            (*command, "-q", QUEUE),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + AGENT_START_S
    while not sdk.agents.is_running():
        if agent.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace").strip().splitlines()
            reason = said[-1] if said else f"status {agent.returncode}"
            raise LaunchError(f"the agent did not start: {reason}", next_step=f"See {log}.")
        time.sleep(0.02)
    line(f"started an agent, pid {agent.pid}")
    return agent


def _require_served(sdk: Launch) -> None:
    status = sdk.agents.status()
    if status is not None and status.queues is not None and QUEUE not in status.queues:
        raise LaunchError(
            f"the agent that runs (pid {status.pid}) does not serve queue {QUEUE}",
            next_step="Stop it with launch-tui agent drain, then try again.",
        )


def _show_build(sdk: Launch, run_id: str) -> None:
    """Print the build log of a run as it comes."""
    from launch_tui.cli.stream import follow_log

    line("building the environment:")
    follow_log(sdk, run_id, sdk.runs.log_path(run_id, build=True), build=True)


def _show_progress(
    sdk: Launch, ids: Sequence[str], agent: subprocess.Popen[bytes] | None
) -> list[Run]:
    """Print a line whenever a run has come further, until all have ended; return them."""
    progress = {run_id: _Progress() for run_id in ids}
    version = -1
    while True:
        if (now := sdk.changed()) != version:
            version = now
            runs = [sdk.runs.get(run_id) for run_id in ids]
            for run in runs:
                text = progress[run.id].news(run)
                if text:
                    line(f"{run.id}  {run.name}  {text}")
            if all(run.state in ENDED for run in runs):
                return runs
        if agent is not None and agent.poll() is not None:
            raise LaunchError(
                f"the agent ended with status {agent.returncode} while runs were left",
                next_step=f"See {sdk.home.temporary / 'demo-agent.log'}.",
            )
        time.sleep(POLL_S)


class _Progress:
    """How far a run was when it was last told."""

    def __init__(self) -> None:
        self._state: RunState | None = None
        self._epoch = 0.0

    def news(self, run: Run) -> str:
        """Return what to tell of a run; empty when it has hardly come further."""
        changed = run.state is not self._state
        self._state = run.state
        if run.state in ENDED:
            return outcome(run).partition("  ")[2] if changed else ""
        summary = dict(flattened(dict(run.summary)))
        epoch = summary.get("epoch")
        if not isinstance(epoch, (int, float)) or epoch < self._epoch + EPOCHS_PER_LINE:
            return str(run.state) if changed else ""
        self._epoch = epoch
        rest = "".join(f"  {key} {brief(summary[key])}" for key in _LOSSES if key in summary)
        return f"epoch {epoch:g}/{run.config.get('epochs', '?')}{rest}"


def _let_go(sdk: Launch, agent: subprocess.Popen[bytes]) -> None:
    """Have the demo's agent leave once its runs have ended."""
    if agent.poll() is None and sdk.agents.is_running():
        sdk.agents.drain()
    if any(sdk.runs.list(queue=QUEUE, states=[s for s in RunState if s not in ENDED], limit=1)):
        return
    try:
        agent.wait(AGENT_END_S)
    except subprocess.TimeoutExpired:
        say(f"note: the agent (pid {agent.pid}) has not left yet")


def _print_results(runs: Sequence[Run]) -> int:
    """Print the results and return the exit status."""
    rows = []
    for run in runs:
        values = dict(flattened(dict(run.summary)))
        cells = [values.get(key) for key in ("epoch", "val.loss", "best_accuracy")]
        rows.append(
            (
                run.id,
                run.name,
                run.state,
                "yes" if run.tracked else "no",
                *("-" if cell is None else brief(cell) for cell in cells),
                between(run.started_at, run.ended_at),
            )
        )
    headers = ("RUN", "CONFIGURATION", "STATE", "TRACKED", "EPOCHS", "LOSS", "BEST", "TOOK")
    table(headers, rows)
    good = all(run.state is RunState.FINISHED and run.tracked for run in runs)
    if good:
        say(f"next: launch-tui metrics {runs[0].id}, launch-tui logs {runs[0].id}")
    return 0 if good else 1
