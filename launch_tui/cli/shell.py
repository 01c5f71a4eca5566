"""``shell``: a shell where a run runs, with what its job has before itself."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from launch_tui.cli.output import say
from launch_tui.errors import LaunchError
from launch_tui.sdk.shell import ContainerShell, Shell, shell_of

if TYPE_CHECKING:
    from launch_tui.cli.parsing import Arguments


def shell(arguments: Arguments) -> int:
    """Open a shell beside a run; its exit status is that of the shell."""
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    with arguments.open() as sdk:
        found = shell_of(sdk, arguments.words[0], os.environ, is_terminal=is_terminal)
    if is_terminal:
        say(f"{found.place}; `exit` leaves")
    if isinstance(found, ContainerShell):
        from launch_tui.engine.terminal import run_in_container

        return run_in_container(found.engine, found.container, found.command, found.variables)
    return _become(found)


def _become(found: Shell) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        if found.directory is not None:
            os.chdir(found.directory)
        os.execvpe(found.command[0], found.command, dict(found.environment))
    except OSError as error:
        raise LaunchError(
            f"{error.filename or found.command[0]}: {error.strerror}",
            next_step="Set SHELL to a shell that is there",
        ) from error
