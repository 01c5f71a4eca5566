"""What the end of a job means: its state, and for a bad end the phase, the cause and what to do.

Pure but for the evidence, which is asked only about bad ends: the exit status, what tracking saw
and the last lines of the log go in. A signal N is told as exit status 128 + N, as shells do.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.domain.attempt import Ended, EndKind
from launch_tui.domain.failure import FailureKind, kind_of, next_step_of
from launch_tui.domain.run import Phase, RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.domain.kernel import KernelEvidence

NEVER_INITIALISED = "exited successfully but never called wandb.init"
INTERRUPTED = 255
"""What wandb's exit record says of a script that ended by KeyboardInterrupt (WANDB.md 3.6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt is settled.

    ``failure`` is set for each state that is no good end but ``stopped``: where it is not given, it
    follows from the others.
    """

    state: RunState
    exit_code: int | None = None
    phase: Phase | None = None
    cause: str | None = None
    next_step: str | None = None
    failure: FailureKind | None = None

    def __post_init__(self) -> None:
        if self.failure is None:
            object.__setattr__(self, "failure", kind_of(self.state, self.phase, self.cause))


def judge(
    ended: Ended,
    *,
    stopped: bool,
    tracked: bool,
    tracking_required: bool,
    wandb_exit: int | None,
    untracked_reason: str | None,
    log_tail: str,
    evidence: Callable[[], KernelEvidence] | None = None,
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
        evidence: Tells what the kernel saw of memory (``Evidence.at_end``); called only for an end
            that it can explain.
    """
    if ended.kind is EndKind.NOT_STARTED:
        return _not_started(ended)
    code = exit_status(ended.exit_code)
    if stopped:
        known = None if ended.kind in (EndKind.LOST, EndKind.REBOOTED) else code
        return Outcome(state=RunState.STOPPED, exit_code=known, cause="stopped by the user")
    if ended.kind in (EndKind.LOST, EndKind.REBOOTED):
        return _lost(ended, wandb_exit, log_tail, evidence)
    if code != 0:
        return _failed(ended.exit_code or 0, log_tail, evidence)
    if tracking_required and not tracked:
        return _untracked(untracked_reason or "")
    return Outcome(state=RunState.FINISHED, exit_code=0)


def exit_status(code: int | None) -> int | None:
    """Return a wait status (negative for a signal) as a shell tells it."""
    return code if code is None or code >= 0 else 128 - code


def last_error(log_tail: str) -> str:
    """Return the first line of the error that ended the job, else an empty text."""
    from launch_tui.domain.last_words import last_words

    words = last_words(log_tail)
    return words[0].line if words else ""


def _not_started(ended: Ended) -> Outcome:
    cause = ended.cause or "the command could not be executed"
    name = cause.partition(": ")[2]
    next_step = next_step_of(FailureKind.START)
    if cause.startswith("command not found: "):
        next_step = (
            f"add what has {name} to the job's requirements or image, or correct the entry point"
        )
    elif cause.startswith("permission denied: "):
        next_step = f"chmod +x {name}, or give its interpreter (python {name}); then rerun"
    elif "no such interpreter" in cause:
        next_step = "correct the #! line of that file, or give its interpreter; then rerun"
    return Outcome(state=RunState.FAILED, phase=Phase.START, cause=cause, next_step=next_step)


def _untracked(reason: str) -> Outcome:
    """Settle a job that ended well and broke the tracking rule."""
    kind, next_step = FailureKind.NOT_TRACKED, ""
    # The words are those of tracking.variables.why_untracked.
    if reason.startswith("wandb is disabled"):
        kind = FailureKind.WANDB_DISABLED
    elif reason.startswith("wandb is not installed"):
        next_step = (
            "add wandb to the job's requirements.txt or pyproject.toml, create a new version of "
            "the job, then launch it"
        )
    elif "mode='online'" in reason:
        next_step = (
            "leave mode='online' out of wandb.init, since runs are recorded offline, or pass a key "
            "on with --pass-env WANDB_API_KEY"
        )
    return Outcome(
        state=RunState.FAILED,
        exit_code=0,
        phase=Phase.TRACKING,
        cause=NEVER_INITIALISED + (f": {reason}" if reason else ""),
        next_step=next_step or next_step_of(kind),
        failure=kind,
    )


def _lost(
    ended: Ended,
    wandb_exit: int | None,
    log_tail: str,
    evidence: Callable[[], KernelEvidence] | None,
) -> Outcome:
    """Settle a run whose exit status nobody saw by what wandb wrote, if it wrote its end."""
    told = f"{ended.cause}; wandb's exit record says {wandb_exit}"
    if wandb_exit == 0:
        return Outcome(state=RunState.FINISHED, exit_code=0, cause=told)
    if wandb_exit is not None:
        known = _failed(wandb_exit, log_tail, None)
        return Outcome(
            state=RunState.FAILED,
            exit_code=wandb_exit,
            phase=Phase.RUN,
            cause=told,
            next_step=known.next_step,
            failure=known.failure,
        )
    # The kernel's log may know how it ended although its supervisor was killed too.
    found = evidence() if evidence is not None and ended.kind is EndKind.LOST else None
    if found is not None and any(kill.pid == found.main for kill in found.kills):
        return _failed(-signal.SIGKILL, log_tail, lambda: found)
    return Outcome(
        state=RunState.LOST,
        phase=Phase.RUN,
        cause=ended.cause or "no trace of the outcome is left",
        next_step=next_step_of(FailureKind.LOST),
    )


def _failed(
    exit_code: int, log_tail: str, evidence: Callable[[], KernelEvidence] | None
) -> Outcome:
    # Runs that end well never need it, and an agent that starts should not wait for it.
    from launch_tui.domain.classify import classify

    failure = classify(exit_code, log_tail, evidence)
    return Outcome(
        state=RunState.FAILED,
        exit_code=exit_status(exit_code),
        phase=Phase.RUN,
        cause=failure.cause,
        next_step=failure.next_step,
        failure=failure.kind,
    )
