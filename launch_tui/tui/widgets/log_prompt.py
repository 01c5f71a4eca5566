"""The one line in which a search or a filter is typed, at the foot of a log view as in less."""

from __future__ import annotations

LENGTH_LIMIT = 500


class Prompt:
    """What is being typed after ``/`` or ``&``.

    Args:
        kind: The key that opened it.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.typed = ""
        self.entered = False
        """Whether it was closed with enter."""

    def key(self, key: str, character: str | None) -> bool:
        """Take a key; True when the prompt is done."""
        if key in ("enter", "escape", "ctrl+c"):
            self.entered = key == "enter"
            return True
        if key in ("backspace", "ctrl+h"):
            if not self.typed:
                return True
            self.typed = self.typed[:-1]
        elif key == "ctrl+u":
            self.typed = ""
        elif character is not None and character.isprintable():
            self.typed = (self.typed + character)[:LENGTH_LIMIT]
        return False

    def shown(self, width: int, *, ascii_only: bool = False) -> str:
        """Return the end of the line that fits, with a block for the cursor."""
        cursor = "_" if ascii_only else "█"
        return (self.kind + self.typed)[-(max(2, width) - 1) :] + cursor
