"""Pull, push and look up against Debian's own registry, with and without a password."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import uuid
from base64 import b64encode

import pytest

from launch_tui.domain.image import parse_image
from launch_tui.engine import registry_api
from launch_tui.engine.client import Engine
from launch_tui.engine.pull import pull, push
from launch_tui.engine.registry import manifest_digest
from launch_tui.errors import BuildFailed, RegistryError


@pytest.fixture
def name():
    return f"team/{uuid.uuid4().hex[:8]}:1"


@pytest.fixture
def log():
    """What was reported and what was written."""

    class Log:
        said: list[str]

        def __init__(self):
            self.said, self.data = [], b""

        def write(self, data):
            self.data += data

    return Log()


@contextlib.contextmanager
def engine_of(environ):
    engine = Engine({**environ})
    try:
        yield engine
    finally:
        engine.close_blocking()


def image(registry, name):
    return parse_image(f"{registry.host}/{name}", field="image")


async def test_an_image_comes_and_goes(registry, docker_engine, tiny_image, name, log):
    digest = registry.put(tiny_image, name)
    reference = image(registry, name)
    assert await docker_engine.inspect_image(str(reference)) is None
    pulled = await pull(docker_engine, reference, log.said.append, log.write)
    try:
        assert pulled.digest.endswith(digest)
        assert pulled.reference == str(reference)
        assert f"Pulling {reference} from {registry.host}\n".encode() in log.data
        assert await manifest_digest(reference, docker_engine.environ) == digest
        other = reference.with_tag("2")
        await docker_engine.ask(lambda api: api.tag(str(reference), other.name, other.tag))
        assert await push(docker_engine, other, log.said.append, log.write) == digest
        assert await manifest_digest(other, docker_engine.environ) == digest
    finally:
        for each in (reference, reference.with_tag("2")):
            with contextlib.suppress(Exception):
                await docker_engine.ask(lambda api, each=each: api.remove_image(str(each)))


async def test_what_is_missing_says_so(registry, docker_engine, name, log):
    reference = image(registry, name)
    assert await manifest_digest(reference, docker_engine.environ) is None
    with pytest.raises(BuildFailed, match="cannot pull") as caught:
        await pull(docker_engine, reference, log.said.append, log.write)
    assert "Check the name" in caught.value.next_step
    assert str(caught.value).encode() in log.data


async def test_a_registry_that_is_not_there(docker_engine, log):
    reference = parse_image("127.0.0.1:9/x:1", field="image")
    with pytest.raises(RegistryError, match=r"cannot look up 127\.0\.0\.1:9/x:1") as caught:
        await manifest_digest(reference, docker_engine.environ)
    assert "reaches 127.0.0.1:9" in caught.value.next_step
    with pytest.raises(BuildFailed, match=r"cannot pull 127\.0\.0\.1:9/x:1"):
        await pull(docker_engine, reference, log.said.append, log.write)


async def test_a_password_is_taken_from_where_docker_login_keeps_it(
    locked_registry, docker_engine, tiny_image, name, log, tmp_path
):
    digest = locked_registry.put(tiny_image, name)
    reference = image(locked_registry, name)
    nobody = {**docker_engine.environ, "DOCKER_CONFIG": str(tmp_path / "none")}
    with pytest.raises(RegistryError, match="authentication required") as caught:
        await manifest_digest(reference, nobody)
    assert f"docker login {locked_registry.host}" in caught.value.next_step
    with engine_of(nobody) as engine, pytest.raises(BuildFailed, match="no basic auth") as caught:
        await pull(engine, reference, log.said.append, log.write)
    assert f"docker login {locked_registry.host}" in caught.value.next_step
    known = {**docker_engine.environ, **locked_registry.config(tmp_path / "known")}
    assert await manifest_digest(reference, known) == digest
    with engine_of(known) as engine:
        pulled = await pull(engine, reference, log.said.append, log.write)
        await engine.ask(lambda api: api.remove_image(str(reference)))
    assert pulled.digest.endswith(digest)
    assert locked_registry.password.encode() not in log.data


async def test_a_wrong_password(locked_registry, docker_engine, tiny_image, name, log, tmp_path):
    locked_registry.put(tiny_image, name)
    folder = tmp_path / "wrong"
    folder.mkdir()
    word = b64encode(b"tester:guessed-it").decode()
    (folder / "config.json").write_text(
        json.dumps({"auths": {locked_registry.host: {"auth": word}}})
    )
    environ = {**docker_engine.environ, "DOCKER_CONFIG": str(folder)}
    reference = image(locked_registry, name)
    with pytest.raises(RegistryError) as caught:
        await manifest_digest(reference, environ)
    assert "docker login" in caught.value.next_step
    with engine_of(environ) as engine, pytest.raises(BuildFailed) as caught:
        await pull(engine, reference, log.said.append, log.write)
    assert "docker login" in caught.value.next_step
    assert "guessed-it" not in str(caught.value) + log.data.decode()


async def test_a_helper_keeps_the_password(
    locked_registry, docker_engine, tiny_image, name, tmp_path
):
    digest = locked_registry.put(tiny_image, name)
    program = tmp_path / "bin" / "docker-credential-test"
    program.parent.mkdir()
    answer = json.dumps({"Username": locked_registry.user, "Secret": locked_registry.password})
    program.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{answer}'\n")
    program.chmod(0o700)
    (tmp_path / "config.json").write_text('{"credsStore": "test"}')
    environ = {
        **docker_engine.environ,
        "DOCKER_CONFIG": str(tmp_path),
        "PATH": f"{program.parent}:/usr/bin:/bin",
    }
    assert await manifest_digest(image(locked_registry, name), environ) == digest


# What Debian's registry cannot be brought into: tokens, redirects, and answers without an end.


@pytest.fixture
def double():
    """Returns ``double(handler)``: a registry that answers as the handler has it; its host."""
    servers = []

    def made(handler):
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                handler(self)

            do_GET = do_HEAD = do_POST = answer

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_port}"

    yield made
    for server in servers:
        server.shutdown()
        server.server_close()


def reply(request, status, headers=(), body=b""):
    request.send_response(status)
    for key, value in headers:
        request.send_header(key, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)


DIGEST = "sha256:" + "a" * 64


async def test_a_token_is_asked_for_and_used(double):
    seen = []

    def answer(request):
        seen.append((request.path, request.headers.get("Authorization", "")))
        if request.path.startswith("/token"):
            reply(request, 200, body=b'{"token": "given"}')
        elif request.headers.get("Authorization") == "Bearer given":
            reply(request, 200, [("Docker-Content-Digest", DIGEST)])
        else:
            host = request.headers["Host"]
            challenge = f'Bearer realm="http://{host}/token",service="s",scope="repository:x:pull"'
            reply(request, 401, [("WWW-Authenticate", challenge)])

    host = double(answer)
    reference = parse_image(f"{host}/x:1", field="image")
    assert await manifest_digest(reference, {}) == DIGEST
    assert seen[1][0] == "/token?service=s&scope=repository%3Ax%3Apull"


async def test_a_redirect_does_not_carry_the_password(double, tmp_path):
    seen = []

    def elsewhere(request):
        seen.append(request.headers.get("Authorization"))
        reply(request, 200, [("Docker-Content-Digest", DIGEST)])

    other = double(elsewhere)

    def answer(request):
        if "Authorization" not in request.headers:
            reply(request, 401, [("WWW-Authenticate", 'Basic realm="x"')])
        else:
            reply(request, 307, [("Location", f"http://{other}/somewhere")])

    host = double(answer)
    auths = {host: {"auth": b64encode(b"me:secret").decode()}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    reference = parse_image(f"{host}/x:1", field="image")
    assert await manifest_digest(reference, {"DOCKER_CONFIG": str(tmp_path)}) == DIGEST
    assert seen == [None]


async def test_a_manifest_without_a_digest_is_hashed_and_one_without_an_end_given_up(
    double, monkeypatch
):
    host = double(lambda request: reply(request, 200, body=b"{}"))
    reference = parse_image(f"{host}/x:1", field="image")
    found = await manifest_digest(reference, {})
    assert found == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    monkeypatch.setattr(registry_api, "LARGEST_BODY", 1)
    with pytest.raises(RegistryError, match="more than 1 bytes"):
        await manifest_digest(reference, {})


async def test_a_registry_that_is_broken_is_told_in_its_own_words(double):
    body = b'{"errors": [{"code": "UNKNOWN", "message": "the disk\\n is full"}]}'
    host = double(lambda request: reply(request, 500, body=body))
    with pytest.raises(RegistryError, match=r"the disk is full \(status: 500\)"):
        await manifest_digest(parse_image(f"{host}/x:1", field="image"), {})
