"""Which errors a log ends with: the one that ended the job, and those that led to it.

A log may be full of errors that ended nothing: a batch that did not fit and was halved, an import
that was tried, a destructor at the interpreter's end. So an error counts only when it is the last
one, when the last one says that it was raised from it or while it was handled, or when the last
one merely reports that another process failed. The texts are Python's own (``traceback.py``) and
those of the C++ runtime, shells, torchrun, multiprocessing and Ray.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_LINE = 300
MAX_TEXT = 4000
"""Characters of an error's message that are looked at."""
STALE_LINES = 40
"""After so many lines of ordinary output an error did not end the job."""


class Link(StrEnum):
    """How an error is connected with the end of the job."""

    LAST = "last"
    """It is the last error."""
    CAUSE = "cause"
    """The last one was raised from it, or reports that the process of this one failed."""
    HANDLED = "handled"
    """The last one was raised while this one was handled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedError:
    """One error of a log: its first line, all of its message, and its part in the job's end."""

    line: str
    text: str
    link: Link = Link.LAST
    secondary: bool = False
    """Whether it only reports that another process failed."""


def last_words(log_tail: str) -> tuple[LoggedError, ...]:
    """Return the errors that ended the job, the last one first; none when no error did.

    Args:
        log_tail: The last lines of the output, made printable.
    """
    reader = _Reader()
    for line in log_tail.splitlines():
        reader.take(line)
    # What is ignored or ends a thread only ends no process; but it may be all there is.
    errors = [error for error in reader.errors if not error.aside] or reader.errors
    if not errors or errors[-1].trailing > STALE_LINES:
        return ()
    return tuple(_chain(errors))


@dataclass(slots=True)
class _Found:
    lines: list[str]
    link: Link | None
    aside: bool
    trailing: int = 0

    @property
    def text(self) -> str:
        return "\n".join(self.lines)[:MAX_TEXT]

    @property
    def secondary(self) -> bool:
        return _SECONDARY.search(self.text) is not None


class _Reader:
    """Finds errors line by line."""

    def __init__(self) -> None:
        self.errors: list[_Found] = []
        self._link: Link | None = None
        self._aside = False
        self._in_traceback = False

    def take(self, raw: str) -> None:
        line = _PREFIX.sub("", raw)
        if _TRACEBACK.match(line):
            self._in_traceback = True
        elif _ASIDE.match(line):
            self._aside = True
        elif line.startswith("The above exception was the direct cause"):
            self._link = Link.CAUSE
        elif line.startswith("During handling of the above exception"):
            self._link = Link.HANDLED
        elif _HEAD.match(line) or (self._in_traceback and _RAISED.match(line)):
            self.errors.append(_Found([line.strip()], self._link, self._aside))
            self._link, self._aside, self._in_traceback = None, False, False
        elif self.errors and not self._in_traceback:
            self._continue(line)

    def _continue(self, line: str) -> None:
        last = self.errors[-1]
        if len(last.lines) <= STALE_LINES:
            last.lines.append(line)
        if line.strip() and not _NOT_ORDINARY.match(line):
            last.trailing += 1


def _chain(errors: list[_Found]) -> list[LoggedError]:
    chain: list[LoggedError] = []
    link = Link.LAST
    for found in reversed(errors):
        chain.append(
            LoggedError(
                line=found.lines[0][:MAX_LINE],
                text=found.text,
                link=link,
                secondary=found.secondary,
            )
        )
        if found.link is None and not found.secondary:
            break
        if link is not Link.HANDLED:
            link = Link.CAUSE if found.secondary else (found.link or Link.CAUSE)
    return chain


# torchrun and torch, Ray, and exception groups put something before each line of a traceback.
_PREFIX = re.compile(r"^(?:\[(?:rank|default)\d+\]:\s?|\([^()]*\bpid=\d+[^()]*\)\s?|[ +|-]*\|\s)")
_TRACEBACK = re.compile(r"^\s*(?:[\w ]+ )?Traceback \(most recent call last\)")
_ASIDE = re.compile(r"^(?:Exception ignored |Exception in thread |Error in atexit)")
_RAISED = re.compile(r"^[A-Za-z_][\w.]*(?::|$)")
# Prose that begins with an exception's name goes on with a word, not with a colon or a bracket.
_HEAD = re.compile(
    r"^(?:(?:[A-Za-z_][\w.]*\.)?_?[A-Z]\w*(?:Error|Exception|Interrupt|Exit)(?::| ?\(|\s*$)"
    r"|terminate called after throwing an instance of "
    r"|Fatal Python error: |Could not load library "
    r"|\S+: error while loading shared libraries: |slurmstepd: error: Detected \d+ oom"
    r"|\S+ \S+ F \S+\.(?:cc|cpp):\d+\] |\S+: line \d+: |[\w./-]+\.py: error: )"
)
_NOT_ORDINARY = re.compile(r"^(?:\s|wandb:|[=~*#_-]{3}|[│╭╰┃]|\[rank)")
_SECONDARY = re.compile(
    r"\A(?:\S*(?:ChildFailedError|CalledProcessError|ProcessExitedException|BrokenProcessPool"
    r"|TerminatedWorkerError|DistBackendError|DistNetworkError|ConnectionResetError"
    r"|BrokenPipeError|EOFError|SystemExit|WorkerCrashedError|ActorDiedError)\b"
    r"|\S*RuntimeError: (?:DataLoader worker \(pid|NCCL error|\[\S+/gloo/)"
    r"|\S+: line \d+: +\d+ (?:Killed|Aborted|Segmentation|Bus|Terminated))"
)
