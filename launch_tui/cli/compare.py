"""``compare``: what differs between runs, in configuration and in results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_tui.cli.output import brief, flattened, print_json, say, table
from launch_tui.cli.times import between

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.cli.parsing import Arguments
    from launch_tui.domain.run import Run

_FIELDS = ("name", "job", "version", "queue", "state", "cause", "exit_code")


def compare(arguments: Arguments) -> int:
    """Print a table with a column for each run and a row for each thing that differs."""
    with arguments.open() as sdk:
        found = [sdk.runs.get(reference) for reference in dict.fromkeys(arguments.words)]
    everything = arguments.on("all")
    parts = {
        "run": _differing([_described(run) for run in found], everything),
        "config": _differing([dict(flattened(dict(run.config))) for run in found], everything),
        "summary": _differing([dict(flattened(dict(run.summary))) for run in found], everything),
    }
    if arguments.json:
        print_json({"runs": [run.id for run in found], **parts})
        return 0
    rows = [
        (key if part == "run" else f"{part}.{key}", *map(_shown, values))
        for part, keys in parts.items()
        for key, values in keys.items()
    ]
    if not rows:
        say("no differences")
    table(("", *(run.id for run in found)), rows)
    return 0


def _described(run: Run) -> dict[str, Any]:
    fields = {name: getattr(run, name) for name in _FIELDS}
    return {**fields, "took": between(run.started_at, run.ended_at)}


def _differing(columns: Sequence[dict[str, Any]], everything: bool) -> dict[str, list[Any]]:
    """Return the values of each key over the runs, of those that differ; None where one is not."""
    keys = dict.fromkeys(key for column in columns for key in column)
    rows = {key: [column.get(key) for column in columns] for key in keys}
    if everything:
        return rows
    return {key: values for key, values in rows.items() if any(v != values[0] for v in values)}


def _shown(value: Any) -> str:  # noqa: ANN401
    return "-" if value is None or value == "" else brief(value)
