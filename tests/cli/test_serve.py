"""The screens in a browser, for real: a server of its own, pages and views over loopback."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from launch_tui.domain.run import RunState
from launch_tui.sdk import Launch
from tests.tui.world import World

aiohttp = pytest.importorskip("aiohttp", reason="needs the extra serve")
pytest.importorskip("textual_serve", reason="needs the extra serve")


@pytest.fixture
def store(private_home, monkeypatch):
    with monkeypatch.context() as patch:
        world = World(private_home, patch)
        world.queue("gpu")
        world.run(RunState.FINISHED, name="lr-3e-4")
        world.close()
    return private_home


class Served:
    """``launch-tui serve``, in a process of its own."""

    def __init__(self, home):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "launch_tui", "--home", str(home), "serve", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        said = self.process.stdout.readline().decode()
        assert said, self.process.stderr.read().decode()
        self.address = said.split()[-1]
        self.origin = self.address.partition("/?")[0]
        self.port = int(self.origin.rpartition(":")[2])

    @property
    def cookies(self):
        return {f"launch_tui_{self.port}": self.address.partition("key=")[2]}

    @property
    def cookie(self):
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def views(self):
        """Return the pids of the processes that the server has started."""
        path = Path(f"/proc/{self.process.pid}/task")
        found = [(task / "children").read_text().split() for task in path.iterdir()]
        return [int(pid) for pids in found for pid in pids]

    def end(self):
        self.process.terminate()
        self.process.communicate(timeout=20)


@pytest.fixture
def served(store):
    made = Served(store)
    yield made
    made.end()


def get(served, **more):
    with httpx.Client(trust_env=False) as client:
        return client.get(f"{served.origin}/", **more)


async def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return value


async def shown(socket, words, seconds=20.0):
    """Receive until words are on the screen of a view."""
    seen = b""
    async with asyncio.timeout(seconds):
        while words.encode() not in seen:
            message = await socket.receive()
            assert message.type is aiohttp.WSMsgType.BINARY, message
            seen += message.data
    return seen


def dump(home):
    with sqlite3.connect(f"file:{home}/launch.db?mode=ro", uri=True) as db:
        return list(db.iterdump())


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_the_page_is_there_for_who_has_the_address(served):
    with httpx.Client(trust_env=False, follow_redirects=True) as client:
        page = client.get(served.address)
        assert page.status_code == 200
        assert f"ws://127.0.0.1:{served.port}/ws" in page.text
        assert "launch-tui" in page.text
        assert "key=" not in str(page.url)
        assert client.get(f"{served.origin}/static/js/textual.js").status_code == 200
        assert "font-src 'self'" in page.headers["Content-Security-Policy"]


def test_nobody_else_sees_anything(served):
    assert get(served).status_code == 403
    assert get(served, params={"key": "wrong"}).status_code == 403
    assert get(served, headers=served.cookie).status_code == 200
    for headers in (
        {"Host": f"evil.example:{served.port}"},
        {"Host": f"localhost:{served.port}"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        assert get(served, headers=headers | served.cookie).status_code == 403, headers


def test_it_listens_on_loopback_alone(served):
    listening = []
    for name in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            address, port = row.split()[1].split(":")
            if int(port, 16) == served.port and row.split()[3] == "0A":
                listening.append(address)
    assert listening == ["0100007F"]


async def test_a_view_looks_and_changes_nothing(served, store):
    before = dump(store)
    url = f"ws://127.0.0.1:{served.port}/ws?width=120&height=34"
    async with aiohttp.ClientSession(cookies=served.cookies) as session:
        async with session.ws_connect(url, headers={"Origin": served.origin}) as view:
            seen = await shown(view, "lr-3e-4")
            assert b"read-only" in seen
            # Every key that would change something, and the editor.
            for key in ("n", "r", "x", "D", "e", "H", "F"):
                await view.send_json(["stdin", key])
            await view.send_json(["stdin", "3"])
            await shown(view, "RESOURCE")
            for key in ("N", "P", "+", "D", "E", "e"):
                await view.send_json(["stdin", key])
            await view.send_json(["stdin", "2"])
            await shown(view, "No jobs")
            (pid,) = served.views()
        await until(lambda: gone(pid))
    assert dump(store) == before
    with Launch(store, read_only=True) as launch:
        assert launch.agents.status() is None


async def test_a_view_of_another_page_is_refused(served):
    url = f"ws://127.0.0.1:{served.port}/ws"
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await session.ws_connect(url)
        assert error.value.status == 403
    async with aiohttp.ClientSession(cookies=served.cookies) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url, headers={"Origin": "https://evil.example"})
    assert served.views() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_views_end_with_the_server(served, number):
    url = f"ws://127.0.0.1:{served.port}/ws?width=120&height=34"
    async with (
        aiohttp.ClientSession(cookies=served.cookies) as session,
        session.ws_connect(url) as view,
    ):
        await shown(view, "lr-3e-4")
        (pid,) = served.views()
        os.kill(served.process.pid, number)
        await until(lambda: gone(pid))
    assert await asyncio.to_thread(served.process.wait, 20) == (0 if number == 15 else -9)


def serve(home, *words):
    return subprocess.run(
        [sys.executable, "-m", "launch_tui", "--home", str(home), "serve", *words],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def test_a_port_that_is_taken_is_one_line(served, store):
    done = serve(store, "--port", str(served.port))
    assert done.returncode == 1
    assert f"port {served.port} of loopback cannot be had: Address already in use" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_what_is_no_port_is_refused(store, port):
    done = serve(store, "--port", port)
    assert done.returncode == 2
    assert "--port" in done.stderr


def test_without_a_store_there_is_nothing_to_look_at(private_home):
    done = serve(private_home)
    assert done.returncode == 1
    assert "there is no store" in done.stderr


def test_without_the_extra_it_says_what_to_install(store):
    code = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "from launch_tui.cli.program import main\n"
        f"sys.exit(main(['--home', {str(store)!r}, 'serve']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=40, check=False
    )
    assert done.returncode == 1
    assert "pip install 'launch-tui[serve]'" in done.stderr
