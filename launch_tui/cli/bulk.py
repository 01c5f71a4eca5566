"""``launch --file runs.jsonl``: one run a line, all of them or none."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from launch_tui.cli.documents import is_text
from launch_tui.cli.launch import hint, resolved, row
from launch_tui.cli.output import line, notes, print_json
from launch_tui.cli.parsing import nearest
from launch_tui.cli.requests import launch_request, retry_kinds
from launch_tui.cli.resources import SHORT_KEYS, check_short, joined
from launch_tui.domain.home_path import at_home
from launch_tui.domain.words import merge
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk import Launch, LaunchRequest

_TEXTS = ("job", "queue", "name", "project", "entity", "note", "priority", "begin", "tracking")
_LISTS = ("tags", "pass_env", "secrets", "links", "after")
_ONE_OR_MORE = ("entry_point", "after", "retry_on")
_OBJECTS = ("config", "setenv", "template_variables")
_OTHERS = ("entry_point", "resource_args", "retries", "retry_on", "backoff")
_KEYS = (*_TEXTS, *_LISTS, *_OBJECTS, *_OTHERS, *SHORT_KEYS)


def launch_file(sdk: Launch, arguments: Arguments) -> int:
    """Enqueue each line of a file in one transaction."""
    name = arguments.text("file")
    base = launch_request(arguments)
    if not base.job and arguments.command is not None:
        base = resolved(sdk, arguments, base)
    numbered = [(at, _request(base, values, at)) for at, values in _lines(name)]
    if not numbered:
        raise UsageError("--file", f"{name} has no lines", allowed="one JSON object a line")
    try:
        enqueued = sdk.launch_many([request for _, request in numbered])
    except UsageError as error:
        raise _at_its_line(sdk, numbered, error) from error
    notes(sdk.warnings)
    if arguments.json:
        print_json([asdict(run) for run in enqueued])
    else:
        for run in enqueued:
            line(row(run))
    hint(sdk)
    return 0


def _lines(name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the object of each line that is not empty."""
    try:
        if name == "-":
            lines = sys.stdin.read().split("\n")
        else:
            lines = at_home(name).read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise UsageError("--file", f"{name} is not UTF-8 text") from None
    except OSError as error:
        raise UsageError("--file", f"cannot read {name}: {error.strerror or error}") from None
    for at, text in enumerate(lines, 1):
        if text.strip():
            yield at, _object(text, at)


def _object(text: str, at: int) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(at, f"no JSON: {error}") from None
    if not isinstance(values, dict):
        raise _wrong(at, "no JSON object", allowed=", ".join(_KEYS))
    if "\\u" in text and not is_text(values):
        raise _wrong(at, "holds half a character (a lone surrogate)")
    return values


def _request(base: LaunchRequest, values: dict[str, Any], at: int) -> LaunchRequest:
    """Return the request of a line: what it says over what the flags say."""
    for key, value in values.items():
        _check(key, value, at)
    changes: dict[str, Any] = {key: values[key] for key in _TEXTS if values.get(key)}
    for key in _LISTS:
        changes[key] = tuple(dict.fromkeys((*getattr(base, key), *_texts(values.get(key, ())))))
    for key in _OBJECTS:
        changes[key] = merge(getattr(base, key), values.get(key, {}))
    if values.get("entry_point"):
        entry_point = values["entry_point"]
        changes["entry_point"] = (
            tuple(entry_point) if isinstance(entry_point, list) else entry_point
        )
    try:
        changes |= _resources(base, values) | _retries(values)
        request = replace(base, **changes)
    except UsageError as error:
        raise _wrong(at, error.cause) from None
    if (request.retry_on or request.backoff is not None) and not request.retries:
        raise _wrong(at, "retry_on and backoff mean nothing without retries")
    return request


def _resources(base: LaunchRequest, values: dict[str, Any]) -> dict[str, Any]:
    short = {key: values[key] for key in SHORT_KEYS if key in values}
    parts = [("flags", base.resource_args), ("resource_args", values.get("resource_args", {}))]
    if short:
        parts.append(("resource_args", check_short(short, by_flag=False)))
    return {"resource_args": joined(parts)}


def _retries(values: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "retries" in values:
        changes["retries"] = values["retries"]
    if "retry_on" in values:
        changes["retry_on"] = retry_kinds(_texts(values["retry_on"]))
    if "backoff" in values:
        from launch_tui.domain.quantities import parse_duration

        changes["backoff"] = parse_duration(values["backoff"], field="backoff")
    return changes


def _texts(value: Any) -> tuple[str, ...]:  # noqa: ANN401
    return (value,) if isinstance(value, str) else tuple(value)


def _check(key: str, value: Any, at: int) -> None:  # noqa: ANN401
    if key not in _KEYS:
        near = nearest(key, _KEYS)
        meant = f"; did you mean {near!r}?" if near else ""
        raise _wrong(at, f"unknown key {key!r}{meant}", allowed="" if near else ", ".join(_KEYS))
    texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
    if key in _TEXTS and not isinstance(value, str):
        raise _wrong(at, f"{key} is no text")
    if key in _ONE_OR_MORE and not (texts or isinstance(value, str)):
        raise _wrong(at, f"{key} is neither text nor a list of texts")
    if key in _LISTS and key not in _ONE_OR_MORE and not texts:
        raise _wrong(at, f"{key} is no list of texts")
    if key in (*_OBJECTS, "resource_args") and not isinstance(value, dict):
        raise _wrong(at, f"{key} is no object")
    if key == "setenv" and not all(isinstance(item, str) for item in value.values()):
        raise _wrong(at, "setenv holds values that are no text")
    if key == "retries" and (isinstance(value, bool) or not isinstance(value, int)):
        raise _wrong(at, "retries is not a whole number")


def _at_its_line(
    sdk: Launch, numbered: list[tuple[int, LaunchRequest]], error: UsageError
) -> UsageError:
    """Return the error with the line that it comes from: the first that cannot be planned."""
    for at, request in numbered:
        try:
            sdk.plan(request)
        except UsageError as found:
            return _wrong(at, found.cause)
    return error


def _wrong(at: int, problem: str, *, allowed: str = "") -> UsageError:
    return UsageError("--file", f"line {at}: {problem}", allowed=allowed)
