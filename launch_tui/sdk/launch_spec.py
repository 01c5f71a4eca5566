"""A launch's configuration, or W&B's launch spec with more than the configuration.

A spec is read as ``wandb launch -c`` reads it: ``overrides`` (``run_config``, ``files``,
``entry_point``), ``resource_args`` and ``template_variables`` (both may stand together: the values
fill the holes after the arguments were laid on), ``priority``, ``queue``, and who and where. Keys
without a value are passed over: a spec that W&B wrote has all of them.
"""

from __future__ import annotations

from typing import Any

from launch_tui.domain.queue import parse_resource
from launch_tui.domain.run import Priority, check_priority
from launch_tui.errors import UsageError

_OVERRIDES = frozenset(
    {"run_config", "entry_point", "args", "artifacts", "files", "dockerfile", "working_dir"}
)
_USED_OVERRIDES = ("run_config", "files", "entry_point", "args", "dockerfile")
_TEXTS = ("project", "entity", "name", "job", "queue")
_OBJECTS = ("resource_args", "template_variables", "docker")
_USED = ("overrides", *_TEXTS, "resource", *_OBJECTS, "priority")
_NO_MEANING = {
    "author": "the author of a run is who launches it",
    "queue_entity": "queues here belong to no entity",
}
_NOT_BUILT = frozenset(
    {
        "uri", "image_uri", "sweep_id", "git", "run_id", "builder", "registry",
        "python_version", "_wandb_api_key", "_resume_count", "additional_services",
    }
)  # fmt: skip
_ALL = frozenset({*_USED, *_NO_MEANING, *_NOT_BUILT})
_MARKS = ("overrides", "resource_args", "template_variables")


def read_spec(document: dict[str, Any], *, field: str) -> tuple[dict[str, Any], list[str]]:
    """Return what a document gives, in the shape of W&B's launch spec, and what of it is not used.

    A plain object is ``{"overrides": {"run_config": …}}``.

    Args:
        document: The object.
        field: How an error names it.

    Raises:
        UsageError: When it is a spec that asks for what there is not.
    """
    if not _is_spec(document):
        return {"overrides": {"run_config": document}}, []
    spec = _with_values(document)
    spec["overrides"] = _with_values(spec.get("overrides", {}))
    _check(spec, field)
    if "priority" in spec:
        spec["priority"] = level_of(spec["priority"], field=f"{field} priority")
    unused = [key for key in spec if key in _NO_MEANING]
    return spec, [f"{key} of the launch spec is not used: {_NO_MEANING[key]}" for key in unused]


def level_of(value: Any, *, field: str) -> str:  # noqa: ANN401
    """Return a priority level; W&B has it as a number as well, 0 for critical to 3 for low.

    Raises:
        UsageError: For what is no level.
    """
    levels = list(Priority)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(levels):
        return levels[value]
    return check_priority(str(value), field=field)


def _is_spec(document: dict[str, Any]) -> bool:
    """Say whether an object is a launch spec; a configuration may have keys named as those."""
    overrides = document.get("overrides")
    if isinstance(overrides, dict) and overrides:
        return set(overrides) <= _OVERRIDES
    marked = any(isinstance(document.get(key), dict) and document[key] for key in _MARKS)
    return marked and set(document) <= _ALL


def _with_values(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value not in (None, "", [], {})}


def _check(spec: dict[str, Any], field: str) -> None:
    """Raise for what this version does not do, and for values of the wrong kind."""
    for key in spec:
        if key not in _USED and key not in _NO_MEANING:
            problem = f"{key!r} of a launch spec is not available yet"
            raise UsageError(field, problem, allowed=", ".join(_USED))
    overrides = spec["overrides"]
    for key in overrides:
        if key not in _USED_OVERRIDES:
            allowed = ", ".join(_USED_OVERRIDES)
            raise UsageError(field, f"overrides.{key} is not available yet", allowed=allowed)
    texts = {key: spec.get(key, "") for key in _TEXTS}
    objects = {key: spec.get(key, {}) for key in _OBJECTS}
    objects["overrides.run_config"] = overrides.get("run_config", {})
    objects["overrides.files"] = overrides.get("files", {})
    _check_kinds(texts, str, "text", field)
    _check_kinds(objects, dict, "object", field)
    texts = {"overrides.dockerfile": overrides.get("dockerfile", "")}
    texts["docker.docker_image"] = spec.get("docker", {}).get("docker_image", "")
    _check_kinds(texts, str, "text", field)
    entry_point = overrides.get("entry_point", "")
    words = entry_point if isinstance(entry_point, list) else [entry_point]
    if not all(isinstance(word, str) for word in words):
        raise UsageError(field, "overrides.entry_point is no command", allowed="text, or texts")
    arguments = overrides.get("args", [])
    if not isinstance(arguments, list) or not all(isinstance(word, str) for word in arguments):
        raise UsageError(field, "overrides.args is no list of texts")
    if "resource" in spec:
        parse_resource(str(spec["resource"]), field=field)


def _check_kinds(values: dict[str, Any], kind: type, noun: str, field: str) -> None:
    for key, value in values.items():
        if not isinstance(value, kind):
            raise UsageError(field, f"{key} is no {noun}")
