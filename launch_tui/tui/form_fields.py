"""The fields of a form, from a JSON Schema or made by hand, and what is typed into them, read.

Every field holds text, whatever widget shows it: that is what a draft keeps. ``read_field`` says
what the text means, ``text_of`` writes a value so that it reads back as the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from launch_tui.domain.config_secrets import ALLOWED, is_secret
from launch_tui.domain.environment import secret_named
from launch_tui.domain.inputs import check_config, limits
from launch_tui.domain.managed_files import joined_key
from launch_tui.domain.words import merge, parse_value
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Schema = dict[str, Any]

MOST_RADIOS = 6
"""More choices than this are a list to open."""
_DEPTH = 8
_SHOWN_LENGTH = 200
_HINT = 24
"""Cells of the longest list of choices beside a field."""


class Kind(StrEnum):
    """What a field takes, and so how it is shown."""

    TEXT = "text"
    INTEGER = "int"
    NUMBER = "float"
    BOOLEAN = "bool"
    CHOICE = "choice"
    LIST = "list"
    SECRET = "secret"
    ANY = "value"
    JSON = "JSON"
    DOCUMENT = "YAML or JSON"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field.

    ``key`` tells it from the others of its form; ``path`` is where its value goes in the config,
    empty for what is no part of it. ``shown_default`` is what holds when nothing is typed.
    ``always`` fields give their value even when it is the one that they begin with. ``read``
    replaces the reading by kind.
    """

    key: str
    label: str
    kind: Kind = Kind.TEXT
    path: tuple[str, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=dict)
    shown_default: str = ""
    required: bool = False
    always: bool = False
    description: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    """Text of each choice, and how it is shown."""
    hint: str = ""
    begins: str = ""
    """The text that it begins with."""
    read: Callable[[str], Any] | None = None
    apart: bool = False
    """Whether a blank line stands before it."""
    spread: bool = False
    """Whether its choices all stand there, where they are few, and not in a list to open."""
    needs: str = ""
    """The key of the field without which this one means nothing: it is shown once that is given."""
    told: tuple[str, ...] = ()
    """Lines that the editor shows above it, as comments."""

    @property
    def is_text_of_lines(self) -> bool:
        """Whether it holds several lines."""
        return self.kind in (Kind.JSON, Kind.DOCUMENT)

    @property
    def is_demanded(self) -> bool:
        """Whether a person has to give it a value, so that its name stands out."""
        return self.required and (bool(self.path) or not self.always)


def fields_of(schema: Mapping[str, Any]) -> list[Field]:
    """Return a field for each input of a job, required ones first, nested ones by dotted names."""
    found = list(_fields(schema, schema, (), required=True, depth=0))
    return sorted(found, key=lambda one: not one.required)


def read_field(one: Field, text: str) -> Any:  # noqa: ANN401
    """Return the value that a text means in a field.

    Raises:
        UsageError: Naming the field, with what is wrong and what is allowed.
    """
    if one.read is not None:
        return one.read(text)
    value = _READERS[one.kind](one, text)
    if one.path and one.schema:
        _check(one, value)
    return value


def text_of(value: object) -> str:
    """Return the text that reads as a value, safe to show in a field."""
    if isinstance(value, str):
        plain = value.isprintable() and not value.startswith('"') and value.strip() == value
        return value if plain and value else json.dumps(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def config_of(values: Sequence[tuple[Field, Any]]) -> dict[str, Any]:
    """Return the nested config of fields with their values."""
    config: dict[str, Any] = {}
    for one, value in values:
        inner: Any = value
        for part in reversed(one.path):
            inner = {part: inner}
        config = merge(config, inner)
    return config


def value_at(config: Mapping[str, Any], path: Sequence[str]) -> tuple[bool, Any]:
    """Return whether a config has a value at a path, and which."""
    inner: Any = config
    for part in path:
        if not isinstance(inner, dict) or part not in inner:
            return False, None
        inner = inner[part]
    return True, inner


def without(config: Mapping[str, Any], paths: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return a config without the values at these paths, and without what is empty then."""
    left: dict[str, Any] = {}
    for key, value in config.items():
        inner = [path[1:] for path in paths if path and path[0] == key]
        if () in [tuple(path) for path in inner]:
            continue
        if isinstance(value, dict) and inner:
            value = without(value, inner)
            if not value:
                continue
        left[key] = value
    return left


def hint_of(kind: Kind, schema: Mapping[str, Any]) -> str:
    """Return what a field takes, in a few cells: ``int · 1..8``."""
    bounds = limits(schema)
    return f"{kind} · {bounds}" if bounds else str(kind)


def _hint(kind: Kind, schema: Mapping[str, Any]) -> str:
    items = schema.get("items")
    if kind is Kind.LIST and isinstance(items, dict) and isinstance(items.get("enum"), list):
        return f"of {', '.join(_shown(value) for value in items['enum'])}"[:_HINT]
    return "${secret:NAME}" if kind is Kind.SECRET else hint_of(kind, schema)


def _fields(
    schema: Mapping[str, Any],
    root: Mapping[str, Any],
    path: tuple[str, ...],
    *,
    required: bool,
    depth: int,
) -> Iterator[Field]:
    needed = schema.get("required", ())
    for name, inner in (schema.get("properties") or {}).items():
        here = (*path, str(name))
        if not isinstance(inner, dict):
            inner = {}
        must = required and name in needed
        if inner.get("properties") and depth < _DEPTH:
            yield from _fields(inner, root, here, required=must, depth=depth + 1)
        else:
            yield _field(inner, root, here, required=must)


def _field(
    schema: Schema, root: Mapping[str, Any], path: tuple[str, ...], *, required: bool
) -> Field:
    schema = _plain(schema)
    kind = _kind(schema)
    has_default = "default" in schema
    default = text_of(schema["default"]) if has_default else ""
    choices: tuple[tuple[str, str], ...] = ()
    if kind is Kind.CHOICE:
        choices = tuple((text_of(value), _shown(value)) for value in schema["enum"])
    # A switch or a choice shows its default as its state; a required input has to be given even
    # so, since the default of a JSON Schema is only a remark.
    begins = default if kind in (Kind.BOOLEAN, Kind.CHOICE) or (required and has_default) else ""
    if kind is Kind.BOOLEAN and not has_default:
        begins = "false"
    definitions = {key: root[key] for key in ("$defs", "definitions", "$schema") if key in root}
    return Field(
        key=".".join(("config", *path)),
        label=joined_key(path),
        kind=kind,
        path=path,
        schema={**definitions, **schema},
        shown_default=_shown(schema["default"])[:_SHOWN_LENGTH] if has_default else "",
        required=required,
        always=required,
        description=str(schema.get("description") or schema.get("label") or ""),
        choices=choices,
        hint=_hint(kind, schema),
        begins=begins,
        spread=True,
    )


_KINDS: dict[frozenset[str], Kind] = {
    frozenset({"string"}): Kind.TEXT,
    frozenset({"integer"}): Kind.INTEGER,
    frozenset({"number"}): Kind.NUMBER,
    frozenset({"integer", "number"}): Kind.NUMBER,
    frozenset({"boolean"}): Kind.BOOLEAN,
    frozenset({"array"}): Kind.LIST,
    frozenset({"object"}): Kind.JSON,
}
_COMPOSED = frozenset({"oneOf", "anyOf", "allOf", "$ref", "not", "if"})


def _kind(schema: Mapping[str, Any]) -> Kind:
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return Kind.CHOICE
    if is_secret(schema):
        return Kind.SECRET
    if _COMPOSED & set(schema):
        return Kind.JSON
    kind = schema.get("type", [])
    types = frozenset([kind] if isinstance(kind, str) else kind) - {"null"}
    if types == {"array"} and _is_nested(schema):
        return Kind.JSON
    return _KINDS.get(types, Kind.JSON if "object" in types else Kind.ANY)


def _plain(schema: Schema) -> Schema:
    """Return a schema without the choice between something and nothing, as pydantic writes it.

    ``{"anyOf": [{"type": "integer"}, {"type": "null"}]}`` is a whole number that may be left out.
    """
    choices = schema.get("anyOf")
    if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
        return schema
    real = [one for one in choices if one.get("type") != "null"]
    if len(real) != 1 or len(real) == len(choices) or not isinstance(real[0].get("type"), str):
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    made = {**real[0], **rest, "type": [real[0]["type"], "null"]}
    if isinstance(made.get("enum"), list):
        made["enum"] = [*made["enum"], None]
    return made


def _is_nested(schema: Mapping[str, Any]) -> bool:
    items = schema.get("items")
    default = schema.get("default")
    return (isinstance(items, dict) and items.get("type") in ("object", "array")) or (
        isinstance(default, list) and any(isinstance(value, (dict, list)) for value in default)
    )


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _check(one: Field, value: Any) -> None:  # noqa: ANN401
    """Check a value by its own part of the schema, as the whole config will be."""
    name = one.path[-1]
    definitions = {key: one.schema[key] for key in ("$defs", "definitions") if key in one.schema}
    inner = {k: v for k, v in one.schema.items() if k not in ("$defs", "definitions", "$schema")}
    wrapper = {"type": "object", "properties": {name: inner}, **definitions}
    try:
        check_config(wrapper, {name: value})
    except UsageError as error:
        raise UsageError(one.label, error.problem, allowed=error.allowed) from None


def _text(one: Field, text: str) -> str:
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except ValueError:
            return text
        return value if isinstance(value, str) else text
    return text


def _secret(one: Field, text: str) -> str:
    # A bare name is not enough: many tokens look like one, and would be stored as it.
    reference = text.strip()
    if secret_named(reference) is None:
        problem = "is a secret, which is given by reference"
        raise UsageError(one.label, problem, allowed=ALLOWED)
    return reference


def _number(one: Field, text: str) -> Any:  # noqa: ANN401
    value = parse_value(text.strip())
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    example = one.shown_default or ("10" if one.kind is Kind.INTEGER else "0.1")
    raise UsageError(one.label, "is not a number", allowed=f"a number, such as {example}")


def _boolean(one: Field, text: str) -> bool:
    return text == "true"


def _any(one: Field, text: str) -> Any:  # noqa: ANN401
    return parse_value(text)


def _list(one: Field, text: str) -> list[Any]:
    stripped = text.strip()
    if stripped.startswith("["):
        value = _json(one, stripped)
        return value if isinstance(value, list) else [value]
    items = one.schema.get("items")
    texts = isinstance(items, dict) and items.get("type") == "string"
    parts = [part.strip() for part in stripped.split(",")]
    return [part if texts else parse_value(part) for part in parts if part]


def _document(one: Field, text: str) -> Any:  # noqa: ANN401
    from launch_tui.domain.document import read_document

    # A line alone could be the name of a file, which nobody means in a form.
    return read_document(f"{text}\n", one.label)


def _json(one: Field, text: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(text)
    except RecursionError:
        raise UsageError(one.label, "is nested too deep") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UsageError(one.label, f"is not JSON: {error.msg} ({where})") from None


_READERS: dict[Kind, Callable[[Field, str], Any]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _number,
    Kind.NUMBER: _number,
    Kind.BOOLEAN: _boolean,
    Kind.CHOICE: _any,
    Kind.LIST: _list,
    Kind.SECRET: _secret,
    Kind.ANY: _any,
    Kind.JSON: _json,
    Kind.DOCUMENT: _document,
}
