"""One value of a run's configuration, changed: which field of the launch form holds it, and how."""

from __future__ import annotations

import json
import shlex
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from launch_tui.domain.managed_files import joined_key, split_key
from launch_tui.domain.words import write_value
from launch_tui.tui.form_fields import text_of, without
from launch_tui.tui.launch_model import CONFIG, MORE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.tui.launch_model import LaunchModel


def texts_with(model: LaunchModel, changes: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of the fields that change, by the fields' keys.

    Args:
        model: The rerun.
        changes: Values by the keys of the configuration, nested ones joined by dots.
    """
    fields = model.inputs_and_queue()
    own = {joined_key(one.path): one.key for one in fields if one.path}
    texts = {own[key]: text_of(value) for key, value in changes.items() if key in own}
    rest = {key: value for key, value in changes.items() if key not in own}
    if not rest:
        return texts
    if any(one.key == CONFIG for one in fields):
        config = _with(model.given, rest)
        return {**texts, CONFIG: json.dumps(config, indent=2, ensure_ascii=False)}
    others = without(model.given, [one.path for one in fields if one.path])
    words = [f"{key}={write_value(value)}" for key, value in _with(others, rest).items()]
    return {**texts, MORE: shlex.join(words)}


def _with(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    changed = deepcopy(dict(config))
    for key, value in changes.items():
        # A key may have a dot of its own.
        path = [key] if key in changed else split_key(key)
        inner = changed
        for part in path[:-1]:
            if not isinstance(inner.get(part), dict):
                inner[part] = {}
            inner = inner[part]
        inner[path[-1]] = value
    return changed
