"""The values of metrics of a run, in the order in which a person reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launch_tui.store.series import SeriesInfo, SeriesReader

Points = list[tuple[int, Any]]


def points_of(reader: SeriesReader, key: str) -> Points:
    """Return steps and values, numbers and others, in the order of their steps."""
    points: Points = list(reader.points(key))
    others = reader.others(key)
    return sorted([*points, *others], key=_step) if others else points


def points_of_many(
    reader: SeriesReader, infos: Sequence[SeriesInfo]
) -> Iterator[tuple[str, Points]]:
    """Yield each key with what ``points_of`` returns for it, for little more than one reading."""
    has_others = {info.name for info in infos if info.others}
    for key, numbers in reader.points_of_many(info.name for info in infos):
        points: Points = list(numbers)
        if key in has_others:
            points = sorted([*points, *reader.others(key)], key=_step)
        yield key, points


def _step(point: tuple[int, Any]) -> int:
    return point[0]
