"""The failure report of a run, to the clipboard or into a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.errors import LaunchError

if TYPE_CHECKING:
    from launch_tui.sdk import Launch
    from launch_tui.tui.app import LaunchApp


def copy_report(app: LaunchApp, run_id: str) -> None:
    """Copy a run's failure report; one that is too long for the terminal goes to a file."""
    app.act(lambda launch: _report(launch, run_id), app.copy)


def save_report(app: LaunchApp, run_id: str) -> None:
    """Write a run's failure report to a file in the folder that one started from."""

    def write(launch: Launch) -> Path:
        path = Path.cwd() / f"launch-tui-report-{run_id}.txt"
        text = _report(launch, run_id).encode("utf-8", "backslashreplace")
        try:
            # Not followed where it is a link, and for the person's own eyes.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
                file.write(text)
        except OSError as error:
            raise LaunchError(f"cannot write {path}: {error.strerror}") from error
        return path

    app.act(write, lambda path: app.tell(f"wrote the report to {path}"))


def _report(launch: Launch, run_id: str) -> str:
    from launch_tui.sdk.report import failure_report

    return failure_report(launch, run_id)
