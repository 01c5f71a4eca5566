"""Which of a run's numbers is worth a person's glance, and which of two is the better one."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

VIEWPORT = 1000
"""Points that W&B takes a line plot to be wide; what a smoothing does is measured by it."""
MOST_SMOOTHING = 0.999

LESS, MORE = "min", "max"
"""Which way a metric gets better."""

_COUNTERS = frozenset(
    {
        "epoch", "epochs", "step", "steps", "iter", "iteration", "batch", "lr", "learning_rate",
        "global_step", "train/epoch", "train/global_step", "train/learning_rate",
        "trainer/global_step",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """The metric by which the runs of a job are told apart.

    ``goal`` is ``min`` or ``max``; empty where nobody knows.
    """

    key: str
    goal: str = ""

    @property
    def known_goal(self) -> str:
        """The goal, by the name where it was not said: less of a loss, more of an accuracy."""
        if self.goal:
            return self.goal
        kind = rank(self.key)[0]
        return "" if kind > 2 else MORE if kind == 2 else LESS


def declared(outputs: Mapping[str, Any]) -> Telling | None:
    """Return the metric that a job version's outputs declare; None when they declare none."""
    said = outputs.get("metric")
    if not isinstance(said, dict) or not said.get("name"):
        return None
    return Telling(key=str(said["name"]), goal=str(said.get("goal", "")))


def declaring(outputs: Mapping[str, Any], telling: Telling | None) -> dict[str, Any]:
    """Return outputs that declare a metric, or none.

    Raises:
        UsageError: For a goal that is none.
    """
    kept = {key: value for key, value in outputs.items() if key != "metric"}
    if telling is None:
        return kept
    if telling.goal not in ("", LESS, MORE):
        raise UsageError("GOAL", f"{telling.goal!r} is none", allowed=f"{LESS}, {MORE}")
    said = {"name": telling.key, **({"goal": telling.goal} if telling.goal else {})}
    return {**kept, "metric": said}


def find_telling(values: Mapping[str, Any], wanted: Telling | None = None) -> Telling | None:
    """Return the metric to tell of a run: the declared one where it has it, else by its name.

    A loss comes before an accuracy, that before the rest, and what only counts (epochs, steps)
    last. Nested keys are joined by dots; wandb's own (``_step``) do not count. None when there is
    no number.

    Args:
        values: The summary of the run, or the last value of each of its metrics.
        wanted: What its job version declares.
    """
    numbers = dict(_numbers(values))
    if wanted is not None and wanted.key in numbers:
        return wanted
    if not numbers:
        return None
    return Telling(key=min(numbers, key=lambda key: (key.lower() in _COUNTERS, rank(key))))


def value_of(values: Mapping[str, Any], key: str) -> float | None:
    """Return the number of a key whose parts are joined by dots; None when it is not there."""
    return dict(_numbers(values)).get(key)


def badness(telling: Telling, value: float) -> float | None:
    """Return what sorts runs by a metric, the best first; None for what is no number."""
    if value != value:
        return None
    return -value if telling.known_goal == MORE else value


def metric_of(
    summary: Mapping[str, Any], wanted: Telling | None = None
) -> tuple[str, float | None]:
    """Return the name of a run's telling metric, and the number that sorts runs by it.

    The name is empty, and the number None, where the run has logged no number.

    Args:
        summary: What the run logged last.
        wanted: The metric that its job version declares.
    """
    telling = find_telling(summary, wanted)
    value = None if telling is None else value_of(summary, telling.key)
    if telling is None or value is None:
        return "", None
    return telling.key, badness(telling, value)


def most_telling(values: Mapping[str, Any], wanted: Telling | None = None) -> str:
    """Return the one number that belongs in a row, as ``key value``; empty when there is none."""
    telling = find_telling(values, wanted)
    if telling is None:
        return ""
    return f"{telling.key} {shown(value_of(values, telling.key) or 0)}"


def telling_text(text: str, key: str) -> bool:
    """Say whether a text is what ``most_telling`` says of a key, whatever its value."""
    name, _, value = text.rpartition(" ")
    if not key or name != key:
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def shown(value: float) -> str:
    """Return a number with four digits."""
    return f"{value:.4g}" if math.isfinite(value) else str(value)


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
            with suppress(OverflowError):
                yield f"{prefix}{key}", float(value)
