"""How a run ended, as the first line over its log: what launch_tui itself has to say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from launch_tui.domain.run import ENDED, RunState
from launch_tui.domain.text import printable
from launch_tui.tui.rows import duration_of

if TYPE_CHECKING:
    from launch_tui.domain.run import Run

_KINDS_SAID = frozenset({"", "error"})


def ending(run: Run, *, lines: int = 1) -> Content:
    """Return ``launch: failed in run after 6m 02s, exit 137: oom: killed by …``, and what next.

    Empty for a run that has not ended, and for one that ended well.

    Args:
        run: The run.
        lines: On how many lines: two has the next step on the second.
    """
    if run.state not in ENDED or run.state is RunState.FINISHED:
        return Content("")
    parts: list[str | tuple[str, str]] = [
        ("launch: ", "$foreground 60%"),
        (f"{_told(run)}", "$foreground 60%"),
        (printable(run.cause or ""), "bold"),
    ]
    if run.next_step:
        gap = "\n" if lines > 1 else ". "
        parts += [gap, ("Next: ", "$foreground 60%"), printable(run.next_step)]
    return Content.assemble(*parts)


def _told(run: Run) -> str:
    told = str(run.state)
    if run.phase and run.state is RunState.FAILED:
        told += f" in {run.phase}"
    if run.ended_at and (took := duration_of(run, 0.0)):
        told += f" after {took}"
    if run.exit_code and str(run.exit_code) not in (run.cause or ""):
        told += f", exit {run.exit_code}"
    kind = run.failure or ""
    if kind not in _KINDS_SAID and kind not in (run.phase, run.state):
        told += f": {kind}"
    return printable(f"{told}: " if run.cause else told)
