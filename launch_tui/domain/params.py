"""``--param``: one run for each value of a key, and for each combination of several keys.

``lr=1e-3,3e-4`` names values, ``seed=0..4`` counts with both ends, ``x=0..1..0.25`` counts by a
step, ``names=["a,b", "c"]`` is a JSON list of the values. All of it may be mixed: ``0..3,10``. A
value in itself reads as that of a ``key=value`` word does.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import TYPE_CHECKING, Any

from launch_tui.domain.managed_files import joined_key, split_key
from launch_tui.domain.words import parse_value
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MAX_RUNS = 10_000
"""Runs that one launch may make: more is a slip of the hand (``seed=0..1000000``)."""

_ALLOWED = "key=a,b,c or key=0..4"
_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?:\.\.({_NUMBER}))?\Z")
_WHOLE = re.compile(r"[+-]?\d+\Z")
_MAX_NUMBER = 40
"""Characters of a number in a range: exact arithmetic with an exponent of billions never ends."""


def parse_params(words: Iterable[str], *, field: str = "--param") -> dict[str, list[Any]]:
    """Return the values of each key, in the order they were given.

    Args:
        words: ``key=values``, one for each ``--param``. A dotted key names a nested value.
        field: How an error names them.

    Raises:
        UsageError: For a word without ``=``, an empty key or value, a key or value given twice, a
            range that cannot be counted, or more combinations than ``MAX_RUNS``.
    """
    params: dict[str, list[Any]] = {}
    for word in words:
        key, separator, text = word.partition("=")
        if not separator:
            raise UsageError(field, f"{word!r} has no '='", allowed=_ALLOWED)
        if not all(split_key(key)):
            raise UsageError(field, f"{word!r} has an empty key", allowed=_ALLOWED)
        if key in params:
            allowed = f"all values in one: {key}=a,b,c"
            raise UsageError(field, f"{key} is given twice", allowed=allowed)
        params[key] = _values(key, text, field)
    _check_count(params, field)
    _check_paths(params, field)
    return params


def product(params: Mapping[str, Sequence[Any]], *, field: str = "--param") -> list[dict[str, Any]]:
    """Return the configuration of each combination; the last key changes fastest.

    Without keys that is one empty configuration.

    Raises:
        UsageError: For a key without values, keys that contradict (``a`` and ``a.b``), or more
            combinations than ``MAX_RUNS``.
    """
    for key, values in params.items():
        if not values:
            raise UsageError(field, f"{key} has no values", allowed=_ALLOWED)
    _check_count(params, field)
    _check_paths(params, field)
    paths = [split_key(key) for key in params]
    return [_nested(paths, values) for values in itertools.product(*params.values())]


def write_param(key: str, values: Sequence[Any]) -> str:
    """Return the word that ``parse_params`` reads as these values."""
    return f"{key}={json.dumps(list(values), ensure_ascii=False)}"


def _values(key: str, text: str, field: str) -> list[Any]:
    listed = parse_value(text) if text.startswith("[") else None
    if isinstance(listed, list):
        values = listed
        if not values:
            raise UsageError(field, f"{key} has no values", allowed=_ALLOWED)
    else:
        values = []
        for part in _split(text):
            values += _read(key, part.strip(), field)
            _check_length(len(values), field)
    _check_no_twins(key, values, field)
    return values


def _split(text: str) -> Iterator[str]:
    """Yield what stands between commas that are neither in quotes nor in brackets.

    Only what begins with a quote or a bracket has an inside: ``it"s`` is text as any other.
    """
    start, depth, quoted, at = 0, 0, False, 0
    while at < len(text):
        character = text[at]
        inside = depth > 0 or quoted or not text[start:at].strip()
        if quoted and character == "\\":
            at += 1
        elif character == '"' and inside:
            quoted = not quoted
        elif not quoted and inside and character in "[{":
            depth += 1
        elif not quoted and depth and character in "]}":
            depth -= 1
        elif not quoted and not depth and character == ",":
            yield text[start:at]
            start = at + 1
        at += 1
    yield text[start:]


def _read(key: str, part: str, field: str) -> list[Any]:
    if not part:
        allowed = f'{_ALLOWED}; "" is the empty text'
        raise UsageError(field, f"{key} has an empty value", allowed=allowed)
    match = _RANGE.match(part)
    return _counted(key, part, match, field) if match else [parse_value(part)]


def _counted(key: str, part: str, match: re.Match[str], field: str) -> list[Any]:
    """Return the numbers of a range, both ends included; whole numbers where all of it is."""
    from decimal import Decimal

    texts = [text for text in match.groups() if text is not None]
    whole = all(_WHOLE.match(text) for text in texts)
    if len(texts) < 3 and not whole:
        raise UsageError(field, f"{key}={part} needs a step", allowed=f"{key}=0..1..0.25")
    if max(map(len, texts)) > _MAX_NUMBER or not all(math.isfinite(float(t)) for t in texts):
        raise UsageError(field, f"{key}={part} is too large a range")
    first, last, step = Decimal(texts[0]), Decimal(texts[1]), Decimal([*texts, "1"][2])
    if step == 0 or (last - first) / step < 0:
        allowed = f"{key}=0..4, or with a step {key}=4..0..-1"
        raise UsageError(field, f"{key}={part} is empty", allowed=allowed)
    steps = (last - first) / step
    _check_length(int(min(steps, Decimal(MAX_RUNS))) + 1, field)
    numbers = [first + step * at for at in range(int(steps) + 1)]
    return [int(number) if whole else float(number) for number in numbers]


def _check_no_twins(key: str, values: list[Any], field: str) -> None:
    """Raise for a value given twice: two runs that differ in nothing."""
    seen: set[tuple[str, object]] = set()
    for value in values:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        # 1 and 1.0 are the same to a job; to JSON they are not.
        mark = ("number", value) if number else ("text", json.dumps(value, sort_keys=True))
        if mark in seen:
            raise UsageError(field, f"{key} has the value {json.dumps(value)} twice")
        seen.add(mark)


def _check_count(params: Mapping[str, Sequence[Any]], field: str) -> None:
    if params:
        _check_length(math.prod(len(values) for values in params.values()), field)


def _check_length(count: int, field: str) -> None:
    if count > MAX_RUNS:
        told = f"{count:,}" if count > MAX_RUNS + 1 else f"more than {MAX_RUNS:,}"
        raise UsageError(field, f"makes {told} runs", allowed=f"at most {MAX_RUNS:,}")


def _check_paths(keys: Iterable[str], field: str) -> None:
    """Raise for a key that lies within another: ``a`` and ``a.b`` cannot both have a value."""
    known = {tuple(split_key(key)) for key in keys}
    for path in known:
        for depth in range(1, len(path)):
            if path[:depth] in known:
                key, outer = joined_key(path), joined_key(path[:depth])
                raise UsageError(field, f"{key} lies within {outer}, which has values of its own")


def _nested(paths: list[list[str]], values: tuple[Any, ...]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for path, value in zip(paths, values, strict=True):
        inner = config
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        inner[path[-1]] = value
    return config
