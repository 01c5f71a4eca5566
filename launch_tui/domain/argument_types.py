"""The types of what a Python caller gives by name: a call is refused as a command line is.

Python itself would not notice a text where a list of texts is meant (its letters are a list), a
``3.1`` that was to be a version, or a number that no later comparison fails on. What else is wrong
with a value is said where it is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from launch_tui.errors import UsageError


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_path(value: object) -> bool:
    return isinstance(value, (str, os.PathLike))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_list(value: object) -> bool:
    # A generator is a list too, and only its user may go through it.
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def _is_command(value: object) -> bool:
    return isinstance(value, Sequence) and all(map(_is_text, value))


def _is_object(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value))


_KINDS: tuple[tuple[frozenset[str], Callable[[object], bool], str], ...] = (
    (
        frozenset({
            "base_image", "begin", "description", "entity", "group", "job", "name", "note",
            "on_reboot", "priority", "project", "python_version", "queue", "ref", "reference",
            "resource", "tracking", "type", "venv",
        }),
        _is_text,
        "a text",
    ),
    (frozenset({"build_context", "dockerfile", "python"}), _is_path, "a path"),
    (frozenset({"limit", "max_running", "retries"}), _is_whole, "a whole number"),
    (frozenset({"backoff", "timeout"}), _is_number, "a number"),
    (
        frozenset({
            "aliases", "arguments", "links", "pass_env", "retry_on", "secrets", "states", "tags",
        }),
        _is_list,
        "a list of texts",
    ),
    (frozenset({"configs"}), _is_list, "dicts, one a run"),
    (frozenset({"entry_point"}), _is_command, "a text, or a list of texts"),
    (
        frozenset({"config", "resource_args", "schema", "setenv", "template_variables"}),
        _is_object,
        "a dict with texts as keys",
    ),
)  # fmt: skip


def check_types(given: Mapping[str, Any]) -> None:
    """Refuse the first argument of a type that it cannot have; None is no argument.

    Raises:
        UsageError: Naming it, and what is allowed.
    """
    for name, value in given.items():
        for names, fits, allowed in _KINDS:
            if value is not None and name in names and not fits(value):
                shown = repr(value) if isinstance(value, (str, int, float)) else "the value"
                problem = f"{shown} is of type {type(value).__name__}"
                raise UsageError(name, problem, allowed=allowed)


def texts(name: str, given: Iterable[Any]) -> tuple[str, ...]:
    """Return what a list has.

    Args:
        name: How an error names the list.
        given: The list, gone through once.

    Raises:
        UsageError: When one of them is no text and no path.
    """
    found = tuple(given)
    for at, value in enumerate(found):
        if not _is_path(value):
            problem = f"{value!r} is of type {type(value).__name__}"
            raise UsageError(f"{name}[{at}]", problem, allowed="a text")
    return tuple(map(os.fspath, found))
