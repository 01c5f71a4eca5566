"""Sizes and durations as people write them: ``20G``, ``512MiB``, ``90s``, ``1h30m``, ``2:00:00``.

Sizes are bytes and their units powers of 1024, whatever the spelling, as Docker and Slurm read
them. Durations are seconds. The writers are for people: a size has one decimal at most.
"""

from __future__ import annotations

import math
import re

from launch_tui.errors import UsageError

MAX_SIZE = 2**60
"""Bytes; more is a slip of the hand, and a database's integers end not far above."""

MAX_DURATION = 10 * 365 * 86_400.0
"""Seconds; a limit of more than ten years is none."""

UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
"""The units in which durations are shown, with their seconds."""

SIZES = "bytes, or a number with K, M, G or T, such as 20G"
DURATIONS = "seconds, or such as 90s, 1h30m, 2d or 2:00:00"

_SIZE_UNITS = "KMGTP"
_SIZE = re.compile(
    r"(\d{1,20})(?:\.(\d{1,20}))?\s*(?:([KMGTP])(?:i?B?)|B)?\Z", re.ASCII | re.IGNORECASE
)

_DURATION_UNITS = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1), ("ms", 0.001))
_SPELLINGS = {
    "w": "w|weeks?",
    "d": "d|days?",
    "h": "h|hrs?|hours?",
    "m": "m|mins?|minutes?",
    "s": "s|secs?|seconds?",
    "ms": "ms|milliseconds?",
}
_AMOUNT = r"\d{1,12}(?:\.\d{1,12})?"
# Each unit at most once, the largest first, so that `1m1m` and `5m2h` are no durations.
_WRITTEN_OUT = re.compile(
    "".join(rf"(?:({_AMOUNT})\s*(?:{_SPELLINGS[unit]})\s*)?" for unit, _ in _DURATION_UNITS)
    + r"\Z",
    re.ASCII | re.IGNORECASE,
)
_CLOCK = re.compile(r"(?:(\d{1,4})-)?(?:(\d{1,6}):)?(\d{1,6}):(\d{2}(?:\.\d{1,6})?)\Z", re.ASCII)
_PLAIN = re.compile(rf"{_AMOUNT}\Z", re.ASCII)


def parse_size(value: object, *, field: str = "size") -> int:
    """Return the bytes that a size names.

    Args:
        value: A number of bytes, or text such as ``20G``, ``1.5 GiB``, ``512m``.
        field: How an error names it.

    Raises:
        UsageError: When it is no size from 0 to 1 EiB.
    """
    size = _size(value)
    if size is None:
        raise UsageError(field, f"{_shown(value)} is not a size", allowed=SIZES)
    if size > MAX_SIZE:
        raise UsageError(field, f"{_shown(value)} is too large", allowed=SIZES)
    return size


def parse_duration(value: object, *, field: str = "duration") -> float:
    """Return the seconds that a duration names.

    Args:
        value: A number of seconds, or text such as ``90s``, ``1h30m``, ``1.5h``, ``2:00:00``
            (hours, minutes, seconds), ``5:30`` (minutes, seconds), ``1-00:00:00`` (days first).
        field: How an error names it.

    Raises:
        UsageError: When it is no duration from 0 to ten years.
    """
    seconds = _seconds(value)
    if seconds is None:
        raise UsageError(field, f"{_shown(value)} is not a duration", allowed=DURATIONS)
    if seconds > MAX_DURATION:
        raise UsageError(field, f"{_shown(value)} is more than ten years", allowed=DURATIONS)
    return seconds


def write_size(size: float) -> str:
    """Return bytes in their largest unit, with one decimal where it is not whole: ``79.6G``."""
    unit = ""
    for larger in _SIZE_UNITS:
        if round(size, 1) < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.1f}".removesuffix(".0") + (unit or "B")


def write_duration(seconds: float) -> str:
    """Return seconds in their units, such as ``1h30m`` or ``2.5s``; ``parse_duration`` reads it."""
    milliseconds = round(seconds * 1000)
    parts = split_duration(milliseconds // 1000)
    text = "".join(f"{count}{unit}" for count, unit in parts if unit != "s")
    rest = f"{milliseconds % 60_000 / 1000:.3f}".rstrip("0").rstrip(".")
    return text if text and rest == "0" else f"{text}{rest}s"


def split_duration(seconds: int) -> list[tuple[int, str]]:
    """Return whole seconds as counts of days, hours, minutes and seconds, without the zeros."""
    parts: list[tuple[int, str]] = []
    for unit, size in UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append((count, unit))
    return parts


def _size(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return int(value) if value >= 0 and (isinstance(value, int) or value.is_integer()) else None
    match = _SIZE.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    whole, fraction, unit = match[1], match[2] or "", match[3]
    factor = 1024 ** (_SIZE_UNITS.index(unit.upper()) + 1) if unit else 1
    if fraction.strip("0") and not unit:
        return None
    # In whole numbers: a float has 53 bits, and 1.1T must not depend on how it is rounded.
    divisor: int = 10 ** len(fraction)
    return int(whole + fraction) * factor // divisor


def _seconds(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        # Bounded first: an integer may be larger than any float.
        return float(min(value, 2 * MAX_DURATION)) if value >= 0 else None
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        return None
    if _PLAIN.match(text):
        return float(text)
    return _clock_seconds(text) if ":" in text else _written_out_seconds(text)


def _written_out_seconds(text: str) -> float | None:
    match = _WRITTEN_OUT.match(text)
    if match is None:
        return None
    amounts = zip(match.groups(), _DURATION_UNITS, strict=True)
    return math.fsum(float(amount) * size for amount, (_, size) in amounts if amount)


def _clock_seconds(text: str) -> float | None:
    match = _CLOCK.match(text)
    if match is None or (match[1] and match[2] is None):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    if seconds >= 60 or (match[2] and minutes >= 60) or (match[1] and hours >= 24):
        return None
    return days * 86_400 + hours * 3_600 + minutes * 60 + seconds


def _shown(value: object) -> str:
    # Python refuses to write integers of more than 4300 digits.
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**40 else "the number"
    return text if len(text) <= 40 else f"{text[:37]}…"
