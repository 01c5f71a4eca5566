"""The jobs: what there is to run, where it comes from, what it takes and gives, how it went."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, ClassVar

from textual.containers import Horizontal, Vertical
from textual.content import Content

from launch_tui.domain.job import CodeSource, GitSource, ImageSource, VenvMode
from launch_tui.domain.managed_files import path_of
from launch_tui.domain.text import printable
from launch_tui.errors import LaunchError, NotFound
from launch_tui.tui import keys
from launch_tui.tui.glance import seconds
from launch_tui.tui.going import open_run, show_job
from launch_tui.tui.rows import age
from launch_tui.tui.screens.confirm import Choice, Confirm
from launch_tui.tui.screens.listing import ListScreen
from launch_tui.tui.theme import glyph, state_style
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.columns import Column
from launch_tui.tui.widgets.facts import Facts, fact, facts, heading, weak
from launch_tui.tui.widgets.list_rows import ListRows
from launch_tui.tui.widgets.window_table import Cell, Row, WindowTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from launch_tui.domain.job import Environment, JobVersion, Source
    from launch_tui.domain.run import Run
    from launch_tui.sdk import Launch

COLUMNS = (
    Column(key="name", label="JOB", width=12, flexible=True),
    Column(key="kind", label="KIND", width=4, rank=3),
    Column(key="version", label="LATEST", width=6, whole=True),
    Column(key="aliases", label="ALIASES", width=10, rank=4),
    Column(key="runs", label="RUNS", width=6, rank=2, right=True),
    Column(key="state", label="LAST", width=12, rank=1),
    Column(key="age", label="AGE", width=4, rank=2, right=True),
)
RECENT = (
    Column(key="state", label="", width=1),
    Column(key="id", label="RUN", width=8, whole=True),
    Column(key="name", label="NAME", width=8, flexible=True),
    Column(key="word", label="STATE", width=9, rank=1),
    Column(key="age", label="AGE", width=4, rank=2, right=True),
)
MOST_RECENT = 20
MOST_VERSIONS = 5
MOST_KEYS = 30
"""Inputs or outputs that are listed; the others are counted."""

NO_JOBS = """\
No jobs yet. A job is what runs: a folder, a git repository or an image.

 {add}  add one
 {find}  then "launch the demo": a real training job, from nothing
"""


class JobsScreen(ListScreen):
    """The jobs at the left, the one under the cursor at the right."""

    MODE = "jobs"
    SCOPES: ClassVar[tuple[str, ...]] = ("jobs", "list")
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.bindings("jobs", "list"),
        *ListScreen.BINDINGS,
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows = ListRows()
        self._recent = ListRows()
        self._counts: dict[str, int] = {}
        self._jobs: dict[str, JobVersion] = {}

    def body(self) -> ComposeResult:
        """Compose what stands between the bars."""
        with Horizontal(classes="pair"):
            yield WindowTable(COLUMNS, self._rows, id="job-table", classes="pane")
            with Vertical(id="job-side", classes="side-pane"):
                yield Facts(id="job-facts", title="Job")
                yield WindowTable(RECENT, self._recent, id="job-runs", classes="pane", header=False)
        yield self.filter_line()

    def on_mount(self) -> None:
        """Begin to follow what is live."""
        super().on_mount()
        for table in self.query(WindowTable):
            table.ascii_only = ui(self).ascii_only
        self._table.border_title = "Jobs"
        self.query_one("#job-runs").border_title = "Recent runs"
        self._table.focus()

    def refresh_live(self) -> None:
        """Ask the store again; counting the runs of each job is done off the loop."""
        app = ui(self)
        self._jobs = {job.name: job for job in app.launch.jobs.list()}
        self._show_table()
        self._show_facts()
        names = list(self._jobs)

        def count(launch: Launch) -> dict[str, int]:
            return {name: launch.runs.count(job=name) for name in names}

        app.act(count, self._take_counts, group="job-counts")

    def refresh_ages(self) -> None:
        """Draw ages anew."""
        self._show_table()
        self._show_facts()

    def why_empty(self) -> str:
        """Return what stands where there is no job."""
        app = ui(self)
        return NO_JOBS.format(add=app.key("jobs.add"), find=app.key("app.palette"))

    def go_to(self, name: str) -> None:
        """Put the cursor on a job."""
        self._table.select(name)
        self._table.focus()

    def copy_menu(self) -> None:
        """Copy the name of the job with its version."""
        job = self._current()
        if job is None:
            ui(self).tell_nothing_to_copy()
        else:
            ui(self).copy(f"{job.name}:{job.version}")

    def on_window_table_row_highlighted(self, event: WindowTable.RowHighlighted) -> None:
        """Show the job under the cursor."""
        event.stop()
        if event.table is self._table:
            self._show_facts()

    def on_window_table_row_opened(self, event: WindowTable.RowOpened) -> None:
        """Open a recent run; enter on a job goes to its runs."""
        event.stop()
        if event.table is self._table:
            self.open_detail("#job-runs")
        elif event.key is not None:
            open_run(ui(self), event.key)

    def action_list_open(self) -> None:
        """Open what the cursor is on."""
        focused = self.focused
        if isinstance(focused, WindowTable):
            focused.action_open()

    def action_jobs_launch(self) -> None:
        """Launch the job under the cursor."""
        ui(self).open_form(job=self._table.cursor_key or "")

    def action_jobs_add(self) -> None:
        """Make a job."""
        from launch_tui.tui.screens.new_job import NewJob

        app = ui(self)
        app.ask(NewJob(), lambda name: show_job(app, name))

    def action_jobs_edit(self) -> None:
        """Edit the job in the person's editor; another command makes its next version."""
        from launch_tui.tui.editing import edit_text
        from launch_tui.tui.job_settings import job_document, read_job

        job, app = self._current(), ui(self)
        if job is None:
            return
        try:
            edited = edit_text(app, job_document(job))
            changes = read_job(edited, job) if edited is not None else None
        except LaunchError as error:
            app.tell_error(error)
            return
        if changes:
            reference = f"{job.name}:{job.version}"
            app.act(
                lambda launch: launch.jobs.revise(reference, changes),
                lambda made: app.tell(f"{made.job.name}:{made.job.version} saved"),
            )

    def action_jobs_delete(self) -> None:
        """Delete the job under the cursor, after asking."""
        name, app = self._table.cursor_key, ui(self)
        if name is None:
            return
        runs = self._counts.get(name, 0)
        kept = f" Its {runs:,} runs stay, and can be run again." if runs else ""
        modal = Confirm(
            f"Delete job {name}",
            f"All its versions and aliases go.{kept}",
            (Choice("delete", "Delete", key="d", dangerous=True),),
            default="",
        )
        app.ask(modal, lambda _: app.act(lambda launch: launch.jobs.delete(name)))

    @property
    def _table(self) -> WindowTable:
        return self.query_one("#job-table", WindowTable)

    def _current(self) -> JobVersion | None:
        return self._jobs.get(self._table.cursor_key or "")

    def _take_counts(self, counts: dict[str, int]) -> None:
        if counts != self._counts:
            self._counts = counts
            self._show_table()

    def _show_table(self) -> None:
        self._rows.rows = self.matching([self._row(job) for job in self._jobs.values()])
        self._table.reload()
        count = len(self._rows.rows)
        self._table.border_title = f"Jobs  {count:,}" if count else "Jobs"

    def _row(self, job: JobVersion) -> Row:
        app = ui(self)
        last = next(iter(app.launch.runs.list(job=job.name, limit=1)), None)
        state, when = Cell("never ran", "dim"), ""
        if last is not None:
            look = state_style(last.state, app.current_theme)
            state = Cell(f"{glyph(last.state, ascii_only=app.ascii_only)} {last.state}", look)
            when = age(app.clock() - seconds(last.created_at))
        named = [alias for alias in job.aliases if alias != "latest"]
        runs = self._counts.get(job.name)
        return Row(
            key=job.name,
            cells=(
                Cell(job.name, "bold"),
                Cell(job.kind, "dim"),
                Cell(job.version),
                Cell(" ".join(named), "dim"),
                Cell("" if runs is None else f"{runs:,}"),
                state,
                Cell(when, "dim"),
            ),
        )

    def _show_facts(self) -> None:
        app, job = ui(self), self._current()
        self.query_one("#job-side").set_class(job is None, "-nothing")
        if job is None:
            return
        try:
            versions = app.launch.jobs.versions(job.name)
        except NotFound:
            # Deleted by someone else; the next look at the store takes it from the table.
            return
        lines = job_content(job, versions, app.clock())
        self.query_one("#job-facts", Facts).show(lines, f"{job.name}:{job.version}")
        self._show_recent(job)

    def _show_recent(self, job: JobVersion) -> None:
        app = ui(self)
        self._recent.rows = [
            self._recent_row(run) for run in app.launch.runs.list(job=job.name, limit=MOST_RECENT)
        ]
        table = self.query_one("#job-runs", WindowTable)
        table.empty = f"no runs yet: {app.key('jobs.launch')}"
        table.reload()

    def _recent_row(self, run: Run) -> Row:
        app = ui(self)
        look = state_style(run.state, app.current_theme)
        return Row(
            key=run.id,
            cells=(
                Cell(glyph(run.state, ascii_only=app.ascii_only), look),
                Cell(run.id),
                Cell(run.name, "dim"),
                Cell(run.state, look),
                Cell(age(app.clock() - seconds(run.created_at)), "dim"),
            ),
        )


def job_content(job: JobVersion, versions: Sequence[JobVersion], now: float) -> list[Content]:
    """Return what a page says of a job version.

    Args:
        job: The version.
        versions: All versions of the job, newest first.
        now: Seconds since the epoch.
    """
    lines = [
        *([Content(printable(job.description))] if job.description else []),
        *source_facts(job.source),
        fact("entry point", shlex.join(job.entry_point) or "none: each launch brings its own"),
        fact("environment", environment_words(job.environment)),
        *([fact("tracking", job.tracking)] if job.tracking != "required" else []),
        *([fact("links", ", ".join(job.links))] if job.links else []),
        *_schema("Inputs", job.inputs, "learnt from the first run that finishes"),
        *_schema("Outputs", job.outputs, ""),
        *heading("Versions"),
    ]
    for version in versions[:MOST_VERSIONS]:
        named = "  ".join(a for a in version.aliases)
        when = age(now - seconds(version.created_at))
        lines.append(fact(version.version, f"{when:5}{_short(version.source)}  {named}", width=5))
    if len(versions) > MOST_VERSIONS:
        lines.append(weak(f"and {len(versions) - MOST_VERSIONS} older"))
    return lines


def source_facts(source: Source) -> list[Content]:
    """Return where a job's files come from."""
    if isinstance(source, CodeSource):
        extent = f"{source.files:,} files, {_size(source.size)}"
        return [fact("folder", source.path), fact("snapshot", f"{source.digest[:12]}  {extent}")]
    if isinstance(source, GitSource):
        ref = source.ref or "default branch"
        return [fact("repository", source.url), fact("commit", f"{source.commit[:12]}  {ref}")]
    return [fact("image", source.image)]


def environment_words(environment: Environment) -> str:
    """Return in a few words what a job's Python is."""
    return {
        VenvMode.BUILD: f"built: Python {environment.python_version}",
        VenvMode.CURRENT: f"in use: {environment.interpreter or 'no python found'}",
        VenvMode.PYTHON: environment.interpreter,
        VenvMode.NONE: "none",
    }[environment.mode]


def _schema(title: str, schema: Mapping[str, Any], otherwise: str) -> list[Content]:
    pairs = list(_leaves(schema))
    if not pairs:
        return [*heading(title), weak(otherwise)] if otherwise else []
    more = [weak(f"and {len(pairs) - MOST_KEYS} more")] if len(pairs) > MOST_KEYS else []
    return [*heading(title), *facts(pairs[:MOST_KEYS]), *more]


def _leaves(schema: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, inner in (schema.get("properties") or {}).items():
        if isinstance(inner, dict) and inner.get("properties"):
            pairs += _leaves(inner, f"{prefix}{name}" if path_of(name) else f"{prefix}{name}.")
        elif isinstance(inner, dict):
            pairs.append((f"{prefix}{name}", _type_words(inner)))
    return pairs


def _type_words(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "any" if "enum" not in schema else "one of")
    words = kind if isinstance(kind, str) else " or ".join(map(str, kind))
    if "enum" in schema:
        words += " " + ", ".join(map(str, schema["enum"]))
    return f"{words} = {schema['default']}" if "default" in schema else words


def _short(source: Source) -> str:
    if isinstance(source, GitSource):
        return source.commit[:12]
    return source.image if isinstance(source, ImageSource) else source.digest[:12]


def _size(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
