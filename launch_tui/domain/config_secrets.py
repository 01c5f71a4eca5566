"""Secrets in a run's configuration: stored and shown as references, never as values.

A value of a configuration that is ``${secret:NAME}`` as a whole stands for a secret, as in a
queue's ``env``. The agent puts the value in when the attempt starts; in what the job then reports
as its configuration the reference takes the value's place again, before anything is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_tui.domain.environment import check_reference, secret_named
from launch_tui.domain.managed_files import joined_key
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Path = tuple[str, ...]
MARK = "${secret"
ALLOWED = "${secret:NAME}, the name of a secret of the agent's"
FORMATS = frozenset({"secret", "password"})
"""Formats of a text in a schema that is only taken by reference; ``secret`` is W&B's."""


def references(config: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield the path of each value that refers to a secret, and the reference."""
    for key, value in config.items():
        here = (*path, key)
        if isinstance(value, dict):
            yield from references(value, here)
        elif isinstance(value, str) and secret_named(value) is not None:
            yield here, value


def with_values(config: Mapping[str, Any], value_of: Callable[[str], str]) -> dict[str, Any]:
    """Return a configuration with what its references stand for."""
    made = dict(config)
    for key, value in config.items():
        if isinstance(value, dict):
            made[key] = with_values(value, value_of)
        elif isinstance(value, str) and (name := secret_named(value)) is not None:
            made[key] = value_of(name)
    return made


def hide(config: dict[str, Any], known: Mapping[Path, str]) -> None:
    """Put references back where a job reports the values, in place."""
    for path, reference in known.items():
        inner: Any = config
        for part in path[:-1]:
            inner = inner.get(part) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and path[-1] in inner:
            inner[path[-1]] = reference


def check_references(config: Mapping[str, Any], path: Path = ()) -> None:
    """Refuse what looks like a reference and would reach the job as it stands.

    Raises:
        UsageError: Naming the key.
    """
    for key, value in config.items():
        here = (*path, key)
        if isinstance(value, dict):
            check_references(value, here)
        elif isinstance(value, str):
            check_reference(value, field=joined_key(here))
        elif isinstance(value, list) and any(MARK in str(item) for item in value):
            raise UsageError(joined_key(here), "has a secret in a list", allowed="as a value alone")


def check_secret_inputs(
    schema: Mapping[str, Any], config: Mapping[str, Any], path: Path = ()
) -> None:
    """Refuse a secret that is given itself, without repeating it.

    Args:
        schema: The inputs of a job, whose texts of the ``FORMATS`` are secrets.
        config: What a launch gives.
        path: Where both are.

    Raises:
        UsageError: Naming the key.
    """
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return
    for key, value in config.items():
        inner = properties.get(key)
        if not isinstance(inner, dict):
            continue
        here = (*path, key)
        if isinstance(value, dict):
            check_secret_inputs(inner, value, here)
        elif is_secret(inner) and not (isinstance(value, str) and secret_named(value) is not None):
            problem = "is a secret, which is given by reference"
            raise UsageError(joined_key(here), problem, allowed=ALLOWED)


def is_secret(schema: Mapping[str, Any]) -> bool:
    """Whether an input is a secret."""
    return schema.get("format") in FORMATS
