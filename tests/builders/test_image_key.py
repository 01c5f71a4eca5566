"""What decides the name of an image, and which images a Dockerfile names."""

from __future__ import annotations

import re
from typing import ClassVar

import pytest

from launch_tui.builders import image_bases
from launch_tui.builders.image_bases import digests, named_images
from launch_tui.builders.image_key import image_key, repository_of, tag_of
from launch_tui.domain.container import BuiltImage
from launch_tui.domain.image import parse_image
from launch_tui.errors import BuildFailed, RegistryError

INGREDIENTS = {
    "source_key": "sha256:1",
    "context": "",
    "dockerfile": "FROM python:3.11\n",
    "bases": {"python:3.11": "sha256:a"},
    "build_args": {"A": "1"},
    "platform": "linux/amd64",
}
CHANGED = [
    {"source_key": "sha256:2"},
    {"context": "sub"},
    {"dockerfile": "FROM python:3.11\n\n"},
    {"bases": {"python:3.11": "sha256:b"}},
    {"bases": {}},
    {"build_args": {"A": "2"}},
    {"build_args": {}},
    {"build_args": {"A": "1", "B": ""}},
    {"platform": "linux/arm64"},
]


@pytest.mark.parametrize("change", CHANGED, ids=str)
def test_each_ingredient_changes_the_key(change):
    key = image_key(**INGREDIENTS)
    assert re.fullmatch("[0-9a-f]{64}", key)
    assert image_key(**INGREDIENTS | change) != key
    assert image_key(**dict(INGREDIENTS)) == key


def test_order_of_names_is_no_ingredient():
    one, other = {"A": "1", "B": "2"}, {"B": "2", "A": "1"}
    keys = {image_key(**INGREDIENTS | {"build_args": each}) for each in (one, other)}
    assert len(keys) == 1


def test_parts_cannot_be_moved_into_each_other():
    joined = image_key(**INGREDIENTS | {"source_key": 'x", "context": "y', "context": ""})
    assert joined != image_key(**INGREDIENTS | {"source_key": "x", "context": "y"})


def test_name_of_the_job_is_no_ingredient_and_its_version_no_name():
    """W&B hashes ``<job>:v<n>``, so equal names of two projects share an image, unlike content."""
    key = image_key(**INGREDIENTS)
    assert repository_of("job-train:v0") == repository_of("job-train:v1") == "launch-tui/job-train"
    assert tag_of(key) == key[:16]


@pytest.mark.parametrize(
    ("job", "name"),
    [
        ("Train", "train"), ("a__b..c", "a-b-c"), ("-x-", "x"), ("Ünïcode", "n-code"),
        ("...", "job"), ("a\nRUN id", "a-run-id"), ("a/b", "a-b"), ("x" * 300, "x" * 100),
        ("x" * 99 + "-y", "x" * 99),
    ],
)  # fmt: skip
def test_every_job_has_a_repository(job, name):
    repository = repository_of(job)
    assert repository == f"launch-tui/{name}"
    assert str(parse_image(repository, field="x").with_tag("a" * 16)) == f"{repository}:{'a' * 16}"


def named(text, **build_args):
    return [str(each) for each in named_images(text, build_args)]


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("FROM python:3.11\n", ["python:3.11"]),
        ("from Python:3.11", []),
        ("# c\n\nFROM --platform=$BUILDPLATFORM a AS b\nFROM b\nFROM B\nFROM c", ["a", "c"]),
        ("FROM scratch\nCOPY --from=x/y:1 /a /a", ["x/y:1"]),
        ("FROM a\nRUN --mount=type=bind,from=tools:2,target=/t x\n", ["a", "tools:2"]),
        ("FROM a AS b\nFROM c\nCOPY --from=b / /\nCOPY --from=0 / /\n", ["a", "c"]),
        ("ARG V=3.11\nFROM python:${V}-slim", ["python:3.11-slim"]),
        ('ARG V="3.11" W=x\nFROM $W/python:$V', ["x/python:3.11"]),
        ("ARG V\nFROM python:${V:-3.12}", ["python:3.12"]),
        ("ARG V\nFROM python:$V", []),
        ("FROM a\nARG V=1\nFROM b:$V", ["a"]),
        ("FROM \\\n  a \\\n  # comment\n  AS b\n", ["a"]),
        ("# escape=`\nFROM a`\n AS b\nRUN x `\n FROM c\n", ["a"]),
        ("FROM localhost:5000/x/y@sha256:" + "0" * 64, ["localhost:5000/x/y@sha256:" + "0" * 64]),
        ("FROM a\nFROM a\n", ["a"]),
        ("FROM\nRUN\n\x00", []),
        ("", []),
    ],
)
def test_images_that_a_dockerfile_names(text, images):
    assert named(text) == images


def test_build_argument_beats_the_default():
    assert named("ARG V=3.11\nFROM python:$V", V="3.13") == ["python:3.13"]


class Facts:
    insecure = ()


class Engine:
    """An engine that has some images; what it is asked beyond that fails."""

    environ: ClassVar = {}

    def __init__(self, **images):
        self.images = images

    async def facts(self):
        return Facts()

    async def inspect_image(self, reference):
        digest = self.images.get(reference)
        return digest and BuiltImage(reference=reference, id="sha256:id", digest=digest)


async def test_base_is_what_the_engine_has_or_what_its_digest_says():
    pinned = parse_image(f"b@sha256:{'1' * 64}", field="x")
    engine = Engine(a="sha256:local")
    found = await digests(engine, (parse_image("a", field="x"), pinned), lambda name: "")
    assert found == {"a": "sha256:local", str(pinned): pinned.digest}


async def test_registry_that_cannot_be_asked_is_trusted_to_have_what_it_had(monkeypatch):
    async def refuse(*_):
        raise RegistryError("refused", next_step="log in")

    monkeypatch.setattr(image_bases, "registry_digest", refuse)
    base = parse_image("a", field="x")
    assert await digests(Engine(), (base,), {"a": "sha256:old"}.get) == {"a": "sha256:old"}
    with pytest.raises(BuildFailed, match="base image a: refused") as caught:
        await digests(Engine(), (base,), lambda name: "")
    assert caught.value.next_step == "log in"


async def test_base_that_is_nowhere(monkeypatch):
    async def nothing(*_):
        return None

    monkeypatch.setattr(image_bases, "registry_digest", nothing)
    with pytest.raises(BuildFailed, match="base image a: neither this engine nor"):
        await digests(Engine(), (parse_image("a", field="x"),), lambda name: "")
