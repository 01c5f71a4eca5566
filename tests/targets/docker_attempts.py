"""Attempts in containers on the real engine, and what is left of them afterwards removed."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import tarfile

import pytest
import pytest_asyncio

from launch_tui.domain.attempt import Attempt
from launch_tui.domain.container import ContainerRequest
from launch_tui.domain.image import parse_image
from launch_tui.engine.facts import read_image
from launch_tui.errors import EngineError
from launch_tui.targets.containers import HOME_LABEL
from launch_tui.targets.local_container import LocalContainer

_numbers = itertools.count(1)


@pytest.fixture
def home(tmp_path):
    """A data directory; it may be looked into by whoever a container runs as."""
    tmp_path.chmod(0o755)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def image_of(docker_engine):
    """Returns ``image_of(name)``, what the engine has of that name."""
    return lambda name: built(docker_engine, name)


def built(engine, name):
    found = engine.ask_blocking(lambda api: api.inspect_image(name))
    return read_image(found, name, parse_image(name, field="image"))


@pytest.fixture(scope="session")
def ash_image(docker_engine, tiny_image):
    """The name of an image whose ``/bin/sh`` is busybox's."""
    name = "launch-tui-test/ash"
    stamp = f"launch-tui-test.of={built(docker_engine, tiny_image).id}"

    def make(api):
        if api.images(name, filters={"label": stamp}):
            return
        container = api.create_container(tiny_image, "/busybox")
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            folder, link = tarfile.TarInfo("bin"), tarfile.TarInfo("bin/sh")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            link.type, link.linkname = tarfile.SYMTYPE, "/busybox"
            tar.addfile(folder)
            tar.addfile(link)
        api.put_archive(container["Id"], "/", archive.getvalue())
        api.commit(container["Id"], repository=name, tag="1", changes=[f"LABEL {stamp}"])
        api.remove_container(container["Id"])

    docker_engine.ask_blocking(make)
    return f"{name}:1"


@pytest.fixture(scope="session")
def python_image(docker_engine, base_image):
    return built(docker_engine, base_image)


@pytest.fixture
def make_container(home, python_image):
    """Returns ``make(*command, environment=…, image=…, mounts=…, **options)``: an attempt."""

    def make(*command, environment=None, image=None, mounts=(), request=None, number=1, **options):
        run_id = f"t{os.getpid()}x{next(_numbers)}"
        directory = home / "runs" / run_id / str(number)
        directory.mkdir(parents=True)
        container = ContainerRequest(
            image=image or python_image,
            options={name.replace("_", "-"): value for name, value in options.items()},
            mounts=mounts,
            **(request or {}),
        )
        return Attempt(
            run_id=run_id,
            number=number,
            directory=directory,
            command=command,
            working_directory=directory,
            environment=environment or {},
            container=container,
        )

    return make


@pytest.fixture
def make_python_container(make_container):
    """Like ``make_container``, for a few lines of Python."""

    def make(code, **more):
        return make_container("python3", "-c", code, **more)

    return make


@pytest_asyncio.fixture
async def docker_target(docker_engine, home):
    """The target, whose containers are removed afterwards."""
    target = LocalContainer(docker_engine, home)
    yield target
    await target.close()
    remove_all(docker_engine, home)


def remove_all(engine, home):
    """Remove every container of a data directory."""
    wanted = {"label": f"{HOME_LABEL}={os.path.realpath(home)}"}
    for each in engine.ask_blocking(lambda api: api.containers(all=True, filters=wanted)):
        with contextlib.suppress(EngineError):
            engine.ask_blocking(
                lambda api, each=each: api.remove_container(each["Id"], force=True, v=True)
            )


@pytest.fixture
def inspected(docker_engine):
    """Returns ``inspected(handle)``: what the engine says of a container, None without one."""

    def inspect(handle):
        name = handle.container
        wanted = {"name": f"^/{name}$"}
        if not docker_engine.ask_blocking(lambda api: api.containers(all=True, filters=wanted)):
            return None
        return docker_engine.ask_blocking(lambda api: api.inspect_container(name))

    return inspect
