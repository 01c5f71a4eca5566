"""How the command line prints: rows, JSON and messages, harmless on any terminal and locale.

Rows and JSON go to stdout, messages to stderr. Text from jobs is made harmless (``printable``)
wherever it is printed as text; JSON carries it as it is. JSON is strict, so what it has no number
for is text, as in wandb's own files: ``"NaN"``, ``"Infinity"``, ``"-Infinity"``.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.domain.words import flattened as flattened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from launch_tui.errors import LaunchError

_ASCII = {"…": "...", "⏎": "\\n", "→": "->", "•": "*", "–": "-", "␛": "^["}  # noqa: RUF001


def prepare_streams() -> None:
    """Have stdout and stderr escape what they cannot encode, instead of failing.

    One that is closed (``>&-``) goes nowhere.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (stays open)
            setattr(sys, name, nowhere)
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def speaks_utf8() -> bool:
    """Say whether the locale and stdout can show more than ASCII."""
    encoding = (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "")
    # Python itself uses UTF-8 in the C locale; what the person's terminal does is not known then.
    names = (os.environ.get("LC_ALL"), os.environ.get("LC_CTYPE"), os.environ.get("LANG"))
    locale = next((name for name in names if name), "")
    return encoding == "utf8" and ("utf8" in locale.lower().replace("-", "") or not locale)


def is_terminal() -> bool:
    """Say whether stdout is a terminal."""
    return sys.stdout.isatty()


def shown(text: object) -> str:
    """Return text as one harmless line that the locale can show."""
    line = str(text)
    if line.isascii() and line.isprintable():
        return line
    from launch_tui.domain.text import printable

    line = printable(line)
    if speaks_utf8():
        return line
    line = "".join(_ASCII.get(character, character) for character in line)
    return line.encode("ascii", "backslashreplace").decode("ascii")


def line(text: object = "") -> None:
    """Print one line on stdout."""
    print(shown(text))


def say(text: object) -> None:
    """Print one line on stderr."""
    # What was printed before it comes out before it, where both go to one place.
    sys.stdout.flush()
    print(shown(text), file=sys.stderr, flush=True)


def notes(texts: Iterable[str]) -> None:
    """Print warnings, one a line, on stderr."""
    for text in texts:
        say(f"note: {text}")


def complain(error: LaunchError | str) -> None:
    """Print an error as one line on stderr."""
    say(f"launch-tui: {' '.join(str(error).split())}")


def print_json(value: Any) -> None:  # noqa: ANN401
    """Print one JSON document on one line."""
    print(to_json(value))


def print_json_object(items: Iterable[tuple[str, Any]]) -> None:
    """Print one JSON object on one line, of which only one value is held at a time."""
    before = "{"
    for key, value in items:
        print(f"{before}{to_json(key)}: {to_json(value)}", end="")
        before = ", "
    print("}" if before == ", " else "{}")


def to_json(value: Any) -> str:  # noqa: ANN401
    """Return a value as strict JSON on one line."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=not speaks_utf8())
    except ValueError:
        return json.dumps(finite(value), allow_nan=False, ensure_ascii=not speaks_utf8())


def finite(value: Any) -> Any:  # noqa: ANN401
    """Return a value with the numbers that JSON does not have as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return value


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under headers, columns aligned, one row a line; nothing when there are none."""
    if not rows:
        return
    cells = [list(headers), *([shown(cell) for cell in row] for row in rows)]
    widths = [max(_width(row[at]) for row in cells) for at in range(len(headers))]
    for row in cells:
        padded = [cell + " " * (widths[at] - _width(cell)) for at, cell in enumerate(row)]
        print("  ".join(padded).rstrip())


def pairs(values: Mapping[str, object]) -> None:
    """Print names and values, one pair a line; empty values are left out."""
    kept = {name: value for name, value in values.items() if value not in (None, "", (), [], {})}
    width = max((len(name) for name in kept), default=0)
    for name, value in kept.items():
        print(f"{shown(name):<{width}}  {shown(value)}")


def brief(value: Any) -> str:  # noqa: ANN401
    """Return a value of a configuration or summary as a person reads it."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.12g}"
    return to_json(value)


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
