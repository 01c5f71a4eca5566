"""``launch --watch``: launches again whenever the folder changes.

Only a change of the snapshot counts: what the job or an editor writes into ignored files (wandb/,
checkpoints, swap files) makes no new version and so no new run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.cli.launch import hint, resolved, tell
from launch_tui.cli.output import complain, notes, say
from launch_tui.cli.requests import launch_request, place_of
from launch_tui.errors import LaunchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk import Launch

QUIET_MS = 300
"""A folder has changed once it was left alone for so long: editors and git write in bursts."""

ROUND_MS = 200


def watch(arguments: Arguments) -> int:
    """Launch now, and again after each change, until interrupted."""
    request = launch_request(arguments)
    place = place_of(arguments, request.job)
    if place is None or place.git:
        raise UsageError("--watch", "needs a folder", allowed="-- COMMAND, or -u PATH")
    folder = Path(place.path).resolve()
    with arguments.open() as sdk:
        version = _launch_if_changed(sdk, arguments, "")
        hint(sdk)
        told = False
        for changed in _changes(folder, sdk.home.root):
            # The first round comes once the folder is watched: what changed before counts too.
            if changed or not told:
                try:
                    version = _launch_if_changed(sdk, arguments, version)
                except LaunchError as error:
                    # A half-written file today is a whole one at the next change.
                    complain(error)
            if not told:
                say(f"watching {folder}: ctrl-c ends it")
                told = True
    return 0


def _launch_if_changed(sdk: Launch, arguments: Arguments, before: str) -> str:
    """Launch unless the folder's job is still in the version of before; return its version."""
    request = resolved(sdk, arguments, launch_request(arguments))
    if request.job != before:
        tell(sdk.launch(request), json=arguments.json)
        notes(sdk.warnings)
    return request.job


def _changes(folder: Path, home: Path) -> Iterator[object]:
    """Yield the changes of a folder, and nothing (an empty set) while there are none."""
    from watchfiles import DefaultFilter, watch

    ignored = (*DefaultFilter.ignore_dirs, "wandb")
    only = DefaultFilter(ignore_dirs=ignored, ignore_paths=[home])
    return watch(
        folder,
        watch_filter=only,
        debounce=60_000,
        step=QUIET_MS,
        rust_timeout=ROUND_MS,
        yield_on_timeout=True,
    )
