"""Reads one value of an agent configuration, or says what is wrong with it and what is allowed.

A reader takes a value as YAML gave it and the name by which an error calls it. They take what W&B's
own check takes (``4.0`` and ``"4"`` for a whole number, ``yes`` for a flag), since its files are
read as they are; what that check lets slip, such as a flag for a number, is refused.
"""

from __future__ import annotations

import difflib
import math
import re
import reprlib
from typing import TYPE_CHECKING, Any

from launch_tui.domain.quantities import parse_duration, parse_size
from launch_tui.domain.text import printable
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Reader = Callable[[object, str], Any]

SHOWN_LENGTH = 60
"""Characters of a wrong value that an error repeats."""

# Bounded in depth and width too: aliases let a few lines of YAML stand for a large value.
_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxstring = 2, SHOWN_LENGTH

_FLAGS = {"true": True, "yes": True, "on": True, "1": True}
_FLAGS |= {"false": False, "no": False, "off": False, "0": False}
_WHOLE = re.compile(r"[+-]?\d{1,18}\Z", re.ASCII)


def text(value: object, field: str) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise UsageError(field, f"{shown(value)} is not a text", allowed="a text")
    return value.strip()


def flag(value: object, field: str) -> bool:
    """Return a truth value."""
    found = value if isinstance(value, bool) else _FLAGS.get(str(value).lower())
    if found is None:
        raise UsageError(field, f"{shown(value)} is neither", allowed="true, false")
    return found


def whole(*, minimum: int, maximum: int | None = None, allowed: str) -> Reader:
    """Return a reader of whole numbers within bounds."""

    def read(value: object, field: str) -> int:
        number = _whole(value)
        if number is None:
            raise UsageError(field, f"{shown(value)} is not a whole number", allowed=allowed)
        if number < minimum or (maximum is not None and number > maximum):
            raise UsageError(field, f"{number} is out of bounds", allowed=allowed)
        return number

    return read


def max_jobs(value: object, field: str) -> int:
    """Return a number of jobs; -1 stands for no limit."""
    allowed = "1 or more, -1: no limit"
    number: int = whole(minimum=-1, allowed=allowed)(value, field)
    if number == 0:
        raise UsageError(field, "0 is no number of jobs", allowed=allowed)
    return number


def processors(value: object, field: str) -> float:
    """Return a number of processors, of which there may be fractions."""
    allowed = "a number above 0"
    try:
        number = math.nan if isinstance(value, bool) else float(str(value))
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise UsageError(field, f"{shown(value)} is no number of processors", allowed=allowed)
    return number


def size(value: object, field: str) -> int:
    """Return a size in bytes."""
    return parse_size(value, field=field)


def some_size(value: object, field: str) -> int:
    """Return a size in bytes that is not nothing."""
    found = parse_size(value, field=field)
    if not found:
        raise UsageError(field, "nothing can run in 0 bytes", allowed="a size such as 64G")
    return found


def duration(value: object, field: str) -> float:
    """Return a duration in seconds."""
    return parse_duration(value, field=field)


def some_duration(value: object, field: str) -> float:
    """Return a duration in seconds that is not nothing."""
    found = parse_duration(value, field=field)
    if not found:
        raise UsageError(field, "leaves no time at all", allowed="a duration such as 30m")
    return found


def one_of(*choices: str) -> Reader:
    """Return a reader of one word out of some."""

    def read(value: object, field: str) -> str:
        if value not in choices:
            raise UsageError(field, f"{shown(value)} is not known", allowed=", ".join(choices))
        return str(value)

    return read


def texts(what: str, pattern: str = r".+") -> Reader:
    """Return a reader of a list of texts, each once; whole numbers in it are read as text.

    Args:
        what: What each of them is, for errors.
        pattern: What each must match.
    """
    matches = re.compile(pattern)

    def read(value: object, field: str) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise UsageError(field, f"{shown(value)} is not a list", allowed=f"a list of {what}")
        found: dict[str, None] = {}
        for number, each in enumerate(value):
            is_text = isinstance(each, (str, int)) and not isinstance(each, bool)
            word = str(each).strip() if is_text else ""
            if not matches.fullmatch(word):
                place = f"{field}[{number}]"
                raise UsageError(place, f"{shown(each)} is not one", allowed=f"a list of {what}")
            found[word] = None
        return tuple(found)

    return read


def mapping(value: object, field: str) -> Mapping[str, object]:
    """Return a section, its keys being texts."""
    if not isinstance(value, dict):
        raise UsageError(field, f"{shown(value)} is not a section", allowed="key: value")
    for key in value:
        if not isinstance(key, str):
            raise UsageError(field, f"the key {shown(key)} is not a text")
    return value


def section(
    values: Mapping[str, object], readers: Mapping[str, Reader], named: Callable[[str], str]
) -> dict[str, Any]:
    """Return the values of a section, checked; what is null counts as left out.

    Args:
        values: As they were written.
        readers: What reads each of the keys there may be.
        named: From a key to what an error calls it.

    Raises:
        UsageError: For an unknown key, with the one it resembles most, or a wrong value.
    """
    for key in values:
        if key not in readers:
            raise unknown(key, readers, named(printable(key)[:SHOWN_LENGTH]))
    return {
        key: readers[key](value, named(key)) for key, value in values.items() if value is not None
    }


def unknown(key: str, known: Iterable[str], field: str) -> UsageError:
    """Return the error for a key that there is not."""
    near = nearest(key, known)
    if near:
        return UsageError(field, f"there is no such key; did you mean {near}?")
    return UsageError(field, "there is no such key", allowed=", ".join(known))


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most like this one, empty when none is."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else ""


def shown(value: object) -> str:
    """Return a wrong value as an error repeats it."""
    said = printable(_BRIEF.repr(value))
    return said if len(said) <= SHOWN_LENGTH else said[: SHOWN_LENGTH - 1] + "…"


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _WHOLE.match(value.strip()):
        return int(value)
    return value if isinstance(value, int) else None
