"""Asks for another value of one key of a run's configuration, with what the other runs have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from launch_tui.tui.form_fields import Field, Kind, text_of
from launch_tui.tui.screens.form import FormModal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.tui.widgets.field_row import FieldRow

VALUE = "value"
_MOST_TOLD = 200


class EditValue(FormModal):
    """The question. Returns the text of the value.

    Args:
        run_id: The run that is launched again.
        key: The key of its configuration.
        value: What it has now.
        others: What the other runs have, by their ids.
    """

    SUBMIT: ClassVar[str] = "Open the launch form"
    HINT: ClassVar[str] = "esc closes"

    def __init__(self, run_id: str, key: str, value: Any, others: Mapping[str, Any]) -> None:  # noqa: ANN401
        super().__init__()
        self._run_id = run_id
        self._key = key
        self._value = value
        self._others = others

    @property
    def heading(self) -> str:
        """What stands in the border."""
        return f"Rerun {self._run_id} with another value"

    def fields(self) -> Sequence[tuple[Field, str]]:
        """Return the one field."""
        text = "" if self._value is None else text_of(self._value)
        others = "   ".join(f"{run_id} has {told(v)}" for run_id, v in self._others.items())
        field = Field(
            key=VALUE,
            label=self._key,
            kind=Kind.ANY,
            begins=text,
            required=True,
            always=True,
            description=others[:_MOST_TOLD],
        )
        return [(field, text)]

    def on_field_row_entered(self, event: FieldRow.Entered) -> None:
        """There is one field: enter is done."""
        event.stop()
        self.action_form_submit()

    def submit(self, values: Mapping[str, Any]) -> None:
        """Return what was typed."""
        self.dismiss(text_of(values[VALUE]))


def told(value: Any) -> str:  # noqa: ANN401
    """Return a value as it is told in a few words."""
    return "none" if value is None else text_of(value)
