"""What a shell beside a run is made of; tests/acceptance has whole shells."""

from __future__ import annotations

import os
import uuid
from types import SimpleNamespace

import pytest

from launch_tui.domain.run import RunState
from launch_tui.engine import docker_cli
from launch_tui.errors import NotAvailable
from launch_tui.sdk.shell import ContainerShell, Shell, shell_of


def data_directory(**run):
    """Stands for a data directory with one run."""
    found = SimpleNamespace(state=RunState.RUNNING, attempt=2, resource="local-container", **run)
    return SimpleNamespace(runs=SimpleNamespace(get=lambda _: found))


@pytest.fixture
def container(docker_engine, base_image):
    """The id of a run whose container runs."""
    run = f"t{uuid.uuid4().hex[:7]}"
    made = docker_engine.ask_blocking(
        lambda api: api.create_container_from_config(
            {"Image": base_image, "Entrypoint": ["/bin/sh", "-c", "sleep 600"]},
            f"launch-tui-{run}.2",
        )
    )["Id"]
    docker_engine.ask_blocking(lambda api: api.start(made))
    yield run
    docker_engine.ask_blocking(lambda api: api.remove_container(made, force=True))


def test_the_docker_command_asks_the_engine_that_is_asked_here(container, docker_engine):
    environ = {**os.environ, "TERM": "xterm", "DOCKER_CONTEXT": "another"}
    environ["DOCKER_HOST"] = docker_engine.endpoint.url
    shell = shell_of(data_directory(id=container), "@", environ, is_terminal=True)
    if not isinstance(shell, Shell):
        pytest.skip("needs a docker command")
    name = f"launch-tui-{container}.2"
    assert shell.command[1:5] == ("exec", "-it", "-eTERM=xterm", name)
    assert shell.command[5] == "/bin/sh"
    assert shell.environment["DOCKER_HOST"] == docker_engine.endpoint.url
    assert shell.environment["DOCKER_CONTEXT"] == ""
    piped = shell_of(data_directory(id=container), "@", environ, is_terminal=False)
    assert piped.command[1:4] == ("exec", "-i", name)


def test_without_a_docker_command_the_engine_is_asked_itself(container, monkeypatch):
    monkeypatch.setattr(docker_cli, "docker_commands", lambda _: iter(()))
    environ = {**os.environ, "TERM": "xterm"}
    shell = shell_of(data_directory(id=container), "@", environ, is_terminal=True)
    assert isinstance(shell, ContainerShell)
    assert (shell.container, shell.variables) == (f"launch-tui-{container}.2", {"TERM": "xterm"})
    assert shell.command[:2] == ("/bin/sh", "-c")
    shell.engine.close_blocking()


def test_other_targets_have_none_yet():
    launch = SimpleNamespace(
        runs=SimpleNamespace(get=lambda _: SimpleNamespace(id="x", resource="kubernetes"))
    )
    with pytest.raises(NotAvailable, match="shell: not available yet for runs on kubernetes"):
        shell_of(launch, "@", {}, is_terminal=False)
