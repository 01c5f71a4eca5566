"""When a launch may start at the earliest, as people write it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from launch_tui.domain.quantities import parse_duration
from launch_tui.errors import UsageError

ALLOWED = "+2h, 22:30, tomorrow, tomorrow 06:00, or an ISO time such as 2027-01-31T08:00"
LONG_PAST = timedelta(days=1)
"""A moment before that is a slip of the hand; one just past means at once."""
FAR_OFF = timedelta(days=36_525)
"""Later than any machine will be here to start it."""
_CLOCK = re.compile(r"(tomorrow\b)?\s*(?:([01]?\d|2[0-3]):([0-5]\d))?\Z")


def parse_begin(text: str, *, now: datetime, field: str = "--begin") -> datetime:
    """Return the moment that ``text`` means, in UTC.

    A time of day is the next one in the time zone of ``now``; a time without a zone is in that zone
    as well. ``+DURATION`` counts from now.

    Args:
        text: What was given.
        now: This moment, with the person's time zone.
        field: How an error names it.

    Raises:
        UsageError: When it is none of the allowed forms, or a date that is long past or far off.
    """
    given = text.strip()
    if given.startswith("+"):
        return now.astimezone(UTC) + timedelta(seconds=parse_duration(given[1:], field=field))
    clock = _CLOCK.match(given.lower())
    if given and clock:
        return _at_clock(now, clock).astimezone(UTC)
    try:
        moment = datetime.fromisoformat(given)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=now.tzinfo)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(field, f"{text!r} is no time", allowed=ALLOWED) from None
    if now - moment > LONG_PAST:
        raise UsageError(field, f"{text!r} is long past", allowed=ALLOWED)
    if moment - now > FAR_OFF:
        raise UsageError(field, f"{text!r} is more than a century away", allowed=ALLOWED)
    return moment


def _at_clock(now: datetime, clock: re.Match[str]) -> datetime:
    tomorrow, hour, minute = clock.groups()
    moment = now.replace(hour=int(hour or 0), minute=int(minute or 0), second=0, microsecond=0)
    if tomorrow or moment <= now:
        moment += timedelta(days=1)
    return moment
