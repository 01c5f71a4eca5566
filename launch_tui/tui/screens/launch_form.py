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
from launch_tui.tui.changed_value import texts_with
from launch_tui.tui.form_fields import Field, Kind
from launch_tui.tui.going import show_run
from launch_tui.tui.launch_model import LaunchModel, for_job, for_run
from launch_tui.tui.order_fields import FLAGS as ORDER_FLAGS
from launch_tui.tui.order_fields import PARAMS, run_count
from launch_tui.tui.queue_fields import key_of_error
from launch_tui.tui.screens.form import FormModal
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.bar import clickable
from launch_tui.tui.widgets.field_row import FieldRow, label_width
from launch_tui.tui.widgets.plan_pane import PlanPane

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual.app import ComposeResult
    from textual.timer import Timer

    from launch_tui.sdk import Launch, LaunchRequest
    from launch_tui.sdk.plan import Plan
    from launch_tui.store.enqueuing import Enqueued

PLAN_DELAY_S = 0.2
"""The plan follows what is typed this late."""
_MASK = "••••"


class LaunchForm(FormModal):
    """The form. Returns the id of the new run.

    Args:
        job: The job it launches; empty for the one that was launched last.
        rerun: A run that is launched again with its values, instead of a job.
        changes: Values of that run's configuration that are others, by their dotted keys.
    """

    SUBMIT = "Launch"
    HINT = "f5   esc keeps the draft"
    FLAGS: ClassVar[Mapping[str, str]] = {
        "queue": "queue", "-E": "entry_point", "--setenv": "setenv", "JOB": "job",
        "-P": "priority", **ORDER_FLAGS,
    }  # fmt: skip

    def __init__(
        self, job: str = "", rerun: str = "", changes: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self._wanted = (job, rerun)
        self._changes = changes or {}
        self._model: LaunchModel | None = None
        self._trouble = ""
        self._plan_due: Timer | None = None
        self._typed: dict[str, str] = {}
        """What was typed into fields that are not shown, or was kept as a draft, by key."""

    def compose(self) -> ComposeResult:
        """Compose the parts."""
        self._model = self._find()
        model = self._model
        with Horizontal(classes="form-pair"):
            with Vertical(id="launch", classes="pane form") as pane:
                pane.border_title = Content(printable(model.title if model else "Launch"))
                with VerticalScroll(id="form", can_focus=False):
                    if model is not None:
                        yield from self._rows(model)
                    else:
                        yield Static(printable(self._trouble), markup=False)
                yield from self.foot()
            yield PlanPane()

    def foot_more(self) -> ComposeResult:
        """Compose the way to the plan, where both do not fit."""
        click = clickable("$foreground-muted", "screen.form_plan()")
        line = Content.assemble((f"{ui(self).key('form.plan')} ", "bold $primary"), ("plan", click))
        yield Static(line, id="form-plan-hint", markup=False)

    def submit_label(self, values: Mapping[str, Any]) -> str:
        """Say how many runs the parameters make."""
        count = run_count(values.get(PARAMS, {}))
        return self.SUBMIT if count == 1 else f"{self.SUBMIT} {count:,} runs"

    def key_of(self, named: str) -> str:
        """Return the key of the field that an error of the SDK means."""
        return key_of_error(named) or super().key_of(named)

    def values(self) -> dict[str, Any]:
        """Read all fields; an input whose values are parameters need not be given besides."""
        values = super().values()
        for row in self.query(FieldRow):
            if row.field.label in values.get(PARAMS, {}) and not row.text:
                self.errors.pop(row.field.key, None)
        return values

    def look(self) -> dict[str, Any]:
        """Read all fields, and tell at the parameters how many runs they make."""
        values = super().look()
        count = run_count(values.get(PARAMS, {}))
        for row in self.query(FieldRow):
            if row.field.key == PARAMS:
                row.show_hint(f"makes {count:,} runs" if PARAMS in values else "")
        return values

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
        if event.row.field.key == "queue":
            self.call_later(self._change_queue, event.row.text)
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

    def _rows(self, model: LaunchModel) -> ComposeResult:
        """Compose the fields, with what the draft holds of them."""
        self._typed = ui(self).launch.drafts.load(model.draft_key)
        if self._changes:
            self._typed |= texts_with(model, self._changes)
        first, last = model.inputs_and_queue(), model.order_and_names()
        queue = self._first_text(first[-1])
        of_queue = model.of_queue(queue)
        width = label_width([*first, *of_queue, *last])
        yield from self._made(first, width)
        with Vertical(id="queue-fields"):
            yield from self._made(of_queue, width)
        yield from self._made(last, width)

    def _made(self, fields: Sequence[Field], width: int) -> list[FieldRow]:
        marks = self._model is not None and self._model.run is not None
        return [
            FieldRow(one, self._first_text(one), marks=marks, label_width=width) for one in fields
        ]

    def _first_text(self, one: Field) -> str:
        """Return what a field holds at first: what was typed, where that is still possible."""
        text = self._typed.get(one.key, one.begins)
        texts = [choice for choice, _ in one.choices]
        return one.begins if one.kind is Kind.CHOICE and text not in texts else text

    async def _change_queue(self, name: str) -> None:
        """Show the fields of another queue; what was typed goes along where it has a field."""
        model = self._model
        if model is None or not name or not self.is_mounted:
            return
        self._typed = self._draft()
        self.forget_refusals()
        box = self.query_one("#queue-fields", Vertical)
        fields = model.of_queue(name)
        others = [row for row in self.query(FieldRow) if box not in row.ancestors]
        width = label_width([*(row.field for row in others), *fields])
        async with self.batch():
            await box.remove_children()
            await box.mount(*self._made(fields, width))
            for row in others:
                row.line_up(width)
        self.look()

    def _every_field(self) -> list[Field]:
        return [row.field for row in self.query(FieldRow)]

    def _draft(self) -> dict[str, str]:
        """Return what is other than at first, also for other queues; a job is a form of its own."""
        rows = {row.field.key: row for row in self.query(FieldRow) if row.field.key != "job"}
        gone = {key: text for key, text in self._typed.items() if key not in rows}
        # What was typed as a secret may be the secret itself, and is kept nowhere.
        kept = {key: row for key, row in rows.items() if row.field.kind is not Kind.SECRET}
        return gone | {key: row.text for key, row in kept.items() if row.text != row.field.begins}

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
            # Not the focus: the person is typing somewhere else by now.
            self.show_refusal(error)
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
