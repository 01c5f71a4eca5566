"""The screens in a browser on this machine: one process of the UI for each view, which only looks.

What is shown is whatever the data directory holds, logs and configurations included, and a port of
loopback is open to every account of the machine and to every page that a browser on it has open.
So the address has a key, which the browser keeps as a cookie; a request without it, for another
host's name or from another page is refused. No view can change anything: the processes behind them
open the data directory read-only and have no agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import secrets
import shlex
import signal
import socket
import sys
from typing import TYPE_CHECKING

from aiohttp import web
from textual_serve.server import Server

from launch_tui.cli.output import line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from launch_tui.store.paths import Home

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HOST = "127.0.0.1"
MOST_VIEWS = 8
"""Views at once, each of which is a process of 50 MB."""
SHUTDOWN_S = 5.0
_KEY = "key"
# The page would otherwise have a font and its styles fetched from elsewhere.
_POLICY = "style-src 'self' 'unsafe-inline'; font-src 'self' data:; frame-ancestors 'none'"


class Views(Server):
    """Serves views of one data directory.

    Args:
        home: The data directory.
        listening: A socket of loopback that listens.
    """

    def __init__(self, home: Home, listening: socket.socket) -> None:
        words = [sys.executable, "-m", "launch_tui", "--read-only", "--home", str(home.root)]
        port = listening.getsockname()[1]
        super().__init__(f"exec {shlex.join(words)}", host=HOST, port=port, title="launch-tui")
        self._listening = listening
        self._cookie = f"launch_tui_{port}"
        self._key = secrets.token_urlsafe(24)
        self._views = 0

    @property
    def address(self) -> str:
        """What is opened in a browser."""
        return f"{self.public_url}/?{_KEY}={self._key}"

    async def serve_until(self, leave: asyncio.Event) -> None:
        """Serve until asked to leave."""
        runner = web.AppRunner(await self._make_app(), shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            await web.SockSite(runner, self._listening).start()
            line(f"the screens, to look at: {self.address}")
            sys.stdout.flush()
            await leave.wait()
        finally:
            await runner.cleanup()

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: the address is said once it can be opened."""

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Show one view, unless there are too many."""
        if self._views >= MOST_VIEWS:
            raise web.HTTPServiceUnavailable(text=f"there are {MOST_VIEWS} views already")
        self._views += 1
        try:
            return await super().handle_websocket(request)
        finally:
            self._views -= 1

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._refuse_others(request)
        if self._knows(request.query.get(_KEY, "")):
            found = web.Response(status=302, headers={"Location": "/"})
            found.set_cookie(self._cookie, self._key, httponly=True, samesite="Strict", path="/")
            return found
        if not self._knows(request.cookies.get(self._cookie, "")):
            raise web.HTTPForbidden(text="open the address that launch-tui serve has printed\n")
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = _POLICY
            response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def _refuse_others(self, request: web.Request) -> None:
        """Refuse what comes by another name (a rebound one) or from another page."""
        if request.host != f"{HOST}:{self.port}":
            raise web.HTTPForbidden(text=f"this is {self.public_url} and nothing else\n")
        origin = request.headers.get("Origin")
        if origin is not None and origin != self.public_url:
            raise web.HTTPForbidden(text="another page has no business here\n")

    def _knows(self, key: str) -> bool:
        return hmac.compare_digest(key.encode("utf-8", "replace"), self._key.encode())


def run(home: Home, port: int) -> int:
    """Serve until interrupted; returns the exit status.

    Raises:
        OSError: The port cannot be had.
    """
    with socket.create_server((HOST, port)) as listening:
        # What a view is told of its terminal: it is a browser, wherever this one runs.
        for name in ("TMUX", "NO_COLOR", "COLORFGBG", "SSH_CONNECTION", "SSH_TTY"):
            os.environ.pop(name, None)
        asyncio.run(_serve(Views(home, listening)))
    return 0


async def _serve(views: Views) -> None:
    leave = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, leave.set)
    await views.serve_until(leave)
