"""What ``wandb login`` leaves behind: a server's address in wandb's settings, a key in netrc.

A key is for the one process that needs it: who only wants to know whether there is one asks for
the file that has it. netrc is the person's, and other programs' too: the one change that is made
to it takes out the entry of a server, and is not made where anything else would change.
"""

from __future__ import annotations

import configparser
import netrc
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from launch_tui.domain.home_path import at_home
from launch_tui.errors import LaunchError
from launch_tui.store.durable import write_atomically

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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
    for file in _files(environ):
        parsed = _parsed(file)
        for machine in (*_machines(url), _ANY):
            if parsed is not None and machine in parsed.hosts and (key := parsed.hosts[machine][2]):
                return key, file
    return "", None


def netrc_to_write(environ: Mapping[str, str]) -> Path:
    """Return the file that ``wandb login`` writes a key into, as wandb chooses it."""
    files = _files(environ)
    return next((file for file in files if file.exists()), files[0])


def take_out_of_netrc(url: str, file: Path) -> None:
    """Take the entry of a server out of netrc, and leave all else as it is.

    Args:
        url: The server's address.
        file: The netrc.

    Raises:
        LaunchError: When it cannot be read or written, or the entry is not by itself on its lines.
    """
    machines = _machines(url)
    before = _parsed(file)
    if before is None or not any(machine in before.hosts for machine in machines):
        raise LaunchError(f"{file} has no entry of its own for {machines[0]}", next_step=_BY_HAND)
    # Where the file is a link, what it leads to is what is changed.
    target = file.resolve()
    left = _without(target.read_bytes().decode(), machines)
    after = _read(left)
    hosts = {name: each for name, each in before.hosts.items() if name not in machines}
    if after is None or (after.hosts, after.macros) != (hosts, before.macros):
        raise LaunchError(
            f"{file}: the entry of {machines[0]} stands among others", next_step=_BY_HAND
        )
    write_atomically(target, left.encode(), mode=stat.S_IMODE(target.stat().st_mode))


_ANY = "default"
_BY_HAND = "take it out with an editor"


def _files(environ: Mapping[str, str]) -> list[Path]:
    named = environ.get("NETRC")
    paths = [named] if named else ["~/.netrc", "~/_netrc"]
    return [at_home(path) for path in paths]


def _machines(url: str) -> tuple[str, ...]:
    """Return what a server is called in netrc: wandb writes its port, others do not."""
    parts = urlsplit(url)
    return tuple(dict.fromkeys((parts.netloc, parts.hostname or "")))


def _parsed(file: Path) -> netrc.netrc | None:
    try:
        return netrc.netrc(file)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return None


def _without(text: str, machines: Collection[str]) -> str:
    """Return a netrc without the lines from a machine's own to the next entry's, but remarks."""
    left, inside = [], False
    for line in text.splitlines(keepends=True):
        first, second, *_ = (*line.split(), "", "")
        if first in ("machine", _ANY, "macdef"):
            inside = first == "machine" and second in machines
        if not inside or first.startswith("#"):
            left.append(line)
    return "".join(left)


def _read(text: str) -> netrc.netrc | None:
    """Return a text as netrc understands it, by a file without a name: there are keys in it."""
    with tempfile.TemporaryFile() as draft:
        draft.write(text.encode())
        draft.seek(0)
        return _parsed(Path(f"/dev/fd/{draft.fileno()}"))
