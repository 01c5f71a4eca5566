"""The agent: who does the work here, why nothing happens, and everything that happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from launch_tui.domain.quantities import write_size
from launch_tui.domain.run import RunState
from launch_tui.domain.text import printable
from launch_tui.sdk.devices import DevicesFile, Slots, slots_held
from launch_tui.sdk.keeping import disk_seen
from launch_tui.sdk.standing import blocked
from launch_tui.sdk.webhooks import told
from launch_tui.tui import keys
from launch_tui.tui.glance import FAILED, seconds
from launch_tui.tui.going import open_run
from launch_tui.tui.polls import polled, serves
from launch_tui.tui.reporting import copy_report
from launch_tui.tui.rows import age, ago
from launch_tui.tui.screens.confirm import Choice, Confirm
from launch_tui.tui.screens.listing import ListScreen
from launch_tui.tui.standstill import why_still
from launch_tui.tui.theme import glyph, state_style
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.columns import Column
from launch_tui.tui.widgets.facts import Facts, fact, heading, weak
from launch_tui.tui.widgets.gpu_table import GpuTable, run_of
from launch_tui.tui.widgets.host_panel import HostPanel
from launch_tui.tui.widgets.list_rows import ListRows
from launch_tui.tui.widgets.window_table import Cell, Row, WindowTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from launch_tui.domain.run import Run
    from launch_tui.sdk.devices import Devices
    from launch_tui.sdk.keeping import Disk
    from launch_tui.store.agents import AgentStatus
    from launch_tui.store.outbox import Subscriber
    from launch_tui.store.read import Event
    from launch_tui.tui.glance import Glance

_BRIEF = {"working copies": "copies", "git caches": "git", "environments": "envs",
          "build contexts": "builds"}  # fmt: skip
COLUMNS = (
    Column(key="at", label="TIME", width=8),
    Column(key="run", label="RUN", width=8, whole=True),
    Column(key="state", label="WHAT", width=11, rank=1),
    Column(key="message", label="MESSAGE", width=12, flexible=True),
    Column(key="actor", label="BY", width=6, rank=3),
)
MOST_EVENTS = 1000
MOST_BAD_ENDS = 100
"""Bad ends among which the last one of each queue is looked for."""
MOST_WORDS = 8
"""Lines that the agent of this process said last."""


class AgentScreen(ListScreen):
    """The GPUs above, the agent at the left, the events at the right, newest first."""

    MODE = "agent"
    SCOPES: ClassVar[tuple[str, ...]] = ("agent", "list")
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.bindings("agent", "list"),
        *ListScreen.BINDINGS,
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows = ListRows()
        self._events: dict[str, Event] = {}
        self._slots = Slots()
        self._polled = ""
        self._bad_counted = 0
        self._bad_ends: dict[str, Run] = {}

    def body(self) -> ComposeResult:
        """Compose what stands between the bars."""
        self._devices = DevicesFile(ui(self).home)
        yield Static("", id="agent-why", markup=False)
        yield HostPanel(id="agent-host")
        yield GpuTable(id="agent-gpus")
        with Horizontal(classes="pair"):
            yield Facts(id="agent-facts", title="Agent")
            yield WindowTable(COLUMNS, self._rows, id="agent-events", classes="pane")
        yield self.filter_line()

    def on_mount(self) -> None:
        """Begin to follow what is live."""
        super().on_mount()
        for table in self.query(WindowTable):
            table.ascii_only = ui(self).ascii_only
        self._table.border_title = "Events"
        self._table.focus()
        ui(self).glance_changed.subscribe(self, lambda _: self._glance_changed())
        ui(self).pulse.frame.subscribe(self, lambda _: self._look_at_devices(), immediate=True)
        ui(self).host_changed.subscribe(self, lambda _: self._host_changed())

    def refresh_live(self) -> None:
        """Ask the store again."""
        app = ui(self)
        events = app.launch.agents.events(limit=MOST_EVENTS)
        self._events = {str(event.id): event for event in events}
        self._rows.rows = self.matching([self._row(event) for event in events])
        self._table.reload()
        self._slots = slots_held(app.launch)
        self._show_agent()
        self._show_machine()

    def refresh_ages(self) -> None:
        """Draw ages anew."""
        self._show_agent()

    def why_empty(self) -> str:
        """Return what stands where there is no event."""
        return f"Nothing has happened yet.\n\n {ui(self).key('app.launch')}  launch a run"

    def copy_menu(self) -> None:
        """Copy the event under the cursor."""
        event = self._events.get(self._table.cursor_key or "")
        if event is None:
            ui(self).tell_nothing_to_copy()
        else:
            words = (event.at, event.run_id, event.state, event.message)
            ui(self).copy(" ".join(word for word in words if word))

    def on_window_table_row_highlighted(self, event: WindowTable.RowHighlighted) -> None:
        """Nothing follows the cursor here."""
        event.stop()

    def on_window_table_row_opened(self, event: WindowTable.RowOpened) -> None:
        """Open the run of an event, or that of a GPU."""
        event.stop()
        key = event.key or ""
        found = self._events.get(key)
        run_id = found.run_id if found is not None else None
        if isinstance(event.table, GpuTable):
            run_id = run_of(key)
        if run_id:
            open_run(ui(self), run_id)

    def action_list_open(self) -> None:
        """Open the run of what is under the cursor."""
        gpus = self.query_one(GpuTable)
        (gpus if gpus.has_focus else self._table).action_open()

    def action_agent_drain(self) -> None:
        """Have the agent claim nothing more, or leave at once; ask which."""
        app = ui(self)
        if not app.glance.agent_runs:
            app.tell("no agent runs here", severity="warning")
            return
        if app.glance.agent is not None and app.glance.agent.state == "draining":
            app.act(lambda launch: launch.agents.resume())
            return
        modal = Confirm(
            "Agent",
            "Runs that wait stay queued.",
            (
                Choice("drain", "Drain", key="d", help="starts nothing more, leaves when idle",
                       dangerous=True),
                Choice("stop", "Stop", key="s", help="leaves at once; what runs goes on",
                       dangerous=True),
            ),
            default="",
        )  # fmt: skip
        app.ask(
            modal,
            lambda answer: app.act(
                lambda launch: launch.agents.drain() if answer == "drain" else launch.agents.stop()
            ),
        )

    def action_agent_report(self) -> None:
        """Copy the failure report of the run that the event under the cursor is about."""
        event = self._events.get(self._table.cursor_key or "")
        if event is None or event.run_id is None:
            ui(self).tell("this is no event of a run", severity="warning")
        else:
            copy_report(ui(self), event.run_id)

    def action_agent_log(self) -> None:
        """Show what an agent without a screen has written."""
        from launch_tui.tui.screens.agent_log import AgentLogScreen

        self.app.push_screen(AgentLogScreen())

    def action_agent_bundle(self) -> None:
        """Copy what somebody who helps needs to know."""
        from launch_tui.tui.bundle import debug_bundle

        ui(self).copy(debug_bundle(ui(self)))

    @property
    def _table(self) -> WindowTable:
        return self.query_one("#agent-events", WindowTable)

    def _look_at_devices(self) -> None:
        if not self.is_current:
            return
        looked = self._devices.look()
        if looked:
            self._show_machine()
        # When it was polled last is news also while the agent stands still.
        if looked or self._polled != self._when():
            self._show_agent()

    def _host_changed(self) -> None:
        if self.is_current:
            self._show_machine()
            self._show_agent()

    def _show_machine(self) -> None:
        host = ui(self).host_file
        self.query_one(HostPanel).show_host(host)
        self.query_one(GpuTable).show_devices(self._devices.devices, host.looks)

    def on_resize(self) -> None:
        """Say as much of the machine as there is room for."""
        self.call_after_refresh(self._show_machine)

    def go_to_gpus(self) -> None:
        """Give the GPUs the focus; where there are none, the machine is in view anyway."""
        # Which there are may not have been read yet.
        if self._devices.look():
            self._show_machine()
            self._show_agent()
        self.call_after_refresh(self._focus_gpus)

    def _focus_gpus(self) -> None:
        gpus = self.query_one(GpuTable)
        if gpus.display:
            gpus.focus()

    def _glance_changed(self) -> None:
        if self.is_current:
            self._show_agent()

    def _row(self, event: Event) -> Row:
        app = ui(self)
        state, look = event.state or "", "dim"
        if state in set(RunState):
            known = RunState(state)
            look = state_style(known, app.current_theme)
            state = f"{glyph(known, ascii_only=app.ascii_only)} {state}"
        return Row(
            key=str(event.id),
            cells=(
                Cell(time_of(event.at, app.clock()), "dim"),
                Cell(event.run_id or "", "bold"),
                Cell(state, look),
                Cell(event.message),
                Cell(event.actor.partition(":")[0], "dim"),
            ),
        )

    def _when(self) -> str:
        app = ui(self)
        return polled(app.glance.agent, app.host_file.last, app.clock())

    def _show_agent(self) -> None:
        app = ui(self)
        self._polled = self._when()
        lines = agent_lines(app.glance, app.clock(), self._polled)
        lines += machine_lines(self._devices.devices, self._slots)
        lines += queue_lines(app.glance, app.key, self._last_bad_ends(), app.clock())
        lines += disk_lines(disk_seen(app.home, app.host_file.last))
        lines += webhook_lines(app.launch.agents.webhooks())
        lines += said_lines(app.agent_words)
        self.query_one("#agent-facts", Facts).show(lines)
        self.query_one("#agent-why", Static).update(
            Content(printable(why_still(app.glance, blocked(app.launch), app.key)))
        )

    def _last_bad_ends(self) -> dict[str, Run]:
        """Return of each queue the run that ended badly last, of the latest that did."""
        # Their number says whether there is another; this is asked at every change.
        if ui(self).glance.failed != self._bad_counted:
            self._bad_counted = ui(self).glance.failed
            runs = ui(self).launch.runs.list(states=FAILED, limit=MOST_BAD_ENDS)
            self._bad_ends = {run.queue: run for run in reversed(runs)}
        return self._bad_ends


def agent_lines(glance: Glance, now: float, when: str) -> list[Content]:
    """Return what a page says of the agent.

    Args:
        glance: How things stand.
        now: Seconds since the epoch.
        when: When it last polled its queues.
    """
    agent = glance.agent
    if agent is None:
        return [fact("state", "there never was one here")]
    where = " (this screen's)" if glance.agent_is_ours else ""
    state = agent.state if agent.running else "ended"
    limit = "no limit" if agent.max_jobs is None else f"at most {agent.max_jobs}"
    served = "all" if agent.queues is None else ", ".join(agent.queues)
    return [
        fact("state", state, "$success" if agent.running else "$warning"),
        fact("pid", f"{agent.pid}{where}"),
        fact("host", agent.host),
        fact("since", f"{local_time(agent.since)}, {age(now - seconds(agent.since))}"),
        fact("slots", f"{len(agent.runs)} in use, {limit}"),
        fact("serves", served),
        fact("polled", when),
        *_settings(agent),
    ]


def machine_lines(devices: Devices | None, slots: Slots) -> list[Content]:
    """Return what a page says of the machine: what is in use of its GPUs, CPUs and memory.

    Args:
        devices: What the agent saw last; None when no agent has looked yet.
        slots: What the active runs hold.
    """
    lines = heading("Machine")
    if devices is None:
        return [*lines, weak("no agent has looked at it yet")]
    machine = devices.machine
    if machine.gpus:
        taken = {use.uuid for use in devices.runs}
        lines.append(fact("gpus", f"{len(taken)} of {len(machine.gpus)} have a run"))
    else:
        lines.append(fact("gpus", "no GPU found"))
        if devices.trouble:
            lines.append(fact("", devices.trouble, "$warning"))
    if machine.cpus:
        lines.append(fact("cpus", f"{slots.cpus:g} of {machine.cpus:g} given"))
    if machine.memory:
        given, there = write_size(slots.memory), write_size(machine.memory)
        lines.append(fact("memory", f"{given if slots.memory else '0'} of {there} given"))
    return lines


def disk_lines(space: Disk | None) -> list[Content]:
    """Return what working copies and caches take of the disk; the panel above says what is free.

    Args:
        space: The disk of the data directory; None when no agent has looked at it.
    """
    if space is None:
        return []
    lines = []
    if space.nearly_full:
        lines.append(fact("nearly full", "launch-tui prune makes room", "bold $warning"))
    if space.record is not None:
        look = "$warning" if space.over_budget else ""
        lines.append(fact("in use", space.caches_told(), look))
        lines += [
            fact(_BRIEF.get(kind, kind), write_size(size))
            for kind, size in space.record.kinds.items()
            if size
        ]
    return [*heading("Copies and caches"), *lines] if lines else []


def queue_lines(
    glance: Glance, key: Callable[[str], str], bad: Mapping[str, Run], now: float
) -> list[Content]:
    """Return each queue with its last bad end; where there is no queue the keys that make one.

    Args:
        glance: How things stand.
        key: Returns the key that an action has.
        bad: Of each queue the run that ended badly last.
        now: Seconds since the epoch.
    """
    lines: list[Content] = []
    for queue in glance.queues:
        more = f" +{queue.depth:,}" if queue.depth else ""
        paused = "  paused" if queue.paused else ""
        agent = glance.agent if glance.agent_runs else None
        left_out = "" if agent is None or serves(agent, queue.name) else "  not served"
        running = f"{queue.running}/{queue.max_running}"
        lines.append(fact(queue.name, f"{running}{more}{paused}{left_out}"))
        if (run := bad.get(queue.name)) is not None:
            since = ago(now - seconds(run.ended_at)) if run.ended_at else ""
            lines.append(fact("", f"{run.id} {run.state} {since}"))
            lines.append(fact("", run.cause or "", "$foreground-muted"))
    none = f"none yet: {key('app.queues')}, then {key('queues.new')}"
    return [*heading("Queues"), *(lines or [weak(none)])]


def webhook_lines(hooks: Sequence[Subscriber]) -> list[Content]:
    """Return how it stands with each of whom the agent tells of ends of runs."""
    lines = [
        fact(hook.name, told(hook), "$warning" if hook.error or hook.given_up else "")
        for hook in hooks
    ]
    return [*heading("Tells"), *lines] if lines else []


def said_lines(said: Iterable[tuple[float, str]]) -> list[Content]:
    """Return what the agent of this process said last, newest last."""
    words = list(said)[-MOST_WORDS:]
    return (
        [*heading("Said here"), *(Content(printable(text)) for _, text in words)] if words else []
    )


def _settings(agent: AgentStatus) -> list[Content]:
    lines = [fact("settings", agent.config)] if agent.config else []
    if agent.problem:
        lines.append(fact("", f"not followed: {agent.problem}", "bold $warning"))
    return [*lines, *(weak(note) for note in agent.notes)]


def local_time(text: str) -> str:
    """Return a time of the store as this machine's clock shows it."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")


def time_of(text: str, now: float) -> str:
    """Return the time of an event: of today by the clock, of before by the date."""
    at = datetime.fromisoformat(text).astimezone()
    today = datetime.fromtimestamp(now, tz=UTC).astimezone().date()
    return at.strftime("%H:%M:%S" if at.date() == today else "%d %b")
