"""What ``wandb login`` leaves behind: a server's address in wandb's settings, a key in netrc.

Read here and never written. A key is for the one process that needs it: who only wants to know
whether there is one asks for the file that has it.
"""

from __future__ import annotations

import configparser
import netrc
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

PUBLIC = "https://api.wandb.ai"
URL, KEY = "WANDB_BASE_URL", "WANDB_API_KEY"


def address_in_settings(environ: Mapping[str, str]) -> str:
    """Return the address that ``wandb login --host`` noted in wandb's settings; empty for none."""
    folder = environ.get("WANDB_CONFIG_DIR") or str(Path.home() / ".config" / "wandb")
    settings = configparser.ConfigParser(interpolation=None)
    try:
        settings.read(Path(folder) / "settings", encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return ""
    # wandb's section is called "default", which only differs in case from configparser's own.
    return settings.get("default", "base_url", fallback="")


def key_in_netrc(url: str, environ: Mapping[str, str]) -> tuple[str, Path | None]:
    """Return the key that netrc has for a server, and the file; empty and None where it has none.

    Args:
        url: The server's address.
        environ: Its ``NETRC`` names the file, as wandb has it.
    """
    parts = urlsplit(url)
    # wandb writes a server with its port; netrc as others know it has none.
    machines = (parts.netloc, parts.hostname or "", "default")
    named = environ.get("NETRC")
    for path in [named] if named else ["~/.netrc", "~/_netrc"]:
        file = Path(os.path.expanduser(path))  # noqa: PTH111
        try:
            hosts = netrc.netrc(file).hosts
        except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
            continue
        for machine in machines:
            if machine in hosts and (key := hosts[machine][2]):
                return key, file
    return "", None
