"""Which of a run's numbers is worth a person's glance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

VIEWPORT = 1000
"""Points that W&B takes a line plot to be wide; what a smoothing does is measured by it."""
MOST_SMOOTHING = 0.999


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


def smoothed(xs: Sequence[float], ys: Sequence[float], smoothing: float) -> list[float]:
    """Return a curve smoothed as W&B's line plots do it (time-weighted, with a bias term).

    A value weighs less the further back on the x-axis it lies, whatever the number of points in
    between; the first ones are not drawn to zero. What is not finite stays and weighs nothing.

    Args:
        xs: Where the values are, not falling.
        ys: The values.
        smoothing: From 0, which changes nothing, to 1.
    """
    if smoothing <= 0 or len(xs) < 2:
        return list(ys)
    weight = min(math.sqrt(smoothing), MOST_SMOOTHING)
    reach = xs[-1] - xs[0]
    scale = VIEWPORT / reach if reach > 0 else 0.0
    total = count = 0.0
    before = xs[0]
    result = []
    for x, y in zip(xs, ys, strict=True):
        if not math.isfinite(y):
            result.append(y)
            continue
        kept = weight ** ((x - before) * scale)
        total = total * kept + y
        count = count * kept + 1
        before = x
        result.append(total / count)
    return result


def is_epoch(key: str) -> bool:
    """Say whether a key counts epochs, by its name."""
    return key.replace(".", "/").rpartition("/")[2].lower() in ("epoch", "epochs")


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        if key.startswith("_") or isinstance(value, bool):
            continue
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{key}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{key}", value
