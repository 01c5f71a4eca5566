"""Logging in to a W&B server by wandb's own ``wandb login``, and where the keys for it are.

launch_tui is handed no key: wandb asks for it and writes it into netrc, from where the agent takes
it when a run is to be sent. wandb has no command that undoes this, so that is done here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from launch_tui.errors import NotFound, UsageError
from launch_tui.tracking.variables import STRIPPED
from launch_tui.tracking.wandb_login import (
    KEY,
    PUBLIC,
    URL,
    address_in_settings,
    key_in_netrc,
    netrc_to_write,
    take_out_of_netrc,
)
from launch_tui.tracking.wandb_sync import python_with_wandb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.sdk import Launch


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Where the keys for a server are, in the order in which an agent looks.

    ``variable`` says whether this process has ``WANDB_API_KEY``; an agent of another process may
    have another environment. ``secret`` is a file of the data directory, ``netrc`` what
    ``wandb login`` writes; None where there is no key. A keyring is not asked: it may wait for
    somebody to unlock it.
    """

    url: str
    variable: bool
    secret: Path | None
    netrc: Path | None

    @property
    def host(self) -> str:
        """The server, with its port where it has one of its own."""
        return urlsplit(self.url).netloc

    @property
    def before_netrc(self) -> str:
        """What comes before a key in netrc; empty where nothing does."""
        if self.variable:
            return f"{KEY} of this program's environment"
        return str(self.secret) if self.secret is not None else ""


def keys(launch: Launch, environ: Mapping[str, str]) -> Keys:
    """Return where the keys for the person's server are.

    Args:
        launch: The data directory.
        environ: This process's environment.

    Raises:
        UsageError: When ``WANDB_BASE_URL`` is no address.
    """
    url = (environ.get(URL) or address_in_settings(environ) or PUBLIC).strip().rstrip("/")
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        raise UsageError(URL, f"{url!r} is no address", allowed="http(s)://HOST")
    secret = launch.home.root / "secrets" / KEY
    return Keys(
        url=url,
        variable=bool(environ.get(KEY)),
        secret=secret if secret.exists() else None,
        netrc=key_in_netrc(url, environ)[1],
    )


def python_for_login(launch: Launch, reference: str = "") -> tuple[str, ...]:
    """Return what starts a Python that has wandb: that of a run, else one that stands in.

    It starts some to see, which takes a second each; none is downloaded.

    Args:
        launch: The data directory.
        reference: The run; the newest where it is empty.

    Returns:
        The words; none where no Python has wandb.
    """
    try:
        run = launch.runs.get(reference) if reference else None
    except NotFound:
        run = None
    run = run or next(iter(launch.runs.list(limit=1)), None)
    if run is None:
        return python_with_wandb(launch.home.runs, 0)
    return python_with_wandb(Path(run.directory), run.attempt)


def login_command(python: tuple[str, ...], url: str) -> list[str]:
    """Return the command that asks for a key for a server and keeps it."""
    return [*python, "-m", "wandb", "login", "--relogin", "--host", url]


def login_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for it: offline, or as a part of a run, wandb would not log in."""
    return {name: value for name, value in environ.items() if name not in STRIPPED}


def netrc_of(environ: Mapping[str, str]) -> Path:
    """Return the file that ``wandb login`` writes into."""
    return netrc_to_write(environ)


def log_out(found: Keys) -> None:
    """Take the key out of netrc; what else there is stays.

    Raises:
        LaunchError: When it cannot be taken out by itself.
    """
    if found.netrc is not None:
        take_out_of_netrc(found.url, found.netrc)
