"""The keys that hold: those of keys.py, as a person's ``ui.yaml`` has moved them.

A key that would never do anything is worse than one that is refused, so a moved key is checked
against every action that acts at the same time: two that answer to one key are told, with the file
and the action, and nothing is moved. Textual itself would keep one of the two and say nothing.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from textual.keys import Keys, _character_to_key

from launch_tui.errors import UsageError
from launch_tui.tui import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from launch_tui.tui.keys import Action

PANES = frozenset({"log", "metrics", "plan", "first"})
"""Scopes of a focused pane: its keys come before those of the screen around it, on purpose."""
_FORMS = frozenset({"form", "plan"})
_EVERYWHERE = frozenset({"global", "list", "move"})
_SCREENS = (
    frozenset({"runs", "run"}),
    frozenset({"run", "tabs"}),
)
"""Scopes that one screen has together; every other screen has its own, and those everywhere."""

_NAMED = frozenset(str(key.value) for key in Keys) - {"<any>", "ignore"}
_MODIFIERS = frozenset({"ctrl", "alt", "shift", "super", "hyper", "meta"})
_SAME_BYTES = {"ctrl+h": "backspace", "ctrl+i": "tab", "ctrl+j": "enter", "ctrl+m": "enter"}
_LONGEST = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMap:
    """Which keys an action has; ``given`` are the keys of the actions that were moved."""

    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, action: Action) -> tuple[str, ...]:
        """Return the keys of an action by Textual's names, the one that is shown first."""
        return self.given.get(action.id) or _own(action)

    def shown(self, action: Action, *, ascii_only: bool = False) -> str:
        """Return the key of an action as people write it; empty for one that has none."""
        held = self.of(action)
        if not held:
            return ""
        shown = keys.shown_key(held[0])
        return shown if shown.isascii() or not ascii_only else held[0]

    def overlay(self) -> dict[str, str]:
        """Return what ``App.set_keymap`` takes."""
        return {name: ",".join(held) for name, held in self.given.items()}


def read_keymap(given: object, where: str) -> KeyMap:
    """Return the keys that a file gives.

    Args:
        given: ``{action: key}``, where a key may be several, in a list or with commas between.
        where: How an error names it: file and key.

    Raises:
        UsageError: For an action that there is not, a key that is none, or one that another
            action has which acts at the same time.
    """
    if not isinstance(given, dict):
        raise UsageError(where, "is no section", allowed="ACTION: KEY")
    moved: dict[str, tuple[str, ...]] = {}
    for name, value in given.items():
        action = keys.BY_ID.get(str(name))
        if action is None:
            raise UsageError(f"{where}.{name}", _unknown(str(name)))
        if value is not None:
            moved[action.id] = _keys_of(value, action, f"{where}.{name}")
    keymap = KeyMap(given=moved)
    for name in moved:
        _check_clashes(keys.BY_ID[name], keymap, f"{where}.{name}")
    return keymap


def _own(action: Action) -> tuple[str, ...]:
    return tuple(action.keys.split(",")) if action.keys else ()


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, list(keys.BY_ID), n=1, cutoff=0.5)
    meant = f"; did you mean {near[0]}?" if near else "; docs/keys.md has them all"
    return f"there is no such action{meant}"


def _keys_of(value: object, action: Action, where: str) -> tuple[str, ...]:
    words = value if isinstance(value, list) else _split(value)
    found = tuple(dict.fromkeys(_key(word, where) for word in words))
    if not found:
        raise UsageError(where, "is empty", allowed="a key, such as X, ctrl+t, f6")
    if action.priority:
        for key in found:
            if keys.character_of(key):
                raise UsageError(
                    where,
                    f"{keys.shown_key(key)} is typed into fields, where this acts too",
                    allowed="a key such as ctrl+t, f6",
                )
    return found


def _split(value: object) -> list[object]:
    if isinstance(value, int) and not isinstance(value, bool):
        return [str(value)]
    if not isinstance(value, str) or value == ",":
        return [value]
    return [word.strip() for word in value.split(",")]


def _key(word: object, where: str) -> str:
    """Return a key by Textual's name for it."""
    text = str(word) if isinstance(word, (str, int)) and not isinstance(word, bool) else ""
    shown = repr(word)[:_LONGEST]
    *modifiers, last = text.split("+") if len(text) > 1 else [text]
    if not last or not set(modifiers) <= _MODIFIERS:
        raise UsageError(where, f"{shown} is no key", allowed="such as X, ctrl+t, f6, space")
    if len(last) == 1 and last.isprintable():
        last = _character_to_key(last)
    elif last not in _NAMED and not keys.character_of(last):
        raise UsageError(where, f"{shown} is no key", allowed="such as X, ctrl+t, f6, space")
    key = "+".join([*modifiers, last])
    if key in _SAME_BYTES:
        same = _SAME_BYTES[key]
        raise UsageError(where, f"a terminal cannot tell {key} from {same}", allowed="another key")
    return key


def _check_clashes(action: Action, keymap: KeyMap, where: str) -> None:
    held = set(keymap.of(action)) - set(_own(action))
    for other in _beside(action):
        if both := held & set(keymap.of(other)):
            key = keys.shown_key(min(both))
            raise UsageError(where, f"{key} is the key of {other.id} ({other.label})",
                             allowed="a key of its own, or move that one too")  # fmt: skip


def _beside(action: Action) -> Iterable[Action]:
    """Yield the other actions that act where this one does."""
    scopes = _scopes_beside(action.scope)
    if action.priority:
        scopes |= PANES | _FORMS
    return (each for each in keys.ACTIONS if each.scope in scopes and each.id != action.id)


def _scopes_beside(scope: str) -> frozenset[str]:
    if scope in PANES:
        return frozenset({scope, "move"})
    if scope in _FORMS:
        return _FORMS
    if scope in _EVERYWHERE:
        return frozenset(keys.SCOPES) - PANES - _FORMS
    shared = [group for group in _SCREENS if scope in group]
    return frozenset({scope}).union(_EVERYWHERE, *shared)
