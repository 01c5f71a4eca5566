"""Which docker command has BuildKit: those of this machine, and every other kind there is."""

from __future__ import annotations

import asyncio
import os
import subprocess

import pytest

from launch_tui.engine import docker_cli
from launch_tui.engine.docker_cli import docker_commands, find_buildkit

KINDS = {
    "buildx": "case $1 in --version) echo 'Docker version 28.2.2, build x';;"
    " buildx) echo 'github.com/docker/buildx v0.24.0 d0e5e86';; esac",
    "without": "case $1 in --version) echo 'Docker version 28.2.2, build x';;"
    ' *) echo "unknown command: docker $1" >&2; exit 1;; esac',
    "older": "case $1 in --version) echo 'Docker version 20.10.24+dfsg1, build x';;"
    " *) exit 1;; esac",
    "podman": "echo 'podman version 4.3.1'",
    "hangs": "exec sleep 30",
    "broken": "exit 127",
}


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(docker_cli, "_known", {})
    monkeypatch.setattr(docker_cli, "USUAL_FOLDERS", ())
    monkeypatch.setattr(docker_cli, "ANSWER_S", 2.0)


@pytest.fixture
def path(tmp_path):
    """Returns ``path(*kinds)``: variables with a PATH that has these commands in this order."""

    def made(*kinds):
        folders = []
        for number, kind in enumerate(kinds):
            folder = tmp_path / str(number)
            folder.mkdir(exist_ok=True)
            write(folder / "docker", kind)
            folders.append(str(folder))
        return {"PATH": ":".join((*folders, "/nowhere"))}

    return made


def write(file, kind):
    file.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{KINDS[kind]}\n")
    file.chmod(0o755)


@pytest.mark.parametrize(
    ("kinds", "number"),
    [
        (("buildx",), 0),
        (("without", "older"), 1),
        (("podman", "broken", "buildx", "older"), 2),
        (("older", "buildx"), 0),
        (("without", "podman", "broken"), None),
        ((), None),
    ],
)
async def test_the_first_that_can_is_taken(path, kinds, number):
    environ = path(*kinds)
    found = await find_buildkit(environ)
    if number is None:
        assert found is None
        return
    assert str(found.path) == f"{environ['PATH'].split(':')[number]}/docker"


async def test_how_each_kind_is_asked_to_build(path):
    newer = await find_buildkit(path("buildx"))
    assert newer.command[1:] == ("buildx", "build", "--builder", "default", "--load")
    assert (newer.variables, newer.buildx, newer.version) == ({}, "0.24.0", "28.2.2")
    older = await find_buildkit(path("older"))
    assert older.command[1:] == ("build",)
    assert older.variables == {"DOCKER_BUILDKIT": "1"}
    assert str(older).endswith("docker 20.10.24+dfsg1")


async def test_one_that_hangs_is_given_up(path, monkeypatch):
    monkeypatch.setattr(docker_cli, "ANSWER_S", 0.3)
    found = await find_buildkit(path("hangs"))
    assert found is None


async def test_one_that_can_is_remembered_until_its_file_changes(path):
    environ = path("buildx")
    assert (await find_buildkit(environ)).buildx == "0.24.0"
    file = next(docker_commands(environ))
    before = file.stat().st_mtime_ns
    write(file, "without")
    os.utime(file, ns=(before, before))
    assert (await find_buildkit(environ)).buildx == "0.24.0"
    os.utime(file, ns=(before + 1, before + 1))
    assert await find_buildkit(environ) is None


async def test_a_plugin_that_is_installed_meanwhile_is_found(path):
    environ = path("without")
    assert await find_buildkit(environ) is None
    file = next(docker_commands(environ))
    before = file.stat().st_mtime_ns
    write(file, "buildx")
    os.utime(file, ns=(before, before))
    assert (await find_buildkit(environ)).buildx == "0.24.0"


def test_one_file_by_two_names_is_one_command(path, tmp_path):
    environ = path("older")
    link = tmp_path / "link"
    link.mkdir()
    (link / "docker").symlink_to(next(docker_commands(environ)))
    both = {"PATH": f"{environ['PATH']}:{link}"}
    assert len(list(docker_commands(both))) == 1


def test_the_real_ones(docker_engine):
    """What is said to have BuildKit on this machine builds with it."""
    found = asyncio.run(find_buildkit({**os.environ, "PATH": f"{os.environ['PATH']}:/usr/bin"}))
    if found is None:
        pytest.skip("no docker command here has BuildKit")
    done = subprocess.run(
        [*found.command, "--progress=plain", "-"],
        input=b"FROM scratch\nLABEL a=b\n",
        env={**os.environ, **found.variables},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"[internal] load" in done.stderr + done.stdout
