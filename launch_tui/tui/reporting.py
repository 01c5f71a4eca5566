"""The failure report of a run, to the clipboard or into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch_tui.sdk import Launch
    from launch_tui.tui.app import LaunchApp


def copy_report(app: LaunchApp, run_id: str) -> None:
    """Copy a run's failure report; one that is too long for the terminal goes to a file."""

    def report(launch: Launch) -> str:
        from launch_tui.sdk.report import failure_report

        return failure_report(launch, run_id)

    app.act(report, app.copy)


def save_report(app: LaunchApp, run_id: str) -> None:
    """Write a run's failure report to a file in the folder that one started from."""

    def write(launch: Launch) -> Path:
        from launch_tui.sdk.report import failure_report, write_report

        path = Path.cwd() / f"launch-tui-report-{run_id}.txt"
        write_report(path, failure_report(launch, run_id))
        return path

    app.act(write, lambda path: app.tell(f"wrote the report to {path}"))
