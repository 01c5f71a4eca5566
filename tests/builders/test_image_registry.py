"""Images and registries: where built ones go and come back from, and images that are named."""

from __future__ import annotations

import uuid

import pytest

from launch_tui.domain.image import parse_image
from launch_tui.engine.client import Engine
from launch_tui.errors import BuildFailed
from tests.builders.image_site import ImageSite

pytestmark = pytest.mark.slow


@pytest.fixture
async def images(tmp_path, docker_engine, tiny_image):
    """An image builder whose images are pushed in no time."""
    site = ImageSite(tmp_path, docker_engine, tiny_image)
    yield site
    await site.clean()


@pytest.fixture
def source(images):
    """A folder whose image is another one in each test."""
    marker = f"ENV MARKER={uuid.uuid4().hex}"
    return images.dockerfile("COPY train.py /", marker, 'CMD ["/busybox", "echo", "built"]')


def site_for(images, registry, name, tmp_path, password=None):
    """Another data directory, whose user is logged in at a registry."""
    environ = dict(images.engine.environ)
    if registry.user:
        logged_in = registry if password is None else with_password(registry, password)
        environ |= logged_in.config(tmp_path / f"{name}-docker")
    return ImageSite(tmp_path / name, Engine(environ), images.base)


def with_password(registry, password):
    return type(registry)(registry.host, registry.engine, registry.log, registry.user, password)


def built_here(log):
    return "#1 " in log


@pytest.mark.parametrize("kind", ["registry", "locked_registry"])
async def test_built_image_is_pushed_and_found_there_by_the_next(
    images, source, request, kind, tmp_path
):
    registry = request.getfixturevalue(kind)
    destination = f"{registry.host}/team/images"
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one = site_for(images, registry, "one", tmp_path)

    image = await one.build(source, destination=destination)

    assert image.reference.startswith(f"{destination}:")
    assert built_here(one.log())
    assert image.digest.startswith("sha256:")
    assert image.digest != image.id
    assert f"pushed {image.reference}, {image.digest}" in one.log()
    again = await one.build(source, "again", destination=destination)
    assert again == image
    assert "is there already, nothing is built" in one.log("again")
    one.remove(image)

    other = site_for(images, registry, "other", tmp_path)
    pulled = await other.build(source, destination=destination)

    assert (pulled.id, pulled.digest) == (image.id, image.digest)
    assert not built_here(other.log())
    assert "is at its destination, it is pulled and not built" in other.log()
    assert other.steps[-1] == "image ready, pulled from its destination"
    assert other.run(pulled) == (0, "built\n")
    other.remove(pulled)
    for site in (one, other):
        await site.engine.close()


async def test_wrong_password_is_told_before_anything_is_built(
    images, source, locked_registry, tmp_path
):
    (tmp_path / "one").mkdir()
    site = site_for(images, locked_registry, "one", tmp_path, password="wrong")
    with pytest.raises(BuildFailed) as caught:
        await site.build(source, destination=f"{locked_registry.host}/team/images")
    assert f"builder.destination {locked_registry.host}/team/images: " in caught.value.cause
    assert f"docker login {locked_registry.host}" in caught.value.next_step
    assert not built_here(site.log())
    assert locked_registry.password not in site.log()
    await site.engine.close()


async def test_image_that_was_built_and_not_pushed_is_pushed_and_not_built_again(
    images, source, registry
):
    destination = f"{registry.host}/team/images"
    image = await images.build(source, destination=destination)
    [record] = images.images.glob("*.json")
    record.unlink()

    again = await images.build(source, "second", destination=destination)

    assert again.id == image.id
    assert not built_here(images.log("second"))
    assert "is at its destination already" in images.log("second")


async def test_foreign_image_under_the_tag_is_not_taken(images, source, registry):
    """Whoever may write to the registry could put anything under the tag; the label must fit."""
    destination = f"{registry.host}/team/images"
    image = await images.build(source, destination=destination)
    name = parse_image(image.reference, field="image")
    images.remove(image)
    for record in images.images.glob("*.json"):
        record.unlink()
    digest = registry.put(images.base, f"team/images:{name.tag}")

    again = await images.build(source, "second", destination=destination)

    images.ask(lambda api: api.remove_image(f"{destination}@{digest}"))
    assert "has under this tag is another image; it is built anew" in images.log("second")
    assert images.run(again) == (0, "built\n")


async def test_base_image_of_a_registry_counts_by_its_digest(images, registry):
    marker = uuid.uuid4().hex
    first = registry.put(images.base, f"bases/python:{marker}")
    source = images.folder(
        Dockerfile=f"FROM {registry.host}/bases/python:{marker}\nLABEL a={marker}\n"
    )
    image = await images.build(source)
    assert await images.build(source, "second") == image
    assert "nothing is built" in images.log("second")

    changed = images.dockerfile(f"LABEL b={marker}", name="changed")
    other = await images.build(changed, "other")
    second = registry.put(other.id, f"bases/python:{marker}")
    assert first != second

    moved = await images.build(source, "third")

    assert moved.reference != image.reference
    assert images.inspect(moved)["Config"]["Labels"]["b"] == marker


async def test_destination_that_cannot_be_one(images, source):
    with pytest.raises(BuildFailed, match=r"builder.destination: "):
        await images.build(source, destination="Team Images")


# Images that are named


@pytest.fixture
def named(images, registry):
    """The name of an image in a registry, which the engine does not have."""
    name = f"jobs/train:{uuid.uuid4().hex}"
    registry.put(images.base, name)
    reference = f"{registry.host}/{name}"
    yield reference
    if images.engine.ask_blocking(lambda api: api.images(reference)):
        images.ask(lambda api: api.remove_image(reference))


async def test_named_image_is_pulled_and_taken_as_it_is_when_it_is_there(images, named):
    log = images.root / "named.log"

    async def have(**options):
        return await images.builder.image(named, log, images.steps.append, **options)

    with pytest.raises(BuildFailed, match="is not on the engine, and pull is never") as caught:
        await have(pull="never")
    assert "docker pull" in caught.value.next_step
    pulled = await have(pull="missing")
    assert pulled.reference == named
    assert pulled.digest.startswith("sha256:")
    assert pulled.digest != pulled.id
    assert "is pulled" in log.read_text()
    images.steps.clear()
    assert await have(pull="missing") == await have(pull="never") == pulled
    assert images.steps == [f"image {named} is on the engine, it is not pulled"] * 2
    assert await have(pull="always") == pulled
    assert images.steps[-1].startswith(f"image {named} is pulled, sha256:")


async def test_image_that_cannot_be_pulled_is_the_engines_own_with_a_warning(images, named):
    log = images.root / "named.log"
    pulled = await images.builder.image(named, log, images.steps.append)
    reference = parse_image(named, field="image")
    local = f"127.0.0.1:9/{reference.repository}"
    images.ask(lambda api: api.tag(named, local, reference.tag))
    try:
        taken = await images.builder.image(f"{local}:{reference.tag}", log, images.steps.append)
    finally:
        images.ask(lambda api: api.remove_image(f"{local}:{reference.tag}"))
    assert taken.id == pulled.id
    assert taken.reference == f"{local}:{reference.tag}"
    assert "launch-tui: warning: " in log.read_text()
    assert "could not be pulled; the one on the engine is taken" in images.steps[-1]


@pytest.mark.parametrize("name", ["127.0.0.1:9/nosuch:1", "Upper/Case", "a b"])
async def test_named_image_that_is_nowhere_or_no_name(images, name):
    with pytest.raises(BuildFailed) as caught:
        await images.builder.image(name, images.root / "named.log", images.steps.append)
    assert name in caught.value.cause
    assert caught.value.next_step
