"""The language of filters, read: text becomes a tree that says which runs are meant.

Who asks decides what to do with the tree: ``domain.filter`` tests a run with it, the store makes as
much of it as it can into SQL. Whatever is not in the language is refused here, with the place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import NamedTuple

from launch_tui.domain.filter_values import check_comparison
from launch_tui.domain.run import Run
from launch_tui.errors import UsageError

MAX_DEPTH = 50
"""Parentheses and negations within each other."""

COMPUTED = ("age", "duration")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([smhdw])")
"""Fields that are times, computed when they are asked for."""


class Place(StrEnum):
    """Where the value of a comparison is looked for."""

    FIELD = "field"
    """A field of the run itself."""
    CONFIG = "config"
    """Its configuration."""
    SUMMARY = "summary"
    """Its summary: the last value of each metric."""
    EITHER = "either"
    """The configuration, else the summary."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word that is looked for in the run's names, note, cause and tags."""

    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A value beside a text: ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``:``, ``~``, ``!~``."""

    place: Place
    key: str
    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class Not:
    """What its part does not mean."""

    part: Expression


@dataclass(frozen=True, slots=True)
class AllOf:
    """What each of its parts means; without any, every run."""

    parts: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """What one of its parts means."""

    parts: tuple[Expression, ...]


Expression = Word | Comparison | Not | AllOf | AnyOf

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
_SHORT = {"cfg.": "config.", "c.": "config.", "s.": "summary.", "sum.": "summary."}
_ALIASES = {
    "tag": "tags", "created": "created_at", "started": "started_at", "ended": "ended_at",
    "q": "queue", "j": "job", "s": "state",
}  # fmt: skip
_OBJECTS = ("config", "summary")
_FIELDS = frozenset({*(field.name for field in fields(Run)), *COMPUTED}) - {*_OBJECTS}
_ALIKE = 0.88
"""How much (difflib's ratio) a name is like a field's when it is taken for a slip."""


def parse(text: str, *, field: str = "--filter") -> Expression:
    """Return what a text means.

    Args:
        text: The filter; empty means every run.
        field: How an error names where it came from.

    Raises:
        UsageError: When it is not in the language, with the place.
    """
    return _Parser(text, field).parse()


def conjuncts(expression: Expression) -> tuple[Expression, ...]:
    """Return the parts that must all be true."""
    return expression.parts if isinstance(expression, AllOf) else (expression,)


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def number_of(text: str, *, timed: bool = False) -> float | None:
    """Return the number that a text is; of a time the seconds of ``90``, ``2h`` or ``1h30m``."""
    try:
        return float(text)
    except ValueError:
        pass
    parts = _DURATION.findall(text)
    if timed and parts and "".join(a + b for a, b in parts) == text:
        return sum(float(amount) * _UNITS[unit] for amount, unit in parts)
    return None


class _Parser:
    """Recursive descent: or < and < not < comparison."""

    def __init__(self, text: str, field: str) -> None:
        self._field = field
        self._tokens = self._split(text)
        self._next = 0
        self._depth = 0

    def parse(self) -> Expression:
        if len(self._tokens) == 1:
            return AllOf()
        expression = self._any_of()
        if self._peek().kind != "end":
            raise self._wrong("is not expected here")
        return expression

    def _any_of(self) -> Expression:
        parts = [self._all_of()]
        while self._take_word("or"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all_of(self) -> Expression:
        parts = [self._one()]
        while self._take_word("and") or not self._at_end_of_all():
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _one(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._wrong(f"is nested more than {MAX_DEPTH} deep")
        try:
            if self._take_word("not") or self._take("minus"):
                return Not(self._one())
            if self._take("open"):
                expression = self._any_of()
                if not self._take("close"):
                    raise self._wrong("where ')' was expected")
                return expression
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Expression:
        if self._peek().kind not in ("word", "text"):
            raise self._wrong("where a field or a word was expected")
        first = self._advance()
        if self._peek().kind != "op":
            return Word(first.text)
        place, key = self._name(first)
        sign = self._advance().text.replace("==", "=")
        value = self._value()
        if sign in ("~", "!~"):
            self._check_pattern(value)
        if place is Place.FIELD and key in COMPUTED and sign[-1] in "=<>":
            self._check_duration(key, value)
        elif place is Place.FIELD and sign not in ("~", "!~"):
            check_comparison(key, sign, value, field=self._field)
        return Comparison(place, key, sign, value)

    def _check_duration(self, name: str, value: str) -> None:
        if number_of(value, timed=True) is None:
            problem = f"{value!r} is no duration to compare {name} with"
            raise UsageError(self._field, problem, allowed="such as 90, 2h or 1h30m")

    def _check_pattern(self, pattern: str) -> None:
        from launch_tui.domain.patterns import BadPattern, compiled

        try:
            compiled(pattern)
        except BadPattern as error:
            problem = f"{pattern!r} is no regular expression: {error}"
            raise UsageError(self._field, problem) from None

    def _name(self, token: _Token) -> tuple[Place, str]:
        """Return where a name is looked for, and by what key there."""
        name = token.text
        for short, full in _SHORT.items():
            if name.startswith(short):
                name = full + name.removeprefix(short)
        name = _ALIASES.get(name, name)
        if name in _FIELDS:
            return Place.FIELD, name
        top, dot, key = name.partition(".")
        if top in _OBJECTS and dot and key:
            return Place(top), key
        if top in _OBJECTS or not name:
            allowed = ", ".join([*sorted(_FIELDS), "config.KEY", "summary.KEY"])
            raise UsageError(self._field, f"there is no field {token.text!r}", allowed=allowed)
        self._check_slip(name)
        return Place.EITHER, name

    def _check_slip(self, name: str) -> None:
        """Refuse a field's name with a slip: as a key that no run has it would mean none."""
        from difflib import get_close_matches

        for near in get_close_matches(name, _FIELDS, n=1, cutoff=_ALIKE):
            raise UsageError(
                self._field,
                f"there is no field {name!r}, did you mean {near!r}?",
                allowed=f"config.{name} or summary.{name} for a key of that name",
            )

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
