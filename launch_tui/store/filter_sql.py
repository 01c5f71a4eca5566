"""What SQL can answer of a filter: a condition that every run which is meant fulfils.

It only rules runs out. Whether one of the others is meant says ``domain.filter``, so that there is
one language; what SQL would answer otherwise than Python (text in other alphabets, values within
values, regular expressions) is left to that.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from launch_tui.domain.expression import AllOf, Comparison, Not, Place, Word, number_of
from launch_tui.domain.filter import SEARCHED
from launch_tui.domain.filter_values import STATE_GROUPS
from launch_tui.store.clock import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.domain.expression import Expression


class Condition(NamedTuple):
    """A condition on ``runs r JOIN queues q``, with its parameters."""

    sql: str
    parameters: tuple[Any, ...] = ()


_TEXTS = {
    **{name: f"r.{name}" for name in (
        "id", "name", "project", "job", "version", "state", "phase", "cause", "next_step",
        "priority", "note", "image", "created_at", "claimed_at", "started_at", "ended_at",
        "failure", "not_before", "blocked", "sync",
    )},
    "queue": "q.name",
    "resource": "q.resource",
    "agent": "r.owner",
    "group": "r.group_id",
}  # fmt: skip
_NUMBERS = {name: f"r.{name}" for name in ("exit_code", "attempt", "retried")}
_DOCUMENTS = {
    Place.CONFIG: ("r.config", "r.observed"),
    Place.SUMMARY: ("r.summary",),
    Place.EITHER: ("r.config", "r.observed", "r.summary"),
}
_ORDERS = ("<", "<=", ">", ">=")
_SLACK_S = 1.0
"""By how much a time may be off: what is computed from it is rounded."""
_SLACK = 1e-12
"""The same of a number, as a part of it: SQLite reads decimals less exactly than Python."""
_LEAST_SLACK = 1e-300
_MOST_PARTS = 6
_NESTED = "({0} LIKE '[%' OR {0} LIKE '{{%')"


def condition_of(expression: Expression, now: float) -> Condition | None:
    """Return a condition that all runs fulfil which are meant; None where SQL rules none out.

    Args:
        expression: Which runs are meant.
        now: Seconds since the epoch.
    """
    return _condition(expression, now, wanted=True)


def _condition(expression: Expression, now: float, *, wanted: bool) -> Condition | None:
    if isinstance(expression, Not):
        return _condition(expression.part, now, wanted=not wanted)
    if isinstance(expression, Word):
        return _word(expression.text) if wanted else None
    if isinstance(expression, Comparison):
        return _comparison(expression, now) if wanted else _unlike(expression)
    parts = [_condition(part, now, wanted=wanted) for part in expression.parts]
    # What is not a and b is not a, or not b.
    return _all(parts) if isinstance(expression, AllOf) is wanted else _any(parts)


def _all(parts: Sequence[Condition | None]) -> Condition | None:
    known = [part for part in parts if part is not None]
    return _joined(known, " AND ") if known else None


def _any(parts: Sequence[Condition | None]) -> Condition | None:
    if not parts:
        return Condition("0")
    known = [part for part in parts if part is not None]
    return _joined(known, " OR ") if len(known) == len(parts) else None


def _joined(parts: Sequence[Condition], word: str) -> Condition:
    sql = word.join(f"({part.sql})" for part in parts)
    return Condition(sql, tuple(value for part in parts for value in part.parameters))


def _word(text: str) -> Condition | None:
    if not _is_plain(text):
        return None
    columns = [f"coalesce({_TEXTS[name]}, '')" for name in SEARCHED]
    everything = " || char(10) || ".join([*columns, "r.tags"])
    # In the tags, which are JSON, a letter of another alphabet is an escape.
    return Condition(f"instr({_lowered(everything)}, ?) OR instr(r.tags, '\\')", (text.lower(),))


def _comparison(comparison: Comparison, now: float) -> Condition | None:
    if comparison.sign in ("~", "!~") or not _is_sound(comparison.text):
        return None
    if comparison.place is not Place.FIELD:
        return _of_document(comparison)
    key = comparison.key
    if key in _TEXTS:
        return _of_text(_TEXTS[key], comparison)
    if key in _NUMBERS:
        return _of_number(_NUMBERS[key], comparison)
    if key == "tags":
        return _of_tags(comparison)
    if key == "author" and comparison.sign == "=":
        extracted = "json_extract(r.spec, '$.author')"
        return Condition(_readable("r.spec", f"{extracted} = ?"), (comparison.text,))
    return _of_age(comparison, now) if key == "age" else None


def _unlike(comparison: Comparison) -> Condition | None:
    """Return the condition of what a comparison does not mean, where SQL decides it as Python."""
    opposite = {"=": "!=", "!=": "="}.get(comparison.sign, "")
    group = comparison.key == "state" and comparison.text in STATE_GROUPS
    if comparison.place is not Place.FIELD or comparison.key not in _TEXTS:
        return None
    if group and comparison.sign in (":", "="):
        return _in_group("NOT IN", comparison.text)
    if not opposite or not _is_sound(comparison.text):
        return None
    return _of_text(
        _TEXTS[comparison.key], Comparison(Place.FIELD, comparison.key, opposite, comparison.text)
    )


def _of_text(column: str, comparison: Comparison) -> Condition | None:
    sign, text = comparison.sign, comparison.text
    if comparison.key == "state" and text in STATE_GROUPS and sign in (":", "=", "!="):
        return _in_group("NOT IN" if sign == "!=" else "IN", text)
    if sign != ":":
        return Condition(f"{column} {'IS NOT' if sign == '!=' else sign} ?", (text,))
    if not _is_plain(text):
        return None
    return Condition(f"instr({_lowered(column)}, ?)", (text.lower(),))


def _in_group(sign: str, text: str) -> Condition:
    states = sorted(STATE_GROUPS[text])
    return Condition(f"r.state {sign} ({', '.join('?' * len(states))})", tuple(states))


def _of_number(column: str, comparison: Comparison) -> Condition | None:
    number = number_of(comparison.text)
    if comparison.sign in ("!=", ":") or number is None or not math.isfinite(number):
        return None
    return Condition(f"{column} {comparison.sign} ?", (number,))


def _of_tags(comparison: Comparison) -> Condition | None:
    text = comparison.text
    if comparison.sign not in ("=", ":") or not _is_plain(text) or set(text) & set('"\\'):
        return None
    if comparison.sign == "=":
        return Condition("instr(r.tags, ?)", (text,))
    return Condition("instr(lower(r.tags), ?) OR instr(r.tags, '\\')", (text.lower(),))


def _of_age(comparison: Comparison, now: float) -> Condition | None:
    passed = number_of(comparison.text, timed=True)
    if comparison.sign not in _ORDERS or passed is None or passed <= 0:
        return None
    younger = comparison.sign in ("<", "<=")
    try:
        moment = iso(now - passed + (-_SLACK_S if younger else _SLACK_S))
    except (ValueError, OverflowError, OSError):
        return None
    return Condition(f"r.created_at {'>=' if younger else '<='} ?", (moment,))


def _of_document(comparison: Comparison) -> Condition | None:
    paths = _paths(comparison.key)
    documents = _DOCUMENTS[comparison.place]
    parts = []
    for document in documents:
        for labels in paths:
            path = "$." + ".".join(f'"{label}"' for label in labels)
            part = _of_value(f"json_extract({document}, '{path}')", comparison)
            if part is None:
                return None
            sql = _readable(document, part.sql, label=labels[-1])
            parts.append(Condition(sql, part.parameters))
    # Which of these values is the run's is Python's to say.
    return _joined(parts, " OR ") if parts else None


def _of_value(value: str, comparison: Comparison) -> Condition | None:
    sign, text = comparison.sign, comparison.text
    if sign == ":":
        if not _is_plain(text):
            return None
        other = f"typeof({value}) <> 'text' OR {_NESTED.format(value)}"
        found = f"{value} IS NOT NULL AND ({other} OR instr({_lowered(value)}, ?))"
        return Condition(found, (text.lower(),))
    if sign == "!=":
        return None
    number = number_of(text)
    if number is not None and not math.isfinite(number):
        return None
    if sign == "=":
        return _equal(value, text, number)
    if number is None:
        return Condition(f"{value} {sign} ?", (text,))
    low, high = _about(number)
    bound = high if sign[0] == "<" else low
    return Condition(f"{value} {sign[0]}= ? OR typeof({value}) = 'text'", (bound,))


def _equal(value: str, text: str, number: float | None) -> Condition:
    same = f"{value} = ? OR {_NESTED.format(value)}"
    if text.lower() in ("true", "false"):
        same += f" OR {value} IN (0, 1)"
    if number is None:
        return Condition(same, (text,))
    return Condition(f"{value} BETWEEN ? AND ? OR {same}", (*_about(number), text))


def _about(number: float) -> tuple[float, float]:
    slack = abs(number) * _SLACK + _LEAST_SLACK
    return number - slack, number + slack


def _paths(key: str) -> list[tuple[str, ...]]:
    """Return the labels on each way to a dotted key; none where SQLite might find another one."""
    if not _is_plain(key) or not key.isprintable() or set(key) & set("\"'\\"):
        return []
    parts = key.split(".")
    if not all(parts) or len(parts) > _MOST_PARTS:
        return []
    return [(*parts[:depth], ".".join(parts[depth:])) for depth in range(len(parts))]


def _readable(document: str, condition: str, *, label: str = "") -> str:
    """Return a condition on a JSON document; one that SQLite cannot read fulfils it.

    A document without the label is not even parsed: most of three have none.
    """
    absent = f"WHEN NOT instr({document}, '\"{label}\"') THEN 0 " if label else ""
    unreadable = f"instr({document}, 'NaN') OR instr({document}, 'Infinity')"
    return f"CASE {absent}WHEN {unreadable} THEN 1 ELSE {condition} END"


def _lowered(text: str) -> str:
    # The two letters of other alphabets whose small letter is one of ASCII, for Python too.
    kelvin = f"replace({text}, char(8490), 'k')"
    return f"lower(replace({kelvin}, char(304), 'i' || char(775)))"


def _is_plain(text: str) -> bool:
    """Say whether a text is ASCII, whose small letters SQLite knows as well."""
    return text.isascii() and _is_sound(text)


def _is_sound(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
