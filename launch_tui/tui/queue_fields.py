"""The fields that a queue gives to a launch: its variables, its priorities, what its target has.

Another queue has other fields. A value that only the queue's owner sets, or has made a variable of,
is no field; one that the queue has set is shown as what holds when nothing is typed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from launch_tui.domain.config_keys import Kind as Takes
from launch_tui.domain.resource_config import HIDDEN, shown
from launch_tui.domain.run import Priority
from launch_tui.domain.template import as_text, check_value, has_hole
from launch_tui.domain.words import merge, parse_value
from launch_tui.errors import UsageError
from launch_tui.sdk.queues import launch_keys
from launch_tui.sdk.resources import own_resources
from launch_tui.tui.editing import key_lines, write_yaml
from launch_tui.tui.form_fields import Field, Kind, hint_of, read_field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from launch_tui.domain.config_keys import Key
    from launch_tui.domain.queue import Queue

VARIABLE = "var."
RESOURCE = "args."
"""What the keys of the fields for variables and for the usual resources begin with."""
PRIORITY = "priority"
ARGS = "resource_args"
SHORT = ("gpus", "gpu_memory", "cpus", "memory", "timeout")
"""Keys of a resource configuration that have a field, and a flag, of their own."""

_LABELS = {"gpus": "GPUs", "gpu_memory": "GPU memory", "cpus": "CPUs", "timeout": "time limit"}
_HINTS = {
    Takes.WHOLE: "int · ≥ 0",
    Takes.NUMBER: "float · ≥ 0",
    Takes.SIZE: "such as 20G",
    Takes.DURATION: "such as 1h30m",
}
_KINDS = {
    "string": Kind.TEXT,
    "integer": Kind.INTEGER,
    "number": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
}
_NAMED_IN_ERRORS = ("-R", "resource configuration", "queue config", "template variables")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a run was given for its queue, and its rerun begins with."""

    variables: Mapping[str, Any] = field(default_factory=dict)
    resource_args: Mapping[str, Any] = field(default_factory=dict)
    priority: str = Priority.MEDIUM


def queue_fields(queue: Queue, given: Given) -> list[Field]:
    """Return the fields of a launch to a queue, with what they begin with."""
    return [
        *(_variable(name, it, given) for name, it in queue.template_variables.items()),
        *([_priority(given)] if queue.prioritized else []),
        *_resources(queue, given),
    ]


def queue_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what these fields ask for, as arguments of a ``LaunchRequest``."""
    short = {k.removeprefix(RESOURCE): v for k, v in values.items() if k.startswith(RESOURCE)}
    return {
        "template_variables": {
            key.removeprefix(VARIABLE): value
            for key, value in values.items()
            if key.startswith(VARIABLE)
        },
        "priority": values.get(PRIORITY, ""),
        "resource_args": merge(values.get(ARGS, {}), short),
    }


def key_of_error(named: str) -> str:
    """Return the key of the field that an error of the SDK means; empty when none of these."""
    flag, _, rest = named.partition(" ")
    if flag in ("--set-var", "-v") and rest:
        return f"{VARIABLE}{rest}"
    if flag == "-R":
        return f"{RESOURCE}{rest}" if rest in SHORT else ARGS
    short = flag.removeprefix("--").replace("-", "_")
    return f"{RESOURCE}{short}" if flag.startswith("--") and short in SHORT else ""


def variable_told(declaration: Mapping[str, Any]) -> str:
    """Return in a few words what a template variable takes: ``int · 1..8, default 2``."""
    schema = declaration["schema"]
    choices, default = schema.get("enum", ()), schema.get("default")
    takes = ", ".join(map(as_text, choices)) or hint_of(_KINDS[schema["type"]], schema)
    return takes if default is None else f"{takes}, default {as_text(default)}"


def keyed(label: str, error: UsageError) -> UsageError:
    """Return an error of a document as its field shows it: the key first, then what is wrong."""
    key = error.field
    for prefix in _NAMED_IN_ERRORS:
        key = key.removeprefix(prefix)
    key = key.removeprefix(label).strip()
    return UsageError(label, f"{key} {error.problem}".strip(), allowed=error.allowed)


def _variable(name: str, declaration: Mapping[str, Any], given: Given) -> Field:
    schema = declaration["schema"]
    default = given.variables.get(name, schema.get("default"))
    begins = "" if default is None else as_text(default)
    choices = _choices(schema, default)
    kind = Kind.CHOICE if choices else _KINDS[schema["type"]]
    # What has a state shows the default as that, what is typed into shows it as a remark.
    is_state = kind in (Kind.BOOLEAN, Kind.CHOICE) or name in given.variables
    return Field(
        key=f"{VARIABLE}{name}",
        label=name,
        kind=kind,
        choices=choices,
        spread=True,
        required=default is None,
        description=declaration.get("description", ""),
        hint=hint_of(kind, schema),
        shown_default=begins,
        begins=begins if is_state else "",
        read=lambda text: check_value(declaration, text, field=name),
    )


def _choices(schema: Mapping[str, Any], default: object) -> tuple[tuple[str, str], ...]:
    values = schema.get("enum", ())
    if not values and schema["type"] == "boolean" and default is None:
        # A switch is on or off from the beginning, and nobody has chosen that.
        values = (True, False)
    return tuple((as_text(value), as_text(value)) for value in values)


def _priority(given: Given) -> Field:
    return Field(
        key=PRIORITY,
        label="priority",
        kind=Kind.CHOICE,
        choices=tuple((level.value, level.value) for level in Priority),
        spread=True,
        begins=given.priority or Priority.MEDIUM,
        read=str,
    )


def _resources(queue: Queue, given: Given) -> list[Field]:
    keys = launch_keys(queue.resource)
    # A hole of the queue's is filled by its variable, and a launch cannot replace it.
    mine = [k for k in keys if k.name in SHORT and not has_hole(queue.config.get(k.name))]
    mine.sort(key=lambda key: SHORT.index(key.name))
    rest = _without_secrets({k: v for k, v in given.resource_args.items() if k not in SHORT})
    others = [key for key in keys if key.name not in SHORT]
    names = ", ".join(key.name for key in others if not key.name.startswith("builder"))
    document = Field(
        key=ARGS,
        label="resource args",
        kind=Kind.DOCUMENT,
        begins=write_yaml(rest) if rest else "",
        description=names,
        hint=Kind.DOCUMENT,
        told=(f"keys of {queue.resource}, as YAML or JSON:", *key_lines(others)),
        read=_reader_of_args(queue, rest),
    )
    return [*(_short(key, queue, given) for key in mine), document]


def _short(key: Key, queue: Queue, given: Given) -> Field:
    label = _LABELS.get(key.name, key.name)
    begins = _text(given.resource_args, key.name)
    one = Field(
        key=f"{RESOURCE}{key.name}",
        label=label,
        begins=begins,
        shown_default=begins or _text(queue.config, key.name),
        hint=_HINTS.get(key.kind, key.kind),
    )
    return replace(one, read=_reader_of_key(key, label))


def _without_secrets(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what can stand on a screen; a rerun keeps the rest as the run had it."""
    opened: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            opened |= {key: inner} if (inner := _without_secrets(value)) else {}
        elif HIDDEN not in shown({key: value}).values():
            opened[key] = value
    return opened


def _text(config: Mapping[str, Any], name: str) -> str:
    return "" if config.get(name) is None else shown({name: config[name]})[name]


def _reader_of_key(key: Key, label: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:  # noqa: ANN401
        is_number = key.kind in (Takes.WHOLE, Takes.NUMBER)
        value = parse_value(text.strip()) if is_number else text.strip()
        key.read(value, label)
        return value

    return read


def _reader_of_args(queue: Queue, had: Mapping[str, Any]) -> Callable[[str], dict[str, Any]]:
    plain = Field(key=ARGS, label="resource args", kind=Kind.DOCUMENT)

    def read(text: str) -> dict[str, Any]:
        document = read_field(plain, text)
        try:
            own = own_resources(queue.resource, document)
        except UsageError as error:
            raise keyed(plain.label, error) from None
        check_kept(plain.label, had, own)
        return own

    return read


def check_kept(label: str, had: Mapping[str, Any], has: Mapping[str, Any], path: str = "") -> None:
    """Refuse to leave out in a rerun what the run had: what is given is laid over that."""
    for key, value in had.items():
        name = f"{path}{key}"
        if key not in has:
            raise UsageError(label, f"{name} stays as the run had it", allowed=f"{name} with null")
        inner = has[key]
        if isinstance(value, dict) and isinstance(inner, dict):
            check_kept(label, value, inner, f"{name}.")
