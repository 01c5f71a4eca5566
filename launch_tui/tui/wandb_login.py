"""Logging in to W&B with wandb's own command, the UI standing aside meanwhile, and out again.

Nothing is sent and nothing written before it has been said where to and been agreed to.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import TYPE_CHECKING

from launch_tui.sdk.wandb_login import (
    Keys,
    keys,
    log_out,
    login_command,
    login_environment,
    netrc_of,
    python_for_login,
)
from launch_tui.tui.aside import standing_aside
from launch_tui.tui.screens.confirm import Choice, Confirm

if TYPE_CHECKING:
    from launch_tui.sdk import Launch
    from launch_tui.tui.app import LaunchApp

_TOLD_S = 10.0


def ask_to_log_in(app: LaunchApp, run_id: str = "") -> None:
    """Say what ``wandb login`` does with a key, and run it when that is wanted.

    Args:
        app: The application, which leaves the terminal to it.
        run_id: The run whose wandb is taken; that of the newest where it is empty.
    """

    def look(launch: Launch) -> tuple[Keys, tuple[str, ...]]:
        return keys(launch, os.environ), python_for_login(launch, run_id)

    app.act(look, lambda found: _ask(app, *found), group="wandb-login")


def ask_to_log_out(app: LaunchApp) -> None:
    """Take the key out of netrc once that is wanted, or say where the key is."""
    app.act(
        lambda launch: keys(launch, os.environ), lambda found: _ask_out(app, found),
        group="wandb-login",
    )  # fmt: skip


def _ask(app: LaunchApp, found: Keys, python: tuple[str, ...]) -> None:
    if not python:
        file = app.home.root / "secrets" / "WANDB_API_KEY"
        app.tell(
            "no Python here has wandb to log in with: pip install wandb where launch-tui is "
            f"installed, or write your key to {file} (mode 0600)",
            severity="warning", seconds=_TOLD_S,
        )  # fmt: skip
        return
    told = [
        f"wandb login gets the terminal and asks for your API key for {found.host}.",
        f"wandb writes it into {netrc_of(os.environ)}; newer ones first send it to that server, "
        "to check it.",
        "launch_tui neither sees nor keeps it: the agent reads it there when a run is to be sent.",
    ]
    if first := found.before_netrc:
        told.append(f"In force stays {first}, which comes first.")
    told.append(f"It is the wandb of {' '.join(python)}.")
    modal = Confirm("Log in to W&B", "\n".join(told), (Choice("login", "Log in", key="l"),))
    app.ask(modal, lambda _: _log_in(app, found, python))


def _log_in(app: LaunchApp, found: Keys, python: tuple[str, ...]) -> None:
    command = login_command(python, found.url)
    try:
        # wandb leaves a folder where it is called.
        with tempfile.TemporaryDirectory(prefix="launch-tui-") as folder, standing_aside(app):
            status = subprocess.run(
                command, cwd=folder, env=login_environment(os.environ), check=False
            ).returncode
    except OSError as error:
        app.tell(f"{command[0]}: {error.strerror}", severity="error")
        return
    app.act(lambda launch: keys(launch, os.environ), lambda now: _tell(app, now, status))


def _tell(app: LaunchApp, now: Keys, status: int) -> None:
    if status:
        app.tell(f"wandb login ended with status {status}", severity="warning", seconds=_TOLD_S)
    elif now.netrc is None:
        app.tell(f"wandb login ended well, and left no key for {now.host} in netrc",
                 severity="warning", seconds=_TOLD_S)  # fmt: skip
    else:
        first = f"; in force is {now.before_netrc}" if now.before_netrc else ""
        app.tell(f"logged in: the key for {now.host} is in {now.netrc}{first}", seconds=_TOLD_S)


def _ask_out(app: LaunchApp, found: Keys) -> None:
    if found.netrc is None:
        where = found.before_netrc
        app.tell(
            f"the key for {found.host} is {where}: it is yours to take away" if where
            else f"not logged in: no key for {found.host} in netrc, the environment or the data "
            "directory (a keyring is not asked)",
            severity="warning", seconds=_TOLD_S,
        )  # fmt: skip
        return
    told = [
        f"The key for {found.host} is taken out of {found.netrc}; all else there stays.",
        "wandb itself, and whatever else reads it there, is logged out with it.",
        "It stays valid: the server is told nothing. Its settings there can revoke it.",
    ]
    if first := found.before_netrc:
        told.append(f"In force stays {first}.")
    choice = Choice("logout", "Log out", key="l", dangerous=True)
    modal = Confirm("Log out of W&B", "\n".join(told), (choice,), default="")
    app.ask(
        modal,
        lambda _: app.act(
            lambda _: log_out(found),
            lambda _: app.tell(f"logged out: {found.netrc} has no key for {found.host}"),
        ),
    )
