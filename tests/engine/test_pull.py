"""Pulls that take their time: how far they are, what ends them, and who ends with whom."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.server
import io
import json
import os
import socket
import socketserver
import tarfile
import threading
import uuid

import pytest

from launch_tui.domain.image import parse_image
from launch_tui.engine.client import Engine
from launch_tui.engine.pull import pull, push
from launch_tui.errors import EngineDown, RegistryError

SIZE = 1_000_000
SLOW_SIZE = 1_000_000_000


def nothing(_):
    pass


@pytest.fixture
def layered(docker_engine):
    """The name of an image of four layers that nobody else has."""
    name = f"launch-tui-test/layered:{uuid.uuid4().hex[:8]}"
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        text = "FROM scratch\n" + "".join(f"COPY {n} /\n" for n in "abcd")
        files = {"Dockerfile": text.encode()} | {n: os.urandom(SIZE) for n in "abcd"}
        for inside, data in files.items():
            entry = tarfile.TarInfo(inside)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    context.seek(0)
    docker_engine.ask_blocking(
        lambda api: list(api.build(fileobj=context, custom_context=True, tag=name, rm=True))
    )
    yield name
    docker_engine.ask_blocking(lambda api: api.remove_image(name))


async def test_layers_that_come_are_counted_and_each_is_a_line_of_the_log(
    registry, docker_engine, layered
):
    target = parse_image(f"{registry.host}/layers:1", field="image")
    await docker_engine.ask(lambda api: api.tag(layered, target.name, target.tag))
    said, log = [], []
    digest = await push(docker_engine, target, said.append, log.append)
    assert sum(b": pushed" in line for line in log) == 4
    assert said[0].startswith("pushing: 0 of ")
    # Gone from the engine, so that all of it has to come.
    await docker_engine.ask(lambda api: api.remove_image(str(target)))
    await docker_engine.ask(lambda api: api.remove_image(layered))
    said, log = [], []
    pulled = await pull(docker_engine, target, said.append, log.append)
    assert pulled.digest == digest
    assert sum(b": pull complete" in line for line in log) == 4
    assert said[0].startswith("pulling: ")
    assert said[0].partition(",")[0].endswith("layers")
    assert b"".join(log).endswith(f"Status: Downloaded newer image for {target}\n".encode())
    by_digest = target.with_digest(digest)
    assert (await pull(docker_engine, by_digest, nothing, nothing)).id == pulled.id
    # The fixture removes it by its own name.
    await docker_engine.ask(
        lambda api: api.tag(str(target), *layered.split(":")) and api.remove_image(str(target))
    )


class SlowRegistry:
    """A registry that takes hours to send a layer; ``left`` when nobody listens any more."""

    def __init__(self):
        self.left = threading.Event()
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers"}})
        self.config = config.encode()
        self.layer = "sha256:" + hashlib.sha256(os.urandom(8)).hexdigest()
        kind = "application/vnd.docker."
        self.kind = f"{kind}distribution.manifest.v2+json"
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": self.kind,
                "config": {
                    "mediaType": f"{kind}container.image.v1+json",
                    "size": len(self.config),
                    "digest": self.digest(self.config),
                },
                "layers": [
                    {
                        "mediaType": f"{kind}image.rootfs.diff.tar.gzip",
                        "size": SLOW_SIZE,
                        "digest": self.layer,
                    }
                ],
            }
        ).encode()

    @staticmethod
    def digest(data):
        return f"sha256:{hashlib.sha256(data).hexdigest()}"

    def answer(self, request):
        if "/manifests/" in request.path:
            self.reply(request, self.manifest, self.kind)
        elif request.path.endswith(self.layer):
            self.reply(request, b"", "application/octet-stream", size=SLOW_SIZE)
            # The engine notices at the next bytes that nobody wants them any more.
            with contextlib.suppress(OSError):
                while True:
                    request.wfile.write(os.urandom(100_000))
                    request.server.pace.wait(0.05)
            self.left.set()
        else:
            self.reply(request, self.config, "application/octet-stream")

    def reply(self, request, body, kind, size=None):
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(size or len(body)))
        request.send_header("Docker-Content-Digest", self.digest(body))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    @contextlib.contextmanager
    def serving(self):
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                registry.answer(self)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads, server.pace = True, threading.Event()
            server.block_on_close = False
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            try:
                yield parse_image(f"127.0.0.1:{server.server_port}/slow:1", field="image")
            finally:
                server.shutdown()


async def test_an_image_for_other_platforms_only(docker_engine):
    slow = SlowRegistry()
    index = "application/vnd.docker.distribution.manifest.list.v2+json"
    entry = json.loads(slow.manifest)["config"] | {
        "mediaType": slow.kind,
        "platform": {"architecture": "s390x", "os": "linux"},
    }
    slow.kind = index
    slow.manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": index, "manifests": [entry]}
    ).encode()
    with slow.serving() as image, pytest.raises(RegistryError, match="no matching man") as refused:
        await pull(docker_engine, image, nothing, nothing)
    assert "another tag, or set `platform`" in refused.value.next_step


async def until_some_has_come(pulling, said):
    async with asyncio.timeout(30):
        while not any("of 1.0 GB" in line for line in said):
            assert not pulling.done(), await pulling
            await asyncio.sleep(0.01)


async def test_a_pull_that_is_not_wanted_any_more_ends_at_the_registry_too(docker_engine):
    slow, said = SlowRegistry(), []
    with slow.serving() as image:
        pulling = asyncio.ensure_future(pull(docker_engine, image, said.append, nothing))
        await until_some_has_come(pulling, said)
        pulling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pulling
        assert await asyncio.to_thread(slow.left.wait, 20)
    assert said[-1].startswith("pulling: 0 of 1 layers, ")


async def test_an_engine_that_goes_away_in_the_middle(docker_engine, tmp_path):
    slow, said = SlowRegistry(), []
    with slow.serving() as image, between(docker_engine, tmp_path / "s") as cut:
        engine = Engine({"DOCKER_HOST": f"unix://{tmp_path}/s"})
        pulling = asyncio.ensure_future(pull(engine, image, said.append, nothing))
        await until_some_has_come(pulling, said)
        cut()
        with pytest.raises(EngineDown):
            await pulling
        await engine.close()


@contextlib.contextmanager
def between(engine, path):
    """A socket that leads to the engine's; yields what cuts all that goes through it."""
    open_now = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.socket(socket.AF_UNIX) as inside:
                inside.connect(str(engine.endpoint.socket))
                open_now.extend((inside, self.request))
                back = threading.Thread(target=copy, args=(inside, self.request), daemon=True)
                back.start()
                copy(self.request, inside)
                back.join()

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    def cut():
        for connection in open_now:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    with Server(str(path), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield cut
        finally:
            cut()
            server.shutdown()


def copy(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
