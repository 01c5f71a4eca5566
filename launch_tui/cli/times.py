"""Times as a person reads them (how long ago, how long), and as JSON has them."""

from __future__ import annotations

import time
from datetime import datetime

from launch_tui.domain.quantities import UNITS
from launch_tui.store.clock import iso


def ago(moment: str | None) -> str:
    """Return how long ago a time of the store was, such as ``4m12s``; empty without a time."""
    return "" if moment is None else span(time.time() - _seconds(moment))


def between(start: str | None, end: str | None) -> str:
    """Return the time between two times of the store; until now without an end."""
    if start is None:
        return ""
    return span((time.time() if end is None else _seconds(end)) - _seconds(start))


def span(seconds: float) -> str:
    """Return seconds in its two largest units; with a tenth below ten seconds."""
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f}s"
    left = round(seconds)
    parts: list[str] = []
    for unit, size in UNITS:
        if left >= size or parts:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts[:2])


def local(moment: str | None) -> str:
    """Return a time of the store in this machine's time zone, to the second."""
    if moment is None:
        return ""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clock(seconds: float) -> str:
    """Return the local time of day of seconds since the epoch."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%H:%M:%S")


def stamp(seconds: float) -> str | None:
    """Return seconds since the epoch as JSON has a time; None for the 0.0 that means unknown."""
    return iso(seconds) if seconds else None


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
