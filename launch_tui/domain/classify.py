"""Why a job that ended badly did: its kind, one line that says so, and what to do about it.

The evidence is heard in this order, because each later witness is weaker than the one before.

1. The kernel, when SIGKILL was the end: it names the processes that it ended for want of memory,
   and a process that is killed so writes nothing itself. What the log says last then came before.
2. The last error of the log: what the job itself says ended it. Earlier errors do not count, they
   were survived; nor does a text that merely mentions memory, because only the runtimes' own
   messages are known here.
3. The signal. A SIGKILL that nobody here sent is out of memory only where the kernel could not be
   asked; where it could and names nobody, somebody sent it.
4. Nothing more is known: an error of the job's own.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.domain.failure import FailureKind, next_step_of
from launch_tui.domain.failure_signs import (
    ABOUT,
    HEADINGS,
    KILLED,
    MAYBE_MEMORY,
    PID,
    PLAIN_STEPS,
    SHELL_STEPS,
    SIGNAL_STEPS,
    SIGNS,
    SOMEBODY_KILLED,
    SPECIAL_STEPS,
)
from launch_tui.domain.last_words import Link, last_words
from launch_tui.domain.missing_imports import step_for
from launch_tui.domain.quantities import write_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch_tui.domain.kernel import KernelEvidence, OomKill
    from launch_tui.domain.last_words import LoggedError

MAX_CAUSE = 400
RECENT_S = 60.0
"""A child whose pid nobody knows is taken for the one that the kernel ended not longer ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What ended a job, in one line each."""

    kind: FailureKind
    cause: str
    next_step: str


def classify(
    exit_code: int, log_tail: str, kernel: Callable[[], KernelEvidence] | None = None
) -> Failure:
    """Return why a job ended badly.

    Args:
        exit_code: Its exit status, or ``-N`` when signal N ended it.
        log_tail: The last lines of its output, made printable.
        kernel: Tells what the kernel saw. Called only when a process was killed, since reading the
            kernel's log takes some milliseconds.
    """
    words = last_words(log_tail)
    what = _ended_by(exit_code)
    evidence = kernel() if kernel is not None and _may_be_killed(exit_code, words) else None
    if evidence is not None:
        proof = _out_of_memory(exit_code, words, evidence)
        if proof is not None:
            return _failure(FailureKind.OOM, f"out of memory: {proof}", what, *_step_by(evidence))
    told = _told(words)
    if told is not None:
        kind, error = told
        heading = HEADINGS.get(kind, "")
        cause = f"{heading}: {error.line}" if heading else error.line
        return _failure(kind, cause, what, _step(kind, error.text))
    return _by_signal(exit_code, words, what, evidence, log_tail)


def _failure(kind: FailureKind, cause: str, what: str, step: str = "") -> Failure:
    text = f"{what}: {cause}" if cause else what
    return Failure(kind=kind, cause=text[:MAX_CAUSE], next_step=step or next_step_of(kind))


def _ended_by(exit_code: int) -> str:
    """Return the end as the first words of a cause, the signal as shells tell it."""
    if exit_code >= 0:
        return f"exit status {exit_code}"
    return f"killed by {signal_name(-exit_code)} (exit status {128 - exit_code})"


def signal_name(number: int) -> str:
    """Return the name of a signal, its number where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _may_be_killed(exit_code: int, words: Sequence[LoggedError]) -> bool:
    return _was_killed(exit_code, words) or any(error.secondary for error in words)


def _was_killed(exit_code: int, words: Sequence[LoggedError]) -> bool:
    """Say whether SIGKILL ended the job, or a process of it without which it could not go on."""
    if exit_code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return True
    return any(KILLED.search(error.text) for error in words)


def _out_of_memory(
    exit_code: int, words: Sequence[LoggedError], evidence: KernelEvidence
) -> str | None:
    """Return how the kernel shows that memory ran out; None when it does not."""
    dead = {int(pid) for error in words for pid in _pids(error.text)}
    named = [kill for kill in evidence.kills if _ended_it(kill, evidence, dead)]
    if named:
        return _told_of(named[-1])
    if not _was_killed(exit_code, words):
        return None
    if evidence.log_complete:
        # The log names each process that was ended. The main one would be among them; a child,
        # whose pid may be known to nobody, is told by the time.
        recent = [kill for kill in evidence.kills if kill.age <= RECENT_S]
        return None if exit_code == -signal.SIGKILL or not recent else _told_of(recent[-1])
    if evidence.group_kills:
        return "the kernel ended a process of its cgroup at the memory limit"
    if evidence.machine_kills:
        return "the kernel ended a process of this machine for memory while it ran"
    return None


def _ended_it(kill: OomKill, evidence: KernelEvidence, dead: set[int]) -> bool:
    """Say whether a kill was the job's end: a worker that was lost hours ago was not."""
    if kill.pid == evidence.main or kill.pid in dead:
        return True
    return kill.pid in evidence.pids and kill.age <= RECENT_S


def _pids(text: str) -> list[str]:
    return [found[1] or found[2] for found in PID.finditer(text)] if KILLED.search(text) else []


def _told_of(kill: OomKill) -> str:
    size = f", which held {write_size(kill.resident)}," if kill.resident else ""
    where = "at its memory limit" if kill.limited else "as the machine had no memory left"
    return f"the kernel ended process {kill.pid} ({kill.name}){size} {where}"


def _step_by(evidence: KernelEvidence) -> tuple[str, ...]:
    """Return the next step where the kernel says whose memory it was, else nothing."""
    if not evidence.kills:
        return ()
    if evidence.kills[-1].limited:
        return (
            "raise its limit (--memory 32G), or use fewer data loader workers or smaller pieces "
            "of data; then rerun",
        )
    return (
        "let fewer runs share the machine (a --memory for each keeps them apart), or use fewer "
        "data loader workers; then rerun",
    )


def _told(words: Sequence[LoggedError]) -> tuple[FailureKind, LoggedError] | None:
    """Return what the last errors say ended the job, and which of them says so."""
    for error in words:
        kind = _kind_of(error)
        # An import that was tried, and done without, is handled; what failed then is another thing.
        if kind is FailureKind.IMPORT_ERROR and error.link is Link.HANDLED:
            continue
        if kind is not None:
            return kind, error
    return None


def _kind_of(error: LoggedError) -> FailureKind | None:
    for kind, pattern in SIGNS:
        # These speak about something: a key, a file's name, an expectation.
        if pattern.search(error.text) and not ABOUT.match(error.line):
            return kind
    return None


def _step(kind: FailureKind, text: str) -> str:
    """Return what to do about just this message; empty when its kind says all."""
    if kind is FailureKind.IMPORT_ERROR:
        return step_for(text) or ""
    for of_kind, pattern, step in SPECIAL_STEPS:
        found = pattern.search(text) if of_kind is kind else None
        if found:
            return step.format(**found.groupdict())
    return ""


def _by_signal(
    exit_code: int,
    words: Sequence[LoggedError],
    what: str,
    evidence: KernelEvidence | None,
    log_tail: str,
) -> Failure:
    error = next((e for e in words if not e.secondary), words[0] if words else None)
    line = error.line if error is not None else ""
    if _was_killed(exit_code, words):
        if evidence is None or _knows_nothing(evidence):
            return _failure(FailureKind.OOM, line, what, MAYBE_MEMORY)
        return _failure(FailureKind.SIGNAL, line, what, SOMEBODY_KILLED)
    number = -exit_code if exit_code < 0 else exit_code - 128
    if number in SIGNAL_STEPS and (exit_code < 0 or not line):
        return _failure(FailureKind.SIGNAL, line, what, SIGNAL_STEPS[number])
    if exit_code < 0:
        return _failure(FailureKind.SIGNAL, line, what)
    said, step = _by_shell(exit_code, log_tail)
    return _failure(FailureKind.ERROR, said or line, what, step or _plain_step(line))


def _by_shell(exit_code: int, log_tail: str) -> tuple[str, str]:
    """Return the last line and the next step where a shell says why it could not go on.

    A shell ends with 127 when it does not find a command and with 126 when it may not execute it.
    """
    last = log_tail.rstrip().rpartition("\n")[2].strip()
    pattern, step = SHELL_STEPS.get(exit_code, (None, ""))
    found = pattern.search(last) if pattern is not None else None
    return (last, step.format(**found.groupdict())) if found else ("", "")


def _knows_nothing(evidence: KernelEvidence) -> bool:
    return not evidence.log_complete and evidence.machine_kills is None


def _plain_step(line: str) -> str:
    for pattern, step in PLAIN_STEPS:
        found = pattern.search(line)
        if found:
            return step.format(**found.groupdict())
    return ""
