"""The values of a metric as CSV: what one pastes into a sheet or a notebook."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.sdk import Launch
    from launch_tui.tui.curves import Key

Points = list[tuple[float, float]]
Span = tuple[float, float]


def write_csv(launch: Launch, spans: Mapping[str, Span | None], key: Key) -> str:
    """Return every value of a key, a row for each step and a column for each run.

    Reads all points: call it off the UI's loop.

    Args:
        launch: Where the runs are.
        spans: The runs, and of each from which step to which; None for all.
        key: The key. System metrics have times, in seconds since the epoch, instead of steps.
    """
    runs = list(spans)
    columns = [_points(launch, run_id, key, spans[run_id]) for run_id in runs]
    rows: dict[tuple[float, int], list[str]] = {}
    for number, points in enumerate(columns):
        seen: dict[float, int] = {}
        for step, value in points:
            # A step that was logged twice is two rows.
            seen[step] = seen.get(step, -1) + 1
            row = rows.setdefault((step, seen[step]), [""] * len(runs))
            row[number] = repr(value)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [key.title] if len(runs) == 1 else [f"{run_id} {key.title}" for run_id in runs]
    writer.writerow(["time" if key.system else "step", *names])
    for (step, _), row in sorted(rows.items(), key=lambda item: item[0]):
        writer.writerow([step, *row])
    return out.getvalue()


def _points(launch: Launch, run_id: str, key: Key, span: Span | None) -> Points:
    reader = launch.runs.series(run_id)
    if reader is None:
        return []
    with reader:
        points: Points = (
            list(reader.stats_points(key.name)) if key.system else list(reader.points(key.name))
        )
    if span is None:
        return points
    return [(step, value) for step, value in points if span[0] <= step <= span[1]]
