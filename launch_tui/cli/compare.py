"""``compare``: what differs between runs, in configuration and in results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_tui.cli.output import brief, print_json, say, table
from launch_tui.cli.times import between
from launch_tui.sdk.comparing import compare as compared
from launch_tui.sdk.comparing import each_once

if TYPE_CHECKING:
    from launch_tui.cli.parsing import Arguments


def compare(arguments: Arguments) -> int:
    """Print a table with a column for each run and a row for each thing that differs."""
    with arguments.open() as sdk:
        found = each_once([sdk.runs.get(reference) for reference in arguments.words])
    took = [{"took": between(run.started_at, run.ended_at)} for run in found]
    parts = compared(found, everything=arguments.on("all"), more=took).parts
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


def _shown(value: Any) -> str:  # noqa: ANN401
    return "-" if value is None or value == "" else brief(value)
