"""The kinds of failure, what a person can do about each, and which of them a retry is for.

A kind is stored with a run, shown in lists, and named by ``--retry-on``; its values are therefore
part of the command line's contract. What decides on a kind is in ``domain.classify``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from launch_tui.domain.run import Phase, RunState
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


class FailureKind(StrEnum):
    """Why a run has no good end."""

    GPU_OOM = "gpu-oom"
    """A GPU had no memory left, by the job's own words."""
    OOM = "oom"
    """The machine, its cgroup or its shared memory had none left: by the kernel, by the job's own
    words, or by a SIGKILL that nobody here sent where the kernel cannot be asked."""
    SIGNAL = "signal"
    """A signal ended it that nobody here sent."""
    TIMEOUT = "timeout"
    """It ran longer than its limit, and the agent ended it."""
    START_TIMEOUT = "start-timeout"
    """It was not running when its limit for that was over."""
    IMPORT_ERROR = "import-error"
    """A Python module or a shared library is missing or does not fit."""
    DISK_FULL = "disk-full"
    """A disk or a quota was full."""
    NOT_TRACKED = "not-tracked"
    """It did not call ``wandb.init``, or not before it used wandb."""
    WANDB_DISABLED = "wandb-disabled"
    """It ended well, and wandb was disabled."""
    SOURCE = "source"
    """Its source could not be brought."""
    BUILD = "build"
    """Its environment could not be built."""
    START = "start"
    """Its command could not be executed."""
    DEPENDENCY = "dependency"
    """A run that it waits for ended so that this one can never start."""
    LOST = "lost"
    """No trace of the outcome is left."""
    PREEMPTED = "preempted"
    """The target resource took the machine away too often."""
    ERROR = "error"
    """It ended with a bad exit status, for a reason of its own."""


_NEXT_STEPS = {
    FailureKind.GPU_OOM: "use a smaller batch, gradient accumulation or bf16, or ask for a GPU "
    "with more free memory (--gpu-memory 40G); then rerun",
    FailureKind.OOM: "use fewer data loader workers or smaller pieces of data, ask for more "
    "(--memory 32G), or let fewer runs share the machine; then rerun",
    FailureKind.SIGNAL: "find out who sent it (an administrator, a shutdown, a watchdog); then "
    "rerun",
    FailureKind.TIMEOUT: "give it longer (--timeout 12h), or let it resume from a checkpoint in "
    "LAUNCH_TUI_RUN_DIR and rerun",
    FailureKind.START_TIMEOUT: "look at the build log and the target for what it waited for, or "
    "raise start_timeout; then rerun",
    FailureKind.IMPORT_ERROR: "add what is missing to the job's requirements.txt or "
    "pyproject.toml, create a new version of the job, then launch it",
    FailureKind.DISK_FULL: "free some space where it writes, or write elsewhere; then rerun",
    FailureKind.NOT_TRACKED: "call wandb.init in the script, or create the job with --tracking "
    "optional",
    FailureKind.WANDB_DISABLED: "remove WANDB_MODE=disabled, WANDB_DISABLED or mode='disabled', "
    "or create the job with --tracking optional",
    FailureKind.SOURCE: "check that the job's source can still be reached, then rerun",
    FailureKind.BUILD: "read the build log, correct the requirements, then launch a new version",
    FailureKind.START: "check the entry point and the environment, then rerun",
    FailureKind.DEPENDENCY: "rerun the run it waits for, then this one, or launch it without "
    "--after",
    FailureKind.LOST: "read the log for how far it came, then rerun",
    FailureKind.PREEMPTED: "rerun it when the target resource is quieter",
    FailureKind.ERROR: "read the log, then rerun",
}

_OWN_WORDS: dict[str, frozenset[FailureKind]] = {
    "oom": frozenset({FailureKind.GPU_OOM, FailureKind.OOM}),
    "timeout": frozenset({FailureKind.TIMEOUT, FailureKind.START_TIMEOUT}),
}
"""Words that stand for more than the kind of the same name."""

_NOT_OF_THE_JOB = frozenset(
    {
        # What breaks the tracking rule did all its work, and would do it all in vain once more.
        FailureKind.NOT_TRACKED,
        FailureKind.WANDB_DISABLED,
        FailureKind.DEPENDENCY,
        FailureKind.LOST,
        FailureKind.PREEMPTED,
    }
)
"""What ``failed`` does not stand for."""

# A dependant would fail at once again, once for each retry: what it waits for has its outcome.
RETRY_WORDS: tuple[str, ...] = (
    "failed",
    *(kind.value for kind in FailureKind if kind is not FailureKind.DEPENDENCY),
)
"""What ``--retry-on`` takes."""

_RETRIED = frozenset({RunState.FAILED, RunState.LOST, RunState.PREEMPTED})


def next_step_of(kind: FailureKind) -> str:
    """Return what a person can do about a failure of which no more than its kind is known."""
    return _NEXT_STEPS[kind]


def kind_of(state: RunState, phase: str | None, cause: str | None) -> FailureKind | None:
    """Return the kind of an outcome that nothing more is known of; None when it is no failure.

    Args:
        state: The outcome.
        phase: The phase that failed.
        cause: The one line that says why; a full disk is told by it, whatever it hindered.
    """
    if state is RunState.LOST:
        return FailureKind.LOST
    if state is RunState.PREEMPTED:
        return FailureKind.PREEMPTED
    if state is not RunState.FAILED:
        return None
    if phase in _BEFORE_THE_JOB and "no space left" in (cause or "").lower():
        return FailureKind.DISK_FULL
    return _BY_PHASE.get(phase or "", FailureKind.ERROR)


_BEFORE_THE_JOB = frozenset({Phase.SOURCE, Phase.BUILD, Phase.START})
_BY_PHASE: dict[str, FailureKind] = {
    Phase.SOURCE: FailureKind.SOURCE,
    Phase.BUILD: FailureKind.BUILD,
    Phase.START: FailureKind.START,
    Phase.TRACKING: FailureKind.NOT_TRACKED,
}


def parse_retry_on(words: str | Iterable[str], field: str = "--retry-on") -> tuple[str, ...]:
    """Return the words of ``--retry-on``, each once, in the order given.

    Args:
        words: ``failed,lost`` or a list of such texts.
        field: What to call the input in an error.

    Raises:
        UsageError: For a word that is none of ``RETRY_WORDS``.
    """
    texts = [words] if isinstance(words, str) else list(words)
    found: dict[str, None] = {}
    for word in (part.strip().lower() for text in texts for part in text.split(",")):
        if not word:
            continue
        if word not in RETRY_WORDS:
            raise _unknown(word, field)
        found[word] = None
    return tuple(found)


def retry_matches(retry_on: Collection[str], state: RunState, kind: FailureKind | None) -> bool:
    """Say whether a run that ended so is to be retried, as far as the reason goes.

    ``failed`` is each failure of the job itself: in bringing its source, building, starting and
    running it, time limits and memory included; not what only broke the tracking rule, which a
    second try breaks again. ``oom`` and ``timeout`` are both kinds of each. Every other word is the
    kind of that name. A run that was stopped or that finished is never retried.

    Args:
        retry_on: Words of ``RETRY_WORDS``.
        state: The state it ended in.
        kind: The kind of its failure, None where none was stored.
    """
    if state not in _RETRIED:
        return False
    if state is not RunState.FAILED:
        return state.value in retry_on
    if "failed" in retry_on and kind not in _NOT_OF_THE_JOB:
        return True
    return kind is not None and any(
        kind in _OWN_WORDS[word] if word in _OWN_WORDS else kind == word for word in retry_on
    )


def _unknown(word: str, field: str) -> UsageError:
    from difflib import get_close_matches

    near = next(iter(get_close_matches(word, RETRY_WORDS, n=1)), "")
    problem = f"{word!r} is no reason to retry" + (f", did you mean {near!r}?" if near else "")
    return UsageError(field, problem, allowed=", ".join(RETRY_WORDS))
