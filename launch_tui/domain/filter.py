"""The language of ``runs --filter``: which runs are meant, as text.

    state=failed config.lr>=1e-3          both (a space means and)
    tag:baseline or not note~"^debug"     or, not, parentheses; -term is not term
    duration>2h age<1d resnet             times with units; a bare word is looked for in the names

Fields are those of a run, ``config.KEY`` and ``summary.KEY`` (``cfg.``, ``c.``, ``s.`` for short;
nested keys joined by dots), ``age`` and ``duration``. Operators: ``=`` ``!=`` ``<`` ``<=`` ``>``
``>=``, ``:`` (contains; of tags: has), ``~`` and ``!~`` (regular expression). Numbers compare as
numbers, text as text; what a run does not have equals nothing. Pure: a filter is a function of a
run and of the time it is asked at.
"""

from __future__ import annotations

import operator
import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from launch_tui.domain.run import Run
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Test = Callable[[Run, float], bool]

MAX_DEPTH = 50
"""Parentheses and negations within each other."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<open>\() | (?P<close>\))
      | (?P<op>!=|!~|>=|<=|==|=|>|<|~|:)
      | "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>[^']*)'
      | (?P<minus>-(?=[A-Za-z_("']))
      | (?P<word>[^\s()=<>!~:"']+)
    )""",
    re.VERBOSE,
)
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([smhdw])")
_SHORT = {"cfg.": "config.", "c.": "config.", "s.": "summary.", "sum.": "summary."}
_ALIASES = {"tag": "tags", "created": "created_at", "started": "started_at", "ended": "ended_at"}
_COMPUTED = ("age", "duration")
_OBJECTS = ("config", "summary")
_FIELDS = frozenset({*(field.name for field in fields(Run)), *_COMPUTED}) - {*_OBJECTS}
_SEARCHED = ("id", "name", "project", "job", "queue", "note", "cause")


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
        self._test = _Parser(text, field).parse()

    def matches(self, run: Run, now: float) -> bool:
        """Say whether a run is meant.

        Args:
            run: The run.
            now: Seconds since the epoch, for ``age`` and the ``duration`` of what still runs.
        """
        return self._test(run, now)


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


class _Parser:
    """Recursive descent: or < and < not < comparison."""

    def __init__(self, text: str, field: str) -> None:
        self._field = field
        self._tokens = self._split(text)
        self._next = 0
        self._depth = 0

    def parse(self) -> Test:
        if len(self._tokens) == 1:
            return lambda _run, _now: True
        test = self._any_of()
        if self._peek().kind != "end":
            raise self._wrong("is not expected here")
        return test

    def _any_of(self) -> Test:
        tests = [self._all_of()]
        while self._take_word("or"):
            tests.append(self._all_of())
        return tests[0] if len(tests) == 1 else lambda run, now: any(t(run, now) for t in tests)

    def _all_of(self) -> Test:
        tests = [self._one()]
        while self._take_word("and") or not self._at_end_of_all():
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda run, now: all(t(run, now) for t in tests)

    def _one(self) -> Test:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._wrong(f"is nested more than {MAX_DEPTH} deep")
        try:
            if self._take_word("not") or self._take("minus"):
                test = self._one()
                return lambda run, now: not test(run, now)
            if self._take("open"):
                test = self._any_of()
                if not self._take("close"):
                    raise self._wrong("where ')' was expected")
                return test
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Test:
        if self._peek().kind not in ("word", "text"):
            raise self._wrong("where a field or a word was expected")
        first = self._advance()
        if self._peek().kind != "op":
            return _bare_word(first.text)
        name = self._field_name(first)
        sign = self._advance().text
        value = self._value()
        if name in _COMPUTED and sign[-1] in "=<>" and _number(value, timed=True) is None:
            problem = f"{value!r} is no duration to compare {name} with"
            raise UsageError(self._field, problem, allowed="such as 90, 2h or 1h30m")
        try:
            return _comparison(_getter(name), sign.replace("==", "="), value, name)
        except (re.error, OverflowError, RecursionError) as error:
            raise UsageError(self._field, f"{value!r} is no regular expression: {error}") from None

    def _field_name(self, token: _Token) -> str:
        name = token.text
        for short, full in _SHORT.items():
            if name.startswith(short):
                name = full + name.removeprefix(short)
        name = _ALIASES.get(name, name)
        top, dot, key = name.partition(".")
        known = bool(key) if top in _OBJECTS and dot else name in _FIELDS
        if not known:
            allowed = ", ".join([*sorted(_FIELDS), "config.KEY", "summary.KEY"])
            raise UsageError(self._field, f"there is no field {token.text!r}", allowed=allowed)
        return name

    def _value(self) -> str:
        # A sign in front of a value belongs to it: `config.shift<-inf`.
        sign = "-" if self._take("minus") else ""
        if self._peek().kind not in ("word", "text"):
            raise self._wrong("where a value was expected")
        token = self._advance()
        text = sign + token.text
        # Times hold colons, which are operators elsewhere: created>2026-01-01T10:00.
        while token.kind == "word" and self._glued(":"):
            self._advance()
            token = self._advance()
            text += ":" + token.text
        return text

    def _glued(self, sign: str) -> bool:
        here, after = (
            self._tokens[self._next],
            self._tokens[min(self._next + 1, len(self._tokens) - 1)],
        )
        return (
            here.kind == "op"
            and here.text == sign
            and after.kind == "word"
            and after.at == here.at + len(sign)
        )

    def _at_end_of_all(self) -> bool:
        token = self._peek()
        is_or = token.kind == "word" and token.text.lower() == "or"
        return token.kind in ("end", "close") or is_or

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _advance(self) -> _Token:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _take(self, kind: str) -> bool:
        if self._peek().kind != kind:
            return False
        self._advance()
        return True

    def _take_word(self, word: str) -> bool:
        token = self._peek()
        if token.kind != "word" or token.text.lower() != word:
            return False
        self._advance()
        return True

    def _wrong(self, problem: str) -> UsageError:
        token = self._peek()
        shown = "the end" if token.kind == "end" else repr(token.text)
        return UsageError(self._field, f"{shown} (character {token.at + 1}) {problem}")

    def _split(self, text: str) -> list[_Token]:
        tokens: list[_Token] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                shown = text[at:].strip()[:20]
                raise UsageError(self._field, f"{shown!r} (character {at + 1}) cannot be read")
            kind = match.lastgroup or ""
            found = match.group(kind)
            if kind == "double":
                found = re.sub(r"\\(.)", r"\1", found)
            kind = "text" if kind in ("double", "single") else kind
            tokens.append(_Token(kind, found, match.end() - len(match.group().lstrip())))
            at = match.end()
        return [*tokens, _Token("end", "", len(text))]


def _bare_word(word: str) -> Test:
    wanted = word.lower()

    def test(run: Run, _now: float) -> bool:
        texts = [*(getattr(run, name) or "" for name in _SEARCHED), *run.tags]
        return any(wanted in text.lower() for text in texts)

    return test


def _getter(name: str) -> Callable[[Run, float], Any]:
    top, _, key = name.partition(".")
    if key:
        return lambda run, _now: _lookup(getattr(run, top), key)
    if name == "age":
        return lambda run, now: max(now - _seconds(run.created_at), 0.0)
    if name == "duration":
        return _duration
    return lambda run, _now: getattr(run, name)


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


def _comparison(get: Callable[[Run, float], Any], sign: str, text: str, name: str) -> Test:
    if sign in ("~", "!~"):
        search = re.compile(text).search
        found = sign == "~"
        return lambda run, now: any(search(t) for t in _texts(get(run, now))) is found
    if sign == ":":
        return lambda run, now: _contains(get(run, now), text)
    number = _number(text, timed=name in _COMPUTED)
    if sign in ("=", "!="):
        equal = sign == "="
        return lambda run, now: _equals(get(run, now), text, number) is equal
    return lambda run, now: _ordered(get(run, now), _ORDER[sign], text, number)


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


def _number(text: str, *, timed: bool) -> float | None:
    """Return a number, or for a time the seconds that ``90``, ``2h`` or ``1h30m`` are."""
    try:
        return float(text)
    except ValueError:
        pass
    parts = _DURATION.findall(text)
    if timed and parts and "".join(a + b for a, b in parts) == text:
        return sum(float(amount) * _UNITS[unit] for amount, unit in parts)
    return None


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()
