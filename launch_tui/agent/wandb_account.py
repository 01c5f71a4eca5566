"""The person's own W&B server and key, for what is to be sent there; only names are kept here.

The address is ``WANDB_BASE_URL`` of the job, else of the agent, else that of wandb's own settings,
else W&B's. The key is ``WANDB_API_KEY`` of the job, else a secret of that name (the agent's
environment, the folder of secrets, a keyring), else what ``wandb login`` wrote into netrc. It goes
into the environment of the one process that needs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from launch_tui.agent.secret_values import find_secret
from launch_tui.domain.sync import WandbMode
from launch_tui.errors import StartFailed
from launch_tui.tracking.wandb_login import KEY, PUBLIC, URL, address_in_settings, key_in_netrc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from launch_tui.domain.spec import RunSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where runs are sent to, and with which key."""

    base_url: str
    key: str = field(repr=False)

    @property
    def variables(self) -> dict[str, str]:
        """What tells wandb of it."""
        return {URL: self.base_url, KEY: self.key}


def account(given: Mapping[str, str], root: Path, environ: Mapping[str, str]) -> Account:
    """Return the person's account.

    Args:
        given: Variables that the queue or the launch gives the job.
        root: The data directory.
        environ: The agent's environment.

    Raises:
        StartFailed: When the address is none, or nobody has a key for it.
    """
    url = given.get(URL) or environ.get(URL) or address_in_settings(environ) or PUBLIC
    url = url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise StartFailed(
            f"{URL} is no address: {url!r}", next_step=f"set {URL} to http(s)://HOST, then rerun"
        )
    key = given.get(KEY) or find_secret(KEY, root, environ) or key_in_netrc(url, environ)[0]
    if not key:
        file = root / "secrets" / KEY
        raise StartFailed(
            f"there is no W&B key for {host}: neither the agent's environment nor {file} nor a "
            "keyring nor netrc has one",
            next_step=f"write it to {file} (mode 0600), or wandb login --host {url}; try again",
        )
    return Account(base_url=url, key=key)


def online_variables(
    spec: RunSpec, given: Mapping[str, str], root: Path, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return what a job needs for ``wandb: online``; nothing for a job that records offline.

    Raises:
        StartFailed: When there is no account to send it to.
    """
    if spec.resources.get("wandb") != WandbMode.ONLINE:
        return {}
    return account(given, root, environ).variables
