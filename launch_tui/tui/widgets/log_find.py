"""What a person looks for in a log: a search that goes from match to match, and a filter."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from launch_tui.domain import patterns

if TYPE_CHECKING:
    from launch_tui.store.logs import LineSearch
    from launch_tui.tui.widgets.log_rows import LogRows

NOWHERE = -1
"""The current match before there is one."""


class Pattern(NamedTuple):
    """What was typed after ``/`` or ``&``, ready to look for."""

    typed: str
    hides: bool
    raw: patterns.Pattern[bytes]
    """For the file."""
    shown: patterns.Pattern[str]
    """For the text on the screen."""


def pattern_of(typed: str, *, may_hide: bool = False) -> Pattern | None:
    """Return the pattern that was typed; None for an empty one.

    A regular expression if it compiles, else the text itself; letters match either case as long
    as none is a capital. With ``may_hide`` a leading ``!`` asks for what does not match.
    """
    hides = may_hide and typed.startswith("!")
    text = typed[1:] if hides else typed
    if not text:
        return None
    any_case = not any(c.isupper() for c in text)
    sought = text.encode("utf-8", "surrogateescape")
    try:
        shown = patterns.compiled(text, ignore_case=any_case)
        raw = patterns.compiled(sought, ignore_case=any_case)
    except patterns.BadPattern:
        shown = patterns.literal(text, ignore_case=any_case)
        raw = patterns.literal(sought, ignore_case=any_case)
    return Pattern(typed, hides, raw, shown)


class Finder:
    """The search and the filter of one log.

    Args:
        rows: The log.
    """

    def __init__(self, rows: LogRows) -> None:
        self.pattern: Pattern | None = None
        """What is searched for."""
        self.filter: Pattern | None = None
        """What is shown or hidden."""
        self.current = NOWHERE
        """The line of the current match."""
        self._rows = rows
        self._search: LineSearch | None = None

    @property
    def lags(self) -> bool:
        """Whether the index has bytes that were not searched yet."""
        return any(search.behind for search in self._all())

    def advance(self, budget: int) -> bool:
        """Search some more; True when anything was searched."""
        return sum(search.advance(budget) for search in self._all()) > 0

    def look_for(self, typed: str) -> None:
        """Begin a search; an empty pattern ends it."""
        self.pattern = pattern_of(typed)
        self.current = NOWHERE
        self._search = self._rows.index.search(self.pattern.raw) if self.pattern else None

    def show_only(self, typed: str) -> None:
        """Filter; an empty pattern shows all."""
        self.filter = pattern_of(typed, may_hide=True)
        self._rows.hides = self.filter is not None and self.filter.hides
        self._rows.filter = self._rows.index.search(self.filter.raw) if self.filter else None

    def go(self, step: int, top: int, *, around: bool) -> int | None:
        """Make the match after or before the current one current, and return its line.

        Args:
            step: 1 for the next, -1 for the previous.
            top: Where to begin when there is no current match.
            around: Whether to go on at the other end.
        """
        matches = self._search.matches if self._search is not None else ()
        here = self.current if self.current != NOWHERE else top - (step > 0)
        at = bisect_right(matches, here) if step > 0 else bisect_left(matches, here) - 1
        if not matches or (not around and not 0 <= at < len(matches)):
            return None
        self.current = matches[at % len(matches)]
        return self.current

    def status(self) -> list[str]:
        """Return what is looked for and how far that got."""
        parts = []
        if self.filter is not None:
            parts.append(f"&{self.filter.typed} {self._rows.count:,} lines")
        if self.pattern is not None and self._search is not None:
            parts.append(f"/{self.pattern.typed} {self._found(self._search)}")
        return parts

    def _all(self) -> list[LineSearch]:
        return [one for one in (self._search, self._rows.filter) if one is not None]

    def _found(self, search: LineSearch) -> str:
        if search.behind:
            return f"{search.progress:.0%}"
        if not search.matches:
            return "no match"
        at = bisect_left(search.matches, max(self.current, 0)) + 1
        return f"{min(at, len(search.matches)):,} of {len(search.matches):,}"
