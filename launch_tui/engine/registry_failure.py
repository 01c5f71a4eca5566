"""What to do when a registry refuses or cannot be reached, from what the engine or it said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from launch_tui.domain.image import DOCKER_HUB
from launch_tui.errors import RegistryError

if TYPE_CHECKING:
    from launch_tui.engine.credentials import Login

LOGIN = "Check the name; if it is private, log in: `{login}`."
WRONG_LOGIN = "Log in again: `{login}`."
NO_SUCH_IMAGE = "Check the name and the tag."

# The first that matches. Registries say "denied" of what is missing too, so a login that is known
# is not called wrong unless they say so.
_SIGNS = (
    (r"toomanyrequests|rate limit", "Log in (`{login}`), which has a higher limit, or wait."),
    (r"no space left on device|disk quota", "Free space: `docker system df` shows what takes it."),
    (
        r"server gave HTTP response to HTTPS client",
        "Name {host} under the engine's `insecure-registries` (Podman: registries.conf), or have "
        "it speak HTTPS.",
    ),
    (
        r"x509|certificate|tls: (?!handshake)",
        "Give the engine its CA: certs.d/{host}/ca.crt in Docker's configuration (/etc/docker).",
    ),
    (
        r"no matching manifest|does not match the specified platform|no image found .* for arch",
        "It is not made for this platform: choose another tag, or set `platform`.",
    ),
    (r"incorrect username or password|invalid username|authentication failed", WRONG_LOGIN),
    (r"denied|unauthorized|authentication required|no basic auth|forbidden|status: 40[13]", LOGIN),
    (r"manifest unknown|name unknown|not found|does not exist|name_unknown", NO_SUCH_IMAGE),
    (
        r"no such host|dial tcp|i/o timeout|connection refused|unreachable|handshake timeout"
        r"|\bEOF\b|Client\.Timeout|proxyconnect|connection reset|server misbehaving"
        r"|connection attempts failed|name resolution|not known",
        "Look whether the engine reaches {host}: the network, a proxy, its DNS.",
    ),
)
_COMPILED = tuple((re.compile(sign, re.IGNORECASE), step) for sign, step in _SIGNS)


def registry_failed(what: str, words: str, registry: str, login: Login) -> RegistryError:
    """Return the error for what could not be done, with a next step.

    Args:
        what: What could not be done, such as ``cannot pull python:3.11``.
        words: The reason as the engine or the registry gave it.
        registry: The registry's host.
        login: What it was told; a remark on it is part of the cause of a refusal.
    """
    step = next((step for sign, step in _COMPILED if sign.search(words)), "")
    cause = f"{what}: {words}"
    if login.remark and step in (LOGIN, WRONG_LOGIN):
        cause += f" (not logged in: {login.remark})"
    command = "docker login" if registry == DOCKER_HUB else f"docker login {registry}"
    host = f"registry-1.{DOCKER_HUB}" if registry == DOCKER_HUB else registry
    return RegistryError(cause, next_step=step.format(login=command, host=host))
