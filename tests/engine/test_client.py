"""Questions to a real engine, and to one that is not there, goes away, stands still or lies."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import uuid

import pytest

from launch_tui.engine import client as client_module
from launch_tui.engine import connection, threads
from launch_tui.engine.client import Engine
from launch_tui.errors import EngineDown, EngineError, EngineUnfit

# A real engine


async def test_what_the_engine_is(docker_engine):
    facts = await docker_engine.facts()
    version = await docker_engine.ask(lambda api: api.version())
    assert (facts.version, facts.os) == (version["Version"], "linux")
    assert facts.platform == f"linux/{version['Arch']}"
    assert facts.cgroup_version in (1, 2)
    assert facts.id
    assert await docker_engine.facts() is facts


async def test_an_image_and_none(docker_engine, base_image):
    found = await docker_engine.inspect_image(base_image)
    assert found.reference == base_image
    assert found.id.startswith("sha256:")
    assert found.digest.startswith("sha256:")
    assert found.command == ("python3",)
    assert "/usr/local/bin" in found.variables["PATH"]
    assert (await docker_engine.inspect_image(found.id)).id == found.id
    assert await docker_engine.inspect_image("launch-tui-test/no-such-image:1") is None


async def test_a_refusal_is_the_engines_words_with_the_status(docker_engine):
    with pytest.raises(EngineError) as refused:
        await docker_engine.ask(lambda api: api.inspect_container("launch-tui-no-such"))
    assert type(refused.value) is EngineError
    assert refused.value.cause == "No such container: launch-tui-no-such"
    assert refused.value.status == 404


async def test_what_is_not_the_engines_error_stays_as_it_is(docker_engine):
    with pytest.raises(ZeroDivisionError):
        await docker_engine.ask(lambda _: 1 / 0)
    with pytest.raises(FileNotFoundError):
        await docker_engine.ask(lambda _: os.stat("/no/such/file"))
    with pytest.raises(ZeroDivisionError):
        async for _ in docker_engine.stream(lambda _: (1 / n for n in (1, 0))):
            pass


async def test_questions_do_not_wait_for_each_other(docker_engine):
    together = threading.Barrier(8, timeout=20)
    answers = await asyncio.gather(
        *(docker_engine.ask(lambda api: (together.wait(), api.ping())) for _ in range(8))
    )
    assert len(answers) == 8


async def test_questions_wait_for_their_turn_and_a_cancelled_one_is_not_asked(monkeypatch):
    monkeypatch.setattr(threads, "AT_ONCE", 1)
    monkeypatch.setattr(client_module, "negotiated", lambda _: "1.41")
    engine = Engine({"DOCKER_HOST": "unix:///nowhere"})
    begun, go, asked = threading.Event(), threading.Event(), []
    first = asyncio.ensure_future(engine.ask(lambda _: begun.set() or go.wait(20)))
    assert await asyncio.to_thread(begun.wait, 20)
    second = asyncio.ensure_future(engine.ask(lambda _: asked.append("second")))
    third = asyncio.ensure_future(engine.ask(lambda _: asked.append("third")))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    go.set()
    assert await first
    await third
    assert asked == ["third"]
    await engine.close()


async def test_a_stream_is_read_as_far_as_it_is_wanted(docker_engine, tiny_image, wait_until):
    """Closing it closes the connection: the engine ends what it was asked for."""
    name = f"launch-tui-test-{uuid.uuid4().hex[:8]}"
    reading = threading.enumerate()

    def run(api):
        config = api.create_host_config(network_mode="none")
        command = ["/busybox", "sh", "-c", "/busybox seq 100000; exec /busybox sleep 60"]
        made = api.create_container(tiny_image, command, name=name, host_config=config)
        api.start(made["Id"])

    await docker_engine.ask(run)
    try:
        told = docker_engine.stream(lambda api: api.attach(name, stream=True, logs=True))
        async with contextlib.aclosing(told):
            read = b""
            while len(read) < 10_000:
                read += await anext(told)
        assert read.startswith(b"1\n2\n3\n4\n")
        left = [t for t in threading.enumerate() if t.name == "engine" and t not in reading]
        await asyncio.to_thread(wait_until, lambda: not any(t.is_alive() for t in left))
    finally:
        await docker_engine.ask(lambda api: api.remove_container(name, force=True))


async def test_a_stream_is_cut_before_its_answer_has_begun(tmp_path, wait_until):
    """An engine that is pulling says nothing until the registry has answered."""
    begun, go = threading.Event(), threading.Event()

    def answer():
        begun.set()
        go.wait(20)
        return 200, "{}"

    before = threading.enumerate()
    with Double(tmp_path / "s", **{"/events": answer}) as double:
        engine = Engine(double.environ)
        told = engine.stream(lambda api: api.events())
        reader = asyncio.ensure_future(anext(told))
        assert await asyncio.to_thread(begun.wait, 20)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        left = [t for t in threading.enumerate() if t.name == "engine" and t not in before]
        await asyncio.to_thread(wait_until, lambda: not any(t.is_alive() for t in left))
        go.set()
        assert await engine.ask(lambda api: api.ping())
        assert double.asked.count("/version") == 1, "the other connection was given up"
        await engine.close()


async def test_a_stream_ends_with_what_it_read(docker_engine):
    now = time.time()
    told = docker_engine.stream(lambda api: api.events(since=now - 1, until=now, decode=True))
    assert all(isinstance(event, dict) for event in [event async for event in told])


@contextlib.asynccontextmanager
async def stream_with_an_event(engine):
    """Events of one volume; the one that it was made has been read, and no other will come."""
    name = f"launch-tui-test-{uuid.uuid4().hex[:8]}"
    await engine.ask(lambda api: api.create_volume(name))
    try:
        told = engine.stream(lambda api: api.events(since=1, filters={"volume": name}, decode=True))
        async with contextlib.aclosing(told):
            assert (await anext(told))["Action"] == "create"
            yield told
    finally:
        with contextlib.suppress(EngineDown):
            await engine.ask(lambda api: api.remove_volume(name))


async def test_a_cancelled_reader_does_not_wait_for_the_engine(docker_engine):
    async with stream_with_an_event(docker_engine) as told:
        reader = asyncio.ensure_future(anext(told))
        await asyncio.sleep(0)
        reader.cancel()
        # The next event of this engine is the removal of the volume, after this.
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(20):
                await reader


# One on a port


@contextlib.contextmanager
def on_a_port(engine, tls=None):
    """The engine's socket as a port of loopback; yields the port."""
    path = str(engine.endpoint.socket)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            outside = self.request
            if tls is not None:
                try:
                    outside = tls.wrap_socket(outside, server_side=True)
                except OSError:
                    return
            with outside, socket.socket(socket.AF_UNIX) as inside:
                inside.connect(path)
                back = threading.Thread(target=copy, args=(inside, outside))
                back.start()
                copy(outside, inside)
                back.join()

    class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def copy(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


async def test_an_engine_on_a_port(docker_engine, wait_until):
    before = threading.enumerate()
    with on_a_port(docker_engine) as port:
        engine = Engine({"DOCKER_HOST": f"tcp://127.0.0.1:{port}"})
        assert (await engine.facts()).id == (await docker_engine.facts()).id
        async with stream_with_an_event(engine) as told:
            reader = asyncio.ensure_future(anext(told))
            await asyncio.sleep(0)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
        left = [t for t in threading.enumerate() if t.name == "engine" and t not in before]
        await asyncio.to_thread(wait_until, lambda: not any(t.is_alive() for t in left))
        await engine.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
async def test_an_engine_behind_tls_that_knows_us(docker_engine, tmp_path):
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -addext"
    files = ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"]
    command = [*command.split(), "subjectAltName=IP:127.0.0.1", *files]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    shutil.copy(tmp_path / "cert.pem", tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    tls.load_verify_locations(tmp_path / "ca.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    with on_a_port(docker_engine, tls) as port:
        environ = {"DOCKER_HOST": f"tcp://127.0.0.1:{port}", "DOCKER_TLS_VERIFY": "1"}
        engine = Engine(environ | {"DOCKER_CERT_PATH": str(tmp_path)})
        assert (await engine.facts()).id == (await docker_engine.facts()).id
        await engine.close()
        with pytest.raises(EngineDown, match="certificate"):
            await Engine(environ | {"DOCKER_CERT_PATH": "/nowhere"}).facts()


# One that goes away


async def test_an_engine_that_stops_and_comes_back(private_dockerd):
    engine = Engine(private_dockerd.environ)
    first = await engine.facts()
    private_dockerd.stop()
    with pytest.raises(EngineDown, match="does not exist"):
        await engine.ask(lambda api: api.ping())
    private_dockerd.start()
    assert await engine.ask(lambda api: api.ping())
    again = await engine.facts()
    assert again == first
    assert again is not first
    await engine.close()


async def test_an_engine_that_is_killed_breaks_what_is_read_from_it(private_dockerd):
    """Docker's SDK would end the iteration, as if there were no more events."""
    engine = Engine(private_dockerd.environ)
    async with stream_with_an_event(engine) as told:
        waiting = asyncio.ensure_future(anext(told))
        private_dockerd.kill()
        with pytest.raises(EngineDown):
            await asyncio.wait_for(waiting, 10)
        with pytest.raises(EngineDown, match="connection refused"):
            await engine.ask(lambda api: api.ping())
    await engine.close()


async def test_an_engine_that_stands_still(private_dockerd):
    engine = Engine(private_dockerd.environ, answer_s=0.5)
    await engine.ask(lambda api: api.ping())
    private_dockerd.pause()
    try:
        with pytest.raises(EngineDown, match="no answer in time"):
            await engine.ask(lambda api: api.ping())
    finally:
        private_dockerd.resume()
    assert await engine.ask(lambda api: api.ping())
    await engine.close()


async def test_an_engine_that_has_answered_is_not_exchanged_for_another(
    private_dockerd, tmp_path, monkeypatch
):
    """Podman that is there beside it knows none of its containers."""
    from launch_tui.engine import endpoint

    monkeypatch.setattr(endpoint, "DEFAULT_SOCKET", private_dockerd.socket)
    with Double(tmp_path / "podman" / "podman.sock") as other:
        engine = Engine({"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)})
        await engine.ask(lambda api: api.ping())
        private_dockerd.stop()
        with pytest.raises(EngineDown, match="no Docker engine"):
            await engine.ask(lambda api: api.ping())
        assert other.asked == []
        await engine.close()


# One that is not there, or not fit


@pytest.mark.parametrize("host", ["unix:///no/such/docker.sock", "tcp://127.0.0.1:9"])
async def test_no_engine(host):
    engine = Engine({"DOCKER_HOST": host})
    with pytest.raises(EngineDown) as down:
        await engine.facts()
    assert down.value.next_step
    with pytest.raises(EngineDown):
        await anext(engine.stream(lambda api: api.events()))
    with pytest.raises(EngineDown):
        engine.ask_blocking(lambda api: api.ping())
    assert "\n" not in str(down.value)


async def test_a_socket_that_is_not_ours(tmp_path):
    with Double(tmp_path / "s") as double:
        await Engine(double.environ).ask(lambda api: api.ping() and api.close())
        (tmp_path / "s").chmod(0)
        with not_root(), pytest.raises(EngineUnfit, match="no permission") as refused:
            await Engine(double.environ).facts()
    assert "group docker" in refused.value.next_step


@contextlib.contextmanager
def not_root():
    """Root may use every socket."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


class Double:
    """What answers on a socket as `answers` has it: (status, body) by the end of the path."""

    VERSION: dict[str, object] = {"ApiVersion": "1.41", "Version": "20.10", "Os": "linux"}  # noqa: RUF012

    def __init__(self, path, **answers):
        self.path = path
        self.path.parent.mkdir(exist_ok=True)
        own = {"/version": (200, json.dumps(self.VERSION)), "/_ping": (200, "OK")}
        self.answers = own | answers
        self.asked = []

    @property
    def environ(self):
        return {"DOCKER_HOST": f"unix://{self.path}"}

    def __enter__(self):
        double = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                double.asked.append(self.path)
                known = (double.answers[e] for e in double.answers if self.path.endswith(e))
                answer = next(known, (404, "page not found"))
                status, body = answer() if callable(answer) else answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):
                    self.wfile.write(body.encode())

            def address_string(self):
                return "double"

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

        self.server = Server(str(self.path), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (503, "the engine is starting", EngineDown),
        (502, "", EngineDown),
        (500, "Docker Desktop is unable to start", EngineDown),
        (500, "connection error: dial unix /run/containerd/containerd.sock: connect: "
         "connection refused: unavailable", EngineDown),
        (500, "OCI runtime create failed: unable to start container process: x", EngineError),
        (500, "something else", EngineError),
        (409, "in use", EngineError),
        (400, "bad", EngineError),
    ],
)  # fmt: skip
async def test_which_answers_mean_that_nothing_is_known(tmp_path, status, message, kind):
    with Double(tmp_path / "s", **{"/_ping": (status, json.dumps({"message": message}))}) as double:
        engine = Engine(double.environ)
        with pytest.raises(EngineError) as refused:
            await engine.ask(lambda api: api.ping())
        await engine.close()
    assert type(refused.value) is kind
    assert message in refused.value.cause
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ((200, "<html>"), "is no Docker engine"),
        ((404, "no"), "is no Docker engine"),
        ((200, "{}"), "is no Docker engine"),
        ((200, "[]"), "is no Docker engine"),
        ((200, '{"ApiVersion": "1.30", "Version": "17.06"}'), "is too old"),
    ],
)
async def test_what_answers_and_cannot_be_used(tmp_path, version, problem):
    with (
        Double(tmp_path / "s", **{"/version": version}) as double,
        pytest.raises(EngineUnfit, match=problem),
    ):
        await Engine(double.environ).ask(lambda api: api.ping())


async def test_containers_of_another_system_are_refused(tmp_path):
    with Double(tmp_path / "s", **{"/info": (200, '{"OSType": "windows"}')}) as double:
        engine = Engine(double.environ)
        with pytest.raises(EngineUnfit, match="containers of windows"):
            await engine.facts()
        await engine.close()


@pytest.mark.parametrize(
    ("newest", "oldest", "spoken"),
    [("1.41", "1.12", "1.41"), ("1.99", "1.24", "1.45"), ("1.99", "1.60", "1.60")],
)
async def test_the_newest_version_that_both_know_is_spoken(tmp_path, newest, oldest, spoken):
    said = {"ApiVersion": newest, "MinAPIVersion": oldest}
    with Double(tmp_path / "s", **{"/version": (200, json.dumps(said))}) as double:
        engine = Engine(double.environ)
        assert await engine.ask(lambda api: api.api_version) == spoken
        await engine.close()


async def test_settings_that_docker_cannot_read_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text('{"auths": {"a.b": {"auth": "bm9jb2xvbg=="}}}')
    with Double(tmp_path / "s") as double, pytest.raises(EngineUnfit, match="settings"):
        await Engine(double.environ).facts()


async def test_a_proxy_is_not_asked_for_an_engine_of_this_machine(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setattr(connection, "GREETING_S", 2.0)
    with pytest.raises(EngineDown, match="does not answer: connection refused"):
        await Engine({"DOCKER_HOST": "tcp://127.0.0.1:9"}).facts()
