"""Limits that end a run, as a resource configuration says them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuIdleStop:
    """Stops a run whose GPUs are used less than ``below`` percent for ``seconds`` on end."""

    below: float
    seconds: float
