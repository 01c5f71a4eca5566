"""A shell beside a run, the UI standing aside meanwhile: what ``launch-tui shell RUN`` opens."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from launch_tui.sdk.shell import ContainerShell, Shell, shell_of
from launch_tui.tui.aside import standing_aside

if TYPE_CHECKING:
    from launch_tui.tui.app import LaunchApp


def open_shell(app: LaunchApp, run_id: str) -> None:
    """Open a shell where a run works, with what its job has before itself.

    Asking an engine may take seconds, so that is done off the loop; what cannot be opened is told.
    """
    app.act(
        lambda launch: shell_of(launch, run_id, os.environ, is_terminal=True),
        lambda found: _stand_aside(app, run_id, found),
        group="shell",
    )


def _stand_aside(app: LaunchApp, run_id: str, found: Shell | ContainerShell) -> None:
    command, environment, directory = _command(app, run_id, found)
    try:
        with standing_aside(app):
            sys.stdout.write(f"{found.place}; `exit` leaves\n")
            sys.stdout.flush()
            subprocess.run(command, cwd=directory, env=environment, check=False)
    except OSError as error:
        app.tell(f"{command[0]}: {error.strerror}", severity="error")


def _command(
    app: LaunchApp, run_id: str, found: Shell | ContainerShell
) -> tuple[list[str], dict[str, str], str | None]:
    """Return what to run, with which variables and where."""
    if isinstance(found, Shell):
        directory = None if found.directory is None else str(found.directory)
        return list(found.command), dict(found.environment), directory
    # Without a docker command the program itself carries the terminal, in a process of its own.
    own = [sys.executable, "-m", "launch_tui", "--home", str(app.home.root), "shell", run_id]
    return own, dict(os.environ), None
