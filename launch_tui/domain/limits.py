"""Limits that end a run, as a resource configuration says them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuIdleStop:
    """Stops a run whose GPUs are used less than ``below`` percent for ``seconds`` on end."""

    below: float
    seconds: float


METRIC_KEYS = 20_000
"""Metrics of one run that are kept for charts; W&B advises to stay under 10,000."""

METRIC_KEY_LENGTH = 1_024
"""Characters of the name of a metric, or of a key of a configuration that a script logged."""
