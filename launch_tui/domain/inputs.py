"""What a job takes and gives, as JSON Schemas learnt from its runs, and checking a config.

Schemas here are a small part of JSON Schema: ``type`` (one or a list), ``default``, ``properties``
for nested objects. A config is checked without any third party, since every launch does it; only a
schema with more in it, which a person gave, loads jsonschema. Keys that are not known are allowed:
a script may read more than its last run did.
"""

from __future__ import annotations

import json
import math
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from launch_tui.domain.config_secrets import check_secret_inputs
from launch_tui.domain.managed_files import joined_key, path_of
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import jsonschema

Schema = dict[str, Any]

_Known = tuple[str, Any]

MAX_OUTPUTS = 2_000
"""Keys of the history and the summary that are kept as a job's outputs."""

DECLARED_BY, SCRIPT = "declaredBy", "script"
"""Keyword of a schema that came from the job's own script, and its value."""
LEARNT = frozenset({"type", "properties", "default"})
_ARTICLES = {"integer": "an integer", "array": "a list", "object": "an object", "null": "null"}


def infer_inputs(config: Mapping[str, Any]) -> Schema:
    """Return the schema of a run's ``wandb.config``: types, the values as defaults, nesting."""
    return {
        "type": "object",
        "properties": {
            key: _with_default(value) for key, value in config.items() if not key.startswith("_")
        },
    }


def infer_outputs(summary: Mapping[str, Any], last: Mapping[str, Any] | None = None) -> Schema:
    """Return the schema of what a run gives: the keys of its summary and of its history.

    Args:
        summary: The run's summary, nested or not.
        last: The last value of each key of its history, by joined name.
    """
    joined = {**dict(_leaves(summary)), **(last or {})}
    shown = [key for key in joined if not key.startswith("_")][:MAX_OUTPUTS]
    return {"type": "object", "properties": {key: _type_of_output(joined[key]) for key in shown}}


def merge_schemas(known: Mapping[str, Any], new: Mapping[str, Any]) -> Schema:
    """Return what two schemas of the same thing say together.

    Types are united (an integer and a number are a number), defaults are the newer ones, keys
    keep the order in which they were first seen. Whatever else ``known`` says, as one that a
    person gave does, stays as it is.
    """
    if not known:
        return dict(new)
    merged = {**known, **{key: value for key, value in new.items() if key not in known}}
    if _adapts(known):
        types = _united([*_types(known), *_types(new)])
        if types:
            merged["type"] = types[0] if len(types) == 1 else types
        if "default" in new:
            merged["default"] = new["default"]
        elif new.get("properties"):
            merged.pop("default", None)
    if "properties" in known or "properties" in new:
        merged["properties"] = _merged_properties(
            known.get("properties", {}), new.get("properties", {})
        )
    return merged


def check_config(schema: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Refuse a config whose values cannot be what the job takes.

    For what was learnt from runs, numbers of any kind may stand for one another (``lr=1`` after
    ``lr=0.5`` and the reverse), and null may stand for anything, and anything for a null.

    Args:
        schema: The job version's inputs.
        config: What the launch gives; nested.

    Raises:
        UsageError: Naming the first key that is wrong, and what is allowed.
    """
    check_secret_inputs(schema, config)
    own, files = _sources(schema)
    for key in config:
        if files and path_of(key) and key not in files:
            allowed = ", ".join(map(path_of, files))
            raise UsageError(path_of(key), "is no file that the job manages", allowed=allowed)
    if files:
        # What is learnt of one source is held loosely, whatever another one declares.
        for key, inner in files.items():
            if key in config:
                _check_source(inner, config[key], (key,))
        config = {key: value for key, value in config.items() if key not in files}
    _check_source(own, config, ())


def known_inputs(schema: Mapping[str, Any]) -> list[tuple[str, Schema]]:
    """Return the inputs of a job by the keys of a launch; of nested ones the innermost."""
    found = [(name, inner) for name, inner in _known_keys(schema) if isinstance(inner, dict)]
    return [(name, inner) for name, inner in found if not inner.get("properties")]


def limits(schema: Mapping[str, Any]) -> str:
    """Return the range of a number in a few cells, empty for none: ``1..8``, ``> 0``, ``≤ 1``."""
    low, over = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, under = schema.get("maximum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"{low}..{high}"
    signs = ((">", over), ("≥", low), ("<", under), ("≤", high))
    return " ".join(f"{sign} {value}" for sign, value in signs if value is not None)


def unknown_keys(schema: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys of a config that no run had, each with the known key that is most alike.

    They are allowed; this is for a hint such as "did you mean". The hint is empty when nothing is
    alike. A schema that knows no keys knows of no stranger either.
    """
    known = {name for name, _ in _known_keys(schema)}
    if not known:
        return {}
    given = [name for name, _ in _leaves(config)]
    strangers = [name for name in given if name not in known and not _is_inside(name, known)]
    return {name: _nearest(name, known) for name in strangers}


def is_learnt(schema: Mapping[str, Any]) -> bool:
    """Whether a schema says no more than what is learnt from runs."""
    return set(schema) <= LEARNT and all(
        isinstance(inner, dict) and is_learnt(inner)
        for inner in schema.get("properties", {}).values()
    )


def _with_default(value: object) -> Schema:
    if isinstance(value, dict) and value:
        return {"type": "object", "properties": {k: _with_default(v) for k, v in value.items()}}
    return {"type": _type_of(value), "default": value}


def _type_of_output(value: object) -> Schema:
    kind = _type_of(value)
    # An output that is whole once is a number all the same: an accuracy of 1, a loss of 0.
    return {"type": "number" if kind == "integer" else kind}


def _type_of(value: object) -> str:
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "boolean"),
        (int, "integer"),
        (float, "number"),
        (str, "string"),
        ((list, tuple), "array"),
        (dict, "object"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and "_type" not in value:
            yield from _leaves(value, name if path_of(key) else f"{name}.")
        else:
            yield name, value


def _adapts(schema: Mapping[str, Any]) -> bool:
    """Whether this level was learnt, so that it may learn more."""
    return set(schema) <= LEARNT


def _types(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type", [])
    return [kind] if isinstance(kind, str) else list(kind)


def _united(types: list[str]) -> list[str]:
    unique = list(dict.fromkeys(types))
    return [kind for kind in unique if kind != "integer" or "number" not in unique]


def _merged_properties(known: Mapping[str, Any], new: Mapping[str, Any]) -> Schema:
    merged = dict(known)
    for key, schema in new.items():
        merged[key] = merge_schemas(known[key], schema) if key in known else schema
    return merged


def _sources(schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Schema]]:
    """Return what a schema says of ``wandb.config``, and of each managed file by its key."""
    if _last_sources and _last_sources[0][0] is schema:
        return _last_sources[0][1:]
    properties = schema.get("properties", {})
    files = {key: inner for key, inner in properties.items() if path_of(key)}
    own: Mapping[str, Any] = schema
    if files:
        rest = {key: inner for key, inner in properties.items() if key not in files}
        own = {**schema, "properties": rest}
        if isinstance(schema.get("required"), list):
            own["required"] = [name for name in schema["required"] if name not in files]
    _last_sources[:] = [(schema, own, files)]
    return own, files


# A launch of many runs asks the same of each; so the last answers are kept.
_last_sources: list[tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Schema]]] = []
_last_validators: list[tuple[Mapping[str, Any], jsonschema.protocols.Validator]] = []
_KEPT = 8


def _check_source(
    schema: Mapping[str, Any], config: Mapping[str, Any], path: tuple[str, ...]
) -> None:
    if is_learnt(schema):
        _check_learnt(schema, config, path)
    else:
        _check_given(schema, config, path)


def _check_learnt(
    schema: Mapping[str, Any], config: Mapping[str, Any], path: tuple[str, ...]
) -> None:
    properties = schema.get("properties", {})
    for key, value in config.items():
        known = properties.get(key)
        if known is None:
            continue
        here = (*path, key)
        types = _types(known)
        if not _fits(value, types):
            raise UsageError(joined_key(here), _what_it_is(value), allowed=_allowed(known, types))
        if isinstance(value, dict):
            _check_learnt(known, value, here)


def _fits(value: object, types: list[str]) -> bool:
    kind = _type_of(value)
    if kind == "null" or not types or "null" in types or kind in types:
        return True
    return kind in ("integer", "number") and ("integer" in types or "number" in types)


def _what_it_is(value: object) -> str:
    shown = json.dumps(value) if not isinstance(value, (dict, list)) else ""
    kind = _type_of(value)
    return f"{shown} is {_named(kind)}".strip()


def _allowed(schema: Mapping[str, Any], types: list[str]) -> str:
    if "integer" in types:
        types = ["number" if kind == "integer" else kind for kind in types]
    names = " or ".join(_named(kind) for kind in types)
    default = schema.get("default")
    if isinstance(default, (str, int, float)) and not (
        isinstance(default, float) and math.isnan(default)
    ):
        return f"{names}, such as {json.dumps(default)}"
    return names


def _named(kind: str) -> str:
    return _ARTICLES.get(kind, f"a {kind}")


def _check_given(
    schema: Mapping[str, Any], config: Mapping[str, Any], path: tuple[str, ...]
) -> None:
    import jsonschema
    from referencing.exceptions import Unresolvable

    try:
        validator = _validator(schema)
        problem = jsonschema.exceptions.best_match(validator.iter_errors(config))
    except jsonschema.exceptions.SchemaError as error:
        raise UsageError("--schema", f"is no JSON Schema: {error.message}") from error
    except Unresolvable as error:
        raise UsageError("--schema", f"refers to what is not in it: {error.ref}") from error
    except RecursionError:
        raise UsageError("--schema", "leads back to itself without end") from None
    if problem is not None:
        raise _refusal(problem, path)


def _validator(schema: Mapping[str, Any]) -> jsonschema.protocols.Validator:
    """Return what checks configs by a schema."""
    for known, validator in _last_validators:
        if known is schema:
            return validator
    import jsonschema
    from referencing import Registry

    kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    kind.check_schema(dict(schema))
    # An empty registry: a reference to another machine must not be fetched.
    is_scripts = schema.get(DECLARED_BY) == SCRIPT
    made = kind(_without_required(schema) if is_scripts else dict(schema), registry=Registry())
    _last_validators[:] = [(schema, made), *_last_validators[: _KEPT - 1]]
    return made


def _without_required(schema: Mapping[str, Any]) -> Schema:
    """Return a schema of a script as a launch is checked by: it gives a part of the whole.

    The script holds its whole configuration to the same schema; whether it has a value of its own
    is not known of every key.
    """
    made = {key: value for key, value in schema.items() if key != "required"}
    if isinstance(schema.get("properties"), dict):
        made["properties"] = {
            key: _without_required(inner) if isinstance(inner, dict) else inner
            for key, inner in schema["properties"].items()
        }
    return made


def _refusal(problem: jsonschema.ValidationError, outer: tuple[str, ...]) -> UsageError:
    path = [*outer, *(str(part) for part in problem.absolute_path)]
    rule, value, instance = str(problem.validator), problem.validator_value, problem.instance
    if rule == "required" and isinstance(value, list) and isinstance(instance, dict):
        missing = next((str(name) for name in value if name not in instance), "")
        return UsageError(joined_key([*path, missing]), "is required, and no value is given")
    allowed = ""
    if rule in _TOLD:
        allowed = _TOLD[rule].format(
            ", ".join(map(str, value)) if isinstance(value, list) else value
        )
    elif rule == "additionalProperties" and isinstance(problem.schema, dict):
        known = problem.schema.get("properties", {})
        keys = instance if isinstance(instance, dict) else {}
        extra = next((str(key) for key in keys if key not in known), "")
        return UsageError(
            joined_key([*path, extra]), "is no input of the job", allowed=", ".join(known)
        )
    return UsageError(joined_key(path) or "config", problem.message, allowed=allowed)


_TOLD = {
    "type": "type {}",
    "enum": "one of {}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} values",
    "maxItems": "at most {} values",
    "pattern": "pattern {}",
    "const": "const {}",
    "format": "format {}",
}
"""What a rule of a schema allows, in words."""


def _known_keys(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[_Known]:
    for key, inner in schema.get("properties", {}).items():
        yield joined_key((*path, key)), inner
        if isinstance(inner, dict):
            yield from _known_keys(inner, (*path, key))


def _is_inside(name: str, known: set[str]) -> bool:
    """Whether a key belongs to a known one that has no known keys of its own."""
    parts = name.split(".")
    outer = [".".join(parts[:count]) for count in range(1, len(parts))]
    return any(
        one in known and not any(other.startswith(f"{one}.") for other in known) for one in outer
    )


def _nearest(name: str, known: set[str]) -> str:
    return next(iter(get_close_matches(name, sorted(known), n=1)), "")
