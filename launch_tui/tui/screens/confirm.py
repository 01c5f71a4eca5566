"""Asks one question with a few answers; ``escape`` and Cancel are no answer.

app.ask(Confirm("Stop run x1y2", "It has run for 3 h.", (Choice("stop", "Stop", key="s"),)),
        answered)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from launch_tui.domain.text import printable
from launch_tui.tui.screens.base import LaunchModal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: what is returned, what the button says, the letter that chooses it.

    ``help`` says in a few words what follows. ``dangerous`` answers look so.
    """

    id: str
    label: str
    key: str = ""
    help: str = ""
    dangerous: bool = False


class Confirm(LaunchModal[str]):
    """A question; returns the id of the choice, or None.

    Args:
        title: A few words.
        body: What is asked, as it is stored; made printable here.
        choices: The answers; Cancel is added.
        default: The id of the answer that enter gives first; empty for Cancel.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("left,h,up,k,shift+tab", "previous", "previous"),
        ("right,l,down,j,tab", "next", "next"),
    ]

    def __init__(
        self, title: str, body: str, choices: Sequence[Choice], *, default: str | None = None
    ) -> None:
        super().__init__()
        self._title = printable(title)
        self._text = "\n".join(printable(line) for line in body.split("\n"))
        self._choices = (*choices, Choice("", "Cancel", key="c"))
        harmless = [c.id for c in self._choices if not c.dangerous]
        self._default = harmless[0] if default is None else default

    def compose(self) -> ComposeResult:
        """Compose the parts."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = self._title.replace("[", "\\[")
            yield Static(self._text, markup=False, classes="dialog-text")
            for choice in self._choices:
                if choice.help:
                    yield Static(f"{choice.label}: {choice.help}", markup=False, classes="hint")
            with Horizontal(classes="buttons"):
                for number, choice in enumerate(self._choices):
                    style = "-dangerous" if choice.dangerous else None
                    yield Button(choice.label, id=f"choice-{number}", compact=True, classes=style)

    def on_mount(self) -> None:
        """Begin to follow what is live."""
        super().on_mount()
        ids = [choice.id for choice in self._choices]
        at = ids.index(self._default) if self._default in ids else len(ids) - 1
        self.query_one(f"#choice-{at}", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the answer of a button."""
        event.stop()
        self._answer(int(str(event.button.id).removeprefix("choice-")))

    def on_key(self, event: events.Key) -> None:
        """Handle a key that no binding took."""
        for number, choice in enumerate(self._choices):
            if choice.key and event.key == choice.key:
                event.stop()
                self._answer(number)
                return

    def action_next(self) -> None:
        """Go to the next answer."""
        self.focus_next(Button)

    def action_previous(self) -> None:
        """Go to the answer before."""
        self.focus_previous(Button)

    def _answer(self, number: int) -> None:
        self.dismiss(self._choices[number].id or None)
