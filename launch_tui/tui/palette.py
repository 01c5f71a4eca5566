"""The palette: any action by its name, any run, job or queue by what it is called.

The newest runs are there at once; others are looked for by name in a thread, as one types, among
all that there are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.fuzzy import Matcher
from textual.widgets import Input

from launch_tui.domain.text import printable
from launch_tui.sdk.listing import runs_called
from launch_tui.tui import keys
from launch_tui.tui.copying import COPYABLE
from launch_tui.tui.going import open_run, show_filtered, show_job, show_queue
from launch_tui.tui.rows import title_of
from launch_tui.tui.screens.base import LaunchModal
from launch_tui.tui.screens.run_actions import RunActions
from launch_tui.tui.widgets.side_list import SideList, SideRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.timer import Timer

    from launch_tui.domain.run import Run
    from launch_tui.tui.app import LaunchApp

    Find = Callable[[str, Callable[[list["Entry"]], None]], None]

AREAS = ("run", "log", "go", "filter", "queue", "job", "agent", "wandb", "view", "help", "app")
"""The order in which actions are offered before anything is typed: as often as they are wanted."""
MOST_SHOWN = 50
RECENT_RUNS = 200
"""Runs that are offered before anything is typed."""
TYPING_DELAY_S = 0.15
LEAST_TYPED = 2
"""Letters from which on all runs are looked through."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: what it says, its key or a remark, and what it does.

    ``refused`` is why it cannot be done here, empty where it can.
    """

    text: str
    remark: str
    do: Callable[[], object]
    refused: str = ""


class Palette(LaunchModal[str]):
    """Finds and does. Returns the number of the entry that was chosen.

    Args:
        entries: Everything that can be found, most wanted first; what is found later is added.
        find: Looks for more by what was typed, and hands it on.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,ctrl+n", "move(1)", "down", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", "up", show=False, priority=True),
        Binding("pagedown,ctrl+d", "move(10)", "page down", show=False, priority=True),
        Binding("pageup,ctrl+u", "move(-10)", "page up", show=False, priority=True),
    ]

    def __init__(self, entries: list[Entry], find: Find | None = None) -> None:
        super().__init__()
        self._entries = entries
        self._find = find
        self._due: Timer | None = None

    def compose(self) -> ComposeResult:
        """Compose the parts."""
        with Vertical(classes="dialog palette") as dialog:
            dialog.border_title = "Do or find"
            line = Input(placeholder="an action, a run, a job, a queue", compact=True)
            line.cursor_blink = False
            yield line
            found = FoundList(id="found", classes="", empty="nothing is called so")
            found.can_focus = False
            yield found

    def on_mount(self) -> None:
        """Show everything."""
        self._show("")
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Find what is typed."""
        event.stop()
        text = event.value.strip()
        self._show(text)
        if self._due is not None:
            self._due.stop()
        if self._find is not None and len(text) >= LEAST_TYPED:
            self._due = self.set_timer(TYPING_DELAY_S, lambda: self._look_for(text))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Choose what the cursor is on."""
        event.stop()
        current = self._list.current
        if current is not None:
            self.dismiss(current.key)

    def on_side_list_chosen(self, event: SideList.Chosen) -> None:
        """Choose what was clicked."""
        event.stop()
        self.dismiss(event.key)

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        self._list.action_move(lines)
        self._list.mark_cursor()

    def _look_for(self, text: str) -> None:
        """Have more looked for, and show it if the text is still the same by then."""

        def found(entries: list[Entry]) -> None:
            known = {entry.text for entry in self._entries}
            fresh = [entry for entry in entries if entry.text not in known]
            self._entries += fresh
            if fresh and self.is_attached and self.query_one(Input).value.strip() == text:
                self._show(text, keep=True)

        if self._find is not None:
            self._find(text, found)

    @property
    def _list(self) -> FoundList:
        return self.query_one("#found", FoundList)

    def _show(self, text: str, *, keep: bool = False) -> None:
        at = best(text, [entry.text for entry in self._entries])[:MOST_SHOWN]
        rows = [
            SideRow(str(n), printable(each.text), printable(each.refused or each.remark),
                    weak=bool(each.refused))
            for n, each in ((n, self._entries[n]) for n in at)
        ]  # fmt: skip
        if keep:
            # What comes later is not to move the cursor off what it was put on.
            self._list.show_rows(rows)
        else:
            self._list.cursor = 0
            self._list.show_rows(rows, rows[0].key if rows else "")
            self._list.action_first()
        self._list.mark_cursor()


class FoundList(SideList):
    """What was found; the cursor is followed without the focus, which stays where one types."""

    def mark_cursor(self) -> None:
        """Mark the line under the cursor."""
        self.show_rows(self.rows, self.current.key if self.current else "")


def open_palette(app: LaunchApp) -> None:
    """Open the palette over what is shown."""
    entries = [
        *action_entries(app), *copy_entries(app), *go_entries(app), *filter_entries(app)
    ]  # fmt: skip

    def find(text: str, found: Callable[[list[Entry]], None]) -> None:
        app.act(
            lambda launch: runs_called(launch, _name_in(text), most=MOST_SHOWN),
            lambda runs: found([_run_entry(app, run) for run in runs]),
            group="palette",
        )

    app.ask(Palette(entries, find), lambda number: app.call_later(entries[int(number)].do))


def action_entries(app: LaunchApp) -> Iterable[Entry]:
    """Yield the actions that can be done from here, and those of the other screens."""
    offered = [action for action in keys.ACTIONS if action.palette]
    for action in sorted(offered, key=lambda action: AREAS.index(action.palette.split(":")[0])):
        refused = app.refuses(action.name)
        do = partial(app.tell_refusal, refused) if refused else partial(_do, app, action)
        yield Entry(action.palette, app.key(action.id), do, refused)


def go_entries(app: LaunchApp) -> Iterable[Entry]:
    """Yield the queues, jobs and newest runs, to go to."""
    launch = app.launch
    for queue in app.glance.queues:
        yield Entry(f"go: queue {queue.name}", "", partial(show_queue, app, queue.name))
    for job in launch.jobs.list():
        yield Entry(f"go: job {job.name}", job.version, partial(show_job, app, job.name))
    for run in launch.runs.list(limit=RECENT_RUNS):
        yield _run_entry(app, run)


def copy_entries(app: LaunchApp) -> Iterable[Entry]:
    """Yield what can be copied of the run that the screen below is about."""
    screen = app.screen
    if isinstance(screen, RunActions):
        for one in COPYABLE:
            yield Entry(f"run: copy {one.label}", "", partial(screen.copy_of_run, one.id))


def filter_entries(app: LaunchApp) -> Iterable[Entry]:
    """Yield the filters with a name, and one for each queue and job."""
    for name, text in app.launch.filters.list().items():
        yield Entry(f"filter: {name}", text, partial(show_filtered, app, text))
        if not app.read_only:
            yield Entry(f"filter: forget {name}", "", partial(_forget, app, name))
    for queue in app.glance.queues:
        text = f"queue={_word(queue.name)}"
        yield Entry(f"filter: queue {queue.name}", "", partial(show_filtered, app, text))
    for job in app.launch.jobs.list():
        text = f"job={_word(job.name)}"
        yield Entry(f"filter: job {job.name}", "", partial(show_filtered, app, text))


def _word(name: str) -> str:
    """Return a name as a filter takes it: in quotes unless it is one plain word."""
    return name if re.fullmatch(r"[\w./]+(?:-[\w./]+)*", name) else f'"{name}"'


def _forget(app: LaunchApp, name: str) -> None:
    app.act(lambda launch: launch.filters.delete(name), lambda _: app.tell(f"forgot filter {name}"))


def _run_entry(app: LaunchApp, run: Run) -> Entry:
    return Entry(
        f"go: run {run.id} {title_of(run)}", str(run.state), partial(open_run, app, run.id)
    )


def _name_in(text: str) -> str:
    """Return what is looked for in a line such as ``go: run resnet``."""
    return text.removeprefix("go:").strip().removeprefix("run ").strip()


def best(text: str, candidates: list[str]) -> list[int]:
    """Return the places of the candidates that match, the best first; all for an empty text."""
    if not text:
        return list(range(len(candidates)))
    matcher = Matcher(text)
    scored = [(matcher.match(one), at) for at, one in enumerate(candidates)]
    return [at for score, at in sorted(scored, key=lambda pair: (-pair[0], pair[1])) if score > 0]


_MODES = {"jobs": "jobs", "queues": "queues", "agent": "agent", "runs": "runs", "run": "runs"}


async def _do(app: LaunchApp, action: keys.Action) -> None:
    """Do an action where it belongs: on this screen if that has it, else on its own."""
    name = f"action_{action.name}"
    if action.scope == "log":
        await _do_in_log(app, action)
        return
    if not hasattr(app.screen, name) and not hasattr(app, name) and action.scope in _MODES:
        await app.switch_mode(_MODES[action.scope])
    target = app.screen if hasattr(app.screen, name) else app
    await app.run_action(action.name, default_namespace=target)


async def _do_in_log(app: LaunchApp, action: keys.Action) -> None:
    """Do an action in the log that has the focus, else in the first that is in view."""
    from launch_tui.tui.widgets.log_view import LogView

    views = sorted(app.screen.query(LogView), key=lambda view: not view.has_focus)
    view = next((view for view in views if view.is_on_screen), None)
    if view is None:
        app.tell("no log is in view: open a run", severity="warning", seconds=3)
        return
    view.focus()
    await app.run_action(action.name, default_namespace=view)
