"""One field of a form: its label, the widget it is typed into, what it takes, what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, RadioButton, RadioSet, Select, Static, Switch, TextArea

from launch_tui.domain.text import printable
from launch_tui.tui.form_fields import MOST_RADIOS, Field, Kind

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widget import Widget

LABEL_WIDTHS = (8, 22)
"""The narrowest and the widest column of labels, in cells."""
MOST_SPREAD = (24, 42)
"""Cells for choices beside each other, in a terminal of less than 80 columns, and in others."""


class FieldRow(Vertical):
    """A field with its editor.

    Args:
        field: What it is.
        text: What it holds at first; empty for nothing.
        marks: Whether a change of what it begins with is marked.
        label_width: Cells of the column of labels.
    """

    class Changed(Message):
        """What the field holds has changed."""

        def __init__(self, row: FieldRow) -> None:
            super().__init__()
            self.row = row

    class Entered(Message):
        """The person is done with the field: enter was pressed in it."""

        def __init__(self, row: FieldRow) -> None:
            super().__init__()
            self.row = row

    def __init__(
        self, field: Field, text: str, *, marks: bool = False, label_width: int = 14
    ) -> None:
        super().__init__(classes="field")
        self.field = field
        self.touched = False
        """Whether the person has changed it: what is wrong before that is not shouted."""
        self._text = text
        self._marks = marks
        self._label_width = label_width
        self._error = ""
        self.set_class(field.apart, "-apart")

    @property
    def text(self) -> str:
        """What the field holds."""
        return self._text

    @property
    def is_changed(self) -> bool:
        """Whether it holds something else than it began with."""
        return self._text not in ("", self.field.begins)

    @property
    def is_given(self) -> bool:
        """Whether its value is a part of what is asked for."""
        return self.is_changed or (self.field.always and self._text != "")

    @property
    def editor(self) -> Widget:
        """The widget it is typed into."""
        return self.query_one(".editor")

    @property
    def _is_spread(self) -> bool:
        """Whether its choices all stand beside each other: few and short, they need no list."""
        choices = self.field.choices
        cells = sum(len(shown) + 5 for _, shown in choices) - 1
        room = MOST_SPREAD[self.app.size.width >= 80]
        return self.field.spread and 0 < len(choices) <= MOST_RADIOS and cells <= room

    def compose(self) -> ComposeResult:
        """Compose the parts."""
        with Horizontal(classes="field-line"):
            yield Static("", classes="field-label", markup=False)
            yield self._make_editor()
            if self.field.kind is Kind.BOOLEAN:
                yield Static("", classes="field-fill")
            if not self._is_spread:
                yield Static(printable(self.field.hint), classes="field-hint", markup=False)
        if self.field.description:
            text = printable(self.field.description)
            yield Static(text, classes="field-description", markup=False)
        yield Static("", classes="field-error", markup=False)

    def on_mount(self) -> None:
        """Show the label."""
        self.line_up(self._label_width)

    def line_up(self, label_width: int) -> None:
        """Give the column of labels this many cells."""
        self._label_width = label_width
        column = label_width + 3
        self.query_one(".field-label").styles.width = column
        for below in self.query(".field-description, .field-error"):
            below.styles.margin = (0, 0, 0, column)
        self._show_label()

    def show_hint(self, text: str) -> None:
        """Show something else at the right than what the field takes; empty for that again."""
        hint = Content(printable(text or self.field.hint))
        for static in self.query(".field-hint").results(Static):
            static.update(hint)

    def set_text(self, text: str) -> None:
        """Put a text into the field, as if it had been typed."""
        editor = self.editor
        if isinstance(editor, TextArea):
            editor.text = text
        elif isinstance(editor, Input):
            editor.value = text

    def show_error(self, text: str) -> None:
        """Show what is wrong under the field; empty for nothing."""
        if text != self._error:
            self._error = text
            self.query_one(".field-error", Static).update(Content(printable(text)))
            self.set_class(bool(text), "-wrong")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Take what was typed."""
        self._take(event, event.value)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Take what was typed."""
        self._take(event, event.text_area.text)

    def on_switch_changed(self, event: Switch.Changed) -> None:
        """Take the state of a switch."""
        self._take(event, "true" if event.value else "false")

    def on_radio_set_changed(self, event: RadioSet.Changed) -> None:
        """Take a choice."""
        self._take(event, self.field.choices[event.index][0])

    def on_select_changed(self, event: Select.Changed) -> None:
        """Take a choice."""
        self._take(event, "" if event.value is Select.NULL else str(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on to the next field."""
        event.stop()
        self.post_message(self.Entered(self))

    def _take(self, event: Message, text: str) -> None:
        event.stop()
        if self.field.is_text_of_lines and not text.strip():
            text = ""
        # Widgets also tell of what they are given at first.
        if text == self._text:
            return
        self._text = text
        self.touched = True
        self._show_label()
        self.post_message(self.Changed(self))

    def _show_label(self) -> None:
        mark = "• " if self._marks and self.is_changed else "  "
        width = self._label_width
        name = printable(self.field.label)
        if len(name) > width:
            name = "…" + name[-(width - 1) :]
        star = "$accent" if self.field.is_demanded else "$foreground-muted"
        label = Content.assemble((mark, "bold $accent"), (name, star))
        self.query_one(".field-label", Static).update(label)

    def _make_editor(self) -> Widget:
        makers: dict[Kind, Any] = {
            Kind.BOOLEAN: self._make_switch,
            Kind.CHOICE: self._make_choice,
            Kind.JSON: self._make_area,
            Kind.DOCUMENT: self._make_area,
        }
        return makers.get(self.field.kind, self._make_input)()  # type: ignore[no-any-return]

    def _make_input(self) -> Input:
        made = Input(
            self._text,
            placeholder=printable(self.field.shown_default),
            compact=True,
            select_on_focus=False,
            # Who types the secret itself is told to give its name; nobody behind reads it.
            password=self.field.kind is Kind.SECRET,
            classes="editor",
        )
        made.cursor_blink = False
        return made

    def _make_area(self) -> TextArea:
        area = TextArea(self._text, compact=True, tab_behavior="focus", classes="editor")
        area.cursor_blink = False
        return area

    def _make_switch(self) -> Switch:
        return Switch(self._text == "true", animate=False, classes="editor")

    def _make_choice(self) -> Widget:
        texts = [text for text, _ in self.field.choices]
        is_known = self._text in texts
        if self._is_spread:
            buttons = [
                RadioButton(Content(printable(shown)), value=text == self._text, compact=True)
                for text, shown in self.field.choices
            ]
            return RadioSet(*buttons, compact=True, classes="editor")
        return Select(
            [(Content(printable(shown)), text) for text, shown in self.field.choices],
            value=self._text if is_known else Select.NULL,
            # What has to be chosen is not chosen for the person.
            allow_blank=not is_known or not (self.field.required or self.field.always),
            prompt=printable(self.field.shown_default) or "choose",
            compact=True,
            classes="editor",
        )


def label_width(fields: list[Field]) -> int:
    """Return how wide the column of labels is for these fields."""
    least, most = LABEL_WIDTHS
    return max(least, min(most, max((len(one.label) for one in fields), default=least)))
