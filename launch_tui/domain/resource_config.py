"""A queue's resource configuration, and how a launch's own is laid over it.

Both are checked against the schema of the queue's target resource when they are entered. They merge
key by key, objects within objects; a list replaces a list. What W&B has for a queue or a launch
(``{"resource_args": {TYPE: {…}}}``) is read as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from launch_tui.domain.config_keys import (
    Key,
    Kind,
    Schema,
    find_key,
    given_twice,
    named,
    part_of,
    shown_value,
    unknown_key,
)
from launch_tui.domain.document import check_plain, dotted, read_document
from launch_tui.domain.environment import check_reference, looks_secret
from launch_tui.domain.queue import Resource, parse_resource
from launch_tui.domain.template import has_hole
from launch_tui.domain.words import merge, write_value
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Key",
    "Kind",
    "Schema",
    "check",
    "merged",
    "origins",
    "read_document",
    "shown",
    "unwrap",
]

HIDDEN = "(hidden)"
"""Shown for what looks like a secret."""

_WRAPPER = "resource_args"
_SHORTEST_SECRET = 6


def unwrap(
    config: Mapping[str, Any], resource: Resource, *, field: str = "resource configuration"
) -> dict[str, Any]:
    """Return the configuration itself, from W&B's wrapping or without one.

    Args:
        config: ``{"resource_args": {TYPE: {…}}}``, ``{TYPE: {…}}``, or the keys themselves.
        resource: What the queue runs on; the type must be this, by name or alias.
        field: How an error names the configuration.

    Raises:
        UsageError: When it is for another resource, or has keys beside the wrapper.
    """
    if _WRAPPER in config:
        beside = [key for key in config if key != _WRAPPER]
        if beside:
            raise UsageError(
                f"{field} {dotted(beside[:1])}", f"stands beside {_WRAPPER}", allowed=_WRAPPER
            )
        return _of_type(_object(config[_WRAPPER], f"{field} {_WRAPPER}"), resource, field)
    only = str(next(iter(config))) if len(config) == 1 else ""
    if _resource(only) is not None:
        return _of_type(config, resource, field)
    return dict(config)


def check(
    schema: Schema,
    config: Mapping[str, Any],
    *,
    owner: bool,
    field: str,
    holes_allowed: bool = False,
) -> dict[str, Any]:
    """Return a configuration in its plain form if the target takes it.

    Values stay as they were written (``20G``), but Docker's lists of ``NAME=value`` become objects,
    so that a launch can override one name of them, and aliases of a key become its name. A null
    takes a key of the queue's away.

    Args:
        schema: The target's.
        config: Unwrapped.
        owner: Whether it is the queue's own, not a launch's.
        field: How an error names the configuration; the dotted key follows.
        holes_allowed: Whether values with ``{{holes}}`` pass, to be checked once they are filled.

    Raises:
        UsageError: Naming the first key that is wrong, and what is allowed.
    """
    check_plain(dict(config), field)
    checked: dict[str, Any] = {}
    for name, value in config.items():
        where = f"{field} {dotted([name])}".strip()
        key = schema.find(name)
        if key is None:
            _check_other(schema, name, where, owner=owner)
            checked[name] = value
        elif key.name in checked:
            raise given_twice(where, key)
        elif not (owner or key.for_launches):
            raise _not_for_a_launch(schema, where)
        else:
            checked[key.name] = _checked(key, value, where, holes_allowed=holes_allowed)
            if not owner and key.is_owners(value, where):
                raise _not_for_a_launch(schema, where, value)
    if owner and schema.agree is not None:
        schema.agree(_read(schema, checked, field), field)
    return checked


def merged(queue: Mapping[str, Any], launch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the queue's configuration with the launch's laid over it.

    Objects merge key by key; every other value of the launch, a list too, replaces the queue's.
    """
    return merge(queue, launch)


def origins(queue: Mapping[str, Any], launch: Mapping[str, Any]) -> dict[str, str]:
    """Return for each value of ``merged``, by its dotted key, ``queue`` or ``launch``."""
    return {
        dotted(path): "launch" if _gives(launch, path) else "queue"
        for path, _ in _leaves(merged(queue, launch))
    }


def shown(config: Mapping[str, Any]) -> dict[str, str]:
    """Return each value as one line, by its dotted key: the keys that ``origins`` has.

    A value whose name says that it is a secret is hidden.
    """
    return {dotted(path): _line(path, value) for path, value in _leaves(config)}


def _object(value: object, field: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UsageError(field, "is no object", allowed="{TYPE: {…}}")
    return value


def _resource(name: str) -> Resource | None:
    try:
        return parse_resource(name)
    except UsageError:
        return None


def _of_type(types: Mapping[str, Any], resource: Resource, field: str) -> dict[str, Any]:
    for name, config in types.items():
        if _resource(name) is resource:
            return dict(_object(config, f"{field} {dotted([name])}"))
    if not types:
        return {}
    given = ", ".join(types)
    raise UsageError(field, f"is for {given}, the queue runs on {resource}", allowed=resource)


def _check_other(schema: Schema, name: str, where: str, *, owner: bool) -> None:
    """Raise for a name that is no key, unless this target keeps or hands on such."""
    if schema.open or name in schema.kept:
        return
    dashed = name.replace("_", "-")
    if dashed in schema.refused:
        raise UsageError(where, f"is not for {schema.resource}: {schema.refused[dashed]}")
    keys = tuple(key for key in schema.keys if owner or key.for_launches)
    raise unknown_key(where, name, keys, f"a key of {schema.resource}")


def _not_for_a_launch(schema: Schema, where: str, value: object = None) -> UsageError:
    whose = "is set by the queue's owner and not by a launch"
    if value is not None:
        return UsageError(where, f"{shown_value(value)} {whose}")
    allowed = ", ".join(sorted(key.name for key in schema.keys if key.for_launches))
    return UsageError(where, whose, allowed=allowed)


def _read(schema: Schema, checked: Mapping[str, Any], field: str) -> dict[str, Any]:
    """Return what the values mean, by key; None where a hole is not filled yet."""
    return {
        name: None if has_hole(value) else key.read(value, f"{field} {name}")
        for name, value in checked.items()
        if value is not None and (key := schema.find(name)) is not None
    }


def _checked(key: Key, value: Any, where: str, *, holes_allowed: bool) -> Any:  # noqa: ANN401
    if value is None:
        return None
    if holes_allowed and has_hole(value):
        # What is around the holes is checked too, where it can be told apart from them.
        return _checked_around_holes(key, value, where)
    key.read(value, where)
    plain = _plain(key, value, where)
    if key.kind is Kind.NAMES and isinstance(plain, Mapping):
        for name, text in plain.items():
            check_reference(str(text), field=f"{where}.{name}")
    return plain


def _plain(key: Key, value: Any, where: str) -> Any:  # noqa: ANN401
    """Return a value as it is kept: names as an object, an object's keys by their own names."""
    if key.kind is Kind.NAMES:
        return named(value, where)
    if key.kind is not Kind.OBJECT or not isinstance(value, Mapping):
        return value
    parts = {name: find_key(key.keys, name) or key for name in value}
    return {
        parts[name].name: _plain(parts[name], inner, f"{where}.{name}")
        for name, inner in value.items()
    }


def _checked_around_holes(key: Key, value: Any, where: str) -> Any:  # noqa: ANN401
    if key.kind is Kind.NAMES and not isinstance(value, Mapping):
        words = [value] if isinstance(value, str) else value
        if any(isinstance(word, str) and "=" not in word and has_hole(word) for word in words):
            return value
        value = named(value, where)
    if isinstance(value, Mapping) and key.kind in (Kind.NAMES, Kind.OBJECT):
        _check_names(key, value, where)
    elif isinstance(value, Mapping):
        key.read(value, where)
    return _plain(key, value, where)


def _check_names(key: Key, value: Mapping[str, Any], where: str) -> None:
    seen = set()
    for name, part in value.items():
        if key.kind is Kind.NAMES:
            if not has_hole(part):
                key.read({name: part}, where)
            continue
        inner = part_of(key, name, f"{where}.{name}")
        if inner.name in seen:
            raise given_twice(f"{where}.{name}", inner)
        seen.add(inner.name)
        if part is not None:
            _checked(inner, part, f"{where}.{name}", holes_allowed=True)


def _leaves(
    tree: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _gives(config: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    value: Any = config
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = value[key]
    return True


def _line(path: tuple[str, ...], value: object) -> str:
    # Words such as false and 1 are no secrets: TOKENIZERS_PARALLELISM is in many queues.
    is_long = isinstance(value, str) and len(value) >= _SHORTEST_SECRET
    if is_long and looks_secret(path[-1]) and not has_hole(value) and "${" not in str(value):
        return HIDDEN
    text = write_value(value)
    return text if text.isprintable() else json.dumps(value)
