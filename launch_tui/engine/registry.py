"""Which digest a name stands for now, asked of the registry itself: the engine would have to pull.

Loopback and what the engine lists as insecure is asked as the engine does it: by HTTPS without a
check of who answers, then by HTTP. Everything else is asked by HTTPS, with the CAs of this machine
and those that the engine has for the registry.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from launch_tui.domain.image import DOCKER_HUB
from launch_tui.engine.credentials import find_login
from launch_tui.engine.registry_failure import registry_failed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.image import ImageReference

DEADLINE_S = 60.0
"""How long all of it may take; each answer has its own, shorter time."""
CERTIFICATES = Path("/etc/docker/certs.d")
"""Where the engine's CAs and client certificates of registries are, a folder for each."""
HUB_HOST = f"registry-1.{DOCKER_HUB}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to reach a registry."""

    address: str
    context: ssl.SSLContext
    proxied: bool


async def manifest_digest(
    reference: ImageReference, environ: Mapping[str, str], *, insecure: Sequence[str] = ()
) -> str | None:
    """Return the digest that a name stands for in its registry; None when it has no such image.

    Docker Hub denies what does not exist, so a repository that is not there yet may be told as
    one that needs a login.

    Args:
        reference: The image.
        environ: The variables that say where the user's logins are.
        insecure: Hosts and networks that the engine asks unchecked (``EngineFacts.insecure``).

    Raises:
        RegistryError: When it refuses, or cannot be reached.
    """
    from launch_tui.engine.registry_api import RegistryApi, Unreached

    if reference.digest:
        return reference.digest
    registry = reference.registry
    login = await asyncio.to_thread(find_login, registry, environ)
    api = RegistryApi(reference, login)
    words = ""
    try:
        async with asyncio.timeout(DEADLINE_S):
            for way in await asyncio.to_thread(_ways, registry, tuple(insecure)):
                try:
                    return await api.digest(way)
                except Unreached as unreached:
                    words = str(unreached)
    except TimeoutError:
        words = f"i/o timeout: no answer within {DEADLINE_S:g} s"
    raise registry_failed(f"cannot look up {reference}", words, registry, login)


def _ways(registry: str, insecure: Sequence[str]) -> list[Way]:
    """Return how the registry is to be asked, the best way first."""
    host = HUB_HOST if registry == DOCKER_HUB else registry
    addresses = _addresses(host)
    local = bool(addresses) and all(address.is_loopback for address in addresses)
    if not local and not _is_listed(registry, addresses, insecure):
        return [Way(address=f"https://{host}", context=_checked(registry), proxied=True)]
    return [
        Way(address=f"{scheme}://{host}", context=_unchecked(), proxied=not local)
        for scheme in ("https", "http")
    ]


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return [ipaddress.ip_address(name)]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _is_listed(
    registry: str,
    addresses: Sequence[ipaddress.IPv4Address | ipaddress.IPv6Address],
    insecure: Sequence[str],
) -> bool:
    for entry in insecure:
        if entry == registry:
            return True
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            continue
        if any(address in network for address in addresses):
            return True
    return False


def _checked(registry: str) -> ssl.SSLContext:
    # The machine's CAs, not those of a Python package: the engine trusts them too.
    context = ssl.create_default_context()
    folder = CERTIFICATES / registry
    for file in sorted(folder.glob("*.crt")):
        context.load_verify_locations(cafile=file)
    for file in sorted(folder.glob("*.cert")):
        context.load_cert_chain(file, file.with_suffix(".key"))
    return context


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
