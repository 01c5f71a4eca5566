"""Registries on loopback: the one that Debian packages, with and without a password."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import uuid
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from launch_tui.domain.image import parse_image

if TYPE_CHECKING:
    from pathlib import Path

    from launch_tui.engine.client import Engine

STARTED_S = 30.0
POLL_S = 0.02


@dataclass(frozen=True)
class Registry:
    """A registry on loopback; ``user`` and ``password`` are empty where anybody may."""

    host: str
    engine: Engine
    log: Path
    user: str = ""
    password: str = ""

    @property
    def credentials(self):
        return {"username": self.user, "password": self.password} if self.user else {}

    def config(self, folder):
        """Write a ``config.json`` that knows the registry; returns the variables that name it."""
        folder.mkdir(parents=True, exist_ok=True)
        word = b64encode(f"{self.user}:{self.password}".encode()).decode()
        text = json.dumps({"auths": {self.host: {"auth": word}}})
        (folder / "config.json").write_text(text)
        return {"DOCKER_CONFIG": str(folder)}

    def put(self, image, name):
        """Push an image of the engine as ``name`` (with a tag); returns its digest."""
        reference = parse_image(f"{self.host}/{name}", field="image")

        def push(api):
            api.tag(image, reference.name, reference.tag)
            try:
                told = list(
                    api.push(
                        reference.name,
                        reference.tag,
                        stream=True,
                        decode=True,
                        auth_config=self.credentials,
                    )
                )
            finally:
                api.remove_image(str(reference))
            digests = [step["aux"]["Digest"] for step in told if "aux" in step]
            if not digests:
                raise RuntimeError(f"the push did not work: {told[-1]}")
            return digests[0]

        return self.engine.ask_blocking(push)


@pytest.fixture
def registry(docker_engine, tmp_path):
    """A registry that anybody may use, over HTTP."""
    with _registry(docker_engine, tmp_path / "registry") as running:
        yield running


@pytest.fixture
def locked_registry(docker_engine, tmp_path):
    """A registry with one user, over HTTP."""
    with _registry(docker_engine, tmp_path / "locked-registry", user="tester") as running:
        yield running


@contextlib.contextmanager
def _registry(engine, folder, user=""):
    if shutil.which("docker-registry") is None:
        pytest.skip("needs docker-registry")
    folder.mkdir()
    port = _free_port()
    password = uuid.uuid4().hex if user else ""
    settings = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    if user:
        settings["auth"] = {
            "htpasswd": {"realm": "tests", "path": str(_htpasswd(folder, user, password))}
        }
    # JSON is YAML.
    (folder / "config.yml").write_text(json.dumps(settings))
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_for_port(port, process, log)
        yield Registry(f"127.0.0.1:{port}", engine, log, user, password)
    finally:
        process.kill()
        process.wait()


def _htpasswd(folder, user, password):
    if shutil.which("htpasswd") is None:
        pytest.skip("needs apache2-utils (htpasswd)")
    command = ["htpasswd", "-Bbn", user, password]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    path = folder / "htpasswd"
    path.write_text(done.stdout)
    return path


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for_port(port, process, log):
    deadline = time.monotonic() + STARTED_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the registry did not start: {log.read_text()}")
        time.sleep(POLL_S)
