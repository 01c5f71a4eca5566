from __future__ import annotations

import pytest

from launch_tui.builders.venv import VenvBuilder
from launch_tui.domain.job import Environment
from tests.builders.image_site import ImageSite


class Site:
    """A builder with its directory, and folders to build from; keeps what was reported."""

    def __init__(self, root):
        self.root = root
        self.envs = root / "envs"
        self.builder = VenvBuilder(self.envs)
        self.steps = []

    def folder(self, name="source", **files):
        source = self.root / name
        source.mkdir(exist_ok=True)
        for file, text in files.items():
            (source / file.replace("__", ".")).write_text(text)
        return source

    def log(self, name="build"):
        return self.root / f"{name}.log"

    async def build(self, source, log="build", variables=None, **environment):
        return await self.builder.build(
            source,
            Environment(**environment),
            self.log(log),
            self.steps.append,
            variables=variables,
        )


def make_package(directory, name, setup=""):
    """Write a package that setuptools can install without the network's help for itself."""
    package = directory / name
    package.mkdir(parents=True)
    (package / "setup.py").write_text(
        f"{setup}\nfrom setuptools import setup\nsetup(name={name!r}, version='1.0', "
        f"py_modules=[{name!r}])\n"
    )
    (package / f"{name}.py").write_text("WORD = 'first'\n")
    return package


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@pytest.fixture
async def images(tmp_path, docker_engine, base_image):
    """An image builder with a data directory of its own; what it built is removed."""
    site = ImageSite(tmp_path, docker_engine, base_image)
    yield site
    await site.clean()


@pytest.fixture
def classic(monkeypatch):
    """No docker command has BuildKit."""

    async def nothing(*_):
        return None

    monkeypatch.setattr("launch_tui.engine.docker_cli.find_buildkit", nothing)
