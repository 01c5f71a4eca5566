"""What a build of an image prints, read as it comes: into the log, and into its steps.

BuildKit's plain progress numbers the lines of each step (``#7 [build 3/5] RUN …``, ``#7 0.2 text``,
``#7 ERROR: …``); the classic builder prints ``Step 3/9 : RUN …`` and then what the step says. Both
are read into the same steps. Values that are secret never get into the log.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from launch_tui.builders.dockerfile import NOT_INSTALLED, OWN_LINES, READ_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from launch_tui.builders.build_log import BuildLog

KEPT_LINES = 400
"""How many of the last lines of a step may tell why it failed."""
LONGEST_TITLE = 60
MASK = b"***"
_SHORTEST_SECRET = 4
_LONGEST_LINE = 1 << 16

_NUMBERED = re.compile(r"#(?P<number>\d+) (?P<rest>.*)")
_HEADER = re.compile(r"\[(?P<place>[^\]]*?)(?P<step>\d+)/(?P<steps>\d+)\] (?P<title>.+)")
_INTERNAL = re.compile(r"\[(?:internal|auth)\] ?(?P<title>.*)")
_SAID = re.compile(r"\d+\.\d+ ?(?P<text>.*)")
_DONE = re.compile(
    r"(?:CACHED|DONE [\d.]+s|\.\.\.|sha256:[0-9a-f]{64}.*|resolve .*|extracting .*)$"
)
_CLASSIC = re.compile(r"Step (?P<step>\d+)/(?P<steps>\d+) : (?P<title>.+)")
_BOOKKEEPING = re.compile(r" ---> |(?:Removing|Removed) intermediate container ")
_MOUNT = re.compile(r"--(?:mount|network|security)=\S+ ")
_ANSI = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(slots=True)
class Step:
    """One step of a build: what it is, what it has said, and why it failed, if it did."""

    title: str
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    error: str = ""


class BuildOutput:
    """Takes what a build prints.

    Args:
        log: Where all of it goes.
        report: Called with one short line at each step.
        secrets: Values that are not written to the log.
    """

    def __init__(
        self, log: BuildLog, report: Callable[[str], None], secrets: Iterable[str] = ()
    ) -> None:
        self._log = log
        self._report = report
        values = {line for value in secrets for line in (value, *value.splitlines())}
        masked = (value.encode() for value in values if len(value) >= _SHORTEST_SECRET)
        self._secrets = sorted(masked, key=len, reverse=True)
        self._rest = b""
        self._steps: dict[str, Step] = {}
        self._current: Step | None = None
        self._last: deque[str] = deque(maxlen=KEPT_LINES)
        self.notes: list[str] = []

    def feed(self, data: bytes) -> None:
        """Take some bytes; what belongs to a line that is not complete yet waits for the rest."""
        self._rest += data
        while True:
            line, end, rest = self._rest.partition(b"\n")
            if not end and len(line) < _LONGEST_LINE:
                return
            self._rest = rest
            self._line(line)

    def close(self) -> None:
        """Take what is left as a line."""
        if self._rest:
            self._line(self._rest)
            self._rest = b""

    @property
    def failed(self) -> Step:
        """The step that failed; one without a title when no step says so."""
        for step in self._steps.values():
            if step.error:
                return step
        return Step(title="", lines=self._last)

    def fail(self, message: str) -> None:
        """Note that the builder says this of the step that it was at."""
        if self._current is None:
            self._current = self._steps.setdefault("", Step(title=""))
        self._current.error = message

    def _line(self, line: bytes) -> None:
        for secret in self._secrets:
            line = line.replace(secret, MASK)
        # The classic builder colours what a step says on stderr, in pieces.
        line = _ANSI.sub(b"", line).rstrip(b"\r")
        self._log.write(line + b"\n")
        text = line.decode(errors="replace").rstrip()
        self._last.append(text)
        if match := _NUMBERED.match(text):
            self._numbered(match["number"], match["rest"])
        elif match := _CLASSIC.match(text):
            self._begin(match["title"], match["step"], match["steps"])
        elif self._current is not None and not _BOOKKEEPING.match(text):
            self._said(self._current, text)

    def _numbered(self, number: str, rest: str) -> None:
        step = self._steps.get(number)
        if step is None:
            self._steps[number] = self._titled(rest)
            return
        # What a step says without ending its line, the next thing said of it goes on with.
        if glued := re.search(rf"#{number} (?=ERROR: |DONE [\d.]+s$)", rest):
            self._numbered(number, rest[: glued.start()])
            rest = rest[glued.end() :]
        if rest.startswith("ERROR: "):
            step.error = rest.removeprefix("ERROR: ")
        elif not _DONE.match(rest):
            said = _SAID.match(rest)
            self._said(step, said["text"] if said else rest)

    def _said(self, step: Step, text: str) -> None:
        step.lines.append(text)
        if text.startswith(NOT_INSTALLED):
            self.notes.append(text.removeprefix(OWN_LINES))

    def _titled(self, rest: str) -> Step:
        if match := _HEADER.match(rest):
            title = shown_step(match["title"])
            self._report(f"build step {match['step']} of {match['steps']}: {title}")
            return Step(title=title)
        if rest.startswith("exporting"):
            self._report("writing the image")
        internal = _INTERNAL.match(rest)
        return Step(title=internal["title"] if internal else rest)

    def _begin(self, title: str, step: str, steps: str) -> None:
        self._current = self._steps[step] = Step(title=shown_step(title))
        self._report(f"build step {step} of {steps}: {self._current.title}")


def shown_step(title: str) -> str:
    """Return an instruction as people should read it: without mounts, on one short line."""
    line = " ".join(_MOUNT.sub("", title).replace(READ_SETTINGS, "").split())
    return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1]}…"
