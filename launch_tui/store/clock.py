"""The time format of the store: ISO 8601 in UTC with microseconds, which sorts as text."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> str:
    """Return this moment."""
    return iso(time.time())


def iso(seconds: float) -> str:
    """Return seconds since the epoch in the store's format."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str) -> float:
    """Return a time of the store as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()
