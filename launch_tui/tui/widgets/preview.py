"""The live log of the run under the cursor, and beside it, where there is room, its charts.

Over the log of a run that ended badly stands what launch_tui says of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from launch_tui.domain.run import WAITING, Run, RunState
from launch_tui.domain.text import printable
from launch_tui.tui.ending import ending
from launch_tui.tui.ui import entitle, ui

if TYPE_CHECKING:
    from pathlib import Path

    from textual.dom import DOMNode

    from launch_tui.tui.widgets.charts import Charts
    from launch_tui.tui.widgets.log_view import LogView

CHARTS = 2


class Preview(Horizontal):
    """Follows one run. What the log shows is the build's while the run is being built."""

    SCOPES = ("log",)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._shown: tuple[Run | None, str] = (None, "")
        self._ending = Static(id="preview-ending", markup=False)
        self._log: LogView | None = None
        self._charts: Charts | None = None

    def on_mount(self) -> None:
        """Let the runs be painted first."""
        self.call_after_refresh(self._fill)

    def show_run(self, run: Run | None, note: str) -> None:
        """Show a run; called again when something about it has changed."""
        self._shown = (run, note)
        log, charts = self._log, self._charts
        if log is None or charts is None:
            return
        told = ending(run) if run is not None else ""
        self._ending.update(told)
        self._ending.set_class(bool(told), "-told")
        if run is None:
            log.source, log.empty = None, "No run"
            entitle(log, "Log")
            charts.follow()
            return
        path, build = shown_log(self, run)
        log.empty = why_empty(run, note)
        log.source = path
        entitle(log, f"{'Build' if build else 'Log'}  {run.id}")
        if not log.line_count:
            log.refresh()
        charts.follow(run.id)

    async def _fill(self) -> None:
        from launch_tui.tui.widgets.charts import Charts
        from launch_tui.tui.widgets.log_view import LogView

        log = LogView(id="preview-log", classes="pane", empty="No run")
        charts = Charts(CHARTS, id="preview-charts")
        log.set_reactive(LogView.ascii_only, ui(self).ascii_only)
        await self.mount(Vertical(self._ending, log, id="preview-logs"), charts)
        self._log, self._charts = log, charts
        self.show_run(*self._shown)
        ui(self).pulse.frame.subscribe(self, lambda _: log.tick(), immediate=True)


def shown_log(widget: DOMNode, run: Run) -> tuple[Path, bool]:
    """Return the log worth seeing of a run, and whether it is the build's."""
    runs = ui(widget).launch.runs
    build = run.state in (RunState.SOURCING, RunState.BUILDING) or (
        run.state is RunState.FAILED and run.phase == "build"
    )
    return runs.log_path(run.id, build=build), build


def why_empty(run: Run, note: str) -> str:
    """Return what to say where a run has written nothing."""
    if run.state in WAITING:
        return printable(f"Has not started: {note or run.state}")
    if run.cause:
        return printable(
            f"{run.state}: {run.cause}" + (f". {run.next_step}" if run.next_step else "")
        )
    return "No output yet"
