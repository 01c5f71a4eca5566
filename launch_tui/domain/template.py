"""Template variables: ``{{name}}`` holes in a queue's configuration that a launch fills.

A queue's owner declares each with a schema, in W&B's form, and so lets others choose within bounds
what they may not edit. Declarations are checked when the queue is saved, and values completely when
a run is enqueued: type, choices, bounds, and that no number is NaN or infinite. A hole that is a
whole value takes the type of its variable; within a text it is written as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from launch_tui.domain.config_keys import (
    did_you_mean,
    read_flag,
    read_number,
    read_whole,
    shown_value,
    span,
)
from launch_tui.domain.document import dotted
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TYPES = ("string", "integer", "number", "boolean")

_HOLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_-]*)\s*\}\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_OTHER_TYPES = {
    "float": "number", "double": "number", "int": "integer", "bool": "boolean", "str": "string",
    "text": "string",
}  # fmt: skip
_DECLARATION = ("schema", "description")
_SCHEMA = ("type", "enum", "minimum", "maximum", "default")
_OTHER_KEYS = {
    "min": "minimum", "max": "maximum", "choices": "enum", "values": "enum", "options": "enum",
    "value": "default", "kind": "type", "help": "description",
}  # fmt: skip
_NOUNS = {"string": "text", "integer": "a whole number", "number": "a finite number"}


def check_declarations(
    variables: Mapping[str, Any], *, field: str = "template variables"
) -> dict[str, Any]:
    """Return declarations in W&B's form if each makes sense.

    Args:
        variables: ``{name: {"schema": {…}, "description": …}}``, or the schema itself for a name.
        field: How an error names them; the dotted key follows.

    Raises:
        UsageError: Naming the first key that is wrong, and what is allowed.
    """
    return {
        _checked_name(name, field): _declaration(declaration, f"{field} {name}")
        for name, declaration in variables.items()
    }


def check_template(
    config: Mapping[str, Any],
    variables: Mapping[str, Any],
    *,
    field: str = "resource configuration",
) -> None:
    """Refuse holes that are not declared, and declarations that no hole uses.

    Args:
        config: The queue's.
        variables: As ``check_declarations`` returned them.
        field: How an error names the configuration.
    """
    for path in _keys_with_holes(config):
        raise UsageError(f"{field} {dotted(path)}", "has a hole in a key", allowed="in values")
    used = holes(config)
    for name, places in used.items():
        if name not in variables:
            problem = f"{{{{{name}}}}} is not declared{did_you_mean(name, variables)}"
            raise UsageError(f"{field} {places[0]}", problem, allowed=_listed(variables))
    for name in variables:
        if name not in used:
            hint = did_you_mean(name, [hole for hole in used if hole not in variables] or used)
            raise UsageError(f"template variable {name}", f"is used by no hole{hint}")
    for path, text in _texts(config, ()):
        if _HOLE.search(_HOLE.sub("a", text)):
            raise UsageError(f"{field} {dotted(path)}", "has a hole within a hole")


def fill(
    config: Mapping[str, Any],
    variables: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    field: str = "--set-var",
) -> dict[str, Any]:
    """Return ``config`` with every hole filled.

    Args:
        config: The queue's, with the launch's laid over it.
        variables: As ``check_declarations`` returned them.
        values: By name, as the text that was typed or with the variable's type.
        field: How an error names a value; its name follows.

    Raises:
        UsageError: For an unknown name, a value outside its schema, or one that is missing.
    """
    for name in values:
        if name not in variables:
            problem = f"is not a template variable of the queue{did_you_mean(name, variables)}"
            raise UsageError(f"{field} {name}", problem, allowed=_listed(variables))
    given = {
        name: check_value(variables[name], value, field=f"{field} {name}")
        for name, value in values.items()
    }
    for name, places in holes(config).items():
        if name not in given:
            given[name] = _default(variables, name, f"{field} {name}", places)
    filled: dict[str, Any] = _filled(config, given)
    _check_no_hole_is_left(filled, field)
    return filled


def check_value(declaration: Mapping[str, Any], value: Any, *, field: str) -> Any:  # noqa: ANN401
    """Return a value with its variable's type if the schema allows it.

    Args:
        declaration: One of ``check_declarations``.
        value: Text as it was typed, or a value of the type.
        field: How an error names it.
    """
    schema = declaration["schema"]
    read = _READERS[schema["type"]](value)
    if read is None or not _is_within(schema, read):
        choices = [as_text(choice) for choice in schema.get("enum", ())]
        hint = did_you_mean(value, choices) if isinstance(value, str) else ""
        problem = f"{shown_value(value)} is not allowed{hint}"
        raise UsageError(field, problem, allowed=allowed(declaration))
    if isinstance(read, str) and _HOLE.search(read):
        raise UsageError(field, f"{shown_value(value)} is a hole itself", allowed="text without {{")
    return read


def allowed(declaration: Mapping[str, Any]) -> str:
    """Return in words what a variable takes: ``a whole number from 1 to 8``."""
    schema = declaration["schema"]
    if schema.get("enum"):
        return ", ".join(as_text(value) for value in schema["enum"])
    if schema["type"] == "boolean":
        return "true, false"
    ends = (schema.get("minimum"), schema.get("maximum"))
    low, high = ("" if end is None else as_text(end) for end in ends)
    return _NOUNS[schema["type"]] + span(low, high)


def holes(config: object) -> dict[str, list[str]]:
    """Return the name of each hole with the dotted keys where it stands."""
    found: dict[str, list[str]] = {}
    for path, text in _texts(config, ()):
        for match in _HOLE.finditer(text):
            places = found.setdefault(match[1], [])
            if dotted(path) not in places:
                places.append(dotted(path))
    return found


def has_hole(value: object) -> bool:
    """Say whether a hole stands anywhere in a value."""
    return any(_HOLE.search(text) for _, text in _texts(value, ()))


def check_override(
    queue: Mapping[str, Any], launch: Mapping[str, Any], *, field: str = "-R"
) -> None:
    """Refuse a launch that replaces a value in which the queue has a hole.

    The owner made it a variable to keep it within its bounds.

    Args:
        queue: The queue's configuration, with its holes.
        launch: The launch's own.
        field: How an error names it; the dotted key follows.
    """
    for path, value in _replaced(queue, launch, ()):
        names = list(holes(value))
        if names:
            problem = f"is the queue's {{{{{names[0]}}}}} and cannot be replaced"
            raise UsageError(f"{field} {dotted(path)}", problem, allowed=f"--set-var {names[0]}=…")


def as_text(value: object) -> str:
    """Return a value as it is written within a text: ``true``, ``0.001``, ``adam``."""
    return value if isinstance(value, str) else json.dumps(value)


def _checked_name(name: object, field: str) -> str:
    if not isinstance(name, str) or not _NAME.match(name):
        raise UsageError(
            f"{field} {name}",
            "cannot be a variable's name",
            allowed="letters, digits, _ and -, beginning with a letter",
        )
    return name


def _declaration(given: object, where: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        example = '{"schema": {"type": "integer", "minimum": 1, "maximum": 8, "default": 1}}'
        raise UsageError(where, f"{shown_value(given)} is no declaration", allowed=example)
    if "schema" not in given:
        # The schema itself, as it is quicker to write.
        inner = {key: value for key, value in given.items() if key != "description"}
        given = {"schema": inner, **{k: v for k, v in given.items() if k == "description"}}
    _check_keys(given, _DECLARATION, where)
    schema = _schema(given["schema"], f"{where}.schema")
    description = given.get("description")
    if description is not None and not isinstance(description, str):
        raise UsageError(f"{where}.description", f"{shown_value(description)} is not a text")
    return {"schema": schema, "description": description} if description else {"schema": schema}


def _schema(given: object, where: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise UsageError(where, f"{shown_value(given)} is no schema", allowed='{"type": …}')
    _check_keys(given, _SCHEMA, where)
    kind = given.get("type")
    kind = _OTHER_TYPES.get(kind, kind) if isinstance(kind, str) else kind
    if kind not in TYPES:
        hint = did_you_mean(kind, TYPES) if isinstance(kind, str) else ""
        problem = "is missing" if kind is None else f"{shown_value(kind)} is not a type{hint}"
        raise UsageError(f"{where}.type", problem, allowed=", ".join(TYPES))
    schema: dict[str, Any] = {"type": kind}
    for rule in (_enum, _bounds, _default_of_schema):
        rule(given, schema, where)
    return schema


def _check_keys(given: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in known:
            meant = _OTHER_KEYS.get(key, str(key))
            hint = did_you_mean(meant if meant in known else str(key), known)
            raise UsageError(f"{where}.{key}", f"is not known{hint}", allowed=", ".join(known))


def _enum(given: Mapping[str, Any], schema: dict[str, Any], where: str) -> None:
    choices = given.get("enum")
    if choices is None:
        return
    if not isinstance(choices, list) or not choices:
        raise UsageError(f"{where}.enum", "is no list of values", allowed="one value or more")
    read = [_typed(schema, choice, f"{where}.enum") for choice in choices]
    if len(set(read)) < len(read):
        twice = next(choice for at, choice in enumerate(read) if choice in read[:at])
        raise UsageError(f"{where}.enum", f"has {as_text(twice)} twice")
    schema["enum"] = read


def _bounds(given: Mapping[str, Any], schema: dict[str, Any], where: str) -> None:
    for end in ("minimum", "maximum"):
        if given.get(end) is None:
            continue
        if schema["type"] not in ("integer", "number"):
            raise UsageError(f"{where}.{end}", f"is not for the type {schema['type']}")
        schema[end] = _typed(schema, given[end], f"{where}.{end}")
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and low > high:
        raise UsageError(f"{where}.minimum", f"{as_text(low)} is above the maximum {as_text(high)}")
    for choice in schema.get("enum", ()):
        if not _is_within(schema, choice):
            raise UsageError(f"{where}.enum", f"{as_text(choice)} is out of the bounds")


def _default_of_schema(given: Mapping[str, Any], schema: dict[str, Any], where: str) -> None:
    default = given.get("default")
    if default is None:
        return
    typed = _typed(schema, default, f"{where}.default")
    schema["default"] = check_value({"schema": schema}, typed, field=f"{where}.default")


def _typed(schema: Mapping[str, Any], value: object, where: str) -> Any:  # noqa: ANN401
    """Return a value of a declaration: it is written down, so a text is no number there."""
    kind = schema["type"]
    read = None if isinstance(value, str) is not (kind == "string") else _READERS[kind](value)
    if read is None:
        noun = _NOUNS.get(kind, "true, false")
        raise UsageError(where, f"{shown_value(value)} is not of type {kind}", allowed=noun)
    return read


def _is_within(schema: Mapping[str, Any], value: Any) -> bool:  # noqa: ANN401
    if schema.get("enum") and value not in schema["enum"]:
        return False
    low, high = schema.get("minimum"), schema.get("maximum")
    return (low is None or value >= low) and (high is None or value <= high)


def _default(variables: Mapping[str, Any], name: str, field: str, places: list[str]) -> Any:  # noqa: ANN401
    if name not in variables:
        raise UsageError(
            places[0], f"{{{{{name}}}}} is not declared{did_you_mean(name, variables)}"
        )
    schema = variables[name]["schema"]
    if schema.get("default") is None:
        problem = "is missing and has no default"
        raise UsageError(field, problem, allowed=allowed(variables[name]))
    return schema["default"]


def _filled(value: Any, given: Mapping[str, Any]) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        whole = _HOLE.fullmatch(value)
        if whole:
            return given[whole[1]]
        return _HOLE.sub(lambda match: as_text(given[match[1]]), value)
    if isinstance(value, Mapping):
        return {key: _filled(inner, given) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(inner, given) for inner in value]
    return value


def _check_no_hole_is_left(filled: Mapping[str, Any], field: str) -> None:
    """Values with braces in them can make a new hole together with the text around."""
    for name, places in holes(filled).items():
        raise UsageError(f"{field}", f"the values make a new hole {{{{{name}}}}} in {places[0]}")


def _texts(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, (list, tuple)):
        for at, inner in enumerate(value):
            yield from _texts(inner, (*path, str(at)))


def _keys_with_holes(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if _HOLE.search(key):
                yield (*path, key)
            yield from _keys_with_holes(inner, (*path, key))
    elif isinstance(value, (list, tuple)):
        for at, inner in enumerate(value):
            yield from _keys_with_holes(inner, (*path, str(at)))


def _replaced(
    queue: Mapping[str, Any], launch: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in launch.items():
        old = queue.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            yield from _replaced(old, value, (*path, key))
        elif key in queue:
            yield (*path, key), old


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none, the queue declares no template variables"


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and "\0" not in value else None


def _number(value: object) -> float | int | None:
    whole = read_whole(value) if isinstance(value, (str, int)) else None
    return read_number(value) if whole is None else whole


_READERS: dict[str, Callable[[object], Any]] = {
    "string": _string,
    "integer": read_whole,
    "number": _number,
    "boolean": read_flag,
}
