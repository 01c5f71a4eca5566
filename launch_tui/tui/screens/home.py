"""Home: queues and jobs, the runs, the log and charts of the run under the cursor."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal, Vertical

from launch_tui.domain.run import Run
from launch_tui.domain.text import printable
from launch_tui.errors import LaunchError
from launch_tui.sdk.devices import DevicesFile
from launch_tui.sdk.listing import ids_at
from launch_tui.tui import keys
from launch_tui.tui.notes import Notes
from launch_tui.tui.progress import Progresses
from launch_tui.tui.rows import RunPages
from launch_tui.tui.run_rows import COLUMNS, Drawing, RunRows, columns_for
from launch_tui.tui.screens.run_filter import RunFilter
from launch_tui.tui.ui import entitle, ui
from launch_tui.tui.wanted import Wanted
from launch_tui.tui.widgets.first_run import FirstRun
from launch_tui.tui.widgets.job_list import JobList
from launch_tui.tui.widgets.preview import Preview
from launch_tui.tui.widgets.queue_list import QueueList
from launch_tui.tui.widgets.side_list import SideList
from launch_tui.tui.widgets.window_table import PAGE, WindowTable

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.timer import Timer

    from launch_tui.sdk.folding import Group
    from launch_tui.store.enqueuing import Enqueued

PREVIEW_DELAY_S = 0.15
"""The preview follows the cursor this late, so that holding ``j`` does not thrash."""
MOST_MARKED = 2_000
"""Runs that can be marked at once."""


class HomeScreen(RunFilter):
    """The runs, and what they come from."""

    MODE = "runs"
    SCOPES: ClassVar[tuple[str, ...]] = ("runs", "run", "list")
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings("runs", "run", "list"))

    def __init__(self) -> None:
        super().__init__()
        self._preview_due: Timer | None = None
        self._previewed: tuple[Run | None, str] | None = None
        self._noted: object = None
        self._agent_runs = False
        self._gpus: dict[str, int] = {}

    def body(self) -> ComposeResult:
        """Compose what stands between the bars."""
        app = ui(self)
        self._pages = RunPages(app.launch)
        self._devices = DevicesFile(app.home)
        self._notes = Notes(
            app.launch,
            glance=lambda: ui(self).glance,
            gpus=lambda: self._gpus,
            ascii_only=app.ascii_only,
        )
        self._progress = Progresses(app)
        self._rows = RunRows(self._pages, self._notes.of, self._drawing, self._progress.of)
        with Horizontal(id="home"):
            with Vertical(id="side"):
                yield QueueList(id="queues")
                yield JobList(id="jobs")
            with Vertical(id="main"):
                yield FirstRun()
                yield WindowTable(COLUMNS, self._rows, id="runs", classes="pane")
                yield Preview(id="preview")

    def on_mount(self) -> None:
        """Begin to follow what is live."""
        super().on_mount()
        app = ui(self)
        table = self._table
        table.ascii_only = app.ascii_only
        self.query_one("#queues").border_title = "Queues"
        self.query_one("#jobs").border_title = "Jobs"
        for side in self.query(SideList):
            side.pointer = ">" if app.ascii_only else "▸"
        table.focus()
        app.pulse.frame.subscribe(self, lambda _: self._look(), immediate=True)
        app.theme_changed_signal.subscribe(self, lambda _: table.reload())

    # What is shown

    def refresh_live(self) -> None:
        """Ask the store again."""
        app = ui(self)
        self._notes.outdate()
        self._rows.outdate()
        self._show_sides()
        self._fit_columns()
        if self._finding is not None:
            self._finding.outdate()
        self._table.reload()
        self._look_at_notes()
        self._table.empty = self._why_empty()
        self._show_title()
        self._show_preview()
        app.refresh_bindings()

    def refresh_ages(self) -> None:
        """Draw the ages anew."""
        self._table.reload()

    def chosen_runs(self) -> list[str]:
        """Return the marked runs, else the one under the cursor."""
        return [key for key in self._table.chosen if not _is_group(key)]

    def marked_runs(self) -> list[str]:
        """Return the marked runs."""
        return sorted(key for key in self._table.marks if not _is_group(key))

    def chosen_groups(self) -> list[Group]:
        """Return the marked groups, else the one under the cursor."""
        keys = [key for key in self._table.chosen if _is_group(key)]
        found = [self._pages.folding.group(key) for key in keys]
        return [group for group in found if group is not None]

    def runs_done(self) -> None:
        """Unmark what was acted on."""
        if self._table.marks:
            self._table.mark(())

    def runs_made(self, made: list[Enqueued]) -> None:
        """Put the cursor on what was enqueued."""
        ui(self).look()
        self.refresh_live()
        self.go_to(made[0].id)

    def go_to(self, run_id: str) -> None:
        """Put the cursor on a run or its folded group, dropping the filter if it hides it."""
        if not self._select(run_id):
            self._want(Wanted())
            self._table.reload()
            self._select(run_id)
        self._table.focus()

    def _select(self, run_id: str) -> bool:
        if self._table.select(run_id):
            return True
        try:
            group = ui(self).launch.runs.get(run_id).group
        except LaunchError:
            return False
        return bool(group) and self._table.select(group)

    def _drawing(self) -> Drawing:
        app = ui(self)
        return Drawing(
            now=app.clock(),
            theme=app.current_theme,
            ascii_only=app.ascii_only,
            priorities=self._has_priorities(),
        )

    def _has_priorities(self) -> bool:
        return any(queue.prioritized for queue in ui(self).glance.queues)

    def _show_sides(self) -> None:
        app = ui(self)
        wanted = self._pages.wanted
        jobs = self.query_one("#jobs", JobList)
        jobs.empty = f"none: {app.key('app.jobs')}, then {app.key('jobs.add')}"
        jobs.show_jobs(app.launch.jobs.list(), wanted.job)
        self.query_one("#queues", QueueList).show_glance(app.glance, wanted.queue)

    def _show_title(self) -> None:
        parts = ["Runs"]
        if self._table.row_count:
            parts.append(f"{self._table.row_count:,}")
        if self._table.marks:
            parts.append(f"{len(self._table.marks):,} marked")
        parts += filter(None, (self._pages.wanted.order, self.progress_of_filter))
        entitle(self._table, "  ".join(parts), self.filter_told)

    def _why_empty(self) -> str:
        app = ui(self)
        if self.progress_of_filter or not app.glance.total:
            return self.progress_of_filter
        hidden = f"hides {app.glance.total:,} runs  {app.key('app.back')}"
        if self._pages.wanted.in_force == "failures":
            return f"No run failed or was lost: this filter {hidden}"
        return f"Filter {printable(self._pages.wanted.in_force)} {hidden}"

    def _look(self) -> None:
        """Follow what changes without the store: the agent's life and the GPUs; then the notes."""
        if not self.is_current:
            return
        if self._devices.look():
            devices = self._devices.devices
            gpus = {gpu.uuid: gpu.index for gpu in devices.machine.gpus} if devices else {}
            if gpus != self._gpus:
                self._gpus = gpus
                self._notes.outdate()
        if ui(self).glance.agent_runs != self._agent_runs:
            self._agent_runs = ui(self).glance.agent_runs
            self._notes.outdate()
        self._look_at_found()
        self._look_at_notes()
        self._look_at_progress()

    def _look_at_found(self) -> None:
        """Show what the filter has found by now, and how far it is."""
        if self.take_found():
            self._table.empty = self._why_empty()
        if self._finding is not None:
            self._show_title()

    def _look_at_notes(self) -> None:
        """Ask for the notes of the rows in view."""
        if not self.is_current:
            return
        table = self._table
        view = (table.scroll_offset.y, table.size, self._notes.generation)
        if view == self._noted:
            return
        seen: dict[str, Run | Group] = {**self._rows.seen, **self._rows.groups}
        in_view = [seen[key] for key in table.keys_in_view if key in seen]
        if self._notes.look(in_view):
            table.reload()
            self._show_preview()
        self._noted = view if self._notes.complete else None

    def _look_at_progress(self) -> None:
        """Show how far the runs in view are, as far as that has been read."""
        seen, table = self._rows.seen, self._table
        in_view = [seen[key] for key in table.keys_in_view if key in seen]
        if self._progress.look(in_view):
            table.reload()

    # The preview

    def on_window_table_row_highlighted(self, event: WindowTable.RowHighlighted) -> None:
        """Follow the cursor, a little later."""
        event.stop()
        if self._preview_due is not None:
            self._preview_due.stop()
        if self._previewed is None:
            self._show_preview()
        else:
            self._preview_due = self.set_timer(PREVIEW_DELAY_S, self._show_preview)

    def _show_preview(self) -> None:
        preview = self.query_one("#preview", Preview)
        if not preview.display:
            return
        run = self._run_under_cursor()
        shown = (run, self._notes.of(run) if run is not None else "")
        if shown != self._previewed:
            self._previewed = shown
            preview.show_run(*shown)

    def _run_under_cursor(self) -> Run | None:
        """Return the run to be previewed: of a group the one that is worth a look."""
        key = self._table.cursor_key or ""
        if group := self._rows.groups.get(key):
            return self._pages.folding.liveliest(group)
        return self._rows.seen.get(key)

    def on_resize(self) -> None:
        """Show the preview again where there is room for it now."""
        self._previewed = None
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        self._fit_columns()
        self._show_preview()

    def _fit_columns(self) -> None:
        width = self._table.size.width
        columns = columns_for(width, priorities=self._has_priorities())
        if columns != self._table.columns:
            self._table.columns = columns

    # Choosing what is shown

    def on_side_list_chosen(self, event: QueueList.Chosen) -> None:
        """Show the runs of a queue or of a job; choosing it again shows all."""
        event.stop()
        wanted = self._pages.wanted
        if event.side_list.id == "queues":
            queue = "" if event.key == wanted.queue else event.key
            self._want(replace(wanted, queue=queue, text="", rest=False))
        else:
            job = "" if event.key == wanted.job else event.key
            self._want(replace(wanted, job=job, text="", rest=False))
        self._table.focus()

    def on_window_table_row_opened(self, event: WindowTable.RowOpened) -> None:
        """Open a run, unfold or fold a group."""
        event.stop()
        from launch_tui.tui.screens.run import RunScreen

        if event.key is not None and _is_group(event.key):
            self._fold(event.key, unfold=event.key not in self._pages.folding.unfolded)
        elif event.key is not None:
            self.app.push_screen(RunScreen(event.key))

    def on_window_table_marks_changed(self, event: WindowTable.MarksChanged) -> None:
        """Say how many are marked."""
        event.stop()
        self._show_title()

    def action_runs_mark(self) -> None:
        """Mark the run under the cursor."""
        self._table.action_mark()

    def action_runs_mark_all(self) -> None:
        """Mark all runs that are shown, or none."""
        shown = self._table.row_count
        if self._table.marks:
            self._table.mark(())
        elif shown > MOST_MARKED:
            self._warn(f"{shown:,} runs are shown: filter them to {MOST_MARKED:,} at most")
        elif self._pages.found is not None:
            self._table.mark(ids_at(ui(self).launch, self._pages.found))
        else:
            self._table.mark(self._shown_keys())

    def _shown_keys(self) -> list[str]:
        """Return the groups and runs that are shown, but for runs that a group's row means."""
        shown: dict[str, Run | Group] = {}
        for first in range(0, self._table.row_count, PAGE):
            shown |= {item.id: item for item in self._pages.page(first, PAGE)}
        return [
            key
            for key, item in shown.items()
            if not isinstance(item, Run) or item.group not in shown
        ]

    def action_runs_logs(self) -> None:
        """Show the logs of the marked runs side by side."""
        from launch_tui.tui.screens.side_by_side import open_side_by_side

        open_side_by_side(ui(self), self.marked_runs() or self.chosen_runs())

    def action_runs_unfold(self) -> None:
        """Show the runs of the group under the cursor."""
        key = self._table.cursor_key
        if key is not None and _is_group(key):
            self._fold(key, unfold=True)

    def action_runs_fold(self) -> None:
        """Show the group under the cursor, or that of the run there, as one row."""
        key = self._table.cursor_key or ""
        run = self._rows.seen.get(key)
        self._fold(run.group if run is not None else key, unfold=False)

    def _fold(self, group: str, *, unfold: bool) -> None:
        unfolded = self._pages.folding.unfolded
        if unfold == (group in unfolded):
            return
        if unfold:
            unfolded.add(group)
        else:
            unfolded.discard(group)
            self._table.select(group)
        self._rows.outdate()
        self._table.reload()
        self._table.select(group)
        self._noted = None
        self._look_at_notes()
        self._show_title()

    def action_list_open(self) -> None:
        """Open the run under the cursor."""
        self._table.action_open()


def _is_group(key: str) -> bool:
    # No run's id has a dash, and every group's has one.
    return "-" in key
