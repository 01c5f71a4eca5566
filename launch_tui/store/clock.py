"""The time format of the store: ISO 8601 in UTC with microseconds, which sorts as text."""

from __future__ import annotations

import time
from datetime import UTC, datetime

STEP_S = 1.0
"""A clock that is set back by less is not worth a look."""


def now() -> str:
    """Return this moment."""
    return iso(time.time())


class Steps:
    """Notices that the clock was set back: it then lags behind the steady one."""

    def __init__(self) -> None:
        self._lead = float("inf")

    def back(self, wall: float | None = None, steady: float | None = None) -> bool:
        """Say whether it was set back since this was last asked; at first, that nobody knows."""
        wall = time.time() if wall is None else wall
        steady = time.monotonic() if steady is None else steady
        before, self._lead = self._lead, wall - steady
        return self._lead < before - STEP_S


def iso(seconds: float) -> str:
    """Return seconds since the epoch in the store's format."""
    # Three times as fast as strftime; each step of a run asks for two of these.
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def seconds(text: str) -> float:
    """Return a time of the store as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()
