"""The launch form: the job's inputs at the left, exactly what will happen at the right.

A draft is kept while one types, so that escape, a crash and the end of the UI lose nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from launch_tui.domain.environment import looks_secret
from launch_tui.domain.text import printable
from launch_tui.errors import LaunchError
from launch_tui.tui.going import show_run
from launch_tui.tui.launch_model import LaunchModel, for_job, for_run
from launch_tui.tui.screens.form import FormModal
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.bar import clickable
from launch_tui.tui.widgets.field_row import FieldRow
from launch_tui.tui.widgets.plan_pane import PlanPane

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual.app import ComposeResult
    from textual.timer import Timer

    from launch_tui.sdk import Launch, LaunchRequest, Plan
    from launch_tui.store.enqueuing import Enqueued
    from launch_tui.tui.form_fields import Field

PLAN_DELAY_S = 0.2
"""The plan follows what is typed this late."""
_MASK = "••••"


class LaunchForm(FormModal):
    """The form. Returns the id of the new run.

    Args:
        job: The job it launches; empty for the one that was launched last.
        rerun: A run that is launched again with its values, instead of a job.
    """

    SUBMIT = "Launch"
    HINT = "f5   esc keeps the draft"
    FLAGS: ClassVar[Mapping[str, str]] = {
        "queue": "queue", "-E": "entry_point", "--setenv": "setenv", "JOB": "job",
    }  # fmt: skip

    def __init__(self, job: str = "", rerun: str = "") -> None:
        super().__init__()
        self._wanted = (job, rerun)
        self._model: LaunchModel | None = None
        self._trouble = ""
        self._plan_due: Timer | None = None

    def compose(self) -> ComposeResult:
        """Compose the parts."""
        self._model = self._find()
        model = self._model
        with Horizontal(classes="form-pair"):
            with Vertical(id="launch", classes="pane form") as pane:
                pane.border_title = Content(printable(model.title if model else "Launch"))
                with VerticalScroll(id="form", can_focus=False):
                    if model is not None:
                        yield from self.rows(self.fields(), marks=model.run is not None)
                    else:
                        yield Static(printable(self._trouble), markup=False)
                yield from self.foot()
            yield PlanPane()

    def foot_more(self) -> ComposeResult:
        """Compose the way to the plan, where both do not fit."""
        click = clickable("$foreground-muted", "screen.form_plan()")
        line = Content.assemble(("f2 ", "bold $primary"), ("plan", click))
        yield Static(line, id="form-plan-hint", markup=False)

    def fields(self) -> Sequence[tuple[Field, str]]:
        """Return the fields, with what the draft holds of them."""
        if self._model is None:
            return []
        draft = ui(self).launch.drafts.load(self._model.draft_key)
        return [(one, draft.get(one.key, text)) for one, text in self._model.fields()]

    def on_mount(self) -> None:
        """Show the first plan."""
        if self._model is None:
            self.query_one("#submit").display = False
            self.query_one(PlanPane).show_words("")
            if not self._trouble:
                self.call_after_refresh(self._make_a_job_first)
            return
        super().on_mount()
        self._make_plan()

    def on_field_row_changed(self, event: FieldRow.Changed) -> None:
        """Check again, and plan again a little later."""
        super().on_field_row_changed(event)
        if event.row.field.key == "job":
            self._change_job(event.row.text)
            return
        if self._plan_due is not None:
            self._plan_due.stop()
        self._plan_due = self.set_timer(PLAN_DELAY_S, self._make_plan)

    def submit(self, values: Mapping[str, Any]) -> None:
        """Launch; the cursor goes to the new run."""
        model = self._model
        if model is None:
            return
        request = model.request(values, self._every_field())

        def send(launch: Launch) -> tuple[Enqueued, tuple[str, ...]]:
            return model.send(launch, request), launch.warnings

        self._stop_planning()
        self.say("launching …")
        ui(self).act(send, self._sent, failed=self.refuse)

    def action_form_plan(self) -> None:
        """Show the plan alone, or the form again, where both do not fit."""
        pair = self.query_one(".form-pair")
        pair.toggle_class("-plan")
        if pair.has_class("-plan"):
            self.query_one(PlanPane).focus()
        else:
            self.on_mount_focus()

    def on_mount_focus(self) -> None:
        """Give the first field the focus again."""
        for row in self.query(FieldRow):
            row.editor.focus()
            return

    def action_plan_copy(self) -> None:
        """Copy the command that launches the same."""
        self.query_one(PlanPane).action_plan_copy()

    def action_close(self) -> None:
        """Close; what was typed is kept as a draft."""
        self._stop_planning()
        self._keep_draft()
        self.dismiss(None)

    def _make_a_job_first(self) -> None:
        """Without any job, making one is what comes before a launch."""
        from launch_tui.tui.screens.new_job import NewJob

        app = ui(self)
        self.dismiss(None)
        # From the application: the answer would be brought to this form, which is gone by then.
        app.call_later(lambda: app.ask(NewJob(then="launch"), lambda name: app.open_form(job=name)))

    def _find(self) -> LaunchModel | None:
        job, rerun = self._wanted
        launch = ui(self).launch
        try:
            return for_run(launch, rerun) if rerun else for_job(launch, job)
        except LaunchError as error:
            self._trouble = str(error)
            return None

    def _every_field(self) -> list[Field]:
        return [row.field for row in self.query(FieldRow)]

    def _draft(self) -> dict[str, str]:
        """Return what is other than at first; a job is a form of its own."""
        return {
            row.field.key: row.text
            for row in self.query(FieldRow)
            if row.text != row.field.begins and row.field.key != "job"
        }

    def _keep_draft(self) -> None:
        if self._model is None or ui(self).read_only:
            return
        key, draft = self._model.draft_key, self._draft()
        ui(self).act(lambda launch: launch.drafts.save(key, draft), failed=lambda _: None)

    def _stop_planning(self) -> None:
        if self._plan_due is not None:
            self._plan_due.stop()

    def _make_plan(self) -> None:
        """Plan what the form says, off the loop, and keep the draft on the way."""
        model, app = self._model, ui(self)
        if model is None:
            return
        pane = self.query_one(PlanPane)
        values = self.values()
        if self.errors:
            self._keep_draft()
            pane.show_words("The plan is shown once everything can be read.")
            return
        request = model.request(values, self._every_field())
        key, draft, may_write = model.draft_key, self._draft(), not app.read_only

        def work(launch: Launch) -> Plan:
            if may_write:
                launch.drafts.save(key, draft)
            return model.plan(launch, request)

        app.act(
            work,
            lambda plan: self._show_plan(plan, request),
            failed=self._cannot_plan,
            group="plan",
        )

    def _show_plan(self, plan: Plan, request: LaunchRequest) -> None:
        if self._model is None or not self.is_mounted:
            return
        shown = {n: _MASK if looks_secret(n) else v for n, v in request.setenv.items()}
        command = self._model.command_of(request)
        self.query_one(PlanPane).show_plan(plan, command, shown)

    def _cannot_plan(self, error: LaunchError) -> None:
        if self.is_mounted and not self._busy:
            self.refuse(error)
            self.query_one(PlanPane).show_words(str(error))

    def _sent(self, sent: tuple[Enqueued, tuple[str, ...]]) -> None:
        enqueued, warnings = sent
        app = ui(self)
        for warning in warnings:
            app.tell(warning, severity="warning", seconds=10)
        self.dismiss(enqueued.id)
        show_run(app, enqueued.id)

    def _change_job(self, job: str) -> None:
        """Begin again on another job; what was typed for this one stays its draft."""
        if self._model is None or not job or job == self._model.reference.partition(":")[0]:
            return
        self._keep_draft()
        self._stop_planning()
        self.app.switch_screen(LaunchForm(job=job))
