"""One run: what it is, how it stands or why it failed, its log, metrics, build, config, events."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.widgets import ContentSwitcher, Static

from launch_tui.domain.run import ENDED, RunState
from launch_tui.domain.text import printable
from launch_tui.errors import LaunchError, NotFound
from launch_tui.sdk.devices import DevicesFile
from launch_tui.sdk.outputs import RunFiles
from launch_tui.tui import keys
from launch_tui.tui.ending import ending
from launch_tui.tui.glance import FAILED
from launch_tui.tui.notes import gpu_names
from launch_tui.tui.rows import duration_of, title_of
from launch_tui.tui.run_pages import config_page, events_page
from launch_tui.tui.screens.run_actions import RunActions
from launch_tui.tui.theme import glyph, state_style
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.bar import Bar, Part, clickable
from launch_tui.tui.widgets.log_view import LogView
from launch_tui.tui.widgets.metrics_pane import MetricsPane
from launch_tui.tui.widgets.preview import why_empty
from launch_tui.tui.widgets.scrolled import Scrolled

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from launch_tui.domain.run import Run
    from launch_tui.tui.widgets.charts import Charts

TABS = (
    ("log", "Log"),
    ("metrics", "Metrics"),
    ("build", "Build"),
    ("config", "Config"),
    ("events", "Events"),
)


class Page(Scrolled):
    """A tab that is text."""


class RunScreen(RunActions):
    """A run, whole.

    Args:
        run_id: Its id.
    """

    MODE = "runs"
    SCOPES: ClassVar[tuple[str, ...]] = ("run", "tabs")
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings("run", "tabs"))

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id
        self._run: Run | None = None
        self._tab = ""

    def body(self) -> ComposeResult:
        """Compose what stands between the bars."""
        self._devices = DevicesFile(ui(self).home)
        yield Bar(id="run-head")
        yield Bar(id="run-facts")
        yield Static(id="run-failure", markup=False)
        yield Bar(id="run-tabs")
        with ContentSwitcher(id="run-body", initial="log"):
            yield LogView(id="log", classes="pane")
            yield MetricsPane(id="metrics", classes="pane")
            yield LogView(id="build", classes="pane", empty="Nothing was built")
            with Page(id="config", classes="pane"):
                yield Static(id="config-text", markup=False)
            with Page(id="events", classes="pane"):
                yield Static(id="events-text", markup=False)

    def on_mount(self) -> None:
        """Begin to follow what is live."""
        super().on_mount()
        app = ui(self)
        for view in self.query(LogView):
            view.ascii_only = app.ascii_only
        app.pulse.frame.subscribe(self, lambda _: self._tick(), immediate=True)
        self.query_one("#metrics", MetricsPane).follow(self.run_id)
        self._read()
        failed_build = self._run is not None and self._run.phase == "build"
        building = self._run is not None and self._run.state is RunState.BUILDING
        self.show_tab("build" if failed_build or building else "log")

    def refresh_live(self) -> None:
        """Ask the store again."""
        self._read()

    def refresh_ages(self) -> None:
        """Draw the age anew."""
        self._show_head()

    def chosen_runs(self) -> list[str]:
        """Return this run."""
        return [self.run_id]

    def compared_runs(self) -> list[str]:
        """Return this run and those that are marked in the list below."""
        marked = getattr(self.app.screen_stack[0], "marked_runs", list)
        return [self.run_id, *marked()]

    def overlaid_runs(self) -> list[str]:
        """Return the runs whose metrics lie over those of this one, and this one itself."""
        from launch_tui.tui.comparing import beside

        return beside(ui(self).launch, self.compared_runs())

    def runs_done(self) -> None:
        """Go back when the run is gone."""
        try:
            ui(self).launch.runs.get(self.run_id)
        except NotFound:
            if self.is_current:
                self.app.pop_screen()

    def show_tab(self, tab: str) -> None:
        """Show one of ``TABS``."""
        self._tab = tab
        self.query_one("#run-body", ContentSwitcher).current = tab
        self._show_tabs()
        self._fill()
        self.query_one(f"#{tab}").focus()

    def action_show_tab(self, tab: str) -> None:
        """Show a tab that was clicked."""
        self.show_tab(tab)

    def action_tabs_next(self) -> None:
        """Show the next tab."""
        self._step(1)

    def action_tabs_previous(self) -> None:
        """Show the tab before."""
        self._step(-1)

    def on_charts_paged(self, event: Charts.Paged) -> None:
        """Say which charts are in view."""
        event.stop()
        self._charts = event
        self._show_tabs()

    _charts: Charts.Paged | None = None

    def _step(self, tabs: int) -> None:
        names = [name for name, _ in TABS]
        self.show_tab(names[(names.index(self._tab) + tabs) % len(names)])

    def _tick(self) -> None:
        if self.is_current and self._tab in ("log", "build"):
            self.query_one(f"#{self._tab}", LogView).tick()

    def _read(self) -> None:
        """Read the run and show what differs."""
        try:
            self._run = ui(self).launch.runs.get(self.run_id)
        except NotFound:
            return
        runs = ui(self).launch.runs
        log, build = self.query_one("#log", LogView), self.query_one("#build", LogView)
        log.empty = why_empty(self._run, "")
        log.source = runs.log_path(self.run_id)
        build.source = runs.log_path(self.run_id, build=True)
        self._show_head()
        self._show_failure()
        self._fill()

    def _fill(self) -> None:
        """Write the tab that is text."""
        run = self._run
        if run is None:
            return
        runs = ui(self).launch.runs
        width = max(self.size.width - 4, 20)
        if self._tab == "config":
            spec = runs.spec(run.id)
            outputs = RunFiles(run, spec).outputs()
            page = config_page(run, spec, self._gpus(), outputs)
            self.query_one("#config-text", Static).update(page)
        elif self._tab == "events":
            page = events_page(runs.events(run.id), width)
            self.query_one("#events-text", Static).update(page)

    def _gpus(self) -> dict[str, str]:
        """Return what the machine's GPUs are called, by their UUIDs."""
        self._devices.look()
        devices = self._devices.devices
        gpus = devices.machine.gpus if devices is not None else ()
        return {gpu.uuid: f"{gpu.index}  {gpu.name}  {gpu.uuid}" for gpu in gpus}

    def _show_head(self) -> None:
        run, app = self._run, ui(self)
        if run is None:
            return
        look = _textual_style(state_style(run.state, app.current_theme))
        sign = glyph(run.state, ascii_only=app.ascii_only)
        left: list[Part] = [
            (f" {sign} {run.state}", look),
            (f"   {run.id}", "bold"),
            (f"   {printable(title_of(run))}", ""),
            (f"  {run.version}", "$foreground 60%"),
        ]
        right = [(f"{duration_of(run, app.clock())} ", "")] if run.started_at else []
        self.query_one("#run-head", Bar).show(left, right)
        self.query_one("#run-facts", Bar).show(self._facts(run))

    def _facts(self, run: Run) -> list[Part]:
        facts = [f"queue {run.queue}", run.resource, f"project {run.project}"]
        if run.image:
            facts.append(f"image {run.image}")
        if run.attempt > 1:
            facts.append(f"attempt {run.attempt}")
        if run.gpus:
            indices = {uuid: int(name.partition(" ")[0]) for uuid, name in self._gpus().items()}
            facts.append(gpu_names(run, indices))
        if run.group:
            facts.append(f"group {run.group}")
        if run.exit_code is not None:
            facts.append(f"exit {run.exit_code}")
        if run.tags:
            facts.append("#" + " #".join(run.tags))
        if run.note:
            facts.append(run.note)
        if run.state not in ENDED:
            reason = self._reason(run)
            if reason and reason != run.state:
                facts.insert(0, reason)
        return [(f" {printable(fact)}  ", "$foreground 60%") for fact in facts]

    def _reason(self, run: Run) -> str:
        try:
            return ui(self).launch.runs.why(run.id).reason
        except LaunchError:
            return ""

    def _show_failure(self) -> None:
        run = self._run
        box = self.query_one("#run-failure", Static)
        told = run is not None and bool(ending(run))
        box.set_class(told, "-told")
        if run is None or not told:
            return
        box.set_class(run.state in FAILED, "-failed")
        box.update(ending(run, lines=2))

    def _show_tabs(self) -> None:
        parts: list[Part] = [(" ", "")]
        for tab, title in TABS:
            here = tab == self._tab
            style = "bold $primary underline" if here else "$foreground 60%"
            parts.append((title, clickable(style, f"screen.show_tab('{tab}')")))
            parts.append(("   ", ""))
        shown = self._tab == "metrics" and self._charts is not None
        right = self._charts.parts if shown and self._charts else ()
        self.query_one("#run-tabs", Bar).show(parts, right)


def _textual_style(rich_style: str) -> str:
    """Return a style of theme.py in Textual's words."""
    words = [
        w if w.startswith("#") or w in ("bold", "default") else f"ansi_{w}"
        for w in rich_style.split()
    ]
    return " ".join(w for w in words if w != "default")
