"""Docker's SDK over a Unix socket, without the socket that it loses when nobody listens.

Imported with the SDK only.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool

if TYPE_CHECKING:
    from collections.abc import Mapping


class Connection(UnixHTTPConnection):  # type: ignore[misc]  # the SDK has no types
    """A connection that closes its socket when it cannot be made."""

    def connect(self) -> None:
        """Connect to the engine's socket."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self.timeout)
            connection.connect(self.unix_socket)
        except BaseException:
            connection.close()
            raise
        self.sock = connection


class Pool(UnixHTTPConnectionPool):  # type: ignore[misc]  # the SDK has no types
    """The connections that are kept open."""

    def _new_conn(self) -> Connection:
        return Connection(self.base_url, self.socket_path, self.timeout)


class Adapter(UnixHTTPAdapter):  # type: ignore[misc]  # the SDK has no types
    """What a client of the SDK reaches the engine by."""

    def get_connection(self, url: str, proxies: Mapping[str, str] | None = None) -> Pool:
        """Return the pool of connections; there is one, whatever is asked for."""
        del proxies
        with self.pools.lock:
            pool = self.pools.get(url)
            if pool is None:
                pool = Pool(url, self.socket_path, self.timeout, maxsize=self.max_pool_size)
                self.pools[url] = pool
            return pool  # type: ignore[no-any-return]
