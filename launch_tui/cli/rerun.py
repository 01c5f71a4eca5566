"""``rerun``: a run again, with the same pinned source and the changes that are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.cli.groups import group_of
from launch_tui.cli.launch import report, report_group
from launch_tui.cli.requests import launch_request
from launch_tui.cli.resources import named_by_flags
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk import LaunchRequest


def rerun(arguments: Arguments) -> int:
    """Enqueue a run, or the runs of a group, again."""
    reference, *words = arguments.words
    changes = _changes(arguments, words)
    with arguments.open() as sdk:
        if group_of(sdk, reference) is None:
            if arguments.on("failed"):
                problem = f"{reference} is a run by itself"
                raise UsageError("--failed", problem, allowed="with the id of a group")
            with named_by_flags(arguments):
                enqueued = sdk.rerun(reference, changes)
            return report(sdk, arguments, enqueued)
        if arguments.on("follow"):
            raise UsageError("--follow", "follows one run, not a group", allowed="--wait")
        failed = arguments.on("failed")
        with named_by_flags(arguments):
            group = sdk.rerun_group(reference, changes, failed_only=failed)
        return report_group(sdk, arguments, {}, group)


def _changes(arguments: Arguments, words: list[str]) -> LaunchRequest:
    for word in words:
        if "=" not in word:
            raise UsageError(word, "is no key=value", allowed="launch-tui rerun RUN key=value...")
    changes = launch_request(arguments, words, queue="")
    if changes.job:
        raise UsageError("-c", "a rerun keeps its job", allowed="run_config, entry_point")
    return changes
