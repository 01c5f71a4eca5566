"""What the keys of a resource configuration mean: their kinds, and reading a value of each kind.

A target says which keys it has (``Key``, ``Schema``). Values stay in a configuration as they were
written, so that it shows and merges as its owner knows it; ``Key.read`` gives what one means.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from launch_tui.domain.environment import check_own_variable
from launch_tui.domain.quantities import (
    parse_duration,
    parse_size,
    write_duration,
    write_size,
)
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from launch_tui.domain.queue import Resource

MAX_WHOLE = 10**30
"""Larger numbers are slips of the hand, and a float of that size is no whole number any more."""

MAX_SHOWN = 60
"""Characters of a wrong value that an error repeats."""

_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?\Z", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,30}\Z", re.ASCII)


class Kind(StrEnum):
    """What the value of a key is."""

    TEXT = "text"
    FLAG = "true or false"
    WHOLE = "a whole number"
    NUMBER = "a number"
    SIZE = "a size"
    """Bytes: ``20G``."""
    DURATION = "a duration"
    """Seconds: ``90s``, ``1h30m``."""
    LINES = "lines of text"
    """One text of lines, or a list of lines."""
    NAMES = "names with a text each"
    """A mapping, or Docker's list of ``NAME=value``."""
    OBJECT = "an object"
    """A mapping with keys of its own."""
    ANY = "anything"
    """Kept as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a resource configuration.

    ``minimum`` and ``maximum`` are in the unit of what is read: bytes, seconds. ``owner_only`` keys
    are set by a queue and never by a launch; where only some values are the owner's, it is a
    function that says so of what was read. ``aliases`` are other names of the key, which stand for
    it. ``also`` are words by which people look for it; they only help to name it in an error.
    ``words`` are taken as they are beside the values of the kind. ``keys`` are those of an object,
    ``check_name`` refuses a name among ``NAMES``. ``parse`` reads values that the kind alone does
    not describe; it takes what the kind has read and the error's field. ``form`` says how such
    values are written.
    """

    name: str
    kind: Kind
    help: str
    owner_only: bool | Callable[[Any], bool] = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()
    check_name: Callable[[str, str], object] | None = None
    parse: Callable[[Any, str], Any] | None = None
    form: str = ""

    @property
    def allowed(self) -> str:
        """What may be given, in words: ``a whole number from 0 to 64``."""
        told = self.form or " or ".join(self.choices) or self.kind + _span(self)
        return ", or ".join((told, *self.words))

    @property
    def for_launches(self) -> bool:
        """Whether a launch may give it, if only with some values."""
        return self.owner_only is not True

    def is_owners(self, value: Any, field: str) -> bool:  # noqa: ANN401
        """Say whether a value, as it was written, is only the owner's to give."""
        if not callable(self.owner_only):
            return self.owner_only
        return value is not None and self.owner_only(self.read(value, field))

    def read(self, value: Any, field: str) -> Any:  # noqa: ANN401
        """Return what ``value`` means for this key.

        Args:
            value: As it was written; not None.
            field: How an error names it.

        Raises:
            UsageError: When it is not of this kind, or out of bounds.
        """
        word = str(value).strip().lower() if isinstance(value, (str, int)) else ""
        read = word if word in self.words else self._read(value, field)
        return read if self.parse is None else self.parse(read, field)

    def _read(self, value: Any, field: str) -> Any:  # noqa: ANN401
        read = _READERS[self.kind](self, value, field)
        if isinstance(read, (int, float)) and not _within(self, read):
            raise wrong(field, value, self.allowed)
        if self.choices and read not in self.choices:
            raise wrong(field, value, self.allowed)
        return read


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The keys that a target resource's configuration has.

    ``request`` says what of the machine's slots a checked configuration asks for (a
    ``slots.Request``), for targets that use this machine. An ``open`` schema also takes keys that
    it does not name: the target hands them on to a system that checks them itself. Keys that are
    ``kept`` come with a queue of W&B's and mean nothing to this target. ``refused`` are keys that
    people expect here, with the reason why there is none. ``agree`` raises for values that cannot
    stand together; it takes what was read by key, None where that waits for a template variable,
    and the configuration's field.
    """

    resource: Resource
    keys: tuple[Key, ...] = ()
    request: Callable[[Mapping[str, Any]], Any] | None = None
    open: bool = False
    kept: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    agree: Callable[[Mapping[str, Any], str], None] | None = None

    def find(self, name: str) -> Key | None:
        """Return the key of that name, or of one that stands for it."""
        return find_key(self.keys, name)


def find_key(keys: Iterable[Key], name: str) -> Key | None:
    """Return the key that a name means: its own or an alias, with ``-`` and ``_`` as the same."""
    dashed = name.replace("_", "-")
    for key in keys:
        if key.name == name or any(
            each.replace("_", "-") == dashed for each in (key.name, *key.aliases)
        ):
            return key
    return None


def nearest(name: str, keys: Iterable[Key]) -> str:
    """Return the name of the key that was probably meant; empty when none is alike."""
    names = {
        word.replace("-", "_"): key.name
        for key in keys
        for word in (key.name, *key.aliases, *key.also)
    }
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    found = get_close_matches(plain, sorted(names), n=1)
    return names[found[0]] if found else ""


def wrong(field: str, value: object, allowed: str) -> UsageError:
    """Return the refusal of a value: what it is, and what is allowed."""
    return UsageError(field, f"{shown_value(value)} is not allowed", allowed=allowed)


def shown_value(value: object) -> str:
    """Return a wrong value as an error repeats it: on one line, not too long."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, int) and abs(value) >= 10**40:
        return "a number of that size"
    names: dict[object, str] = {None: "null", True: "true", False: "false"}
    is_word = value is None or isinstance(value, bool)
    text = names[value] if is_word else repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def read_number(value: object) -> float | None:
    """Return a finite number, also one in a text (Docker's ``cpus: "0.5"``); None otherwise."""
    if isinstance(value, str) and _NUMBER.match(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def read_whole(value: object) -> int | None:
    """Return a whole number, also one in a text or written as ``4.0``; None otherwise."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and _WHOLE.match(value.strip()):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and abs(value) <= MAX_WHOLE else None


def read_flag(value: object) -> bool | None:
    """Return true or false, also from the words that YAML 1.1 had for them; None otherwise."""
    if isinstance(value, str):
        return _FLAGS.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def check_text(value: object, field: str, allowed: str = "text") -> str:
    """Return ``value`` if it is a text that a process can be given."""
    if not isinstance(value, str):
        raise UsageError(field, f"{shown_value(value)} is not a text", allowed=allowed)
    if "\0" in value:
        raise UsageError(field, "holds a NUL character, which no process can be given")
    return value


def span(low: str, high: str) -> str:
    """Return bounds in words, either of them empty where there is none: `` from 1 to 8``."""
    if low and high:
        return f" from {low} to {high}"
    return f" of at least {low}" if low else f" of at most {high}" if high else ""


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return the end of an error's line that names what is most like ``name``, if anything is."""
    found = get_close_matches(name, list(names), n=1)
    return f", did you mean {found[0]}?" if found else ""


def _within(key: Key, read: float) -> bool:
    low = -math.inf if key.minimum is None else key.minimum
    high = math.inf if key.maximum is None else key.maximum
    return low <= read <= high


def _span(key: Key) -> str:
    ends = (key.minimum, key.maximum)
    writers: dict[Kind, Callable[[float], str]] = {
        Kind.SIZE: write_size,
        Kind.DURATION: write_duration,
    }
    write = writers.get(key.kind, "{:.15g}".format)
    low, high = ("" if end is None else write(end) for end in ends)
    example = {Kind.SIZE: ", such as 20G", Kind.DURATION: ", such as 90s or 1h30m"}
    return span(low, high) + example.get(key.kind, "")


def _text(key: Key, value: object, field: str) -> str:
    # A version such as 3.11 is a number to YAML, and 3.10 is 3.1: only the text is certain.
    if read_number(value) is not None and not isinstance(value, str):
        raise UsageError(field, f"{shown_value(value)} is a number", allowed="text, in quotes")
    return check_text(value, field, key.allowed)


def _flag(key: Key, value: object, field: str) -> bool:
    flag = read_flag(value)
    if flag is None:
        raise wrong(field, value, key.allowed)
    return flag


def _whole(key: Key, value: object, field: str) -> int:
    whole = read_whole(value)
    if whole is None:
        raise wrong(field, value, key.allowed)
    return whole


def _number(key: Key, value: object, field: str) -> float:
    number = read_number(value)
    if number is None:
        raise wrong(field, value, key.allowed)
    return number


def _size(key: Key, value: object, field: str) -> int:
    return parse_size(value, field=field)


def _duration(key: Key, value: object, field: str) -> float:
    return parse_duration(value, field=field)


def _lines(key: Key, value: object, field: str) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.replace("\r\n", "\n").rstrip("\n").split("\n") if value.strip() else []
    if not isinstance(value, (list, tuple)):
        raise wrong(field, value, key.allowed)
    return tuple(check_text(line, f"{field}[{at}]") for at, line in enumerate(value))


def _names(key: Key, value: object, field: str) -> dict[str, str]:
    value = named(value, field)
    if not isinstance(value, Mapping):
        raise wrong(field, value, f"{key.kind}: a mapping, or a list of NAME=value")
    for name in value:
        if key.check_name is None:
            check_own_variable(name, field=field)
        else:
            key.check_name(name, field)
    return {
        name: _assigned(text, f"{field}.{name}") for name, text in value.items() if text is not None
    }


def named(value: object, field: str) -> Any:  # noqa: ANN401
    """Return the mapping that Docker's list of ``NAME=value``, or one of them, stands for.

    What is no list and no text is returned as it is.
    """
    if isinstance(value, str):
        value = [line for line in value.splitlines() if line.strip()]
    if not isinstance(value, (list, tuple)):
        return value
    found: dict[str, str] = {}
    for at, word in enumerate(value):
        name, separator, value = check_text(word, f"{field}[{at}]").partition("=")
        if not separator:
            raise UsageError(f"{field}[{at}]", f"{name!r} has no '='", allowed="NAME=value")
        if name in found:
            raise UsageError(f"{field}[{at}]", f"{name} is given twice")
        found[name] = value
    return found


def _assigned(value: object, field: str) -> str:
    # YAML has `OMP_NUM_THREADS: 8` as a number and a filled hole has its variable's type.
    if isinstance(value, (bool, int, float)):
        value = json.dumps(value)
    return check_text(value, field)


def _object(key: Key, value: object, field: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong(field, value, key.allowed)
    read: dict[str, Any] = {}
    for name, part in value.items():
        where = f"{field}.{name}"
        inner = part_of(key, name, where)
        if inner.name in read:
            raise given_twice(where, inner)
        if part is not None:
            read[inner.name] = inner.read(part, where)
    return read


def part_of(key: Key, name: str, field: str) -> Key:
    """Return the key within an object that a name means.

    Raises:
        UsageError: When the object has none of that name.
    """
    inner = find_key(key.keys, name)
    if inner is None:
        raise unknown_key(field, name, key.keys, f"a key of {key.name}")
    return inner


def given_twice(field: str, key: Key) -> UsageError:
    """Return the refusal of a key that was given under two of its names."""
    return UsageError(field, f"means {key.name}, which is given as well", allowed="one of them")


def unknown_key(field: str, name: str, keys: tuple[Key, ...], what: str) -> UsageError:
    """Return the refusal of a key that is not there, naming the one that was probably meant."""
    alike = nearest(name, keys)
    hint = f", did you mean {alike}?" if alike else ""
    allowed = ", ".join(sorted(key.name for key in keys))
    return UsageError(field, f"is not {what}{hint}", allowed=allowed)


_READERS: dict[Kind, Callable[[Key, Any, str], Any]] = {
    Kind.TEXT: _text,
    Kind.FLAG: _flag,
    Kind.WHOLE: _whole,
    Kind.NUMBER: _number,
    Kind.SIZE: _size,
    Kind.DURATION: _duration,
    Kind.LINES: _lines,
    Kind.NAMES: _names,
    Kind.OBJECT: _object,
    Kind.ANY: lambda _key, value, _field: value,
}
