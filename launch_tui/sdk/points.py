"""The values of one metric of a run, in the order in which a person reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from launch_tui.store.series import SeriesReader

Points = list[tuple[int, Any]]


def points_of(reader: SeriesReader, key: str) -> Points:
    """Return steps and values, numbers and others, in the order of their steps."""
    points: Points = list(reader.points(key))
    others = reader.others(key)
    return sorted([*points, *others], key=lambda point: point[0]) if others else points
