"""Opening the comparison of runs from wherever runs are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.errors import LaunchError, UsageError
from launch_tui.sdk.comparing import MOST_RUNS, check_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from launch_tui.sdk import Launch
    from launch_tui.sdk.folding import Group
    from launch_tui.tui.app import LaunchApp

LOOKED_THROUGH = 500
"""Runs of a job among which the one before is looked for."""


def open_compare(app: LaunchApp, run_ids: Iterable[str], groups: Sequence[Group] = ()) -> None:
    """Compare runs; one alone with the run of its job before it.

    Args:
        app: The application.
        run_ids: Runs.
        groups: Groups, whose runs are meant too.
    """
    wanted = list(dict.fromkeys(run_ids))
    try:
        for group in groups:
            if group.size > MOST_RUNS:
                raise UsageError("RUN", f"group {group.id} has {group.size:,} runs: unfold it"
                                 f" ({app.key('runs.unfold')})")  # fmt: skip
            wanted += [run.id for run in app.launch.runs.group(group.id)]
        runs = beside(app.launch, wanted)
    except LaunchError as error:
        problem = error.problem if isinstance(error, UsageError) else error.cause
        marks = f"mark two to {MOST_RUNS} ({app.key('runs.mark')})"
        app.notify(f"{problem}: {marks}", severity="warning", timeout=4, markup=False)
        return
    from launch_tui.tui.screens.compare import CompareScreen

    app.push_screen(CompareScreen(runs))


def beside(launch: Launch, run_ids: Iterable[str]) -> list[str]:
    """Return runs in the order in which they stand beside each other: the oldest first.

    Args:
        launch: Where they are.
        run_ids: The runs; to one alone comes the one of its job that was enqueued before it.

    Raises:
        UsageError: When that is less than two or more than six.
    """
    runs = _oldest_first(launch, _with_one_before(launch, list(dict.fromkeys(run_ids))))
    check_number(len(runs))
    return runs


def _with_one_before(launch: Launch, run_ids: list[str]) -> list[str]:
    if len(run_ids) != 1:
        return run_ids
    run = launch.runs.get(run_ids[0])
    others = [other.id for other in launch.runs.list(job=run.job, limit=LOOKED_THROUGH)]
    at = others.index(run.id) + 1 if run.id in others else len(others)
    return [*others[at : at + 1], run.id]


def _oldest_first(launch: Launch, run_ids: Iterable[str]) -> list[str]:
    runs = [launch.runs.get(run_id) for run_id in dict.fromkeys(run_ids)]
    return [run.id for run in sorted(runs, key=lambda run: run.created_at)]
