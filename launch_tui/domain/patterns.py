"""Regular expressions that a person types, searched in time linear in the text.

Python's ``re`` goes back and tries again: ``(a+)+$`` on a line of thirty letters takes minutes, and
nothing can stop it. So what is typed goes to RE2, which never goes back, holds a bounded amount of
memory, and refuses what it could not answer so (lookaround and back-references). Text without a
special character cannot run away and is looked for by ``re``, which is faster to load and to ask.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, AnyStr, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_PATTERN = 4_000
"""Characters of an expression; a longer one is refused."""

_EVERY_LINE: dict[type, Any] = {str: "(?m)", bytes: b"(?m)"}
_ESCAPES = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.", re.DOTALL)
_Searched = TypeVar("_Searched", str, bytes, contravariant=True)
_SPECIAL = frozenset(".^$*+?{}[]\\|()")


class BadPattern(ValueError):
    """What was typed is no regular expression that can be searched for; the text says why."""


class Found(Protocol):
    """Where a pattern matched."""

    def start(self) -> int:
        """Return where the match begins."""

    def span(self) -> tuple[int, int]:
        """Return where the match begins and ends."""


class Pattern(Protocol[_Searched]):
    """What can be searched for; ``re.Pattern`` is one too."""

    def search(self, text: _Searched, pos: int = 0, /) -> Found | None:
        """Return the first match from ``pos`` on."""

    def finditer(self, text: _Searched, /) -> Iterator[Found]:
        """Yield the matches that do not overlap."""


def compiled(typed: AnyStr, *, ignore_case: bool = False) -> Pattern[AnyStr]:
    """Return a pattern; ``^`` and ``$`` mean the ends of a line.

    Args:
        typed: The expression, as text or as the bytes that are searched.
        ignore_case: Whether letters match either case.

    Raises:
        BadPattern: When it is none, or would take too much memory.
    """
    text = _as_text(typed)
    if len(text) > LONGEST_PATTERN:
        raise BadPattern(f"longer than {LONGEST_PATTERN:,} characters")
    for token in _ESCAPES.finditer(text):
        if token[0] in (r"\B", r"\C"):
            # Where a match in the middle of a character begins cannot be said in characters.
            raise BadPattern(f"{token[0]} may match half a character; . is a whole one")
    if _SPECIAL.isdisjoint(text):
        return re.compile(typed, re.IGNORECASE if ignore_case else 0)
    return _Linear(typed, ignore_case=ignore_case)


def literal(typed: AnyStr, *, ignore_case: bool = False) -> Pattern[AnyStr]:
    """Return a pattern that matches the text itself."""
    return re.compile(re.escape(typed), re.IGNORECASE if ignore_case else 0)


class _Linear(Generic[AnyStr]):
    """An expression of RE2."""

    def __init__(self, typed: AnyStr, *, ignore_case: bool) -> None:
        # Loaded when the first expression is typed: most processes never see one.
        import re2

        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        options.case_sensitive = not ignore_case
        given: Any = typed
        try:
            self._pattern = re2.compile(_EVERY_LINE[type(given)] + given, options)
        except UnicodeEncodeError:
            raise BadPattern("not text") from None
        except re2.error as error:
            raise BadPattern(_why(error)) from None

    def search(self, text: AnyStr, pos: int = 0, /) -> Found | None:
        found: Found | None = self._pattern.search(_sendable(text), pos)
        return found

    def finditer(self, text: AnyStr, /) -> Iterator[Found]:
        found: Iterator[Found] = self._pattern.finditer(_sendable(text))
        return found


def _as_text(typed: str | bytes) -> str:
    return typed if isinstance(typed, str) else typed.decode("utf-8", "surrogateescape")


def _sendable(text: Any) -> Any:  # noqa: ANN401
    """Return the text without halves of surrogate pairs, every character where it was."""
    if isinstance(text, str) and not text.isascii():
        return text.encode("utf-8", "replace").decode("utf-8")
    return text


def _why(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    if text.startswith(("invalid perl operator", "invalid escape sequence: \\")):
        return f"{text}; lookaround and back-references are not taken"
    return text
