"""What a person looks for in a log: a search, a filter, and lines that look like an error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from launch_tui.domain import patterns
from launch_tui.domain.error_lines import ERROR_LINE, looks_like_error
from launch_tui.domain.text import plain
from launch_tui.store.log_search import LineSearch

if TYPE_CHECKING:
    from launch_tui.store.fold_list import Fold
    from launch_tui.store.line_set import LineSet
    from launch_tui.tui.widgets.log_rows import LogRows

NOWHERE = -1
"""The current match before there is one."""

NEAR = 10_000
"""Lines in which an error is looked for at once."""

_NEAR_BYTES = 4096
_FOLDS = 1000
"""Folds of which what was drawn over is dropped in one go: a few milliseconds."""


class Pattern(NamedTuple):
    """What was typed after ``/`` or ``&``, ready to look for."""

    typed: str
    hides: bool
    text: str
    """The regular expression."""
    flags: int
    shown: patterns.Pattern[str]
    """The same, in time linear in what it is asked of: for what is searched within the UI."""


def pattern_of(typed: str, *, may_hide: bool = False) -> Pattern | None:
    """Return the pattern that was typed; None for an empty one.

    A regular expression if it compiles, else the text itself; letters match either case as long
    as none is a capital. With ``may_hide`` a leading ``!`` asks for what does not match.
    """
    hides = may_hide and typed.startswith("!")
    text = typed[1:] if hides else typed
    if not text:
        return None
    # What a class such as \S or \W means is not a capital that was typed.
    any_case = not any(c.isupper() for c in re.sub(r"\\.", "", text))
    flags = re.IGNORECASE if any_case else re.NOFLAG
    try:
        # A process that can be ended searches a large file by ``re``, the UI all else by RE2.
        re.compile(text, flags)
        shown = patterns.compiled(text, ignore_case=any_case)
    except (patterns.BadPattern, re.error, OverflowError, RecursionError):
        shown = patterns.literal(text, ignore_case=any_case)
        text = re.escape(text)
    return Pattern(typed, hides, text, flags, shown)


class Finder:
    """The search, the filter and the errors of one log.

    Args:
        rows: The log.
    """

    def __init__(self, rows: LogRows) -> None:
        self.pattern: Pattern | None = None
        """What is searched for."""
        self.filter: Pattern | None = None
        """What is shown or hidden."""
        self.current = NOWHERE
        """The line of the current match, or of the current error."""
        self.at_error = False
        """Whether errors are what was looked for last."""
        self._rows = rows
        self._search: LineSearch | None = None
        self._errors: LineSearch | None = None
        self._version = 0
        """Of the folds, when lines were dropped last."""
        self._settled = 0
        """Folds that can change no more of which what was drawn over is dropped."""
        self._kept: set[int] = set()
        """Lines that the other folds showed when they were last looked at."""
        self._ends: dict[int, int] = {}
        """The first lines of these folds, and where they ended."""
        self._covered: list[tuple[LineSet, int, bool]] = []
        """Lines that an unfinished one draws over, and whether they were among what was found."""
        self._fresh = True
        """Whether more was found since."""

    @property
    def lags(self) -> bool:
        """Whether there is more to search, or found what was drawn over."""
        return self._searches or self._is_to_drop

    @property
    def is_busy(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._all())

    @property
    def waits(self) -> bool:
        """Whether other processes search, so that there is nothing to do but to look again."""
        behind = [search for search in self._all() if search.behind]
        return bool(behind) and all(search.waits for search in behind)

    def advance(self, budget: int) -> bool:
        """Search some more, or drop what was drawn over; True for news."""
        news = sum([search.advance(budget) for search in self._all()]) > 0
        self._fresh = self._fresh or news
        if self._searches or not self._is_to_drop:
            return news
        self._drop_folded()
        return True

    def look_for(self, typed: str) -> None:
        """Begin a search; an empty pattern ends it."""
        self.pattern = pattern_of(typed)
        self.current = NOWHERE
        self.at_error = False
        self._search = self._begin(self._search, self.pattern)

    def show_only(self, typed: str) -> None:
        """Filter; an empty pattern shows all."""
        self.filter = pattern_of(typed, may_hide=True)
        self._rows.hides = self.filter is not None and self.filter.hides
        self._rows.filter = self._begin(self._rows.filter, self.filter)

    def look_for_errors(self) -> None:
        """Look for lines that look like an error, from now on."""
        self.at_error = True
        if self._errors is None:
            self._errors = LineSearch(self._rows.index, ERROR_LINE)
            self._drop_anew()

    def go(self, step: int, top: int, *, around: bool) -> int | None:
        """Make the match after or before the current one current, and return its line.

        Args:
            step: 1 for the next, -1 for the previous.
            top: Where to begin when there is no current match.
            around: Whether to go on at the other end.
        """
        search = self._errors if self.at_error else self._search
        if search is None or not (count := len(search.matches)):
            return None
        here = self.current if self.current != NOWHERE else top - (step > 0)
        at = search.matches.rank(here + 1) if step > 0 else search.matches.rank(here) - 1
        if not around and not 0 <= at < count:
            return None
        self.current = search.matches.member(at % count)
        return self.current

    def error_near(self, step: int, top: int) -> int | None:
        """Make the next or previous error current that is near, without waiting for the search."""
        here = self.current if self.current != NOWHERE else top - (step > 0)
        first = here + 1 if step > 0 else max(0, here - NEAR)
        count = NEAR if step > 0 else here - first
        lines = self._rows.index.read(first, count, limit=_NEAR_BYTES)
        places = range(len(lines)) if step > 0 else range(len(lines) - 1, -1, -1)
        for at in places:
            if looks_like_error(plain(lines[at])):
                self.current = first + at
                return self.current
        return None

    def status(self) -> list[str]:
        """Return what is looked for and how far that got."""
        parts = []
        if self.filter is not None and self._rows.filter is not None:
            done = "" if not self._rows.filter.behind else f" {self._rows.filter.progress:.0%}"
            parts.append(f"&{self.filter.typed} {self._rows.count:,} lines{done}")
        if self.pattern is not None and self._search is not None:
            parts.append(f"/{self.pattern.typed} {self._found(self._search)}")
        if self.at_error and self._errors is not None:
            parts.append(f"errors {self._found(self._errors)}")
        return parts

    def forget_errors(self) -> None:
        """Look for errors no more."""
        self.at_error = False
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def close(self) -> None:
        """End what goes on in other processes."""
        for search in self._all():
            search.close()

    @property
    def _searches(self) -> bool:
        return any(search.behind for search in self._all())

    @property
    def _is_to_drop(self) -> bool:
        """Whether lines of progress bars that were drawn over may be among what was found."""
        folds = self._rows.folds
        # Where the end of a log is folded alone the first folds there are guesses.
        return (
            folds.whole
            and bool(self._all())
            and (self._fresh or self._settled < len(folds.settled))
        )

    def _drop_folded(self) -> None:
        """Drop from what was found lines of progress bars that were drawn over."""
        folds = self._rows.folds
        if self._version != folds.version:
            self._version = folds.version
            self._drop_anew()
        self._uncover()
        settled = folds.settled
        for at in range(self._settled, min(self._settled + _FOLDS, len(settled))):
            self._drop_but(settled[at], 0)
            self._kept = {line for line in self._kept if line >= settled[at].end}
            self._settled = at + 1
        if self._settled < len(settled):
            return
        live = list(folds.finished)
        kept = {line for fold in live for line, _ in fold.rows}
        for line in self._kept - kept:
            self._drop(range(line, line + 1))
        for fold in live:
            self._drop_but(fold, self._ends.get(fold.first, 0))
        self._kept = kept
        self._ends = {fold.first: fold.end for fold in live}
        self._cover(folds.drawn_over)
        self._fresh = False

    def _cover(self, lines: set[int]) -> None:
        """Drop lines for as long as the last line is as it is now."""
        for search in self._all():
            self._covered += [(search.matches, line, line in search.matches) for line in lines]
        for line in lines:
            self._drop(range(line, line + 1))

    def _uncover(self) -> None:
        for found, line, was in self._covered:
            if was:
                found.add(line, b"\1")
            else:
                found.discard(line)
        self._covered = []

    def _begin(self, old: LineSearch | None, pattern: Pattern | None) -> LineSearch | None:
        if old is not None:
            old.close()
        self._drop_anew()
        if pattern is None:
            return None
        return LineSearch(
            self._rows.index, pattern.text, pattern.flags, search=pattern.shown.search
        )

    def _drop_anew(self) -> None:
        self._uncover()
        self._settled = 0
        self._kept = set()
        self._ends = {}
        self._fresh = True

    def _all(self) -> list[LineSearch]:
        every = (self._search, self._errors, self._rows.filter)
        return [one for one in every if one is not None]

    def _drop_but(self, fold: Fold, start: int) -> None:
        """Drop the lines of a fold from ``start`` on, but for those that it shows."""
        shown = {line for line, _ in fold.rows}
        before = [[(line in search.matches) for line in shown] for search in self._all()]
        self._drop(range(max(fold.first, start), fold.end))
        for search, were in zip(self._all(), before, strict=True):
            for line, was in zip(shown, were, strict=True):
                if was:
                    search.matches.add(line, b"\1")
                else:
                    search.matches.discard(line)

    def _drop(self, lines: range) -> None:
        for search in self._all():
            if search is self._rows.filter and self._rows.hides:
                search.matches.add_all(lines)
            else:
                search.matches.discard_all(lines)

    def _found(self, search: LineSearch) -> str:
        count, more = len(search.matches), ""
        if search.behind:
            more = f" {search.progress:.0%}"
        if not count:
            return more.strip() or "no match"
        if self.current == NOWHERE or (search is self._errors) != self.at_error:
            return f"{count:,}{more}"
        at = search.matches.rank(max(self.current, 0)) + 1
        return f"{min(at, count):,} of {count:,}{more}"
