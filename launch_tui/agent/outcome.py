"""What the end of a job means: its state, and for a bad end the phase, the cause and what to do.

Pure: the exit status, what tracking saw and the last lines of the log go in. A signal N is told as
exit status 128 + N, as shells do.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from launch_tui.domain.attempt import Ended, EndKind
from launch_tui.domain.run import Phase, RunState

NEVER_INITIALISED = "exited successfully but never called wandb.init"
INTERRUPTED = 255
"""What wandb's exit record says of a script that ended by KeyboardInterrupt (WANDB.md 3.6)."""

_PYTHON_ERROR = re.compile(
    r"^(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Warning)\b.*"
)
_MAX_CAUSE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt is settled."""

    state: RunState
    exit_code: int | None = None
    phase: Phase | None = None
    cause: str | None = None
    next_step: str | None = None


def judge(
    ended: Ended,
    *,
    stopped: bool,
    tracked: bool,
    tracking_required: bool,
    wandb_exit: int | None,
    untracked_reason: str | None,
    log_tail: str,
) -> Outcome:
    """Return what an end means.

    Args:
        ended: What the target says.
        stopped: Whether the user asked for the end.
        tracked: Whether the job called ``wandb.init``.
        tracking_required: Whether it has to.
        wandb_exit: The exit code that wandb recorded, None when it recorded none.
        untracked_reason: Why tracking saw nothing, where that can be told.
        log_tail: The last lines of the job's output, made printable.
    """
    if ended.kind is EndKind.NOT_STARTED:
        return Outcome(
            state=RunState.FAILED,
            phase=Phase.START,
            cause=ended.cause or "the command could not be executed",
            next_step="check the entry point and the environment, then rerun",
        )
    code = exit_status(ended.exit_code)
    if ended.kind in (EndKind.LOST, EndKind.REBOOTED):
        return _lost(ended, stopped=stopped, wandb_exit=wandb_exit)
    if stopped:
        return Outcome(state=RunState.STOPPED, exit_code=code, cause="stopped by the user")
    if code != 0:
        return _failed(ended.exit_code or 0, code, log_tail)
    if tracking_required and not tracked:
        cause = NEVER_INITIALISED + (f": {untracked_reason}" if untracked_reason else "")
        return Outcome(
            state=RunState.FAILED,
            exit_code=0,
            phase=Phase.TRACKING,
            cause=cause,
            next_step="call wandb.init in the script, or create the job with --tracking optional",
        )
    return Outcome(state=RunState.FINISHED, exit_code=0)


def exit_status(code: int | None) -> int | None:
    """Return a wait status (negative for a signal) as a shell tells it."""
    return code if code is None or code >= 0 else 128 - code


def last_error(log_tail: str) -> str:
    """Return the last line that reads like a Python exception, else an empty text."""
    for line in reversed(log_tail.splitlines()):
        if _PYTHON_ERROR.match(line.strip()):
            return line.strip()[:_MAX_CAUSE]
    return ""


def _lost(ended: Ended, *, stopped: bool, wandb_exit: int | None) -> Outcome:
    """Settle a run whose exit status nobody saw by what wandb wrote, if it wrote its end."""
    if stopped:
        return Outcome(state=RunState.STOPPED, cause="stopped by the user")
    told = f"{ended.cause}; wandb's exit record says {wandb_exit}"
    if wandb_exit == 0:
        return Outcome(state=RunState.FINISHED, exit_code=0, cause=told)
    if wandb_exit is not None:
        return Outcome(
            state=RunState.FAILED,
            exit_code=wandb_exit,
            phase=Phase.RUN,
            cause=told,
            next_step="read the log, then rerun",
        )
    return Outcome(
        state=RunState.LOST,
        phase=Phase.RUN,
        cause=ended.cause or "no trace of the outcome is left",
        next_step="read the log for how far it came, then rerun",
    )


def _failed(raw: int, code: int | None, log_tail: str) -> Outcome:
    what = f"exit status {code}"
    next_step = "read the log, then rerun"
    if raw < 0:
        what = f"killed by {_signal_name(-raw)} (exit status {code})"
        if -raw == signal.SIGKILL:
            next_step = "if memory ran out, ask for less of it or run fewer at once; then rerun"
    reason = last_error(log_tail)
    return Outcome(
        state=RunState.FAILED,
        exit_code=code,
        phase=Phase.RUN,
        cause=f"{what}: {reason}" if reason else what,
        next_step=next_step,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
