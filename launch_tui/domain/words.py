"""How ``key=value`` words read: what a value means, where a dotted key goes, how configs merge."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from launch_tui.domain.managed_files import joined_key, path_of, split_key
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_DIGITS = 1000
"""Longer numbers are text: Python refuses to read integers of more than 4300 digits."""

# JSON has neither `.5` nor `1.` nor `+1`, and a learning rate that arrives as text trains nothing.
_NUMBER = re.compile(r"[+-]?(\d+\.\d*|\.\d+|[1-9]\d*|0)([eE][+-]?\d+)?\Z")
_PYTHON_WORDS = {"True": True, "False": False, "None": None}


def parse_value(text: str) -> Any:  # noqa: ANN401
    """Return what the value of a ``key=value`` word means.

    JSON where it is JSON (numbers, true, false, null, "text", lists, objects), Python's ``True``,
    ``False`` and ``None``, numbers as Python writes them; everything else is text.
    """
    if text in _PYTHON_WORDS:
        return _PYTHON_WORDS[text]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if _NUMBER.match(text) and len(text) < MAX_DIGITS:
        return float(text) if set(text) & set(".eE") else int(text)
    return text


def write_value(value: Any) -> str:  # noqa: ANN401
    """Return the text that ``parse_value`` reads as ``value``."""
    if isinstance(value, str) and parse_value(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def parse_assignments(words: Iterable[str]) -> dict[str, Any]:
    r"""Return the configuration that ``key=value`` words give.

    A dotted key names a nested value: ``optimizer.lr=0.1`` is ``{"optimizer": {"lr": 0.1}}``, and
    ``conf.yaml:lr=0.1`` one of a managed file. A dot within a key is written ``\.``.

    Raises:
        UsageError: For a word without ``=``, an empty key, or two words that contradict.
    """
    config: dict[str, Any] = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not separator:
            raise UsageError(word, "is no key=value", allowed="key=value words, such as lr=0.1")
        path = split_key(key)
        if not all(path):
            raise UsageError(word, "has an empty key", allowed="key=value or outer.inner=value")
        _put(config, path, parse_value(value), word)
    return config


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``over`` laid on it, objects within objects key by key."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested objects under their keys joined by dots."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from flattened(value, f"{prefix}{key}" if path_of(key) else f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _put(config: dict[str, Any], path: list[str], value: Any, word: str) -> None:  # noqa: ANN401
    for depth, part in enumerate(path[:-1], 1):
        inner = config.setdefault(part, {})
        if not isinstance(inner, dict):
            outer = joined_key(path[:depth])
            raise UsageError(word, f"{outer} was given a value of its own already")
        config = inner
    if path[-1] in config:
        raise UsageError(word, f"{joined_key(path)} is given twice")
    config[path[-1]] = value
