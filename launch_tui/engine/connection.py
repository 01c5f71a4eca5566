"""A client of Docker's SDK for one endpoint, in a version of the interface that both sides know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.errors import EngineUnfit

if TYPE_CHECKING:
    import docker

    from launch_tui.engine.endpoint import Endpoint
    from launch_tui.engine.transport import PortAdapter, Sockets, UnixAdapter

OLDEST_API = "1.40"
"""Docker 19.03's, the first that can hand GPUs to a container."""

GREETING_S = 10.0
"""How long the engine may take to say what it is."""
CONNECTIONS = 32
"""How many are kept open for the next question."""


def negotiated(endpoint: Endpoint) -> str:
    """Return the version of the interface to speak: the newest that both sides know.

    Raises:
        EngineUnfit: When what listens there is no Docker engine, or too old a one.
    """
    import requests
    from docker.constants import DEFAULT_DOCKER_API_VERSION as OURS
    from docker.errors import NotFound
    from docker.utils import version_lt

    client = open_client(endpoint, OLDEST_API, GREETING_S)
    try:
        said = client.version(api_version=False)
        newest = str(said["ApiVersion"])
        oldest = str(said.get("MinAPIVersion") or OLDEST_API)
    except (requests.JSONDecodeError, NotFound, KeyError, TypeError, AttributeError) as error:
        raise EngineUnfit(f"what answers at {endpoint} is no Docker engine") from error
    finally:
        client.close()
    if version_lt(newest, OLDEST_API):
        raise EngineUnfit(
            f"the Docker engine at {endpoint} is too old (API {newest})",
            next_step="Docker 19.03 or newer, or Podman 4 or newer, is needed.",
        )
    if version_lt(newest, OURS):
        return newest
    return oldest if version_lt(OURS, oldest) else str(OURS)


def open_client(endpoint: Endpoint, version: str, answer_s: float) -> docker.APIClient:
    """Return a client; nothing is asked yet."""
    import docker
    from docker.errors import DockerException
    from docker.tls import TLSConfig

    from launch_tui.engine.transport import PortAdapter, UnixAdapter

    tls: TLSConfig | bool = False
    if (given := endpoint.tls) is not None:
        pair = (given.certificate, given.key) if given.certificate and given.key else None
        tls = TLSConfig(client_cert=pair, ca_cert=given.ca or None, verify=given.verify)
    try:
        client = docker.APIClient(
            base_url=endpoint.url,
            version=version,
            timeout=answer_s,
            tls=tls,
            max_pool_size=CONNECTIONS,
        )
    except (ValueError, TypeError, AttributeError, KeyError, DockerException) as error:
        # The SDK reads config.json whole, whatever it is used for.
        raise EngineUnfit(
            f"Docker's settings cannot be read: {error}",
            next_step="Look at config.json, and at the files of its TLS.",
        ) from error
    # An engine on this machine is behind no proxy.
    client.trust_env = False
    if (path := endpoint.socket) is not None:
        client.mount("http+docker://", UnixAdapter(f"http+unix://{path}", answer_s, CONNECTIONS))
    else:
        client.mount(client.base_url, PortAdapter(CONNECTIONS))
    return client


def sockets_of(client: docker.APIClient) -> Sockets:
    """Return the sockets of a client that ``open_client`` made."""
    adapter: UnixAdapter | PortAdapter = client.get_adapter(f"{client.base_url}/")
    return adapter.sockets
