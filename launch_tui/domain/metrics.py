"""Which of a run's numbers is worth a person's glance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def most_telling(values: Mapping[str, Any]) -> str:
    """Return the one number that belongs in a row, as ``key value``; empty when there is none.

    A loss comes before an accuracy and that before the rest. Nested keys are joined by dots;
    wandb's own (``_step``) do not count.
    """
    numbers = dict(_numbers(values))
    if not numbers:
        return ""
    key = min(numbers, key=rank)
    value = numbers[key]
    return f"{key} {value:.4g}" if math.isfinite(value) else f"{key} {value}"


def rank(key: str) -> tuple[int, str]:
    """Return what sorts metrics by how telling they are: losses, accuracies, the rest."""
    lowered = key.lower()
    if "loss" in lowered:
        return (0 if lowered == "loss" else 1), key
    return (2 if "acc" in lowered else 3), key


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        if key.startswith("_") or isinstance(value, bool):
            continue
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{key}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{key}", value
