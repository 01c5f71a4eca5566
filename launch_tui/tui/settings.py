"""``ui.yaml`` in the data directory: keys, colours, motion and news, as this person wants them.

The file is read once, when the UI opens, and again when it is edited from there. Anything wrong in
it is one line that names the file and the key; the UI then starts with its own settings and says
so, because a person who cannot open the screens cannot find out why. Without the file nothing is
read and no YAML is loaded.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from launch_tui.errors import UsageError
from launch_tui.tui.keymap import KeyMap, read_keymap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from launch_tui.store.paths import Home

    Reader = Callable[[object, str], Any]

MAX_BYTES = 64 * 1024
OUTCOMES = ("finished", "failed", "stopped", "lost")
"""What news can be about."""
MEANS = ("bell", "desktop")
"""How news reach a person: the terminal's bell, or a notice of the desktop (OSC 9 and 777)."""
AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Which ends of runs are told past the screen, and how; none unless the person wants it.

    ``always`` tells also while the terminal has the focus.
    """

    on: frozenset[str] = frozenset()
    by: frozenset[str] = frozenset()
    always: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UiSettings:
    """How the UI looks and acts.

    ``theme`` is the name of one, or ``auto`` for what fits the terminal; ``ascii`` and ``motion``
    are None for what fits the terminal. ``compact`` leaves out the frames around panes.
    """

    keymap: KeyMap = field(default_factory=KeyMap)
    theme: str = AUTO
    ascii: bool | None = None
    compact: bool = False
    motion: bool | None = None
    notify: News = field(default_factory=News)


def path_of(home: Home) -> Path:
    """Return where the settings of the UI are, if there are any."""
    return home.root / "ui.yaml"


def load(home: Home) -> UiSettings:
    """Return the settings of a data directory; the defaults where there is no file.

    Raises:
        UsageError: When the file cannot be read, or anything in it is wrong.
    """
    path = path_of(home)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(str(path), f"has more than {MAX_BYTES // 1024} KiB")
    except FileNotFoundError:
        return UiSettings()
    except OSError as error:
        raise UsageError(str(path), f"cannot be read: {error.strerror}") from None
    from launch_tui.domain.document import read_document

    return settings_of(read_document(path, str(path)), str(path))


def parse(text: str, where: str) -> UiSettings:
    """Return the settings that a text gives.

    Raises:
        UsageError: When anything in it is wrong.
    """
    from launch_tui.domain.document import read_document

    return settings_of(read_document(f"{text}\n", where), where)


def settings_of(given: Mapping[str, object], where: str) -> UiSettings:
    """Return the settings that keys and values give.

    Raises:
        UsageError: When one of them is wrong.
    """
    return UiSettings(**_section(given, _READERS, f"{where}: "))


def _section(given: Mapping[str, object], readers: Mapping[str, Reader], at: str) -> dict[str, Any]:
    """Return the values of a section, checked; what is null counts as left out."""
    found = {}
    for key, value in given.items():
        if key not in readers:
            near = difflib.get_close_matches(key, list(readers), n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            allowed = "" if near else ", ".join(readers)
            raise UsageError(f"{at}{key}", f"there is no such key{meant}", allowed=allowed)
        if value is not None:
            found[key] = readers[key](value, f"{at}{key}")
    return found


def _flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(where, f"{value!r} is neither", allowed="true, false")
    return value


def _theme(value: object, where: str) -> str:
    from launch_tui.tui.theme import names

    known = (AUTO, *names())
    if value not in known:
        raise UsageError(where, f"{value!r} is no theme", allowed=", ".join(known))
    return str(value)


def _some_of(*known: str) -> Reader:
    def read(value: object, where: str) -> frozenset[str]:
        words = value if isinstance(value, list) else [value]
        for word in words:
            if word not in known:
                raise UsageError(where, f"{word!r} is not one", allowed=", ".join(known))
        return frozenset(words)

    return read


def _news(value: object, where: str) -> News:
    if not isinstance(value, dict):
        raise UsageError(where, "is no section", allowed="on: [failed], by: [bell]")
    found = _section(value, _NEWS_READERS, f"{where}.")
    # Who says what for has said that it is wanted.
    found.setdefault("on", frozenset({"finished", "failed", "lost"}))
    found.setdefault("by", frozenset({"desktop"}))
    return News(**found)


_NEWS_READERS: dict[str, Reader] = {
    "on": _some_of(*OUTCOMES),
    "by": _some_of(*MEANS),
    "always": _flag,
}
_READERS: dict[str, Reader] = {
    "keymap": read_keymap,
    "theme": _theme,
    "ascii": _flag,
    "compact": _flag,
    "motion": _flag,
    "notify": _news,
}
