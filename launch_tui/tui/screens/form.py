"""What all forms have: fields in a column, what is wrong under each, and one button that tells it.

A form derives from ``FormModal``, gives its fields with the texts they begin with, and takes the
values in ``submit``. Nothing typed is lost: what cannot be done is told in the form, which stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from launch_tui.domain.text import printable
from launch_tui.errors import LaunchError, UsageError
from launch_tui.tui import keys
from launch_tui.tui.editing import edit_field
from launch_tui.tui.form_fields import Field, Kind, read_field
from launch_tui.tui.screens.base import LaunchModal
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.field_row import FieldRow, label_width

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

NARROW = 60
"""A form at most this wide has no room for what a field takes beside it."""
MOST_ALLOWED = 70
"""Characters of what is allowed that stand under a field."""


class FormModal(LaunchModal[str]):
    """A form in a dialog. Returns what ``submit`` dismisses it with, None for escape."""

    SCOPES: ClassVar[tuple[str, ...]] = ("form",)
    CHANGES: ClassVar[bool] = True
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings("form"))
    HEADING: ClassVar[str] = ""
    SUBMIT: ClassVar[str] = "Create"
    """What the button says."""
    HINT: ClassVar[str] = "f5   esc closes"
    FLAGS: ClassVar[Mapping[str, str]] = {}
    """Field named by an error of the SDK -> key of the form's field."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: dict[str, str] = {}
        """What is wrong with which field."""
        self._tried = False
        self._busy = False
        self._refused: dict[str, tuple[str, str]] = {}

    @property
    def heading(self) -> str:
        """What stands in the border."""
        return self.HEADING

    def fields(self) -> Sequence[tuple[Field, str]]:
        """Return the fields with the texts that they hold at first."""
        raise NotImplementedError

    def submit(self, values: Mapping[str, Any]) -> None:
        """Do it; every field that is given has its value in here, by its key."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Compose the parts."""
        with Vertical(classes="dialog form") as dialog:
            dialog.border_title = Content(printable(self.heading))
            with VerticalScroll(id="form", can_focus=False):
                yield from self.rows(self.fields())
            yield from self.foot()

    def rows(self, fields: Sequence[tuple[Field, str]], *, marks: bool = False) -> list[FieldRow]:
        """Return rows for fields."""
        width = label_width([one for one, _ in fields])
        return [FieldRow(one, text, marks=marks, label_width=width) for one, text in fields]

    def foot(self) -> ComposeResult:
        """Compose what stands below the fields."""
        says = Static("", id="form-says", markup=False)
        says.display = False
        yield says
        with Horizontal(classes="buttons form-buttons"):
            yield Button(self.SUBMIT, id="submit", variant="primary", compact=True)
            hint = self.HINT.replace("f5", ui(self).key("form.submit"), 1)
            yield Static(hint, classes="hint", markup=False)
            yield from self.foot_more()

    def foot_more(self) -> ComposeResult:
        """Compose what stands beside the button."""
        yield from ()

    def on_mount(self) -> None:
        """Give the first field the focus."""
        self.look()
        for row in self.query(FieldRow):
            row.editor.focus()
            break

    def values(self) -> dict[str, Any]:
        """Read all fields: their values by key; what is wrong goes to ``errors``."""
        self.errors = {}
        values: dict[str, Any] = {}
        for row in self.rows_shown():
            one, text = row.field, row.text
            refused = self._refused.get(one.key)
            if refused is not None and refused[0] == text:
                self.errors[one.key] = refused[1]
            elif row.is_given:
                try:
                    values[one.key] = read_field(one, text)
                except UsageError as error:
                    self.errors[one.key] = said(error)
            elif one.required and not text:
                self.errors[one.key] = "is required"
        return values

    def rows_shown(self) -> list[FieldRow]:
        """Return the fields that mean something as things stand."""
        rows = list(self.query(FieldRow))
        given = {row.field.key for row in rows if row.text.strip() not in ("", "0")}
        return [row for row in rows if not row.field.needs or row.field.needs in given]

    def submit_label(self, values: Mapping[str, Any]) -> str:
        """Return what the button says for these values."""
        return self.SUBMIT

    def key_of(self, named: str) -> str:
        """Return the key of the field that an error of the SDK means by a name."""
        return self.FLAGS.get(named, named)

    def look(self) -> dict[str, Any]:
        """Read all fields, show what is wrong, and return what is right."""
        values = self.values()
        shown = self.rows_shown()
        for row in self.query(FieldRow):
            error = self.errors.get(row.field.key, "")
            shouted = row.touched or self._tried or row.text != ""
            row.show_error(error if shouted else "")
            row.display = row in shown
        count = f" ({len(self.errors)} to fix)" if self.errors else ""
        button, label = self.query_one("#submit", Button), f"{self.submit_label(values)}{count}"
        if str(button.label) != label:
            button.label = Content(label)
            # It is not laid out anew of itself, and a longer one would be cut.
            button.refresh(layout=True)
        return values

    def say(self, text: str, *, wrong: bool = False) -> None:
        """Say something above the button, such as how far it is; lines stay lines."""
        line = self.query_one("#form-says", Static)
        line.update(Content("\n".join(printable(one) for one in text.split("\n"))))
        line.display = bool(text)
        line.set_class(wrong, "-wrong")

    def refuse(self, error: LaunchError) -> None:
        """Show what could not be done: at its field where there is one, else above the button."""
        self._busy = False
        if row := self.show_refusal(error):
            row.editor.focus()

    def show_refusal(self, error: LaunchError) -> FieldRow | None:
        """Show what cannot be done; return the field that it is about."""
        key = self.key_of(error.field) if isinstance(error, UsageError) else ""
        for row in self.query(FieldRow):
            if row.field.key in (key, f"config.{key}"):
                # Until the field is changed: typing it anew is how it is put right.
                self._refused[row.field.key] = (row.text, said(error))
                self.say("")
                self.look()
                return row
        self.say(str(error), wrong=True)
        return None

    def forget_refusals(self) -> None:
        """What was refused may be possible now: something else of it was changed."""
        self._refused.clear()
        self.say("")

    def on_field_row_changed(self, event: FieldRow.Changed) -> None:
        """Check again."""
        event.stop()
        self.look()

    def on_field_row_entered(self, event: FieldRow.Entered) -> None:
        """Go on to the next field, from the last one to the button."""
        event.stop()
        rows = self.rows_shown()
        at = rows.index(event.row)
        if at + 1 < len(rows):
            rows[at + 1].editor.focus()
        else:
            self.query_one("#submit").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The button does it."""
        event.stop()
        if event.button.id == "submit":
            self.action_form_submit()

    def action_form_submit(self) -> None:
        """Do it, unless something is to be put right first."""
        if self._busy:
            return
        self._tried = True
        values = self.look()
        if self.errors:
            for row in self.query(FieldRow):
                if row.field.key in self.errors:
                    row.editor.focus()
                    return
        self._busy = True
        self.submit(values)

    def action_form_edit(self) -> None:
        """Edit the focused field in the person's editor."""
        row = self._focused_row()
        if row is None or row.field.kind in (Kind.BOOLEAN, Kind.CHOICE):
            return
        try:
            edited = edit_field(ui(self), row.field, row.text)
        except LaunchError as error:
            self.say(str(error), wrong=True)
            return
        if edited is not None:
            row.set_text(edited)

    def _focused_row(self) -> FieldRow | None:
        focused = self.focused
        rows = [] if focused is None else [
            node for node in focused.ancestors_with_self if isinstance(node, FieldRow)
        ]  # fmt: skip
        return rows[0] if rows else None


def said(error: LaunchError) -> str:
    """Return what an error says under the field that it is about, on one line or little more."""
    if not isinstance(error, UsageError):
        return str(error)
    allowed = error.allowed
    if len(allowed) > MOST_ALLOWED:
        # The nearest right word says more than all of them.
        allowed = "" if "did you mean" in error.problem else f"{allowed[: MOST_ALLOWED - 1]}…"
    return error.problem + (f" (allowed: {allowed})" if allowed else "")
