"""An image builder on a real engine, folders to build from, and what is left on the engine."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

from launch_tui.builders.image_order import ImageOrder
from launch_tui.builders.images import ImageBuilder
from launch_tui.domain.image import parse_image
from launch_tui.domain.job import Environment
from launch_tui.errors import EngineError

CODE = """\
import os, pathlib
pathlib.Path("written").write_text("here")
pathlib.Path(os.environ["HOME"], "at-home").write_text("too")
print(os.getuid(), os.getcwd())
"""


class ImageSite:
    """A builder with a data directory of its own; keeps what was reported."""

    def __init__(self, root, engine, base):
        self.root = root
        self.engine = engine
        self.base = base
        self.images = root / "home" / "images"
        self.builder = ImageBuilder(engine, self.images)
        self.steps = []

    def folder(self, name="source", **files):
        """A folder of files; ``__`` in a name stands for its dot."""
        source = self.root / name
        source.mkdir(exist_ok=True)
        for file, text in ({"train__py": CODE} | files).items():
            (source / file.replace("__", ".")).write_text(text)
        return source

    def dockerfile(self, *lines, name="source", **files):
        """A folder with a Dockerfile that begins from the base image."""
        return self.folder(name, Dockerfile="\n".join([f"FROM {self.base}", *lines, ""]), **files)

    def order(self, source, **changes):
        environment = Environment(**changes.pop("environment", {}))
        if "dockerfile" not in changes and (source / "Dockerfile").exists():
            environment = replace(environment, dockerfile=environment.dockerfile or "Dockerfile")
        return ImageOrder(
            **{
                "source": source,
                "source_key": content_of(source),
                "job": "launch-tui-test",
                "entry_point": ("python", "train.py"),
                "environment": environment,
                "base_image": self.base,
                **changes,
            }
        )

    async def build(self, source, log="build", **changes):
        order = source if isinstance(source, ImageOrder) else self.order(source, **changes)
        return await self.builder.build(order, self.root / f"{log}.log", self.steps.append)

    def log(self, name="build"):
        path = self.root / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def ask(self, question):
        return self.engine.ask_blocking(question)

    def inspect(self, image):
        return self.ask(lambda api: api.inspect_image(image.id))

    def run(self, image, *command, user="4242:4242"):
        """Run an image to its end as another user; returns the status and what it printed."""
        container = self.ask(
            lambda api: api.create_container(image.id, command=list(command) or None, user=user)
        )["Id"]
        try:
            self.ask(lambda api: api.start(container))
            status = self.ask(lambda api: api.wait(container))["StatusCode"]
            return status, self.ask(lambda api: api.logs(container)).decode()
        finally:
            self.ask(lambda api: api.remove_container(container, force=True))

    def remove(self, image):
        """Remove an image with all of its names."""
        self.ask(lambda api: api.remove_image(image.id, force=True))

    def saved(self, image):
        """All that is in an image by name: its configuration and the files of its layers."""
        data = b"".join(self.ask(lambda api: api.get_image(image.id)))
        found = {}
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive.getmembers():
                if not member.isfile():
                    continue
                content = archive.extractfile(member).read()
                found[member.name] = content
                if member.name.endswith("layer.tar") or "/sha256/" in member.name:
                    found |= files_of(content)
        return found

    async def clean(self):
        """Remove all images that were built here."""
        for image in await self.builder.list_images():
            with contextlib.suppress(EngineError):
                self.ask(lambda api, image=image: api.remove_image(image.id, force=True))


def files_of(layer):
    with contextlib.suppress(tarfile.ReadError), tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        return {
            f"layer:{member.name}": archive.extractfile(member).read()
            for member in archive.getmembers()
            if member.isfile()
        }
    return {}


def content_of(source):
    """What stands for the content of a folder, as a manifest's digest does."""
    parts = {
        str(path.relative_to(source)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(source.rglob("*"))
        if path.is_file()
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def name_of(image):
    return parse_image(image.reference, field="image")


def processes_with(text):
    """The processes of this machine, in containers too, that have this in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and text.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def docker(*words):
    return subprocess.run(
        ["docker", *map(str, words)], capture_output=True, text=True, check=True
    ).stdout
