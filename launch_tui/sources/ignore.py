"""The rules of one ignore file, exactly as git reads them.

A rule is asked about one path at a time and never about what lies below it: whoever walks a folder
does not enter an ignored directory, which is how git gives its rules their meaning. The
translation follows git's ``dir.c`` (how a line is read, which rules look at the name alone) and
``wildmatch.c`` (what a pattern matches). Paths are bytes, as they are for git: ``?`` is one byte.
Rules are translated when they are first asked, because an unchanged folder never asks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_BOM = b"\xef\xbb\xbf"
_SPECIAL = re.compile(rb"[*?\[\\]")
_NEVER = b"(?!)"
_CLASSES: dict[bytes, Callable[[bytes], bool]] = {
    b"alnum": bytes.isalnum,
    b"alpha": bytes.isalpha,
    b"blank": lambda c: c in b" \t",
    b"cntrl": lambda c: c < b" " or c == b"\x7f",
    b"digit": bytes.isdigit,
    b"graph": lambda c: b"!" <= c <= b"~",
    b"lower": bytes.islower,
    b"print": lambda c: b" " <= c <= b"~",
    b"punct": lambda c: b"!" <= c <= b"~" and not c.isalnum(),
    b"space": lambda c: c in b" \t\n\r",
    b"upper": bytes.isupper,
    b"xdigit": lambda c: c in b"0123456789abcdefABCDEF",
}
_BYTES = [bytes([value]) for value in range(256)]


class Rule(NamedTuple):
    """One line. ``expression`` is a regular expression for the name, or for the whole path."""

    expression: bytes
    ignores: bool
    by_name: bool
    directories_only: bool


class IgnoreFile:
    """The rules of an ignore file; paths are relative to the directory that they apply to."""

    __slots__ = ("_compiled", "_text")

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._compiled: _Compiled | None = None

    def verdict(self, path: bytes, is_directory: bool) -> bool | None:
        """Say what the last rule that matches wants.

        Args:
            path: Relative, with ``/``, without one at its end.
            is_directory: Whether it is a directory; a symbolic link never is.

        Returns:
            True to ignore it, False to keep it, None when no rule matches.
        """
        if self._compiled is None:
            self._compiled = _Compiled(parse(self._text))
        return self._compiled.verdict(path, is_directory)


def parse(text: bytes) -> list[Rule]:
    """Return the rules of an ignore file in their order; what git discards is left out."""
    lines = text.removeprefix(_BOM).split(b"\n")
    return [rule for line in lines if (rule := _rule(line)) is not None]


class _Compiled:
    """Asks all rules at once whether any matches, which is mostly not so, then one by one."""

    __slots__ = ("_names", "_paths", "_rules")

    def __init__(self, rules: list[Rule]) -> None:
        self._names = _any_of([rule.expression for rule in rules if rule.by_name])
        self._paths = _any_of([rule.expression for rule in rules if not rule.by_name])
        self._rules: list[tuple[Rule, re.Pattern[bytes] | None]] = [(rule, None) for rule in rules]

    def verdict(self, path: bytes, is_directory: bool) -> bool | None:
        name = path[path.rfind(b"/") + 1 :]
        if not (self._names.fullmatch(name) or self._paths.fullmatch(path)):
            return None
        for index in range(len(self._rules) - 1, -1, -1):
            rule, compiled = self._rules[index]
            if rule.directories_only and not is_directory:
                continue
            if compiled is None:
                compiled = re.compile(rule.expression, re.DOTALL)
                self._rules[index] = rule, compiled
            if compiled.fullmatch(name if rule.by_name else path):
                return rule.ignores
        return None


def _any_of(expressions: list[bytes]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(expressions) or _NEVER, re.DOTALL)


def _rule(line: bytes) -> Rule | None:
    line = line.partition(b"\0")[0]
    if not line or line.startswith(b"#"):
        return None
    pattern = _without_trailing_spaces(line.removesuffix(b"\r"))
    ignores = not pattern.startswith(b"!")
    pattern = pattern if ignores else pattern[1:]
    directories_only = pattern.endswith(b"/")
    pattern = pattern[:-1] if directories_only else pattern
    if not pattern:
        return None
    by_name = b"/" not in pattern
    expression = _name_expression(pattern) if by_name else _path_expression(pattern)
    return Rule(expression, ignores, by_name, directories_only)


def _without_trailing_spaces(line: bytes) -> bytes:
    """Cut spaces off the end, but not one behind a backslash (``trim_trailing_spaces``)."""
    end, index = 0, 0
    while index < len(line):
        if line[index : index + 1] == b"\\":
            index += 2
            end = min(index, len(line))
        else:
            index += 1
            end = end if line[index - 1 : index] == b" " else index
    return line[:end]


def _name_expression(pattern: bytes) -> bytes:
    if _SPECIAL.search(pattern) is None:
        return re.escape(pattern)
    return _translate(pattern, slashes=True)


def _path_expression(pattern: bytes) -> bytes:
    pattern = pattern.removeprefix(b"/")
    special = _SPECIAL.search(pattern)
    fixed = special.start() if special else len(pattern)
    # git compares the part before the first special character by itself, so that ``**`` right
    # behind it counts as the beginning of a pattern.
    return re.escape(pattern[:fixed]) + _translate(pattern[fixed:], slashes=False)


def _translate(pattern: bytes, *, slashes: bool) -> bytes:
    """Return a regular expression for a pattern of ``wildmatch``.

    Args:
        pattern: What git passes to ``wildmatch``.
        slashes: Whether ``*`` matches them (a call without WM_PATHNAME).
    """
    parts, index = [], 0
    while index < len(pattern):
        character = pattern[index : index + 1]
        if character == b"*":
            part, index = _stars(pattern, index, slashes)
        elif character == b"[":
            part, index = _bracket(pattern, index)
        elif character == b"?":
            part, index = (b"." if slashes else b"[^/]"), index + 1
        else:
            index += character == b"\\"
            # A backslash at the end matches nothing.
            part = re.escape(pattern[index : index + 1]) or _NEVER
            index += 1
        parts.append(part)
    return b"".join(parts)


def _stars(pattern: bytes, start: int, slashes: bool) -> tuple[bytes, int]:
    end = start
    while pattern[end : end + 1] == b"*":
        end += 1
    if slashes:
        return b".*", end
    rest = pattern[end:]
    alone = start == 0 or pattern[start - 1 : start] == b"/"
    if end - start < 2 or not alone or not (not rest or rest.startswith((b"/", b"\\/"))):
        return b"[^/]*", end
    if rest.startswith(b"/"):
        return b"(?:.*/)?", end + 1
    return b".*", end


def _bracket(pattern: bytes, start: int) -> tuple[bytes, int]:
    """Return the expression of a set, and where the pattern goes on behind it.

    One that is not closed, or names an unknown class, makes the whole pattern match nothing.
    """
    index = start + 1
    negated = pattern[index : index + 1] in (b"!", b"^")
    index += negated
    members: set[int] = set()
    previous, first = b"", True
    while first or pattern[index : index + 1] != b"]":
        first = False
        found = _member(pattern, index, previous)
        if found is None:
            return _NEVER, len(pattern)
        more, previous, index = found
        members |= more
    chosen = set(range(256)) - members if negated else members
    return _set_expression(chosen - {ord("/")}), index + 1


def _member(pattern: bytes, index: int, previous: bytes) -> tuple[set[int], bytes, int] | None:
    """Return what one member of a set matches, what a range may begin with, and where to go on.

    None when the pattern ends here.
    """
    character = pattern[index : index + 1]
    following = pattern[index + 1 : index + 2]
    if character == b"-" and previous and following not in (b"", b"]"):
        index += 2 if following == b"\\" else 1
        last = pattern[index : index + 1]
        return (set(range(previous[0], last[0] + 1)), b"", index + 1) if last else None
    if character == b"\\":
        return ({following[0]}, following, index + 2) if following else None
    if character == b"[" and following == b":":
        return _class(pattern, index)
    return ({character[0]}, character, index + 1) if character else None


def _class(pattern: bytes, index: int) -> tuple[set[int], bytes, int] | None:
    end = pattern.find(b"]", index + 2)
    if end < 0:
        return None
    # ``[[:a]`` is no class but a set of ``[``, ``:`` and ``a``.
    if end - 1 < index + 2 or pattern[end - 1 : end] != b":":
        return {ord("[")}, b"[", index + 1
    test = _CLASSES.get(pattern[index + 2 : end - 1])
    return ({byte[0] for byte in _BYTES if test(byte)}, b"", end + 1) if test else None


def _set_expression(members: set[int]) -> bytes:
    if not members:
        return _NEVER
    return b"[" + b"".join(b"\\x%02x" % member for member in sorted(members)) + b"]"
