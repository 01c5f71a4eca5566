"""What a build of an image is told of this machine's network: package index, certificates, proxies.

The index goes in as a secret, so neither it nor its password is in a layer, in the history or in a
key. Only what a container can reach is passed on: no folder of this machine, and nothing that
listens on its loopback.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from launch_tui.builders.package_index import (
    UV_INDEX_VARIABLES,
    pip_settings,
    redacted,
    translated,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_LISTS = {
    "UV_DEFAULT_INDEX": " ",
    "UV_INDEX_URL": " ",
    "UV_INDEX": " ",
    "UV_EXTRA_INDEX_URL": " ",
    "UV_FIND_LINKS": ",",
    "PIP_INDEX_URL": " ",
    "PIP_EXTRA_INDEX_URL": " ",
    "PIP_FIND_LINKS": " ",
}
"""The variables that hold addresses, and what stands between two of them."""
_OTHERS = ("UV_INDEX_STRATEGY", "UV_INSECURE_HOST")
_PIP_NAMES = {
    "index-url": "PIP_INDEX_URL",
    "extra-index-url": "PIP_EXTRA_INDEX_URL",
    "find-links": "PIP_FIND_LINKS",
    "trusted-host": "PIP_TRUSTED_HOST",
}
_INDEX_LOGIN = re.compile(r"UV_INDEX_\w+_(?:USERNAME|PASSWORD)")
_INDEX_NAME = re.compile(r"^[\w-]+=")
_LOGIN = re.compile(r"://([^/@\s]+)@")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY")
_NO_PROXY = "NO_PROXY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is passed on to a build.

    ``index`` are variables for pip and uv, ``certificates`` a file of this machine, ``proxies``
    variables that the builder knows itself and keeps out of the history. ``notes`` say what was
    passed on and what was not, without passwords.
    """

    index: Mapping[str, str] = field(default_factory=dict, repr=False)
    certificates: Path | None = None
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def passwords(self) -> tuple[str, ...]:
        """What must not be seen of them."""
        values = (*self.index.values(), *self.proxies.values())
        found = [login for value in values for login in _LOGIN.findall(value)]
        found += [value for name, value in self.index.items() if _INDEX_LOGIN.fullmatch(name)]
        return tuple(part for login in found for part in (login, login.partition(":")[2]) if part)

    @property
    def script(self) -> str:
        """The index as a shell reads it."""
        return "".join(f"export {name}={shlex.quote(v)}\n" for name, v in self.index.items())


def surroundings(environ: Mapping[str, str]) -> Surroundings:
    """Return what a build is to be told, taken from these variables and pip's files."""
    notes: list[str] = []
    settings = pip_settings(environ)
    index: dict[str, str] = {}
    for name, value in (_of_uv(environ, settings) | _of_pip(settings)).items():
        # pip, which only installs uv, is told the same once more.
        said = notes if name.startswith("UV_") else []
        separator = _LISTS.get(name)
        kept = value if separator is None else _reachable(name, value, separator, said)
        if kept:
            index[name] = kept
    certificates = environ.get("SSL_CERT_FILE") or settings.get("cert") or ""
    file = Path(certificates) if certificates and Path(certificates).is_file() else None
    return Surroundings(
        index=index, certificates=file, proxies=_proxies(environ, notes), notes=tuple(notes)
    )


def _of_uv(environ: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    if not any(environ.get(name) for name in UV_INDEX_VARIABLES):
        found = translated(settings)
        return {name: found[name] for name in (*_LISTS, *_OTHERS) if name in found}
    names = [name for name in environ if name in _LISTS or name in _OTHERS]
    names += [name for name in environ if _INDEX_LOGIN.fullmatch(name)]
    return {name: environ[name] for name in names if name.startswith("UV_") and environ[name]}


def _of_pip(settings: Mapping[str, str]) -> dict[str, str]:
    return {
        _PIP_NAMES[key]: " ".join(v.split()) for key, v in settings.items() if key in _PIP_NAMES
    }


def _reachable(name: str, value: str, separator: str, notes: list[str]) -> str:
    kept = []
    for entry in value.replace("\n", separator).split(separator):
        address = _INDEX_NAME.sub("", entry.strip())
        if not address:
            continue
        if _is_remote(address):
            kept.append(entry.strip())
            notes.append(f"{name}={redacted(address)}, as on this machine")
        else:
            notes.append(f"{name}: {redacted(address)} is only on this machine, not passed on")
    return separator.join(kept)


def _proxies(environ: Mapping[str, str], notes: list[str]) -> dict[str, str]:
    found = {}
    for upper in _PROXIES:
        for name in (upper, upper.lower()):
            value = environ.get(name, "")
            if value and _is_remote(value, any_scheme=True):
                found[name] = value
            elif value:
                notes.append(f"{name}={redacted(value)} is only on this machine, not passed on")
    if found:
        notes += [f"{name}={redacted(value)}, as on this machine" for name, value in found.items()]
        found |= {n: environ[n] for n in (_NO_PROXY, _NO_PROXY.lower()) if environ.get(n)}
    return found


def _is_remote(address: str, *, any_scheme: bool = False) -> bool:
    """Whether a container reaches the address: one of the network, and not this machine's own."""
    if any_scheme and "://" not in address:
        address = f"http://{address}"
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    if not host or not (any_scheme or parts.scheme in ("http", "https")):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
