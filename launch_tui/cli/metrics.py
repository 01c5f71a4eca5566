"""``metrics``: what a run logged through wandb, by key and step."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from launch_tui.cli.output import brief, print_json, print_json_object, say, table
from launch_tui.cli.parsing import nearest
from launch_tui.errors import NotFound
from launch_tui.sdk.points import points_of_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk.points import Points
    from launch_tui.store.series import SeriesInfo


def metrics(arguments: Arguments) -> int:
    """Print the keys of a run, or every value of some of them."""
    reference, *patterns = arguments.words
    with arguments.open() as sdk:
        run_id = sdk.runs.resolve(reference)
        reader = sdk.runs.series(run_id)
    if reader is None:
        _require_none(run_id, patterns, ())
        print_json({}) if arguments.json else say(f"{run_id} has logged no metrics")
        return 0
    with reader:
        logged = reader.keys()
        infos = {info.name: info for info in logged}
        keys = _chosen(run_id, list(infos), patterns)
        if arguments.json:
            print_json_object(points_of_many(reader, [infos[key] for key in keys]))
        elif patterns:
            _print_values(dict(points_of_many(reader, [infos[key] for key in keys])))
        else:
            _print_keys([infos[key] for key in keys])
    return 0


def _chosen(run_id: str, known: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Return the keys that the words name (``*`` and ``?`` match); all without words."""
    if not patterns:
        return list(known)
    keys: list[str] = []
    for pattern in patterns:
        matching = [pattern] if pattern in known else fnmatch.filter(known, pattern)
        if not matching:
            _require_none(run_id, [pattern], known)
        keys += matching
    return list(dict.fromkeys(keys))


def _require_none(run_id: str, patterns: Sequence[str], known: Sequence[str]) -> None:
    for pattern in patterns:
        near = nearest(pattern, known)
        allowed = near or ", ".join(known[:20]) or "none yet"
        raise NotFound("KEY", f"{run_id} has logged no {pattern!r}", allowed=allowed)


def _print_keys(infos: Sequence[SeriesInfo]) -> None:
    rows = [
        (
            info.name,
            info.count + info.others,
            info.last_step,
            brief(info.last if info.count else info.last_other),
            "" if info.minimum is None else brief(info.minimum),
            "" if info.maximum is None else brief(info.maximum),
        )
        for info in infos
    ]
    table(("KEY", "POINTS", "STEP", "LAST", "MIN", "MAX"), rows)


def _print_values(series: dict[str, Points]) -> None:
    """Print a table with a row for each step and a column for each key."""
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for key, points in series.items():
        seen: dict[int, int] = {}
        for step, value in points:
            # A step that was logged twice is two rows.
            seen[step] = seen.get(step, -1) + 1
            rows.setdefault((step, seen[step]), {})[key] = value
    table(
        ("STEP", *series),
        [
            (step, *(brief(values[key]) if key in values else "" for key in series))
            for (step, _), values in sorted(rows.items(), key=lambda row: row[0])
        ],
    )
