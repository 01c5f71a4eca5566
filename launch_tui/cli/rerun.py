"""``rerun``: a run again, with the same pinned source and the changes that are given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from launch_tui.cli.launch import report
from launch_tui.cli.output import notes
from launch_tui.cli.requests import launch_request
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from launch_tui.cli.parsing import Arguments


def rerun(arguments: Arguments) -> int:
    """Enqueue a run again."""
    reference, *words = arguments.words
    for word in words:
        if "=" not in word:
            raise UsageError(word, "is no key=value", allowed="launch-tui rerun RUN key=value...")
    changes = launch_request(arguments, words)
    if changes.job:
        raise UsageError("-c", "a rerun keeps its job", allowed="run_config, entry_point")
    if not arguments.on("queue"):
        changes = replace(changes, queue="")
    with arguments.open() as sdk:
        enqueued = sdk.rerun(reference, changes)
        notes(sdk.warnings)
        return report(sdk, arguments, enqueued)
