"""Reads the tail of a file of metrics: points in the shape in which they were logged, by series.

A row of the tail holds the points of all the series that were logged together, so looking for one
series goes through all of it. Whoever wants many takes them in one pass.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from launch_tui.store._packed import unpack_steps

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Container

    from launch_tui.store._series_rows import Column


def tail_columns(
    connection: sqlite3.Connection, wanted: Container[int] | None = None
) -> dict[int, Column]:
    """Return steps and values of each series that has any in the tail, in the order of logging.

    Args:
        connection: The file.
        wanted: Numbers of series; all if left out.
    """
    places: dict[int, tuple[int, list[tuple[int, int]]]] = {}
    for shape, members in connection.execute("SELECT id, members FROM shape"):
        ids = array("I", members)
        mine = [(at, one) for at, one in enumerate(ids) if wanted is None or one in wanted]
        if mine:
            places[shape] = (len(ids), mine)
    columns: dict[int, Column] = {}
    for shape, packed_steps, packed in connection.execute(
        "SELECT shape, steps, packed FROM tail ORDER BY id"
    ):
        if shape not in places:
            continue
        width, mine = places[shape]
        numbers = array("d", packed)
        new_steps = unpack_steps(packed_steps, len(numbers) // width)
        for at, number in mine:
            steps, values = columns.setdefault(number, (array("q"), array("d")))
            steps.extend(new_steps)
            values.extend(numbers[at::width])
    return columns


def tail_of(connection: sqlite3.Connection, series: int) -> Column:
    """Return steps and values of one series in the tail."""
    return tail_columns(connection, (series,)).get(series) or (array("q"), array("d"))
