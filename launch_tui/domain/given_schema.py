"""Whether a schema of a configuration can be held to, asked where it is given.

JSON Schema itself allows much that no configuration meets: a list where the configuration is an
object, a minimum above the maximum, a choice among nothing. Such a schema would refuse every launch
of its job and blame the values, so it is refused itself. Loads jsonschema, hence only by name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from launch_tui.domain.inputs import DECLARED_BY, SCRIPT
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema.protocols import Validator

    Place = tuple[str, ...]

_BY_NAME = frozenset(
    {"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"}
)
"""Keywords whose objects have names for keys, and schemas for values."""
_DATA = frozenset({"default", "enum", "const", "examples"})
"""Keywords in whose values nothing is a keyword."""
_BOUNDS = (
    ("minimum", "maximum", False),
    ("minimum", "exclusiveMaximum", True),
    ("exclusiveMinimum", "maximum", True),
    ("exclusiveMinimum", "exclusiveMaximum", True),
    ("minLength", "maxLength", False),
    ("minItems", "maxItems", False),
    ("minProperties", "maxProperties", False),
    ("minContains", "maxContains", False),
)
"""The two keywords of each range, and whether equal ones leave nothing in it."""
_SAYS_SOMETHING = frozenset({
    "$comment", "$defs", "$dynamicRef", "$id", "$ref", "$schema", "additionalProperties", "allOf",
    "anyOf", "declaredBy", "default", "definitions", "dependentRequired", "dependentSchemas",
    "description", "else", "examples", "if", "label", "maxProperties", "minProperties", "not",
    "oneOf", "patternProperties", "placeholder", "properties", "propertyNames", "required", "then",
    "title", "type", "unevaluatedProperties",
})  # fmt: skip
"""Keywords of JSON Schema and of W&B that are for an object."""


def check_schema(schema: Mapping[str, Any], *, field: str = "--schema") -> None:
    """Refuse what is no JSON Schema of a configuration, or of one that cannot be.

    Args:
        schema: The schema, in the form of ``domain.declared.normalised``.
        field: How an error names it.

    Raises:
        UsageError: Naming the place in the schema.
    """
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        where = _written(map(str, error.path)) or "the schema"
        raise UsageError(field, f"no JSON Schema: {where}: {error.message}") from None
    except RecursionError:
        raise UsageError(field, "is nested too deep") from None
    for reference in _references(schema):
        if not reference.startswith("#"):
            problem = f"refers to what is not in it: {reference}"
            raise UsageError(field, problem, allowed="references that begin with #")
    kind = schema.get("type", "object")
    if "object" not in (kind if isinstance(kind, list) else [kind]):
        problem = f"type: {kind!r} is not that of a configuration"
        raise UsageError(field, problem, allowed="object")
    validator = _validator_of(schema)
    for place, part in _parts(schema):
        _check_ranges(part, place, field)
        _check_choice(part, place, field, validator)
        _check_required(part, place, field)
        _check_reference(part, place, field, validator)


def check_given_schema(schema: Mapping[str, Any], *, field: str = "--schema") -> None:
    """Refuse as ``check_schema`` does, and what a person who writes a schema gets wrong beyond.

    A script may declare such things: there they are of no harm, and nobody is asked to mend them.

    Raises:
        UsageError: Naming the place in the schema.
    """
    check_schema(schema, field=field)
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError):
        raise UsageError(field, "holds what JSON does not have", allowed="finite numbers") from None
    if schema and _SAYS_SOMETHING.isdisjoint(schema):
        problem = f"says nothing: {next(iter(schema))!r} is no keyword for an object"
        raise UsageError(field, problem, allowed='{"properties": {"lr": {"type": "number"}}}')
    validator = _validator_of(schema)
    for place, part in _parts(schema, but_scripts=True):
        # A null may stand for anything, as in what is learnt from runs.
        if part.get("default") is not None:
            wrong = next(validator.evolve(schema=part).iter_errors(part["default"]), None)
            if wrong is not None:
                raise UsageError(field, f"{_written((*place, 'default'))}: {wrong.message}")


def _validator_of(schema: Mapping[str, Any]) -> Validator:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    # An empty registry: a reference to another machine must not be fetched.
    return Draft202012Validator(dict(schema), registry=Registry())


def _references(schema: object) -> Iterator[str]:
    """Yield the references of a schema; a property may be called ``$ref``, and is an object."""
    parts: list[Any] = []
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        parts = list(schema.values())
    elif isinstance(schema, list):
        parts = schema
    for part in parts:
        yield from _references(part)


def _parts(
    schema: object, place: Place = (), *, but_scripts: bool = False
) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Yield the schemas within a schema, itself first, each with where it is.

    One with an ``$id`` of its own is left out: what it refers to is looked for elsewhere.
    ``but_scripts`` leaves out what a script declared.
    """
    if not isinstance(schema, dict) or (place and "$id" in schema):
        return
    if but_scripts and schema.get(DECLARED_BY) == SCRIPT:
        return
    yield place, schema
    for key, value in schema.items():
        here = (*place, key)
        if key in _BY_NAME and isinstance(value, dict):
            for name, inner in value.items():
                yield from _parts(inner, (*here, name), but_scripts=but_scripts)
        elif isinstance(value, list) and key not in _DATA:
            for at, inner in enumerate(value):
                yield from _parts(inner, (*here, str(at)), but_scripts=but_scripts)
        elif key not in _DATA:
            yield from _parts(value, here, but_scripts=but_scripts)


def _check_ranges(part: Mapping[str, Any], place: Place, field: str) -> None:
    for low, high, equal_is_none in _BOUNDS:
        if low not in part or high not in part:
            continue
        least, most = part[low], part[high]
        if least > most or (equal_is_none and least == most):
            problem = f"{_written((*place, low))}: {least} leaves nothing up to {high} {most}"
            raise UsageError(field, problem)


def _check_choice(part: Mapping[str, Any], place: Place, field: str, validator: Validator) -> None:
    if "enum" not in part:
        return
    here, choice = _written((*place, "enum")), part["enum"]
    if not choice:
        raise UsageError(field, f"{here}: the list is empty", allowed="one value or more")
    if "type" in part:
        kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
        if not any(validator.is_type(value, kind) for value in choice for kind in kinds):
            raise UsageError(field, f"{here}: no value of it is of type {' or '.join(kinds)}")


def _check_required(part: Mapping[str, Any], place: Place, field: str) -> None:
    if part.get("additionalProperties") is not False or "patternProperties" in part:
        return
    known = part.get("properties", {})
    missing = next((name for name in part.get("required", ()) if name not in known), None)
    if missing is not None:
        problem = f"{_written((*place, 'required'))}: {missing!r} is required and not allowed"
        raise UsageError(field, problem, allowed=", ".join(known) or "no key")


def _check_reference(
    part: Mapping[str, Any], place: Place, field: str, validator: Validator
) -> None:
    if "$ref" not in part and "$dynamicRef" not in part:
        return
    here = _written((*place, "$ref" if "$ref" in part else "$dynamicRef"))
    try:
        # Whatever the value, it goes through all references that lead on from here.
        validator.evolve(schema=part).is_valid(None)
    except RecursionError:
        raise UsageError(field, f"{here}: leads back to itself without end") from None
    except Exception:
        # A pointer can lead to nothing, or to a list or a text, which fails in ways of its own.
        problem = f"{here}: does not lead to a schema"
        raise UsageError(field, problem, allowed="such as #/$defs/NAME") from None


def _written(place: Any) -> str:  # noqa: ANN401
    return "/".join(place)
