"""Images are built once, survive whoever built them, are shared, listed and removed."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import signal
import sys
import time
import uuid

import pytest

from launch_tui.builders.build_lock import BuildLocks
from launch_tui.builders.build_log import BuildLog
from launch_tui.builders.image_records import ImageRecord, ImageRecords
from launch_tui.cli.program import main
from launch_tui.engine.client import Engine
from launch_tui.errors import BuildFailed, EngineDown
from launch_tui.sdk import Launch
from launch_tui.store.clock import iso
from tests.builders.image_site import ImageSite, content_of, processes_with

pytestmark = pytest.mark.slow

BUILD = """
import asyncio, json, os, sys
from pathlib import Path
from launch_tui.builders.image_order import ImageOrder
from launch_tui.builders.images import ImageBuilder
from launch_tui.domain.job import Environment
from launch_tui.engine.client import Engine
root, source, log, key, destination = sys.argv[1:]
order = ImageOrder(
    source=Path(source), source_key=key, job="launch-tui-test", entry_point=("python", "train.py"),
    environment=Environment(dockerfile="Dockerfile"), destination=destination,
)
builder = ImageBuilder(Engine(), Path(root))
print(asyncio.run(builder.build(order, Path(log), lambda step: None)).id)
"""


@pytest.fixture
async def images(tmp_path, docker_engine, tiny_image):
    """An image builder whose images are built in no time."""
    site = ImageSite(tmp_path, docker_engine, tiny_image)
    yield site
    await site.clean()


@pytest.fixture
def source(images):
    """A folder whose image is another one in each test."""
    return images.dockerfile("COPY train.py /", f"ENV MARKER={uuid.uuid4().hex}")


def builds(*logs):
    return sum("#1 " in log or "Step 1/" in log for log in logs)


async def start_building(images, source, log, destination="", **environ):
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", BUILD, str(images.images), str(source)),
        *(str(images.root / f"{log}.log"), content_of(source), destination),
        env={**os.environ, **environ},
        stdout=asyncio.subprocess.PIPE,
    )


async def test_two_runs_at_once_share_one_build(images, source):
    logs = ("a", "b", "c")
    built = await asyncio.gather(*(images.build(source, log) for log in logs))

    assert built[0] == built[1] == built[2]
    texts = [images.log(log) for log in logs]
    waited = [text for text in texts if "is being built for another run" in text]
    assert len(waited) == 2
    # Who waits shows the same output, and then that there was nothing to build.
    assert all("exporting to image" in text for text in texts)
    assert all("is there now, nothing is built" in text for text in waited)
    assert images.steps.count("image ready") == 1
    assert images.steps.count("image ready, built for another run") == 2


async def test_two_processes_at_once_share_one_build(images, source):
    processes = [await start_building(images, source, log) for log in "ab"]
    outputs = [(await process.communicate())[0] for process in processes]

    assert outputs[0] == outputs[1] != b""
    texts = [images.log(log) for log in "ab"]
    assert sorted("nothing is built" in text for text in texts) == [False, True]


async def test_killed_builder_takes_the_build_with_it_and_leaves_the_lock_free(
    images, docker_engine, base_image, wait_until
):
    images.base = base_image
    marker = uuid.uuid4().hex
    code = f"import time; print('{marker}', flush=True); time.sleep(1000)"
    source = images.dockerfile(f'RUN python3 -c "{code}"')
    builder = await start_building(images, source, "killed")
    said = re.compile(rf"^#\d+ [\d.]+ {marker}$", re.MULTILINE)
    await asyncio.to_thread(wait_until, lambda: said.search(images.log("killed")), 60)
    [lock] = images.images.glob("*.lock")
    locks = BuildLocks(images.images)
    assert locks.try_take(lock.stem) is None

    builder.kill()
    await builder.wait()

    await asyncio.to_thread(wait_until, lambda: not processes_with(marker), 30)
    with locks.try_take(lock.stem):
        pass
    images.dockerfile("ENV FINE=1")
    assert await images.build(source, "next")
    assert builds(images.log("next")) == 1


POINTS = {"image.locked": 1, "image.built": 0, "image.pushed": 0}
"""Point -> how often the next has to build."""


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_a_fault_point_the_next_one_goes_on(images, source, registry, point):
    destination = f"{registry.host}/team/{uuid.uuid4().hex}"
    killed = await start_building(images, source, "killed", destination, LAUNCH_TUI_FAULT=point)
    assert await killed.wait() == -signal.SIGKILL

    image = await images.build(source, "next", destination=destination)

    assert builds(images.log("next")) == POINTS[point]
    assert image.reference.startswith(destination)
    assert image.digest != image.id
    assert ("pushed " in images.log("next")) == (point != "image.pushed")
    assert await images.build(source, "again", destination=destination) == image


async def test_killed_after_a_pull_the_next_one_has_the_image(images, source, registry):
    destination = f"{registry.host}/team/{uuid.uuid4().hex}"
    image = await images.build(source, destination=destination)
    images.remove(image)
    killed = await start_building(
        images, source, "killed", destination, LAUNCH_TUI_FAULT="image.pulled"
    )
    assert await killed.wait() == -signal.SIGKILL

    again = await images.build(source, "next", destination=destination)

    assert again.id == image.id
    assert builds(images.log("next")) == 0


async def test_engine_that_goes_away_during_a_build_is_no_failed_build(
    tmp_path, private_dockerd, monkeypatch
):
    """The docker command is one that kills the engine as soon as it is to build."""
    from launch_tui.engine import docker_cli

    environ = os.environ | private_dockerd.environ
    engine = Engine(environ)
    kit = await docker_cli.find_buildkit(environ)
    wrapper = tmp_path / "docker"
    wrapper.write_text(f'#!/bin/sh\nkill -9 {private_dockerd.process.pid}\nexec "$@"\n')
    wrapper.chmod(0o755)
    command = (str(wrapper), *kit.command)

    class Killing:
        variables = kit.variables

    Killing.command = command

    async def found(_):
        return Killing

    monkeypatch.setattr(docker_cli, "find_buildkit", found)
    images = ImageSite(tmp_path, engine, "scratch")
    source = images.folder(Dockerfile="FROM scratch\nCOPY . /\n")

    with pytest.raises(EngineDown):
        await images.build(source)

    await engine.close()


async def test_same_files_of_two_jobs_are_one_image_and_others_of_that_name_are_not(images, source):
    """W&B's key is the job's name and version: it builds twice here, and shares the last one."""
    first = await images.build(source, "a", job="first:v0")
    second = await images.build(source, "b", job="second:v7")
    other = images.dockerfile("ENV OTHER=1", name="other")

    third = await images.build(other, "c", job="first:v0")

    assert first.id == second.id != third.id
    assert (builds(images.log("a")), builds(images.log("b"))) == (1, 0)
    names = [image.reference.partition(":")[0] for image in (first, second, third)]
    assert names == ["launch-tui/first", "launch-tui/second", "launch-tui/first"]
    [shared] = [each for each in await images.builder.list_images() if each.id == first.id]
    assert set(shared.references) == {first.reference, second.reference}


async def test_image_that_was_removed_by_hand_is_built_again(images, source):
    image = await images.build(source)
    images.remove(image)
    again = await images.build(source, "second")
    assert again.reference == image.reference
    assert builds(images.log("second")) == 1


async def test_name_that_somebody_else_gave_to_an_image_is_not_taken(images, source):
    image = await images.build(source)
    images.remove(image)
    name, _, tag = image.reference.partition(":")
    images.ask(lambda api: api.tag(images.base, name, tag))
    again = await images.build(source, "second")
    assert builds(images.log("second")) == 1
    assert images.inspect(again)["Config"]["Labels"]["launch-tui.job"] == "launch-tui-test"


async def test_list_tells_what_is_known(images, source):
    before = time.time()
    image = await images.build(source)

    [listed] = await images.builder.list_images()

    assert (listed.id, listed.references) == (image.id, (image.reference,))
    assert listed.job == "launch-tui-test"
    assert len(listed.key) == 64
    assert listed.size > 100_000
    assert before <= listed.created_at <= listed.last_used_at + 1


async def test_prune_takes_what_is_old_and_ours_and_in_no_use(images, docker_engine, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    elsewhere = ImageSite(tmp_path / "elsewhere", docker_engine, images.base)
    names = ("old", "named", "by-id", "contained", "new")
    built = {
        name: await images.build(images.dockerfile(f"ENV N={name}", name=name)) for name in names
    }
    foreign = await elsewhere.build(images.dockerfile("ENV N=foreign", name="foreign"))
    old = 1000.0
    for name in names[:-1]:
        labels = images.inspect(built[name])["Config"]["Labels"]
        os.utime(images.images / f"{labels['launch-tui.key']}.json", (old, old))
    container = images.ask(
        lambda api: api.create_container(built["contained"].id, command=["/busybox", "true"])
    )["Id"]
    in_use = {built["named"].reference, built["by-id"].id}

    would = await images.builder.prune(old + 1, in_use, dry_run=True)
    assert {image.id for image in would} == {built["old"].id, built["contained"].id}
    assert len(await images.builder.list_images()) == len(names)

    removed = await images.builder.prune(old + 1, in_use)

    assert [image.id for image in removed] == [built["old"].id]
    kept = {image.id for image in await images.builder.list_images()}
    assert kept == {image.id for name, image in built.items() if name != "old"}
    assert images.inspect(foreign)
    assert images.ask(lambda api: api.inspect_image(images.base))
    images.ask(lambda api: api.remove_container(container))
    again = await images.builder.prune(old + 1, in_use)
    assert [image.id for image in again] == [built["contained"].id]
    left = {path.suffix for path in images.images.glob(f"{again[0].key}*")}
    assert left == set()
    await elsewhere.clean()


async def test_prune_leaves_what_is_being_built_and_names_that_are_not_ours(images, source):
    image = await images.build(source)
    [listed] = await images.builder.list_images()
    images.ask(lambda api: api.tag(image.id, "launch-tui-test/mine", "keep"))
    locks = BuildLocks(images.images)
    try:
        with locks.try_take(listed.key):
            assert await images.builder.prune(time.time() + 1, set()) == []
        assert len(await images.builder.prune(time.time() + 1, set())) == 1
        assert images.ask(lambda api: api.inspect_image("launch-tui-test/mine:keep"))
    finally:
        images.ask(lambda api: api.remove_image("launch-tui-test/mine:keep"))


async def test_prune_forgets_images_that_are_gone_and_builds_that_failed(images, source):
    gone = await images.build(source)
    images.remove(gone)
    with pytest.raises(BuildFailed):
        await images.build(images.dockerfile("NOSUCH", name="failing"))
    kept = await images.build(images.dockerfile("ENV KEPT=1", name="kept"))
    assert len(list(images.images.iterdir())) == 5

    assert await images.builder.prune(0.0, set()) == []
    assert len(list(images.images.iterdir())) == 5
    later = time.time() + 1
    assert await images.builder.prune(later, {kept.id}, dry_run=True) == []
    assert len(list(images.images.iterdir())) == 5
    assert await images.builder.prune(later, {kept.id}) == []

    left = {path.suffix for path in images.images.iterdir()}
    assert (len(list(images.images.iterdir())), left) == (2, {".json", ".lock"})


async def test_full_disk_of_the_build_log_stops_no_command(images, source, monkeypatch):
    write = BuildLog.write

    def until_full(self, data):
        if data.startswith(b"#2 "):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, data)

    monkeypatch.setattr(BuildLog, "write", until_full)
    with pytest.raises(BuildFailed, match="no space left for the build in"):
        await images.build(source)


async def test_place_that_cannot_be_written_is_a_failed_build(images, source):
    images.images.parent.mkdir()
    images.images.write_text("a file in its place")
    with pytest.raises(BuildFailed, match="the image cannot be built"):
        await images.build(source)


def test_damaged_record_is_none(tmp_path):
    records = ImageRecords(tmp_path)
    record = ImageRecord(key="a", id="sha256:1", bases={"python:3.11": "sha256:2"}, pushed=("x",))
    records.write(record)
    assert records.use("a") == record
    assert records.base_digest("python:3.11") == "sha256:2"
    for text in ("", "{", "[]", '{"key": "a"}', '{"key": "a", "id": "x", "pushed": 3}'):
        (tmp_path / "a.json").write_text(text)
        assert records.use("a") is None
        assert records.base_digest("python:3.11") == ""


@pytest.fixture
def said(capsys, images):
    """Returns ``said(*words) -> (out, err)`` of the command line in the site's data directory."""

    def call(*words):
        capsys.readouterr()
        assert main(["--home", str(images.images.parent), *words]) == 0
        return capsys.readouterr()

    return call


async def test_command_line_lists_and_prunes(images, source, said):
    def ask(*words):
        return asyncio.to_thread(said, *words)

    assert (await ask("image", "list")).err == "no images\n"
    assert json.loads((await ask("image", "list", "--json")).out) == []
    image = await images.build(source)

    shown = (await ask("image", "list")).out.splitlines()
    assert shown[0].split() == ["IMAGE", "JOB", "ID", "SIZE", "CREATED", "USED"]
    assert image.reference in shown[1]
    [listed] = json.loads((await ask("image", "list", "--json")).out)
    assert (listed["id"], listed["references"]) == (image.id, [image.reference])
    [found] = await images.builder.list_images()
    times = (iso(found.created_at), iso(found.last_used_at))
    assert (listed["created_at"], listed["last_used_at"]) == times

    assert "removed 0 images" in (await ask("image", "prune")).err
    dry = await ask("image", "prune", "--older-than", "0s", "--dry-run")
    assert "would remove 1 images" in dry.err
    assert len(await images.builder.list_images()) == 1
    assert "removed 1 images" in (await ask("image", "prune", "--older-than", "0s")).err
    assert await images.builder.list_images() == []


async def test_command_line_keeps_what_an_unfinished_run_needs(images, source, said, monkeypatch):
    image = await images.build(source)
    monkeypatch.chdir(source)
    words = ("launch", "-q", "default", "--json", "--", "true")
    run = json.loads((await asyncio.to_thread(said, *words)).out)["id"]
    with Launch(images.images.parent) as sdk:
        sdk.db.execute("UPDATE runs SET image = ? WHERE id = ?", (image.reference, run))
    kept = await asyncio.to_thread(said, "image", "prune", "--older-than", "0s")
    assert "removed 0 images" in kept.err
    await asyncio.to_thread(said, "cancel", run)
    gone = await asyncio.to_thread(said, "image", "prune", "--older-than", "0s")
    assert "removed 1 images" in gone.err
