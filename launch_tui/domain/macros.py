"""Macros: ``${run_id}`` and the like in a resource configuration, filled when a run starts.

As in W&B: texts only and never keys, and what is not known stays as it is, so that ``${HOME}`` in a
line of shell reaches the shell. Unlike W&B, variables of the agent's own environment are known only
where its configuration allows them by name: its API key is among them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MACROS = (
    "project_name",
    "entity_name",
    "run_id",
    "run_name",
    "image_uri",
    "author",
    "queue_name",
    "job_name",
    "gpus",
)
"""The macros that every run has: W&B's six, then ours."""

_MACRO = re.compile(r"\$\{(\w+)\}")


def expand(value: Any, values: Mapping[str, str]) -> Any:  # noqa: ANN401
    """Return ``value`` with the macros in its texts replaced.

    A replacement is not looked at again: a run's name may hold ``${author}`` and keeps it.

    Args:
        value: A configuration or a part of one.
        values: What each known macro stands for.
    """
    if isinstance(value, str):
        return _MACRO.sub(lambda match: values.get(match[1], match[0]), value)
    if isinstance(value, Mapping):
        return {key: expand(inner, values) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [expand(inner, values) for inner in value]
    return value
