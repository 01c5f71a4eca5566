"""What a script declares as its inputs, and what a job's inputs are then.

``manage_wandb_config`` and ``manage_config_file`` of W&B name one source of inputs each
(``wandb.config``, or a file), which keys of it are inputs (``include``, ``exclude``), and may give
a schema. The inputs of a job are one JSON Schema over all sources, a file being the property
``"PATH:"`` (``domain.managed_files``). Of a source holds, in this order:

1. the schema that a person gave with the job; runs only add keys to it that it does not have;
2. the schema that the script declared last (marked by the keyword ``declaredBy``);
3. what was learnt from the values that runs had, of those keys that are inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launch_tui.domain.config_secrets import is_secret
from launch_tui.domain.inputs import (
    DECLARED_BY,
    LEARNT,
    SCRIPT,
    infer_inputs,
    is_learnt,
    merge_schemas,
)
from launch_tui.domain.managed_files import file_key, path_of, split_files
from launch_tui.domain.words import merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from launch_tui.domain.inputs import Schema

Path = tuple[str, ...]

_DEEPEST = 16
_NAMED = frozenset({"properties", "patternProperties", "dependentSchemas"})
"""Keywords whose objects have names for keys."""
_DATA = frozenset({"default", "enum", "const", "examples", "required", "$defs", "definitions"})
"""Keywords in whose values nothing is a keyword."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One source of inputs, as a script declares it.

    Attributes:
        file: The managed file's path, empty for ``wandb.config``.
        include: Paths of keys that are inputs with all below them; empty for every key.
        exclude: Paths of keys that are none, which beats ``include``.
        schema: The declared schema in the form of ``normalised``, None where there is none.
        content: What the file held before a launch changed it.
    """

    file: str = ""
    include: tuple[Path, ...] = ()
    exclude: tuple[Path, ...] = ()
    schema: Schema | None = None
    content: Mapping[str, Any] | None = None


def learnt_inputs(
    known: Mapping[str, Any],
    config: Mapping[str, Any],
    own: Mapping[str, Any],
    declared: Sequence[Declaration] = (),
) -> Schema:
    """Return a job version's inputs after one more run.

    Args:
        known: The inputs so far.
        config: The run's ``wandb.config``.
        own: The part of it that the script itself set, and no launch: the script's defaults.
        declared: What the run declared; of one source the last holds.
    """
    by_source = {one.file: one for one in declared}
    properties = known.get("properties", {})
    files = {path_of(key): inner for key, inner in properties.items() if path_of(key)}
    own_keys = {key: inner for key, inner in properties.items() if not path_of(key)}
    root = {**known, "properties": own_keys} if "properties" in known else dict(known)
    root = _learnt_source(root, by_source.pop("", None), config, own)
    for path, one in by_source.items():
        content = one.content or {}
        files[path] = _learnt_source(files.get(path, {}), one, content, content)
    if files:
        keyed = {file_key(path): inner for path, inner in files.items()}
        root["properties"] = {**root.get("properties", {}), **keyed}
    return root


def normalised(schema: Mapping[str, Any]) -> Schema:
    """Return a schema in the one form in which inputs are kept.

    W&B has ``required: true`` on a property: here it is a name in the list of the object that has
    it. References to ``$defs``, as pydantic writes them, are replaced by what they refer to, unless
    that refers to itself; so is an ``allOf`` of one.
    """
    definitions = {
        f"#/{place}/{name}": inner
        for place in ("$defs", "definitions")
        if isinstance(schema.get(place), dict)
        for name, inner in schema[place].items()
    }
    made: Schema = _normal(schema, definitions, ())
    if not any(True for _ in _references(made)):
        for place in ("$defs", "definitions"):
            made.pop(place, None)
    return made


def loosened(schema: Mapping[str, Any]) -> Schema:
    """Return the inputs of a version as the guess of the next one's, whose script may differ.

    Of what a script declared only types and defaults stay; what a person gave stays as it is.
    """
    if schema.get(DECLARED_BY) == SCRIPT:
        return _bare(schema)
    if "properties" not in schema:
        return dict(schema)
    inner = {k: loosened(v) if path_of(k) else v for k, v in schema["properties"].items()}
    return {**schema, "properties": inner}


def unmanaged(config: Mapping[str, Any], declared: Iterable[Declaration]) -> list[str]:
    """Return the files that a launch gave values for and the script never declared."""
    known = {one.file for one in declared}
    return [path for path in split_files(config)[1] if path not in known]


def _learnt_source(
    known: Mapping[str, Any],
    declared: Declaration | None,
    config: Mapping[str, Any],
    own: Mapping[str, Any],
) -> Schema:
    is_scripts = known.get(DECLARED_BY) == SCRIPT
    if declared is None and is_scripts:
        # A run that ended before it came to its declaration takes none back.
        return dict(known)
    if declared is not None:
        config, own = (_kept(values, declared, ()) for values in (config, own))
        if declared.schema is not None and (is_scripts or is_learnt(known)):
            # What an earlier run of the same version taught of the script's own values still holds.
            before = merge(_defaults(known), own)
            filled = _with_defaults(_kept_schema(declared.schema, declared, ()), before)
            return {"type": "object", **filled, DECLARED_BY: SCRIPT}
        if is_scripts:
            known = {}
        elif is_learnt(known):
            known = _kept_schema(known, declared, ())
    learnt = merge_schemas(infer_inputs(config), known)
    return merge_schemas(merge_schemas(known, learnt), infer_inputs(own))


def _is_input(path: Path, declared: Declaration) -> bool:
    if any(path[: len(one)] == one for one in declared.exclude):
        return False
    return not declared.include or any(path[: len(one)] == one for one in declared.include)


def _leads_to_input(path: Path, declared: Declaration) -> bool:
    """Whether a key has an input below it, though not all below it are inputs."""
    return any(one[: len(path)] == path for one in declared.include if len(one) > len(path))


def _kept(values: Mapping[str, Any], declared: Declaration, path: Path) -> dict[str, Any]:
    """Return the values that are inputs."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        here = (*path, key)
        if isinstance(value, dict) and value and len(here) < _DEEPEST:
            if inner := _kept(value, declared, here):
                kept[key] = inner
        elif _is_input(here, declared):
            kept[key] = value
    return kept


def _kept_schema(schema: Mapping[str, Any], declared: Declaration, path: Path) -> Schema:
    """Return a schema without the properties that are no inputs."""
    if not isinstance(schema.get("properties"), dict):
        return dict(schema)
    kept: dict[str, Any] = {}
    for key, inner in schema["properties"].items():
        here = (*path, key)
        if not (_is_input(here, declared) or _leads_to_input(here, declared)):
            continue
        is_object = isinstance(inner, dict) and "properties" in inner and len(here) < _DEEPEST
        kept[key] = _kept_schema(inner, declared, here) if is_object else inner
    made = {**schema, "properties": kept}
    if isinstance(schema.get("required"), list):
        made["required"] = [name for name in schema["required"] if name in kept]
    return made


def _with_defaults(schema: Mapping[str, Any], own: Mapping[str, Any]) -> Schema:
    """Return a declared schema with the script's own values as defaults.

    What the script has a value for of its own no launch has to give, so it is not required.
    """
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return dict(schema)
    filled: dict[str, Any] = {}
    for key, inner in properties.items():
        filled[key] = inner
        if key not in own or not isinstance(inner, dict):
            continue
        value = own[key]
        if isinstance(inner.get("properties"), dict) and isinstance(value, dict):
            filled[key] = _with_defaults(inner, value)
        else:
            # A secret that a script has in its own code is not spread further.
            filled[key] = inner if is_secret(inner) else {**inner, "default": value}
    made = {**schema, "properties": filled}
    if isinstance(schema.get("required"), list):
        made["required"] = [name for name in schema["required"] if name not in own]
        if not made["required"]:
            del made["required"]
    return made


def _defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested values that a schema has as defaults."""
    found: dict[str, Any] = {}
    for key, inner in (schema.get("properties") or {}).items():
        if not isinstance(inner, dict):
            continue
        if "properties" in inner:
            if below := _defaults(inner):
                found[key] = below
        elif "default" in inner:
            found[key] = inner["default"]
    return found


def _normal(schema: Any, definitions: Mapping[str, Any], within: tuple[str, ...]) -> Any:  # noqa: ANN401
    if isinstance(schema, list):
        return [_normal(part, definitions, within) for part in schema]
    if not isinstance(schema, dict) or len(within) > _DEEPEST:
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference in definitions and reference not in within:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        found = definitions[reference]
        if isinstance(found, dict):
            return _normal({**found, **rest}, definitions, (*within, reference))
    only = schema.get("allOf")
    if isinstance(only, list) and len(only) == 1 and isinstance(only[0], dict):
        rest = {key: value for key, value in schema.items() if key != "allOf"}
        return _normal({**only[0], **rest}, definitions, within)
    made = {}
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, dict):
            made[key] = {k: _normal(v, definitions, within) for k, v in value.items()}
        else:
            made[key] = value if key in _DATA else _normal(value, definitions, within)
    return _with_required(made)


def _with_required(schema: Schema) -> Schema:
    """Return an object's schema with ``required: true`` of its properties as names in its list."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    named = schema["required"] if isinstance(schema.get("required"), list) else []
    marked = {
        key: inner["required"]
        for key, inner in properties.items()
        if isinstance(inner, dict) and isinstance(inner.get("required"), bool)
    }
    if not marked:
        return schema
    cleaned = {
        key: {k: v for k, v in inner.items() if k != "required"} if key in marked else inner
        for key, inner in properties.items()
    }
    required = dict.fromkeys([*named, *(key for key, is_so in marked.items() if is_so)])
    made = {**schema, "properties": cleaned}
    return {**made, "required": list(required)} if required else made


def _references(schema: object) -> Iterable[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for key, inner in schema.items():
            if key not in ("$defs", "definitions"):
                yield from _references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _references(inner)


def _bare(schema: Mapping[str, Any]) -> Schema:
    made = {key: value for key, value in schema.items() if key in LEARNT and key != "properties"}
    if isinstance(schema.get("properties"), dict):
        made["properties"] = {
            key: _bare(inner) for key, inner in schema["properties"].items()
            if isinstance(inner, dict)
        }  # fmt: skip
    return made
