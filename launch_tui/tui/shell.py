"""A shell where a run works, the UI standing aside meanwhile."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from launch_tui.domain.queue import Resource

if TYPE_CHECKING:
    from pathlib import Path

    from launch_tui.domain.run import Run
    from launch_tui.tui.app import LaunchApp


def open_shell(app: LaunchApp, run_id: str) -> None:
    """Open the person's shell in the working directory of a run of this machine.

    The run's id and directory are in its environment, as its job has them.
    """
    run = app.launch.runs.get(run_id)
    folder = working_directory(app, run)
    if run.resource != Resource.LOCAL_PROCESS:
        app.tell(f"{run.id} is no process of this machine: {run.resource}", severity="warning")
        return
    if folder is None:
        app.tell(f"{run.id} has no working directory", severity="warning")
        return
    environ = {
        **os.environ,
        "LAUNCH_TUI_RUN_ID": run.id,
        "LAUNCH_TUI_RUN_DIR": str(app.home.shared(run.id)),
    }
    shell = os.environ.get("SHELL") or "/bin/sh"
    try:
        with app.suspend():
            subprocess.run([shell], cwd=folder, env=environ, check=False)
    except OSError as error:
        app.tell(f"{shell}: {error.strerror}", severity="error")


def working_directory(app: LaunchApp, run: Run) -> Path | None:
    """Return where a run's job works, else what there is of its directory."""
    spec = app.launch.runs.spec(run.id)
    attempt = app.home.attempt(run.id, run.attempt)
    folders = [attempt / "source", attempt, app.home.run(run.id)]
    if spec.in_place:
        from pathlib import Path

        folders.insert(0, Path(spec.in_place))
    return next((folder for folder in folders if folder.is_dir()), None)
