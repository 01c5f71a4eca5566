"""Rows of metrics on their way to disk: sorted by layout as they come, by series when written.

A layout is the set of numeric keys of a row. Rows of one layout lie together as one array, whose
columns are slices; that is what makes taking a row cheap.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass
from math import isfinite
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from launch_tui.domain.limits import METRIC_KEY_LENGTH, METRIC_KEYS
from launch_tui.store._packed import extremes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MAX_OTHER = 256 * 1024
"""Characters of JSON kept of one value that is no number; of a longer one only its size is kept."""

Column = tuple["array[int]", "array[float]"]
_LAYOUTS_AT_MOST = 10_000
_NAMES_AT_MOST = 10 * METRIC_KEYS


class Rows:
    """The rows that were taken and not written yet, and every series of the file.

    Of each kind there are at most ``METRIC_KEYS`` series; what else is in a row is left out.

    Attributes:
        series: Every series by its number.
        others: Values that are no numbers: number of the series, step, JSON.
        changed: Numbers of the series that differ from what is on disk.
    """

    def __init__(self, known: Iterable[Series]) -> None:
        self.series = {one.id: one for one in known}
        self.others: list[tuple[int, int, str]] = []
        self.changed: set[int] = set()
        self._by_name = {(one.kind, one.name): one for one in self.series.values()}
        self._layouts: dict[tuple[int, tuple[str, ...]], Layout] = {}
        self._groups: list[Group] = []
        self._names_in_layouts = 0
        self._admitted: dict[int, set[str]] = {}
        for kind, name in self._by_name:
            self._admitted.setdefault(kind, set()).add(name)

    def append(self, kind: int, step: int, values: Mapping[str, Any]) -> None:
        """Take a row of numbers and other values by name."""
        # wandb since 0.17 writes the same keys in another order in each row.
        names = tuple(sorted(values))
        layout = self._layouts.get((kind, names)) or self._layout(kind, names, values)
        if layout.pick is None:
            return
        group = self._group(layout)
        before = len(group.values)
        try:
            group.values.extend(layout.pick(values))
        except (TypeError, OverflowError):
            del group.values[before:]
            self._append_mixed(kind, step, values)
            return
        group.steps.append(step)

    def take(self) -> list[Group]:
        """Return the rows as they came, and forget them."""
        groups, self._groups = [group for group in self._groups if group.steps], []
        return groups

    def columns(self, groups: list[Group]) -> dict[int, Column]:
        """Return steps and values of each series in ``groups``, by its number."""
        columns: dict[int, Column] = {}
        for group in groups:
            for at, number in enumerate(self.ids_of(group)):
                steps, values = columns.setdefault(number, (array("q"), array("d")))
                steps.extend(group.steps)
                values.extend(group.values[at :: len(group.layout.members)])
        return columns

    def ids_of(self, group: Group) -> tuple[int, ...]:
        """Return the numbers of the series of a group's columns."""
        if group.layout.ids is None:
            group.layout.ids = tuple(self._one(*member).id for member in group.layout.members)
        return group.layout.ids

    def _append_mixed(self, kind: int, step: int, values: Mapping[str, Any]) -> None:
        numbers = {}
        for name, value in values.items():
            number = _number(value)
            if number is not None:
                numbers[name] = number
            elif name != "_step" and self._admits(kind, name):
                self._append_other(self._one(kind, name), step, value)
        if numbers:
            self.append(kind, step, numbers)

    def _append_other(self, series: Series, step: int, value: object) -> None:
        text = json.dumps(value, separators=(",", ":"), default=str)
        if len(text) > MAX_OTHER:
            text = json.dumps({"_type": "too-large", "size": len(text)})
        self.others.append((series.id, step, text))
        series.others += 1
        series.last_other = text
        self.changed.add(series.id)

    def _layout(self, kind: int, names: tuple[str, ...], values: Iterable[str]) -> Layout:
        self._names_in_layouts += len(names)
        if len(self._layouts) > _LAYOUTS_AT_MOST or self._names_in_layouts > _NAMES_AT_MOST:
            self._layouts.clear()
            self._names_in_layouts = len(names)
        # In the row's own order: where there is room for some only, it is for the first.
        admitted = {name for name in values if name != "_step" and self._admits(kind, name)}
        kept = tuple(name for name in names if name in admitted)
        layout = Layout(tuple((kind, name) for name in kept), _picker(kept))
        self._layouts[(kind, names)] = layout
        return layout

    def _admits(self, kind: int, name: str) -> bool:
        """Say whether there is room for a series, and keep the room for it."""
        admitted = self._admitted.setdefault(kind, set())
        if name in admitted:
            return True
        if len(admitted) >= METRIC_KEYS or len(name) > METRIC_KEY_LENGTH:
            return False
        admitted.add(name)
        return True

    def _group(self, layout: Layout) -> Group:
        if not self._groups or self._groups[-1].layout is not layout:
            self._groups.append(Group(layout, array("q"), array("d")))
        return self._groups[-1]

    def _one(self, kind: int, name: str) -> Series:
        series = self._by_name.get((kind, name))
        if series is None:
            series = Series(len(self.series) + 1, kind, name)
            self._by_name[(kind, name)] = series
            self.series[series.id] = series
        return series


@dataclass(slots=True)
class Layout:
    """The numeric keys of a row; ``pick`` gets their values in order."""

    members: tuple[tuple[int, str], ...]
    pick: Callable[[Mapping[str, Any]], Iterable[float]] | None
    ids: tuple[int, ...] | None = None


@dataclass(slots=True)
class Group:
    """Rows of the same layout, one after the other: ``values`` has them row by row."""

    layout: Layout
    steps: array[int]
    values: array[float]


@dataclass(slots=True)
class Series:
    """A row of the table ``series`` while it grows."""

    id: int
    kind: int
    name: str
    count: int = 0
    gaps: int = 0
    low_step: int = 0
    high_step: int = 0
    last_step: int = -1
    last: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    others: int = 0
    last_other: str | None = None

    def extend(self, steps: array[int], values: array[float]) -> None:
        low, high = min(steps), max(steps)
        self.low_step = min(self.low_step, low) if self.count else low
        self.high_step = max(self.high_step, high) if self.count else high
        minimum, maximum, gaps = extremes(values)
        if isfinite(minimum):
            self.minimum = minimum if self.minimum is None else min(self.minimum, minimum)
            self.maximum = maximum if self.maximum is None else max(self.maximum, maximum)
        self.count += len(values)
        self.gaps += gaps
        self.last_step, self.last = steps[-1], values[-1]

    def row(self) -> tuple[object, ...]:
        return (
            self.id,
            self.kind,
            self.name,
            self.count,
            self.gaps,
            self.low_step,
            self.high_step,
            self.last_step,
            self.last,
            self.minimum,
            self.maximum,
            self.others,
            self.last_other,
        )


def _picker(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Iterable[float]] | None:
    if not names:
        return None
    if len(names) == 1:
        only = names[0]
        return lambda values: (values[only],)
    return itemgetter(*names)


def _number(value: object) -> float | None:
    """Return a number or boolean as a float, None for anything else or an integer too large."""
    if not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
