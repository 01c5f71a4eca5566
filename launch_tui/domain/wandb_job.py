"""W&B's definition of a job, ``wandb-job.json``, read without trust.

The file is what ``wandb job create`` and wandb's job builder write, and what a downloaded job
artifact holds: ``source_type`` (``repo``, ``artifact`` or ``image``), ``source``, ``runtime``,
``input_types`` and ``input_schemas``. It may come from anybody, so every field that is used is
checked here; ones that are not known are passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from launch_tui.domain.declared import normalised
from launch_tui.domain.given_schema import check_schema
from launch_tui.domain.inputs import DECLARED_BY, SCRIPT
from launch_tui.domain.managed_files import file_key, join_files, path_of
from launch_tui.errors import LaunchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.domain.inputs import Schema

FILE = "wandb-job.json"
FROZEN, PATCH = "requirements.frozen.txt", "diff.patch"
"""What lies beside it: the packages of the run it was made from, and what was not committed."""
KINDS = ("repo", "artifact", "image")
CONFIG = "@wandb.config"

_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}\Z")
_RUNTIME = re.compile(r"(3\.\d{1,3})(\.\d+)?\Z")
_PYTHON = re.compile(r"python3\.\d{1,3}\Z")
_DEEPEST = 16
_TYPES = {"number": "number", "string": "string", "boolean": "boolean", "list": "array",
          "typedDict": "object", "dict": "object", "none": "null"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class WandbJob:
    """What a definition says.

    Attributes:
        kind: ``repo``, ``artifact`` or ``image``.
        remote, commit: Of a repository.
        artifact: Which artifact has the files, ``wandb-artifact://_id/…``.
        image: The image's reference.
        entry_point: The words of the command, ``python`` for ``python3.11``.
        notebook: Whether the last word is a notebook that is to be run as a script.
        runtime: The Python version ``3.X``, or empty.
        dockerfile, build_context, base_image: Of the image to run in.
        inputs: What it takes, as this program keeps it.
        services: Names of what W&B would start beside it.
        dropped: Lines about what of it cannot be used.
    """

    kind: str
    remote: str = ""
    commit: str = ""
    artifact: str = ""
    image: str = ""
    entry_point: tuple[str, ...] = ()
    notebook: bool = False
    runtime: str = ""
    dockerfile: str = ""
    build_context: str = ""
    base_image: str = ""
    inputs: Schema = field(default_factory=dict)
    services: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def read_wandb_job(document: Mapping[str, Any]) -> WandbJob:
    """Return what a definition says.

    Raises:
        UsageError: Naming the field that is missing or wrong, and what is allowed.
    """
    kind = _text(document, "source_type")
    if kind not in KINDS:
        raise _wrong("source_type", f"{kind!r} is no kind of source", ", ".join(KINDS))
    source = _object(document, "source")
    entry_point = _words(source, "entrypoint") + _words(source, "args")
    if kind != "image" and not entry_point:
        raise _wrong("source.entrypoint", "is missing", "the words of the command")
    notebook = source.get("notebook") is True and any(w.endswith(".ipynb") for w in entry_point)
    dropped: list[str] = []
    return WandbJob(
        kind=kind,
        entry_point=tuple("python" if _PYTHON.match(w) else w for w in entry_point[:1])
        + entry_point[1:],
        notebook=notebook,
        runtime=_runtime(document),
        dockerfile=_path(source, "dockerfile"),
        build_context=_path(source, "build_context"),
        base_image=_text(source, "base_image", within="source"),
        inputs=_inputs(document, dropped),
        services=tuple(map(str, _object(document, "services"))),
        **_place(kind, source),
        dropped=tuple(dropped),
    )


def _place(kind: str, source: Mapping[str, Any]) -> dict[str, str]:
    """Return where its files come from."""
    if kind == "repo":
        git = _object(source, "git", within="source")
        remote = _text(git, "remote", within="source.git")
        commit = _text(git, "commit", within="source.git")
        if not remote:
            raise _wrong("source.git.remote", "is missing", "the URL of a repository")
        if not _COMMIT.match(commit):
            shown = f"{commit!r} is no commit" if commit else "is missing"
            raise _wrong("source.git.commit", shown, "at least 7 hex digits")
        return {"remote": remote, "commit": commit.lower()}
    key = "artifact" if kind == "artifact" else "image"
    value = _text(source, key, within="source")
    if not value:
        raise _wrong(f"source.{key}", "is missing", "text")
    return {key: value}


def _runtime(document: Mapping[str, Any]) -> str:
    given = _text(document, "runtime")
    found = _RUNTIME.match(given)
    if given and not found:
        raise _wrong("runtime", f"{given!r} is no Python version", "3.X")
    return found[1] if found else ""


def _inputs(document: Mapping[str, Any], dropped: list[str]) -> Schema:
    """Return its schemas, and for what has none the types that W&B saw."""
    types = _object(document, "input_types")
    files = types.get("files") if isinstance(types.get("files"), dict) else {}
    config = types.get(CONFIG) if isinstance(types.get(CONFIG), dict) else types
    found: Schema = _schema_of_type(config or {}, 0) if "wb_type" in (config or {}) else {}
    by_file = {
        path: _schema_of_type(of, 0)
        for path, of in (files or {}).items()
        if isinstance(of, dict) and path_of(file_key(path))
    }
    schemas = dict(_object(document, "input_schemas"))
    inner = schemas.pop("files", None)
    schemas |= inner if isinstance(inner, dict) else {}
    for name, given in schemas.items():
        if name != CONFIG and not path_of(file_key(name)):
            continue
        schema = _declared(name, given, dropped)
        if schema is None:
            continue
        if name == CONFIG:
            found = schema
        else:
            by_file[name] = schema
    if by_file:
        properties = join_files(found.get("properties", {}), by_file)
        found = {"type": "object", **found, "properties": properties}
    return found


def _declared(name: str, given: object, dropped: list[str]) -> Schema | None:
    if not isinstance(given, dict) or not given:
        return None
    try:
        schema = normalised(given)
        check_schema(schema, field=f"input_schemas.{name}")
    except (LaunchError, RecursionError) as error:
        dropped.append(f"{error.cause if isinstance(error, LaunchError) else name}; it is left out")
        return None
    return {"type": "object", **schema, DECLARED_BY: SCRIPT}


def _schema_of_type(given: Mapping[str, Any], depth: int) -> Schema:
    """Return the schema of one of W&B's own types (``{"wb_type": "number"}``)."""
    params = given.get("params") if isinstance(given.get("params"), dict) else {}
    params = params or {}
    kind = str(given.get("wb_type", ""))
    if depth > _DEEPEST:
        return {}
    if kind == "union" and isinstance(params.get("allowed_types"), list):
        inner = [
            _schema_of_type(t, depth + 1) for t in params["allowed_types"] if isinstance(t, dict)
        ]
        types = list(dict.fromkeys(t["type"] for t in inner if t.get("type") not in (None, "null")))
        plain = [one for one in inner if one.get("type") in types]
        return plain[0] if len(plain) == 1 else ({"type": types} if types else {})
    if kind == "const" and isinstance(params.get("val"), bool | int | float | str):
        value = params["val"]
        named = (
            "boolean"
            if isinstance(value, bool)
            else "string"
            if isinstance(value, str)
            else "number"
        )
        return {"type": named, "default": value}
    if kind not in _TYPES or kind == "none":
        return {}
    made: Schema = {"type": _TYPES[kind]}
    type_map = params.get("type_map")
    if kind == "typedDict" and isinstance(type_map, dict):
        made["properties"] = {
            str(key): _schema_of_type(inner, depth + 1)
            for key, inner in type_map.items()
            if isinstance(inner, dict)
        }
    return made


def _object(values: Mapping[str, Any], key: str, within: str = "") -> dict[str, Any]:
    found = values.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _wrong(f"{within}.{key}".lstrip("."), "is no object", "an object")
    return found


def _text(values: Mapping[str, Any], key: str, within: str = "") -> str:
    found = values.get(key)
    if found is None:
        return ""
    where = f"{within}.{key}".lstrip(".")
    if not isinstance(found, str):
        raise _wrong(where, "is no text", "text")
    if any(not c.isprintable() for c in found):
        raise _wrong(where, "holds control characters", "text")
    return found


def _path(source: Mapping[str, Any], key: str) -> str:
    found = _text(source, key, within="source")
    if found.startswith("/") or ".." in found.split("/"):
        raise _wrong(f"source.{key}", f"{found!r} leads out of the job's files", "a path in them")
    return found


def _words(source: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = source.get(key)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise _wrong(f"source.{key}", "is no list of texts", '["python", "train.py"]')
    if any("\0" in word for word in found):
        raise _wrong(f"source.{key}", "holds a NUL character", "the words of a command")
    if key == "entrypoint" and any(".." in word.split("/") for word in found):
        raise _wrong(f"source.{key}", "leads out of the job's files", "paths in them")
    return tuple(found)


def _wrong(where: str, problem: str, allowed: str) -> UsageError:
    return UsageError(f"{FILE}: {where}", problem, allowed=allowed)
