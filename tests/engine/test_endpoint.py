from __future__ import annotations

import hashlib
import json
import os
import stat

import pytest

from launch_tui.engine import endpoint
from launch_tui.engine.endpoint import find_endpoint
from launch_tui.errors import EngineUnfit


@pytest.fixture
def sockets(tmp_path, monkeypatch):
    """Returns ``sockets(*names)``: the usual sockets of which only these exist."""
    usual = {name: tmp_path / f"{name}.sock" for name in ("docker", "root_podman")}
    monkeypatch.setattr(endpoint, "DEFAULT_SOCKET", usual["docker"])
    monkeypatch.setattr(endpoint, "ROOT_PODMAN_SOCKET", usual["root_podman"])
    runtime = tmp_path / "runtime"
    usual |= {
        "rootless": runtime / "docker.sock",
        "podman": runtime / "podman" / "podman.sock",
    }

    def made(*names):
        for name in names:
            usual[name].parent.mkdir(parents=True, exist_ok=True)
            os.mknod(usual[name], stat.S_IFSOCK | 0o600)
        return {"XDG_RUNTIME_DIR": str(runtime), "HOME": str(tmp_path)}, usual

    return made


@pytest.fixture
def context(tmp_path):
    """Returns ``context(name, host)``: a context of docker's, and the variables that find it."""

    def made(name, host, *, current=False):
        folder = tmp_path / "config"
        meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
        meta.mkdir(parents=True)
        endpoints = {"docker": {"Host": host, "SkipTLSVerify": False}}
        (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": endpoints}))
        config = {"currentContext": name} if current else {}
        (folder / "config.json").write_text(json.dumps(config))
        return {"DOCKER_CONFIG": str(folder)}

    return made


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (("docker", "rootless", "podman", "root_podman"), "docker"),
        (("rootless", "podman", "root_podman"), "rootless"),
        (("podman", "root_podman"), "podman"),
        (("root_podman",), "root_podman"),
    ],
)
def test_the_usual_sockets_in_their_order(sockets, there, taken):
    environ, usual = sockets(*there)
    assert find_endpoint(environ).url == f"unix://{usual[taken]}"


def test_a_variable_comes_before_contexts_and_sockets(sockets, context):
    environ, _ = sockets("docker")
    environ |= context("mine", "unix:///mine.sock", current=True)
    assert find_endpoint(environ).url == "unix:///mine.sock"
    assert "mine" in find_endpoint(environ).origin
    named = {**environ, "DOCKER_HOST": "unix:///named.sock"}
    assert find_endpoint(named).url == "unix:///named.sock"
    assert find_endpoint(named).origin == "DOCKER_HOST"


def test_a_context_that_is_named(sockets, context):
    environ, usual = sockets("docker")
    environ |= context("other", "unix:///other.sock")
    assert find_endpoint(environ).url == f"unix://{usual['docker']}"
    assert find_endpoint({**environ, "DOCKER_CONTEXT": "other"}).url == "unix:///other.sock"
    default = {**environ, "DOCKER_CONTEXT": "default"}
    assert find_endpoint(default).url == f"unix://{usual['docker']}"
    with pytest.raises(EngineUnfit, match="nosuch"):
        find_endpoint({**environ, "DOCKER_CONTEXT": "nosuch"})


@pytest.mark.parametrize(
    "host", ["tcp://10.1.2.3:2375", "ssh://me@box", "tcp://example.org", "https://192.0.2.1:2376"]
)
def test_an_engine_of_another_machine_is_refused_with_the_reason(host):
    with pytest.raises(EngineUnfit, match="cannot see the run's directory") as caught:
        find_endpoint({"DOCKER_HOST": host})
    assert caught.value.next_step


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:2375", "tcp://localhost", "tcp://[::1]:2375"])
def test_a_port_of_this_machine_is_not(host):
    assert find_endpoint({"DOCKER_HOST": host}).socket is None


@pytest.mark.parametrize("host", ["nonsense", "npipe:////./pipe/docker_engine", "fd://"])
def test_what_is_no_address(host):
    with pytest.raises(EngineUnfit, match="DOCKER_HOST"):
        find_endpoint({"DOCKER_HOST": host})


def test_a_docker_command_is_told_the_same_engine(sockets):
    environ, usual = sockets("docker")
    found = find_endpoint(environ).variables
    assert found["DOCKER_HOST"] == f"unix://{usual['docker']}"
    assert found["DOCKER_CONTEXT"] == ""
