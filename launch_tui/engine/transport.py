"""Docker's SDK over a Unix socket or a port, with its sockets kept in sight.

The SDK loses them: one to an engine that does not listen, and one that an answer has taken over
(``attach``, ``exec``). Here all of a client's can be shut down, which wakes whoever reads from
them, before an answer has begun too. Imported with the SDK only.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sockets:
    """The sockets of one client, as far as somebody still has them."""

    def __init__(self) -> None:
        # Whoever closes or shuts one down holds it, or its number might be another file's by then.
        self._lock = threading.Lock()
        self._open: WeakSet[socket.socket] = WeakSet()
        self._is_shut = False

    def add(self, connection: socket.socket) -> None:
        """Keep a socket in sight; one that comes too late is shut down at once."""
        with self._lock:
            self._open.add(connection)
            if self._is_shut:
                connection.shutdown(socket.SHUT_RDWR)

    def shut_down(self) -> None:
        """Have nothing come or go any more; may be called while others read."""
        with self._lock:
            self._is_shut = True
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close them all; for the thread that alone uses them."""
        with self._lock:
            for connection in self._open:
                # Not ``close``, which leaves it open for as long as an answer refers to it.
                if (descriptor := connection.detach()) >= 0:
                    os.close(descriptor)


class UnixConnection(UnixHTTPConnection):  # type: ignore[misc]  # the SDK has no types
    """A connection to the engine's socket."""

    sockets: Sockets

    def connect(self) -> None:
        """Connect; a socket that nobody listens on is closed again."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self.timeout)
            connection.connect(self.unix_socket)
            self.sockets.add(connection)
        except BaseException:
            connection.close()
            raise
        self.sock = connection


class UnixPool(UnixHTTPConnectionPool):  # type: ignore[misc]  # the SDK has no types
    """The connections to the engine's socket that are kept open."""

    sockets: Sockets

    def _new_conn(self) -> UnixConnection:
        made = UnixConnection(self.base_url, self.socket_path, self.timeout)
        made.sockets = self.sockets
        return made


class UnixAdapter(UnixHTTPAdapter):  # type: ignore[misc]  # the SDK has no types
    """What a client reaches the engine's socket by."""

    def __init__(self, url: str, timeout: float, size: int) -> None:
        super().__init__(url, timeout, max_pool_size=size)
        self.sockets = Sockets()

    def get_connection(self, url: str, proxies: Mapping[str, str] | None = None) -> UnixPool:
        """Return the pool of connections; there is one, whatever is asked for."""
        del proxies
        with self.pools.lock:
            pool = self.pools.get(url)
            if pool is None:
                pool = UnixPool(url, self.socket_path, self.timeout, maxsize=self.max_pool_size)
                pool.sockets = self.sockets
                self.pools[url] = pool
            return pool  # type: ignore[no-any-return]


class PortAdapter(HTTPAdapter):
    """What a client reaches an engine by that listens on a port."""

    def __init__(self, size: int) -> None:
        self.sockets = Sockets()
        super().__init__(pool_maxsize=size)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 (as requests has it)
        """Have connections made whose sockets are kept in sight."""
        super().init_poolmanager(*arguments, **named)
        pools = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}
        self.poolmanager.pool_classes_by_scheme = {
            scheme: _in_sight(pool, self.sockets) for scheme, pool in pools.items()
        }


def _in_sight(pool: type[HTTPConnectionPool], sockets: Sockets) -> type[HTTPConnectionPool]:
    """Return the kind of pool, with connections that add their sockets."""
    kind: Any = pool.ConnectionCls

    class Connection(kind):  # type: ignore[misc]  # one of two
        def connect(self) -> None:
            super().connect()
            sockets.add(self.sock)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})
