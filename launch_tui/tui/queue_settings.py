"""A queue's settings as a person edits them: as YAML with what may stand there told beside it.

A document and a form give the same settings, and both are checked as a whole before anything is
changed: a hole of the configuration without a declaration is wrong in either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_tui.domain.config_keys import shown_value
from launch_tui.domain.queue import OnReboot, check_max_running, check_on_reboot
from launch_tui.errors import UsageError
from launch_tui.sdk.queues import TRACKING, check_tracking, checked_config, launch_keys
from launch_tui.tui.editing import key_lines, write_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.domain.queue import Queue, Resource
    from launch_tui.errors import LaunchError
    from launch_tui.sdk import Launch

SETTINGS = (
    "max_running", "tracking", "on_reboot", "paused", "prioritized", "config",
    "template_variables",
)  # fmt: skip
_ALLOWED = {"max_running": "1 or more", "paused": "true, false", "prioritized": "true, false"}
_NOT_TAKEN = "# Not taken: "


def settings_document(queue: Queue) -> str:
    """Return a queue's settings as YAML to edit, with what may stand there as comments."""
    told = {
        "tracking": [f"tracking: {' or '.join(TRACKING)}"],
        "on_reboot": [f"on_reboot: {' or '.join(OnReboot)}"],
        "config": keys_told(queue.resource),
        "template_variables": variables_told(),
    }
    parts = [f"# Queue {queue.name} ({queue.resource}). Save and close to change it.\n"]
    for name in SETTINGS:
        value = getattr(queue, name)
        parts += [f"# {line}\n" for line in told.get(name, ())]
        parts.append(write_yaml({name: dict(value) if isinstance(value, dict) else value}))
    return "".join(parts)


def keys_told(resource: Resource) -> tuple[str, ...]:
    """Return what may stand in the configuration of a queue for a target resource."""
    keys = launch_keys(resource, owner=True)
    return (f"keys of {resource}; a value may have {{{{holes}}}}:", *key_lines(keys))


def variables_told() -> tuple[str, ...]:
    """Return how the holes of a queue's configuration are declared."""
    return (
        "what {{name}} in the configuration stands for, such as",
        "  name: {schema: {type: integer, minimum: 1, maximum: 8, default: 1}}",
        "type: string, integer, number or boolean; also enum, minimum, maximum, default",
    )


def read_settings(text: str, queue: Queue) -> Mapping[str, Any]:
    """Return the settings that an edited document changes.

    Raises:
        UsageError: When it cannot be read, or a setting cannot be what it says.
    """
    from launch_tui.domain.document import read_document

    values = read_document(f"{text}\n", "YAML")
    for name in values:
        if name not in SETTINGS:
            raise UsageError(name, "is no setting", allowed=", ".join(SETTINGS))
    for name in ("config", "template_variables"):
        if name in values:
            # What is left of a key when all lines under it were taken out.
            values[name] = {} if values[name] is None else values[name]
    _check_kinds(values)
    if "max_running" in values:
        check_max_running(values["max_running"], field="max_running")
    check_tracking(values.get("tracking", queue.tracking), field="tracking")
    check_on_reboot(values.get("on_reboot", queue.on_reboot), field="on_reboot")
    _take_checked(values, queue)
    return {key: value for key, value in values.items() if value != getattr(queue, key)}


def with_problem(text: str, error: LaunchError) -> str:
    """Return an edited document with what was wrong with it as its first line."""
    lines = [line for line in text.splitlines() if not line.startswith(_NOT_TAKEN)]
    return "\n".join([f"{_NOT_TAKEN}{error}", *lines]) + "\n"


def apply_settings(launch: Launch, name: str, changes: Mapping[str, Any]) -> None:
    """Change the settings of a queue."""
    settings = {key: value for key, value in changes.items() if key != "paused"}
    if settings:
        launch.queues.update(name, **settings)
    if "paused" in changes:
        (launch.queues.pause if changes["paused"] else launch.queues.resume)(name)


def _check_kinds(values: Mapping[str, Any]) -> None:
    for name, kind, noun in (
        ("max_running", int, "a whole number"),
        ("tracking", str, "a word"),
        ("on_reboot", str, "a word"),
        ("paused", bool, "true or false"),
        ("prioritized", bool, "true or false"),
        ("config", dict, "an object"),
        ("template_variables", dict, "an object"),
    ):
        value = values.get(name)
        if name in values and type(value) is not kind:
            raise UsageError(
                name, f"{shown_value(value)} is not {noun}", allowed=_ALLOWED.get(name, noun)
            )


def _take_checked(values: dict[str, Any], queue: Queue) -> None:
    """Put the checked configuration in the place of what was written, where any was."""
    config = values.get("config", queue.config)
    variables = values.get("template_variables", queue.template_variables)
    checked = checked_config(queue.resource, config, variables)
    for name, value in zip(("config", "template_variables"), checked, strict=True):
        if name in values:
            values[name] = value
