"""The palette: any action by its name, any run, job or queue by what it is called."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.fuzzy import Matcher
from textual.widgets import Input

from launch_tui.domain.text import printable
from launch_tui.tui import keys
from launch_tui.tui.going import open_run, show_job, show_queue
from launch_tui.tui.screens.base import LaunchModal
from launch_tui.tui.widgets.side_list import SideList, SideRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from launch_tui.tui.app import LaunchApp

MOST_SHOWN = 50
RECENT_RUNS = 200
"""Runs that are looked through by name; older ones are found by the filter of the runs."""


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
        entries: Everything that can be found, most wanted first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,ctrl+n", "move(1)", "down", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", "up", show=False, priority=True),
        Binding("pagedown,ctrl+d", "move(10)", "page down", show=False, priority=True),
        Binding("pageup,ctrl+u", "move(-10)", "page up", show=False, priority=True),
    ]

    def __init__(self, entries: list[Entry]) -> None:
        super().__init__()
        self._entries = entries

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
        self._show(event.value.strip())

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

    @property
    def _list(self) -> FoundList:
        return self.query_one("#found", FoundList)

    def _show(self, text: str) -> None:
        at = best(text, [entry.text for entry in self._entries])[:MOST_SHOWN]
        rows = [
            SideRow(str(n), printable(each.text), printable(each.refused or each.remark),
                    weak=bool(each.refused))
            for n, each in ((n, self._entries[n]) for n in at)
        ]  # fmt: skip
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
    entries = [*action_entries(app), *go_entries(app)]
    app.ask(Palette(entries), lambda number: app.call_later(entries[int(number)].do))


def action_entries(app: LaunchApp) -> Iterable[Entry]:
    """Yield the actions that can be done from here, and those of the other screens."""
    for action in keys.ACTIONS:
        if action.palette:
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
        name = run.job if run.name in ("", run.job) else f"{run.job} {run.name}"
        yield Entry(f"go: run {run.id} {name}", str(run.state), partial(open_run, app, run.id))


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
    if not hasattr(app.screen, name) and not hasattr(app, name) and action.scope in _MODES:
        await app.switch_mode(_MODES[action.scope])
    target = app.screen if hasattr(app.screen, name) else app
    await app.run_action(action.name, default_namespace=target)
