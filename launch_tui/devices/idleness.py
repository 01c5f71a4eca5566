"""How long a GPU has been below a percentage, for every percentage at once.

Only the last moment at which each percentage was reached is kept, so that hours of samples take
no more room than one.
"""

from __future__ import annotations

import math

_LEVELS = 102
"""0 to 100 percent, and one that is never reached."""


class Idleness:
    """The history of one GPU's utilisation since ``at``, in seconds of any steady clock."""

    def __init__(self, at: float) -> None:
        self._reached = [at] * _LEVELS

    def add(self, at: float, utilization: int | None) -> None:
        """Note a sample. What the driver does not tell counts as busy: nothing is stopped for it.

        Args:
            at: When.
            utilization: In percent.
        """
        level = _LEVELS - 1 if utilization is None else min(max(utilization, 0), 100)
        self._reached[: level + 1] = [at] * (level + 1)

    def seconds_below(self, percent: float, now: float) -> float:
        """Return for how long the utilisation has been below ``percent``."""
        level = min(max(math.ceil(percent), 0), _LEVELS - 1)
        return max(now - self._reached[level], 0.0)
