"""The time that a line of a log carries, and the time that a person asks for.

Times are seconds as the log itself counts them: since 1970 where lines have a date, since midnight
where they do not. No time zone is applied: a log is compared with itself.
"""

from __future__ import annotations

import calendar
import re

DAY = 86_400

_WHERE = 80
"""Characters from the start of a line within which its time stands."""
_DATED = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_TIME = re.compile(r"(?<![\d:.])(\d\d):(\d\d):(\d\d)(?![\d:])")
_ASKED = re.compile(r"(?:(\d{4})-(\d\d)-(\d\d)[ T])?(\d\d?):(\d\d)(?::(\d\d))?")
_BACK = re.compile(r"-\s*(\d+(?:\.\d+)?)\s*([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY}


def time_of_line(line: str) -> float | None:
    """Return the time that a line without colours carries near its start; None for none."""
    head = line[:_WHERE]
    if found := _DATED.search(head):
        return _seconds(*map(int, found.groups()))
    # Where a progress bar tells how long it has taken is no time of the day.
    if (found := _TIME.search(head)) and "%|" not in head:
        hours, minutes, seconds = map(int, found.groups())
        return float(hours * 3600 + minutes * 60 + seconds) if hours < 24 else None
    return None


def asked_time(typed: str, last: float) -> float | None:
    """Return the time that is meant by what a person typed; None where that is no time.

    Args:
        typed: ``12:04``, ``12:04:30``, ``2026-11-28 12:04`` or back from the end: ``-5m``, ``-2h``.
        last: The last time of the log. A time of the day is the last such time up to then.
    """
    typed = typed.strip()
    if back := _BACK.fullmatch(typed):
        return last - float(back[1]) * _UNITS[back[2]]
    asked = _ASKED.fullmatch(typed)
    if asked is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in asked.groups()[3:])
    of_day = float(hours * 3600 + minutes * 60 + seconds)
    if asked[1]:
        of_date = _seconds(int(asked[1]), int(asked[2]), int(asked[3]))
        return None if of_date is None else of_date + of_day
    if last < DAY:
        return of_day
    wanted = last // DAY * DAY + of_day
    return wanted if wanted <= last else wanted - DAY


def _seconds(year: int, month: int, day: int, *of_day: int) -> float | None:
    hours, minutes, seconds = of_day or (0, 0, 0)
    if not year or not 1 <= month <= 12:
        return None
    return float(calendar.timegm((year, month, day, hours, minutes, seconds)))
