"""What a field of a run can be compared with in a filter.

A comparison that no run can ever meet (a state that does not exist, letters beside a number) means
no run, silently; or every run, behind a ``not``. So it is refused, as what is no filter is. What is
contained (``:``) may be a part of a value, so that a value can be typed letter by letter.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from launch_tui.domain.failure import FailureKind
from launch_tui.domain.queue import Resource
from launch_tui.domain.run import ACTIVE, BAD_ENDS, ENDED, WAITING, Priority, RunState
from launch_tui.domain.sync import SyncState
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

STATE_GROUPS: dict[str, frozenset[RunState]] = {
    "active": ACTIVE | WAITING,
    "live": ACTIVE | WAITING,
    "waiting": WAITING,
    "ended": ENDED,
    "bad": BAD_ENDS,
}
"""Words that stand for several states, after ``state:`` and ``state=``."""

_VALUES: dict[str, tuple[str, ...]] = {
    "state": tuple(RunState),
    "priority": tuple(Priority),
    "resource": tuple(Resource),
    "sync": tuple(SyncState),
    "failure": tuple(FailureKind),
    "tracked": ("true", "false"),
}
"""Fields that have one of a few values, of which none is more than another."""
_NUMBERS = frozenset({"exit_code", "attempt", "retried"})
_LISTS = frozenset({"tags", "gpus", "after"})
_TIMES = frozenset({"created_at", "claimed_at", "started_at", "ended_at", "not_before"})
_TIME = re.compile(r"\d{1,4}(-\d{0,2}(-\d{0,2}([T ][\d:.]*(Z|[+-][\d:]*)?)?)?)?\Z")
_ORDER = ("<", "<=", ">", ">=")
_WITHOUT_ORDER = "=, !=, :, ~, !~"


def check_comparison(key: str, sign: str, text: str, *, field: str) -> None:
    """Refuse a comparison of a field of a run that tells no runs apart.

    Args:
        key: The field.
        sign: ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` or ``:``.
        text: What it is compared with.
        field: How an error names the filter.

    Raises:
        UsageError: Naming what the field can be compared with.
    """
    if key in _VALUES:
        _check_value(key, sign, text, field)
    elif key in _LISTS and sign in _ORDER:
        raise UsageError(field, f"{key} has no order to compare by", allowed=_WITHOUT_ORDER)
    elif key in _NUMBERS and not _is_number(text, sign):
        raise UsageError(field, f"{text!r} is no number to compare {key} with", allowed="a number")
    elif key in _TIMES and sign in _ORDER and not _TIME.match(text):
        problem = f"{text!r} is no time to compare {key} with"
        raise UsageError(field, problem, allowed="such as 2026-01-31 or 2026-01-31T10:00")


def _check_value(key: str, sign: str, text: str, field: str) -> None:
    values = _VALUES[key]
    if sign in _ORDER:
        raise UsageError(field, f"{key} has no order to compare by", allowed=_WITHOUT_ORDER)
    groups: Iterable[str] = STATE_GROUPS if key == "state" else ()
    if sign == ":":
        wanted = text.lower()
        fits = any(wanted in value for value in values) or any(
            group.startswith(text) for group in groups
        )
    else:
        # Whether something holds is asked for in either case, as Python writes it and as JSON does.
        fits = (text.lower() if key == "tracked" else text) in (*values, *groups)
    if not fits:
        allowed = ", ".join(value for value in (*values, *groups) if value)
        raise UsageError(field, f"{text!r} is no {key}", allowed=allowed)


def _is_number(text: str, sign: str) -> bool:
    if sign == ":":
        return re.fullmatch(r"-?\d+", text) is not None
    try:
        float(text)
    except ValueError:
        return False
    return True
