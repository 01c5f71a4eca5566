"""The queues: where runs wait and run, how many at once, and what stands in line."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal, Vertical

from launch_tui.errors import LaunchError, UsageError
from launch_tui.tui import keys
from launch_tui.tui.editing import edit_text
from launch_tui.tui.glance import seconds
from launch_tui.tui.going import open_run, show_queue
from launch_tui.tui.polls import polled
from launch_tui.tui.rows import age
from launch_tui.tui.screens.confirm import Choice, Confirm
from launch_tui.tui.screens.listing import ListScreen
from launch_tui.tui.standstill import blocks
from launch_tui.tui.theme import glyph, state_style
from launch_tui.tui.ui import ui
from launch_tui.tui.wanted import LIVE
from launch_tui.tui.widgets.columns import Column
from launch_tui.tui.widgets.facts import Facts, fact, facts, heading, weak
from launch_tui.tui.widgets.list_rows import ListRows
from launch_tui.tui.widgets.window_table import Cell, Row, WindowTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.content import Content

    from launch_tui.domain.queue import Queue
    from launch_tui.domain.run import Run
    from launch_tui.store.agents import AgentStatus

COLUMNS = (
    Column(key="name", label="QUEUE", width=8, flexible=True),
    Column(key="resource", label="RESOURCE", width=14, rank=3),
    Column(key="running", label="RUNNING", width=7, right=True),
    Column(key="depth", label="WAITING", width=7, right=True),
    Column(key="oldest", label="OLDEST", width=6, rank=2, right=True),
    Column(key="state", label="STATE", width=6, rank=1),
)
IN_LINE = (
    Column(key="state", label="", width=1),
    Column(key="id", label="RUN", width=8, whole=True),
    Column(key="job", label="JOB", width=10, flexible=True),
    Column(key="word", label="STATE", width=9, rank=1),
    Column(key="age", label="AGE", width=4, rank=2, right=True),
)
MOST_IN_LINE = 50

NO_QUEUES = """\
No queues yet. A queue is where runs wait their turn and run.

 {new}  make one: processes or containers, one or more at once
"""


class QueuesScreen(ListScreen):
    """The queues at the left, the one under the cursor at the right."""

    MODE = "queues"
    SCOPES: ClassVar[tuple[str, ...]] = ("queues", "list")
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.bindings("queues", "list"),
        *ListScreen.BINDINGS,
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows = ListRows()
        self._line = ListRows()
        self._polled = ""
        self._kept: dict[str, str] = {}
        """What a person wrote in the editor and could not be taken, by queue."""

    def body(self) -> ComposeResult:
        """Compose what stands between the bars."""
        with Horizontal(classes="pair"):
            yield WindowTable(COLUMNS, self._rows, id="queue-table", classes="pane")
            with Vertical(id="queue-side", classes="side-pane"):
                yield Facts(id="queue-facts", title="Queue")
                yield WindowTable(
                    IN_LINE, self._line, id="queue-line", classes="pane", header=False,
                    empty="nothing waits or runs here",
                )  # fmt: skip
        yield self.filter_line()

    def on_mount(self) -> None:
        """Begin to follow what is live."""
        super().on_mount()
        for table in self.query(WindowTable):
            table.ascii_only = ui(self).ascii_only
        self.query_one("#queue-line").border_title = "Runs and waits"
        self._table.focus()
        ui(self).glance_changed.subscribe(self, lambda _: self._glance_changed())
        ui(self).pulse.frame.subscribe(self, lambda _: self._look_at_polls(), immediate=True)

    def refresh_live(self) -> None:
        """Show the queues as the glance has them."""
        self._show_table()
        self._show_facts()

    def refresh_ages(self) -> None:
        """Draw ages anew."""
        self.refresh_live()

    def why_empty(self) -> str:
        """Return what stands where there is no queue."""
        return NO_QUEUES.format(new=ui(self).key("queues.new"))

    def go_to(self, name: str) -> None:
        """Put the cursor on a queue."""
        self._table.select(name)
        self._table.focus()

    def copy_menu(self) -> None:
        """Copy the name of the queue."""
        if self._table.cursor_key is None:
            ui(self).tell_nothing_to_copy()
        else:
            ui(self).copy(self._table.cursor_key)

    def on_window_table_row_highlighted(self, event: WindowTable.RowHighlighted) -> None:
        """Show the queue under the cursor."""
        event.stop()
        if event.table is self._table:
            self._show_facts()

    def on_window_table_row_opened(self, event: WindowTable.RowOpened) -> None:
        """Open a run of the line; enter on a queue goes to its line."""
        event.stop()
        if event.table is self._table:
            self.open_detail("#queue-line")
        elif event.key is not None:
            open_run(ui(self), event.key)

    def action_list_open(self) -> None:
        """Open what the cursor is on."""
        if isinstance(self.focused, WindowTable):
            self.focused.action_open()

    def action_queues_new(self) -> None:
        """Make a queue."""
        from launch_tui.tui.screens.new_queue import NewQueue

        app = ui(self)
        app.ask(NewQueue(), lambda name: show_queue(app, name))

    def action_queues_pause(self) -> None:
        """Pause the queue under the cursor, or resume it."""
        queue = self._current()
        if queue is not None:
            name, paused = queue.name, queue.paused
            ui(self).act(
                lambda launch: launch.queues.resume(name) if paused else launch.queues.pause(name)
            )

    def action_queues_more(self) -> None:
        """Let one run more run at once."""
        self._change_limit(1)

    def action_queues_fewer(self) -> None:
        """Let one run fewer run at once."""
        self._change_limit(-1)

    def action_queues_at_once(self) -> None:
        """Ask how many runs the queue runs at once."""
        from launch_tui.tui.screens.ask_name import AskName

        queue, app = self._current(), ui(self)
        if queue is None:
            return
        name = queue.name

        def take(text: str) -> None:
            if not text.isdecimal() or not int(text):
                app.tell_error(UsageError("max_running", f"{text!r} is none", allowed="1 or more"))
                return
            app.act(lambda launch: launch.queues.update(name, max_running=int(text)))

        modal = AskName(
            f"Runs of {name} at once", f"{queue.running} run, {queue.depth:,} wait",
            placeholder="a number from 1 on", begins=str(queue.max_running),
        )  # fmt: skip
        app.ask(modal, take)

    def action_queues_edit(self) -> None:
        """Edit the settings in the person's editor; what cannot be taken is kept for the next."""
        from launch_tui.tui.queue_settings import (
            apply_settings,
            read_settings,
            settings_document,
            with_problem,
        )

        queue, app = self._current(), ui(self)
        if queue is None:
            return
        edited: str | None = None
        try:
            edited = edit_text(app, self._kept.get(queue.name) or settings_document(queue))
            changes = read_settings(edited, queue) if edited is not None else None
        except LaunchError as error:
            if isinstance(error, UsageError) and edited is not None:
                self._kept[queue.name] = with_problem(edited, error)
                goes_on = f"{app.key('queues.edit')} goes on with it"
                app.tell(f"{error} What you wrote is kept: {goes_on}.", severity="error",
                         seconds=10)  # fmt: skip
            else:
                app.tell_error(error)
            return
        if edited is not None:
            self._kept.pop(queue.name, None)
        if changes:
            name = queue.name
            app.act(lambda launch: apply_settings(launch, name, changes))

    def action_queues_settings(self) -> None:
        """Change the settings in a form."""
        from launch_tui.tui.screens.new_queue import EditQueue

        queue = self._current()
        if queue is not None:
            ui(self).ask(EditQueue(queue), self.go_to)

    def action_queues_delete(self) -> None:
        """Delete the queue under the cursor, after asking."""
        queue, app = self._current(), ui(self)
        if queue is None:
            return
        name, runs = queue.name, app.launch.runs.count(queue=queue.name)
        if runs:
            self._delete_with_runs(queue, runs)
            return
        modal = Confirm(
            f"Delete queue {name}",
            "It has no runs.",
            (Choice("delete", "Delete", key="d", dangerous=True),),
            default="",
        )
        app.ask(modal, lambda _: app.act(lambda launch: launch.queues.delete(name)))

    def _delete_with_runs(self, queue: Queue, runs: int) -> None:
        """Delete a queue with all its runs, once its name has been typed."""
        from launch_tui.sdk.queue_removal import delete_with_runs
        from launch_tui.tui.screens.ask_name import AskName

        app, name = ui(self), queue.name
        waits = f", {queue.depth:,} of them waiting" if queue.depth else ""
        modal = AskName(
            f"Delete queue {name}",
            f"Its {runs:,} runs go with it{waits}: logs, metrics, files. Type its name to do it.",
            placeholder=name,
            must_be=name,
        )
        app.ask(
            modal,
            lambda _: app.act(
                lambda launch: delete_with_runs(launch, name),
                lambda deleted: app.tell(f"deleted queue {name} with {deleted:,} runs"),
            ),
        )

    @property
    def _table(self) -> WindowTable:
        return self.query_one("#queue-table", WindowTable)

    def _current(self) -> Queue | None:
        key = self._table.cursor_key
        return next((queue for queue in ui(self).glance.queues if queue.name == key), None)

    def _glance_changed(self) -> None:
        if self.is_current:
            self.refresh_live()

    def _look_at_polls(self) -> None:
        """Tell it when the agent stands still, too: nothing else on the screen would."""
        if self.is_current and (queue := self._current()) and self._polled != self._when(queue):
            self._show_facts()

    def _when(self, queue: Queue) -> str:
        app = ui(self)
        return polled(app.glance.agent, app.host_file.last, app.clock(), queue.name)

    def _change_limit(self, by: int) -> None:
        queue = self._current()
        if queue is None or queue.max_running + by < 1:
            return
        name, limit = queue.name, queue.max_running + by
        ui(self).act(lambda launch: launch.queues.update(name, max_running=limit))

    def _show_table(self) -> None:
        app = ui(self)
        since = app.launch.queues.waiting_since()
        rows = [self._row(queue, since.get(queue.name)) for queue in app.glance.queues]
        self._rows.rows = self.matching(rows)
        self._table.reload()
        count = len(self._rows.rows)
        self._table.border_title = f"Queues  {count:,}" if count else "Queues"

    def _row(self, queue: Queue, since: str | None) -> Row:
        app = ui(self)
        full = queue.running >= queue.max_running
        return Row(
            key=queue.name,
            cells=(
                Cell(queue.name, "bold"),
                Cell(queue.resource, "dim"),
                Cell(f"{queue.running}/{queue.max_running}", "" if full else "dim"),
                Cell(f"{queue.depth:,}" if queue.depth else "-", "" if queue.depth else "dim"),
                Cell(age(app.clock() - seconds(since)) if since else "", "dim"),
                Cell("paused", "bold") if queue.paused else Cell("active", "dim"),
            ),
        )

    def _show_facts(self) -> None:
        app, queue = ui(self), self._current()
        self.query_one("#queue-side").set_class(queue is None, "-nothing")
        if queue is None:
            return
        self._polled = self._when(queue)
        self.query_one("#queue-facts", Facts).show(
            queue_content(queue, app.glance.agent, app.key, self._polled), queue.name
        )
        runs = app.launch.runs.list(queue=queue.name, states=LIVE, limit=MOST_IN_LINE)
        self._line.rows = [self._line_row(run) for run in runs]
        self.query_one("#queue-line", WindowTable).reload()

    def _line_row(self, run: Run) -> Row:
        app = ui(self)
        look = state_style(run.state, app.current_theme)
        return Row(
            key=run.id,
            cells=(
                Cell(glyph(run.state, ascii_only=app.ascii_only), look),
                Cell(run.id),
                Cell(run.job, "dim"),
                Cell(run.state, look),
                Cell(age(app.clock() - seconds(run.created_at)), "dim"),
            ),
        )


def queue_content(
    queue: Queue, agent: AgentStatus | None, key: Callable[[str], str], when: str
) -> list[Content]:
    """Return what a page says of a queue.

    Args:
        queue: The queue.
        agent: The agent of this data directory.
        key: Returns the key of an action.
        when: When the agent last polled it.
    """
    why = blocks(queue, agent, key) if queue.depth else ""
    waits = f"{queue.depth:,}" if queue.depth else "none"
    lines = [
        fact("resource", queue.resource),
        fact("running", f"{queue.running} of at most {queue.max_running}"),
        fact("waiting", waits),
        *([fact("waits for", why, "$warning")] if why else []),
        fact("state", "paused" if queue.paused else "active"),
        fact("polled", when),
        fact("tracking", queue.tracking),
    ]
    lines.append(fact("order", "by priority" if queue.prioritized else "as enqueued"))
    if queue.config or queue.template_variables:
        lines += _configuration(queue)
    lines.append(weak(""))
    told = (
        (f"{key('queues.more')} {key('queues.fewer')}", "at once"),
        (key("queues.pause"), "pause"),
        (key("queues.settings"), "settings"),
        (key("queues.edit"), "edit"),
    )
    words = [f"{shown} {what}" for shown, what in told]
    lines += [weak("  ".join(words[:2])), weak("  ".join(words[2:]))]
    return lines


def _configuration(queue: Queue) -> list[Content]:
    """Return what runs of a queue get, and what a launch may choose of it."""
    from launch_tui.domain.resource_config import shown
    from launch_tui.tui.queue_fields import variable_told

    lines = heading("Resource configuration")
    lines += facts(list(shown(queue.config).items()))
    if queue.template_variables:
        lines += heading("Template variables")
    for name, declaration in queue.template_variables.items():
        lines.append(fact(name, variable_told(declaration)))
        if description := declaration.get("description", ""):
            lines.append(weak(f"  {description}"))
    return lines
