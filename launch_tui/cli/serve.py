"""``serve``: the screens in a browser on this machine, to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.errors import LaunchError, UsageError

if TYPE_CHECKING:
    from launch_tui.cli.parsing import Arguments

PORT = 8765
_LAST_PORT = 65535


def serve(arguments: Arguments) -> int:
    """Serve the screens on loopback until interrupted."""
    given = arguments.number("port")
    port = PORT if given is None else given
    if not 0 <= port <= _LAST_PORT:
        raise UsageError("--port", f"{port} is no port", allowed="1 to 65535, 0: any that is free")
    with arguments.open(read_only=True) as sdk:
        home = sdk.home
    try:
        from launch_tui.cli.web import run
    except ModuleNotFoundError as error:
        raise LaunchError(
            f"serve needs what is not installed ({error.name})",
            next_step="pip install 'launch-tui[serve]'",
        ) from None
    try:
        return run(home, port)
    except OSError as error:
        raise LaunchError(
            f"port {port} of loopback cannot be had: {error.strerror}",
            next_step="give another one with --port, or --port 0 for any that is free",
        ) from None
