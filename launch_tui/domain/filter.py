"""The language of ``runs --filter`` and of the screen's filter: which runs are meant, as text.

    state=failed lr>=1e-3                 both (a space means and)
    tag:baseline or not note~"^debug"     or, not, parentheses; -term is not term
    duration>2h age<1d resnet             times with units; a bare word is looked for in the names
    loss<0.3 -tag:debug state:active      the last value of a metric; a group of states

Fields are those of a run (``q``, ``j``, ``s`` for queue, job and state), ``age`` and ``duration``.
Any other name is a key of the configuration, else a metric of the summary; ``config.KEY`` and
``summary.KEY`` (``cfg.``, ``c.``, ``s.`` for short) say which, and reach keys that are called as a
field is. Nested keys are joined by dots. Operators: ``=`` ``!=`` ``<`` ``<=`` ``>`` ``>=``, ``:``
(contains; of tags: has), ``~`` and ``!~`` (regular expression). Numbers compare as numbers, text as
text; what a run does not have equals nothing. Pure: a filter is a function of a run and of the
time it is asked at.
"""

from __future__ import annotations

import operator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from launch_tui.domain.expression import (
    COMPUTED,
    AnyOf,
    Comparison,
    Not,
    Place,
    Word,
    number_of,
    parse,
)
from launch_tui.domain.filter_values import STATE_GROUPS
from launch_tui.domain.run import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from launch_tui.domain.expression import Expression
    from launch_tui.domain.run import Run

    Test = Callable[[Run, float], bool]
    Get = Callable[[Run, float], Any]

SEARCHED = ("id", "name", "project", "job", "queue", "note", "cause")
"""Fields that a bare word is looked for in, beside the tags."""

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Filter:
    """Which runs are meant.

    Args:
        text: The expression; empty means every run.
        field: How an error names where it came from.

    Raises:
        UsageError: When it is not in the language, with the place.
    """

    def __init__(self, text: str, *, field: str = "--filter") -> None:
        self.text = text
        self.expression = parse(text, field=field)
        """What the text means, for whoever can answer a part of it sooner."""
        self._test = _test_of(self.expression)

    def matches(self, run: Run, now: float) -> bool:
        """Say whether a run is meant.

        Args:
            run: The run.
            now: Seconds since the epoch, for ``age`` and the ``duration`` of what still runs.
        """
        return self._test(run, now)


def states_called(text: str) -> frozenset[RunState]:
    """Return the states that a word names: one, or a group of them; none for any other word."""
    if text in STATE_GROUPS:
        return STATE_GROUPS[text]
    return frozenset({RunState(text)}) if text in set(RunState) else frozenset()


def _test_of(expression: Expression) -> Test:
    if isinstance(expression, Word):
        return _bare_word(expression.text)
    if isinstance(expression, Comparison):
        return _comparison(expression)
    if isinstance(expression, Not):
        part = _test_of(expression.part)
        return lambda run, now: not part(run, now)
    tests = [_test_of(part) for part in expression.parts]
    combine = any if isinstance(expression, AnyOf) else all
    return lambda run, now: combine(test(run, now) for test in tests)


def _bare_word(word: str) -> Test:
    wanted = word.lower()

    def test(run: Run, _now: float) -> bool:
        texts = [*(getattr(run, name) or "" for name in SEARCHED), *run.tags]
        return any(wanted in text.lower() for text in texts)

    return test


def _getter(place: Place, key: str) -> Get:
    if place is Place.CONFIG:
        return lambda run, _now: _lookup(run.config, key)
    if place is Place.SUMMARY:
        return lambda run, _now: _lookup(run.summary, key)
    if place is Place.EITHER:
        return lambda run, _now: _either(run, key)
    if key == "age":
        return lambda run, now: max(now - _seconds(run.created_at), 0.0)
    if key == "duration":
        return _duration
    if key == "sync":
        return lambda run, _now: run.sync.state
    return lambda run, _now: getattr(run, key)


def _either(run: Run, key: str) -> Any:  # noqa: ANN401
    value = _lookup(run.config, key)
    return _lookup(run.summary, key) if value is None else value


def _duration(run: Run, now: float) -> float | None:
    if run.started_at is None:
        return None
    ended = _seconds(run.ended_at) if run.ended_at else now
    return max(ended - _seconds(run.started_at), 0.0)


def _lookup(values: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401
    """Return the value of a dotted key: a key with dots in it, or keys within each other."""
    if key in values:
        return values[key]
    head, dot, rest = key.partition(".")
    inner = values.get(head)
    return _lookup(inner, rest) if dot and isinstance(inner, dict) else None


def _comparison(comparison: Comparison) -> Test:
    place, key = comparison.place, comparison.key
    sign, text = comparison.sign, comparison.text
    get = _getter(place, key)
    if sign in ("~", "!~"):
        from launch_tui.domain.patterns import compiled

        search = compiled(text).search
        found = sign == "~"
        return lambda run, now: any(search(t) for t in _texts(get(run, now))) is found
    if place is Place.FIELD and key == "state" and text in STATE_GROUPS and sign in _MEMBERS:
        group, inside = STATE_GROUPS[text], sign != "!="
        return lambda run, _now: (run.state in group) is inside
    if sign == ":":
        return lambda run, now: _contains(get(run, now), text)
    number = number_of(text, timed=place is Place.FIELD and key in COMPUTED)
    if sign in ("=", "!="):
        equal = sign == "="
        return lambda run, now: _equals(get(run, now), text, number) is equal
    return lambda run, now: _ordered(get(run, now), _ORDER[sign], text, number)


_MEMBERS = (":", "=", "!=")


def _contains(value: Any, text: str) -> bool:  # noqa: ANN401
    wanted = text.lower()
    if isinstance(value, (list, tuple)):
        return any(wanted == item.lower() for item in _texts(value))
    return any(wanted in item.lower() for item in _texts(value))


def _equals(value: Any, text: str, number: float | None) -> bool:  # noqa: ANN401
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, (int, float)):
        return number is not None and value == number
    if isinstance(value, (list, tuple)):
        return text in _texts(value)
    return value is not None and text == str(value)


def _ordered(
    value: Any,  # noqa: ANN401
    compare: Callable[[Any, Any], bool],
    text: str,
    number: float | None,
) -> bool:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number is not None and compare(value, number)
    return isinstance(value, str) and compare(str(value), text)


def _texts(value: Any) -> list[str]:  # noqa: ANN401
    if value is None:
        return []
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    return [str(value)]


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()
