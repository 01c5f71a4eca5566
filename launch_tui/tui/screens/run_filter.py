"""Choosing which runs are shown and in which order: keys, the line one types in, the palette.

What is chosen is one value (``Wanted``). Changing it drops what was found for the one before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from launch_tui.errors import UsageError
from launch_tui.tui.finding import Finding
from launch_tui.tui.glance import FAILED
from launch_tui.tui.screens.run_actions import RunActions
from launch_tui.tui.ui import ui
from launch_tui.tui.wanted import LIVE, Wanted, understand
from launch_tui.tui.widgets.status_bar import StatusBar
from launch_tui.tui.widgets.window_table import WindowTable

if TYPE_CHECKING:
    from textual.timer import Timer
    from textual.widgets import Input

    from launch_tui.domain.run import RunState
    from launch_tui.domain.sorting import Sort
    from launch_tui.tui.rows import RunPages
    from launch_tui.tui.run_rows import RunRows

TYPING_DELAY_S = 0.2
FILTER_HINT = "words  state:failed  lr>=1e-3  loss<0.3  -tag:debug"


class RunFilter(RunActions):
    """A screen with the runs' table, which can be filtered and sorted."""

    _pages: RunPages
    _rows: RunRows

    def __init__(self) -> None:
        super().__init__()
        self._typing_due: Timer | None = None
        self._field: Input | None = None
        self._finding: Finding | None = None
        self._refusal = ""

    @property
    def filter_told(self) -> str:
        """What the table's border tells: why what is typed is refused, else what is restricted."""
        return self._refusal or self.filter_in_force

    @property
    def filter_in_force(self) -> str:
        """What is restricted, for the status bar."""
        return self._pages.wanted.in_force

    @property
    def filter_text(self) -> str:
        """What is restricted, as one would type it: what a filter with a name holds."""
        wanted = self._pages.wanted
        if wanted.text:
            return wanted.text
        states = {LIVE: "active", FAILED: "failed or state:lost"}.get(wanted.states, "")
        parts = [f"({'state:' + states})"] if states else []
        parts += [f"queue={wanted.queue}"] if wanted.queue else []
        parts += [f"job={wanted.job}"] if wanted.job else []
        return " ".join(parts)

    @property
    def progress_of_filter(self) -> str:
        """``filtering 43 %`` while the runs are looked through; empty when they have been."""
        return self._finding.progress if self._finding is not None else ""

    @property
    def _table(self) -> WindowTable:
        return self.query_one("#runs", WindowTable)

    def filter_by(self, text: str) -> None:
        """Filter by a text, as if it had been typed."""
        app = ui(self)
        queues = [queue.name for queue in app.glance.queues]
        jobs = [job.name for job in app.launch.jobs.list()]
        try:
            wanted = understand(self._pages.wanted, text, queues, jobs)
        except UsageError as error:
            if self._is_typing:
                self._tell(
                    error.problem + (f" (allowed: {error.allowed})" if error.allowed else "")
                )
            else:
                app.tell_error(error)
            return
        self._want(wanted)

    def show_failures(self) -> None:
        """Show only failures."""
        self._want(replace(self._pages.wanted.unfiltered(), states=FAILED))

    def on_window_table_header_clicked(self, event: WindowTable.HeaderClicked) -> None:
        """Sort by a column that was clicked, or the other way round."""
        from launch_tui.tui.run_rows import SORTS

        event.stop()
        sort = SORTS.get(event.column)
        if sort is None:
            return
        if sort is self._pages.wanted.sort:
            self.action_runs_reverse()
        else:
            self._sort_by(sort)

    async def action_list_filter(self) -> None:
        """Type a filter."""
        if self._field is None:
            self._field = await self._mount_field()
        field = self._field
        field.add_class("-open")
        field.value = self._pages.wanted.text
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is being typed, a little later."""
        event.stop()
        self._forget_typing()
        self._typing_due = self.set_timer(TYPING_DELAY_S, self._filter_as_typed)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go back to the runs; a filter that is refused is there to be mended."""
        event.stop()
        self._filter_as_typed()
        if event.value.strip() == self._pages.wanted.text:
            self._close_filter()

    def action_runs_all(self) -> None:
        """Show only runs that wait or run, or all."""
        self._toggle_states(LIVE)

    def action_runs_failures(self) -> None:
        """Show only failures, or all."""
        self._toggle_states(FAILED)

    def action_runs_sort(self) -> None:
        """Sort by the next of state, age, queue, name and metric."""
        self._sort_by(self._pages.wanted.sort.next)

    def action_runs_reverse(self) -> None:
        """Show the runs the other way round."""
        wanted = self._pages.wanted
        self._order(replace(wanted, backwards=not wanted.backwards))

    def action_runs_mine(self) -> None:
        """Show only the runs that this person launched."""
        from launch_tui.sdk.launching import author

        self.filter_by(f"author={author()}")

    def action_runs_last_hour(self) -> None:
        """Show only the runs of the last hour."""
        self.filter_by("age<1h")

    def action_runs_clear(self) -> None:
        """Show all runs again."""
        self._want(self._pages.wanted.unfiltered())

    def action_runs_save(self) -> None:
        """Ask for a name, and keep the filter under it."""
        from launch_tui.tui.screens.ask_name import AskName

        app, text = ui(self), self.filter_text
        if not text:
            key = app.key("list.filter")
            app.tell(f"no filter is in force: {key} types one", severity="warning")
            return

        def save(name: str) -> None:
            app.act(
                lambda launch: launch.filters.save(name, text),
                lambda _: app.tell(f"saved filter {name}: {text}"),
            )

        app.ask(AskName("Save the filter", text, placeholder="a name for it"), save)

    def go_back(self) -> bool:
        """Close the filter's line, then unmark, then clear the filter."""
        if self._is_typing:
            self._close_filter()
        elif self._table.marks:
            self._table.mark(())
        elif self._pages.wanted.in_force:
            self.action_runs_clear()
        else:
            return False
        self._table.focus()
        return True

    def take_found(self) -> bool:
        """Show what the search has found since it was last asked; say whether there was news."""
        found = self._finding.news() if self._finding is not None else None
        if found is None:
            return False
        self._pages.found = found
        self._rows.outdate()
        self._table.reload()
        return True

    def _sort_by(self, sort: Sort) -> None:
        self._order(replace(self._pages.wanted, sort=sort, backwards=False))

    def _order(self, wanted: Wanted) -> None:
        """Show the same runs in another order, from its first on."""
        self._want(wanted)
        self._table.action_go(0)

    def _toggle_states(self, states: tuple[RunState, ...]) -> None:
        wanted = self._pages.wanted
        chosen = () if wanted.states == states else states
        self._want(replace(wanted, states=chosen, text="", rest=False))

    def _filter_as_typed(self) -> None:
        text = self._field.value if self._field is not None else ""
        if text.strip() != self._pages.wanted.text:
            self.filter_by(text)
        else:
            self._tell("")

    @property
    def _is_typing(self) -> bool:
        return self._field is not None and self._field.has_class("-open")

    def _tell(self, refusal: str) -> None:
        if refusal != self._refusal:
            self._refusal = refusal
            self.refresh_live()

    def _forget_typing(self) -> None:
        if self._typing_due is not None:
            self._typing_due.stop()

    def _close_filter(self) -> None:
        # What was typed counts by enter; escape right after it is not to be undone by a timer.
        self._forget_typing()
        if self._field is not None:
            self._field.remove_class("-open")
        self._tell("")
        self._table.focus()

    async def _mount_field(self) -> Input:
        # Not before it is asked for: input fields cost the first paint 30 ms.
        from textual.widgets import Input

        field = Input(id="filter", compact=True, placeholder=FILTER_HINT)
        field.cursor_blink = False
        await self.query_one("#main").mount(field, after=self._table)
        return field

    def _want(self, wanted: Wanted) -> None:
        """Show other runs."""
        if self._finding is not None:
            self._finding.end()
        self._finding = None
        if wanted.is_searched:
            self._finding = Finding(ui(self), wanted, found=self.take_found)
        self._refusal = ""
        self._pages.wanted = wanted
        self._pages.found = self._finding.news() if self._finding is not None else None
        self._table.action_go(0)
        self.refresh_live()
        self.query_one("#status", StatusBar).renew()
