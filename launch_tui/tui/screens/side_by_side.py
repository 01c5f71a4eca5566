"""The logs of two to four runs side by side: each follows, is searched and saved on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Container

from launch_tui.domain.run import ENDED
from launch_tui.errors import NotFound
from launch_tui.tui import keys
from launch_tui.tui.rows import title_of
from launch_tui.tui.screens.run_actions import RunActions
from launch_tui.tui.theme import glyph
from launch_tui.tui.ui import entitle, ui
from launch_tui.tui.widgets.log_view import LogView
from launch_tui.tui.widgets.preview import shown_log, why_empty

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from launch_tui.tui.app import LaunchApp

FEWEST, MOST = 2, 4


class SideBySide(RunActions):
    """The logs of runs beside each other; where there is no room, below each other.

    Args:
        run_ids: The runs, ``FEWEST`` to ``MOST`` of them.
    """

    MODE = "runs"
    SCOPES: ClassVar[tuple[str, ...]] = ("run",)
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings("run"))

    def __init__(self, run_ids: Sequence[str]) -> None:
        super().__init__()
        self._runs = dict(zip((f"log-{n}" for n in range(MOST)), run_ids, strict=False))

    def body(self) -> ComposeResult:
        """Compose what stands between the bars."""
        with Container(id="side-by-side", classes=f"-of-{len(self._runs)}"):
            for view_id in self._runs:
                yield LogView(id=view_id, classes="pane")

    def on_mount(self) -> None:
        """Begin to follow what is live."""
        super().on_mount()
        app = ui(self)
        for view in self._views:
            view.ascii_only = app.ascii_only
        app.pulse.frame.subscribe(self, lambda _: self._tick(), immediate=True)
        self.refresh_live()
        self._views[0].focus()

    def refresh_live(self) -> None:
        """Ask the store again."""
        app = ui(self)
        for view in self._views:
            run_id = self._runs[str(view.id)]
            try:
                run = app.launch.runs.get(run_id)
            except NotFound:
                entitle(view, f"{run_id}  deleted")
                continue
            path, build = shown_log(self, run)
            view.empty = why_empty(run, "")
            view.source = path
            sign = glyph(run.state, ascii_only=app.ascii_only)
            what = "build  " if build else ""
            entitle(view, f"{sign} {run.id}  {what}{title_of(run)}  {run.state}")
            if run.state in ENDED and not view.line_count:
                view.refresh()

    def chosen_runs(self) -> list[str]:
        """Return the run whose log has the focus."""
        focused = self.focused
        run_id = self._runs.get(str(focused.id)) if focused is not None else None
        return [run_id] if run_id is not None else []

    def compared_runs(self) -> list[str]:
        """Return all the runs."""
        return list(self._runs.values())

    @property
    def _views(self) -> list[LogView]:
        return [self.query_one(f"#{view_id}", LogView) for view_id in self._runs]

    def _tick(self) -> None:
        if self.is_current:
            for view in self._views:
                view.tick()


def open_side_by_side(app: LaunchApp, run_ids: Sequence[str]) -> None:
    """Show the logs of runs side by side; say how many it takes when it is another number."""
    if FEWEST <= len(run_ids) <= MOST:
        app.push_screen(SideBySide(run_ids))
    else:
        app.tell(
            f"logs of {FEWEST} to {MOST} runs are shown side by side, {len(run_ids)} "
            f"{'is' if len(run_ids) == 1 else 'are'} chosen: mark them with "
            f"{app.key('runs.mark')}",
            severity="warning",
        )
