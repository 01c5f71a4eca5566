"""The resource arguments of a launch: from ``-c``, ``-R`` and the flags for the usual ones.

W&B wraps them in the name of the resource (``{"resource_args": {"local-process": {…}}}``); a plain
object means the queue's own resource. What comes from several places is laid over each other, and
the name is kept, so that the queue can refuse what was written for another target.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from launch_tui.domain.queue import Resource, parse_resource
from launch_tui.domain.sync import SyncRule, WandbMode
from launch_tui.domain.words import merge
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from launch_tui.cli.parsing import Arguments

SHORT_KEYS = ("gpus", "gpu_memory", "cpus", "memory", "timeout", "wandb", "sync")
"""Keys of a resource configuration that have a flag of their own."""

_CHOICES = {"wandb": WandbMode, "sync": SyncRule}
_WRAPPER = "resource_args"
_NAMES = frozenset({*Resource, "process", "docker", "gcp-vertex"})


def given_resources(arguments: Arguments) -> list[tuple[str, Mapping[str, Any]]]:
    """Return what ``-R`` and the short flags give, each with the flag that errors name.

    Raises:
        UsageError: For a document that cannot be read, or a value of a short flag that means
            nothing.
    """
    found: list[tuple[str, Mapping[str, Any]]] = []
    if arguments.on("resource_args"):
        from launch_tui.cli.documents import read_object

        found.append(("-R", read_object(arguments.text("resource_args"), field="-R")))
    short = {key: arguments.values[key] for key in SHORT_KEYS if arguments.on(key)}
    if short:
        found.append(("--gpus", check_short(short)))
    return found


def check_short(short: Mapping[str, Any], *, by_flag: bool = True) -> dict[str, Any]:
    """Return the values of the short keys.

    Args:
        short: The values, numbers or text as they were typed.
        by_flag: Whether an error names the flag, else the key.

    Raises:
        UsageError: For a value that means nothing.
    """
    from launch_tui.domain.quantities import parse_duration, parse_size

    for key, value in short.items():
        flag = _flag(key) if by_flag else key
        if key == "gpus":
            _check_number(value, flag, whole=True)
        elif key == "cpus":
            _check_number(value, flag, whole=False)
        elif key == "timeout":
            parse_duration(value, field=flag)
        elif key in _CHOICES:
            if value not in tuple(_CHOICES[key]):
                raise UsageError(flag, f"there is no {value!r}", allowed=", ".join(_CHOICES[key]))
        else:
            parse_size(value, field=flag)
    return {key: _number(value) if key in ("gpus", "cpus") else value
            for key, value in short.items()}  # fmt: skip


@contextmanager
def named_by_flags(arguments: Arguments) -> Iterator[None]:
    """Have an error about a key that came by its own flag name the flag, not ``-R``."""
    try:
        yield
    except UsageError as error:
        key = error.field.removeprefix("-R ").partition(".")[0]
        if not (error.field.startswith("-R ") and key in SHORT_KEYS and arguments.on(key)):
            raise
        raise UsageError(_flag(key), error.problem, allowed=error.allowed) from None


def joined(parts: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return resource arguments laid over each other, later ones on top.

    Args:
        parts: Each with the flag that an error names.

    Raises:
        UsageError: When two of them are for different resources, or one for several.
    """
    resource, args = "", dict[str, Any]()
    for field, document in parts:
        named, inner = _unwrapped(document, field)
        if resource and named and named != resource:
            raise UsageError(field, f"is for {named}, what it is laid on for {resource}")
        resource = named or resource
        args = merge(args, inner)
    return {_WRAPPER: {resource: args}} if resource else args


def _unwrapped(document: Mapping[str, Any], field: str) -> tuple[str, Mapping[str, Any]]:
    """Return the resource that a document names, empty when none, and its arguments."""
    inner: Any = document[_WRAPPER] if set(document) == {_WRAPPER} else document
    if isinstance(inner, dict) and inner and set(inner) <= _NAMES:
        if len(inner) > 1:
            names = ", ".join(inner)
            raise UsageError(field, f"is for several resources: {names}", allowed="one of them")
        ((name, inner),) = inner.items()
    else:
        name = ""
    if not isinstance(inner, dict | None):
        raise UsageError(field, f"{name or _WRAPPER} is no object", allowed="keys with values")
    return (parse_resource(name) if name else ""), inner or {}


def _flag(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _check_number(value: Any, field: str, *, whole: bool) -> None:  # noqa: ANN401
    number = _number(value)
    kind = int if whole else int | float
    if isinstance(number, bool) or not isinstance(number, kind) or not 0 <= number < 1e6:
        allowed = "0 or more"
        noun = "whole number" if whole else "number"
        raise UsageError(field, f"{value!r} is not a {noun} of them", allowed=allowed)


def _number(value: Any) -> Any:  # noqa: ANN401
    from launch_tui.domain.words import parse_value

    return parse_value(value) if isinstance(value, str) else value
