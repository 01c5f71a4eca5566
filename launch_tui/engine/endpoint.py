"""Which Docker engine is asked: the one that ``docker`` would ask, if it can run jobs from here.

The order is that of Docker's own command line: DOCKER_HOST, DOCKER_CONTEXT, the context in use of
``config.json``, then the usual sockets, rootless Docker and Podman among them. A job works in the
run's directory, so an engine of another machine, which cannot see it, is refused with the reason.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from launch_tui.errors import EngineUnfit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_SOCKET = Path("/var/run/docker.sock")
ROOT_PODMAN_SOCKET = Path("/run/podman/podman.sock")
DEFAULT_CONTEXT = "default"
TCP_PORTS = {False: 2375, True: 2376}
"""The ports of an address without one: in the clear, and with TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How an engine behind TLS is trusted, and what it knows us by: files, empty where not set."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the engine listens; ``origin`` says who said so."""

    url: str
    origin: str
    tls: Tls | None = None

    @property
    def socket(self) -> Path | None:
        """The engine's socket, None when it listens on a port."""
        return Path(self.url.removeprefix("unix://")) if self.url.startswith("unix://") else None

    @property
    def variables(self) -> Mapping[str, str]:
        """What makes a ``docker`` command ask this engine, whatever context is in use."""
        found = {"DOCKER_HOST": self.url, "DOCKER_CONTEXT": ""}
        if self.tls is not None and self.tls.ca:
            found["DOCKER_CERT_PATH"] = str(Path(self.tls.ca).parent)
            found["DOCKER_TLS_VERIFY"] = "1" if self.tls.verify else ""
        return found

    def __str__(self) -> str:
        return str(self.socket or self.url)


def find_endpoint(environ: Mapping[str, str]) -> Endpoint:
    """Return where the engine is to be asked; nothing is asked yet.

    Raises:
        EngineUnfit: When the engine that is set is one that jobs cannot be run by.
    """
    if host := environ.get("DOCKER_HOST"):
        return _endpoint(host, "DOCKER_HOST", _tls_of_variables(environ))
    context, origin = _context(environ)
    if context != DEFAULT_CONTEXT:
        return _of_context(context, origin, config_directory(environ))
    present = [path for path in _sockets(environ) if path.is_socket()]
    usable = [path for path in present if os.access(path, os.R_OK | os.W_OK)]
    socket = (usable or present or [DEFAULT_SOCKET])[0]
    return Endpoint(url=f"unix://{socket}", origin="the default")


def config_directory(environ: Mapping[str, str]) -> Path:
    """Return the directory of Docker's ``config.json`` for these variables."""
    if chosen := environ.get("DOCKER_CONFIG"):
        return Path(chosen)
    return Path(environ.get("HOME") or Path.home(), ".docker")


def docker_config(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what ``config.json`` says; nothing when there is none or it is damaged."""
    return read_json(config_directory(environ) / "config.json")


def read_json(file: Path) -> dict[str, Any]:
    """Return the object in a file; nothing when there is none or it is damaged."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _sockets(environ: Mapping[str, str]) -> Iterator[Path]:
    yield DEFAULT_SOCKET
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime, "docker.sock")
        yield Path(runtime, "podman", "podman.sock")
    yield ROOT_PODMAN_SOCKET


def _context(environ: Mapping[str, str]) -> tuple[str, str]:
    if named := environ.get("DOCKER_CONTEXT"):
        return named, f"DOCKER_CONTEXT={named}"
    named = docker_config(environ).get("currentContext")
    if isinstance(named, str) and named:
        return named, f"the Docker context {named}"
    return DEFAULT_CONTEXT, ""


def _of_context(name: str, origin: str, directory: Path) -> Endpoint:
    """Return the endpoint that Docker's context store has under the name."""
    key = hashlib.sha256(name.encode()).hexdigest()
    said = read_json(directory / "contexts" / "meta" / key / "meta.json")
    try:
        docker = said["Endpoints"]["docker"]
        host, verify = str(docker["Host"]), not docker.get("SkipTLSVerify", False)
    except (KeyError, TypeError, AttributeError):
        raise EngineUnfit(
            f"{origin}: there is no such context",
            next_step="See `docker context ls`, and choose one with `docker context use`.",
        ) from None
    files = directory / "contexts" / "tls" / key / "docker"
    return _endpoint(host, origin, _tls_of_files(files, verify) if files.is_dir() else None)


def _tls_of_variables(environ: Mapping[str, str]) -> Tls | None:
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    if not verify and not environ.get("DOCKER_TLS"):
        return None
    chosen = environ.get("DOCKER_CERT_PATH")
    return _tls_of_files(Path(chosen) if chosen else config_directory(environ), verify)


def _tls_of_files(directory: Path, verify: bool) -> Tls:
    names = ("ca.pem", "cert.pem", "key.pem")
    files = [str(directory / name) if (directory / name).is_file() else "" for name in names]
    return Tls(ca=files[0], certificate=files[1], key=files[2], verify=verify)


def _endpoint(host: str, origin: str, tls: Tls | None) -> Endpoint:
    scheme, separator, rest = host.strip().partition("://")
    if not separator:
        scheme, rest = "tcp", host.strip()
    if scheme == "unix":
        path = rest or str(DEFAULT_SOCKET)
        return Endpoint(url=f"unix://{path if path.startswith('/') else f'/{path}'}", origin=origin)
    if scheme in ("tcp", "http", "https"):
        return _of_port(scheme, rest, origin, tls)
    if scheme == "ssh":
        raise _elsewhere(host, origin)
    raise EngineUnfit(
        f"{origin} leads to {host}, which is no address of a Docker engine on Linux",
        next_step=f"An address is such as unix://{DEFAULT_SOCKET}.",
    )


def _of_port(scheme: str, rest: str, origin: str, tls: Tls | None) -> Endpoint:
    tls = tls or (Tls() if scheme == "https" else None)
    try:
        parts = urlsplit(f"//{rest}")
        name, port = parts.hostname, parts.port
    except ValueError:
        name = port = None
    if not name:
        raise EngineUnfit(f"{origin} leads to {scheme}://{rest}, which names no host")
    if not _is_loopback(name):
        raise _elsewhere(f"{scheme}://{rest}", origin)
    shown = f"[{name}]" if ":" in name else name
    return Endpoint(
        url=f"tcp://{shown}:{port or TCP_PORTS[tls is not None]}", origin=origin, tls=tls
    )


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _elsewhere(host: str, origin: str) -> EngineUnfit:
    step = "Use the engine of the agent's machine: "
    if origin == "DOCKER_HOST":
        step += "unset DOCKER_HOST."
    else:
        step += f"`docker context use {DEFAULT_CONTEXT}`, or unset DOCKER_CONTEXT."
    return EngineUnfit(
        f"{origin} leads to {host}: containers there cannot see the run's directory",
        next_step=step,
    )
