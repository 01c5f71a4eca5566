"""A file of settings is followed however it is replaced, and broken settings change nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from pathlib import Path

import pytest

from launch_tui.agent import config_file
from launch_tui.agent.config import AgentConfig
from launch_tui.agent.config_file import ConfigFile, folders_of, signature, watch_file
from launch_tui.errors import UsageError

DEADLINE_S = 20


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "etc" / "agent.yaml"
    made.parent.mkdir()
    made.write_text("max_jobs: 1\n")
    return made


@pytest.fixture(autouse=True)
def only_notifications(monkeypatch):
    """Looking now and then would hide a watch that tells nothing."""
    monkeypatch.setattr(config_file, "LOOK_MS", 1000 * 3600)


@contextlib.asynccontextmanager
async def following(file):
    """Yields ``next() -> AgentConfig | UsageError``; the file's folders are watched by then."""
    file.load()
    news = asyncio.Queue()

    async def follow():
        async with contextlib.aclosing(file.changes()) as changes:
            async for found in changes:
                news.put_nowait(found)

    task = asyncio.create_task(follow())
    if file.path.exists():
        await watched(*folders_of(file.path))
    try:
        yield lambda: asyncio.wait_for(news.get(), DEADLINE_S)
        assert news.empty()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def watched(*folders):
    """Return once the kernel watches these folders for this process."""
    wanted = {f"ino:{folder.stat().st_ino:x}" for folder in folders}
    deadline = time.monotonic() + DEADLINE_S
    while not wanted <= watched_inodes():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def watched_inodes():
    found = set()
    for info in Path("/proc/self/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            lines = info.read_text().splitlines()
            found |= {line.split()[2] for line in lines if line.startswith("inotify ")}
    return found


def write_over(path, text):
    """As vim does it: the old file goes aside, the new one is renamed to its name."""
    new = path.with_suffix(".new")
    new.write_text(text)
    path.rename(path.with_suffix(".bak"))
    new.rename(path)


async def test_writes_in_place_and_renames_over_are_followed(path):
    async with following(ConfigFile(path)) as change:
        for number, write in enumerate((path.write_text, lambda text: write_over(path, text)) * 2):
            write(f"max_jobs: {number + 10}\nentity: e{number}\n")
            assert (await change()).max_jobs == number + 10


async def test_a_swapped_link_is_followed_as_in_kubernetes(tmp_path):
    mount = tmp_path / "mount"
    mount.mkdir()

    def publish(version, text):
        (mount / version).mkdir()
        (mount / version / "agent.yaml").write_text(text)
        (mount / "..data_tmp").symlink_to(version)
        (mount / "..data_tmp").rename(mount / "..data")

    publish("..1", "max_jobs: 1")
    (mount / "agent.yaml").symlink_to("..data/agent.yaml")
    async with following(ConfigFile(mount / "agent.yaml")) as change:
        for number in (2, 3):
            publish(f"..{number}", f"max_jobs: {number}")
            assert (await change()).max_jobs == number
            await watched(mount / f"..{number}")


async def test_a_link_that_is_pointed_at_another_folder_is_followed_there(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "agent.yaml").write_text(f"entity: {name}")
    link = tmp_path / "current"
    link.symlink_to("one")
    async with following(ConfigFile(link / "agent.yaml")) as change:
        (tmp_path / "new").symlink_to("two")
        (tmp_path / "new").rename(link)
        assert (await change()).entity == "two"
        await watched(tmp_path / "two")
        (tmp_path / "two" / "agent.yaml").write_text("entity: three")
        assert (await change()).entity == "three"


async def test_broken_empty_and_missing_files_are_told_and_the_next_right_one_holds(path):
    async with following(ConfigFile(path)) as change:
        for spoil, said in (
            (lambda: path.write_text("max_jobs: none of them"), "max_jobs: 'none of them' is not"),
            (lambda: path.write_text(""), "is empty"),
            (path.unlink, "is gone"),
        ):
            spoil()
            found = await change()
            assert isinstance(found, UsageError)
            assert said in str(found)
        path.write_text("max_jobs: 5")
        assert (await change()).max_jobs == 5


async def test_a_file_made_later_is_noticed_and_then_followed(tmp_path):
    path = tmp_path / "agent.yaml"
    file = ConfigFile(path, required=False)
    assert file.load() == AgentConfig()
    async with following(file) as change:
        path.write_text("max_jobs: 2")
        assert (await change()).max_jobs == 2
        await watched(tmp_path)
        write_over(path, "max_jobs: 3")
        assert (await change()).max_jobs == 3


async def test_the_command_line_beats_what_the_file_changes_to(path):
    file = ConfigFile(path, queues=("q",), max_jobs=-1)
    assert (file.load().queues, file.load().max_jobs) == (("q",), None)
    async with following(file) as change:
        path.write_text("max_jobs: 4\nqueues: [other]\nentity: new\n")
        found = await change()
        assert (found.queues, found.max_jobs, found.entity) == (("q",), None, "new")


def test_a_required_file_must_be_there(tmp_path):
    with pytest.raises(UsageError, match=r"none\.yaml: cannot be read"):
        ConfigFile(tmp_path / "none.yaml").load()


def test_nothing_is_read_again_while_nothing_changes(path, monkeypatch):
    file = ConfigFile(path)
    file.load()
    assert file.look() is None
    os.utime(path, ns=(1, 1))
    assert isinstance(file.look(), AgentConfig)
    assert file.look() is None


def test_without_a_folder_to_watch_the_file_is_looked_for(tmp_path):
    told, stop = threading.Event(), threading.Event()
    path = tmp_path / "later" / "agent.yaml"
    watcher = threading.Thread(target=watch_file, args=(path, told.set, stop))
    watcher.start()
    try:
        assert told.wait(DEADLINE_S)
        told.clear()
        path.parent.mkdir()
        path.write_text("{}")
        assert told.wait(DEADLINE_S)
    finally:
        stop.set()
        watcher.join(DEADLINE_S)
    assert not watcher.is_alive()


def test_the_folders_of_all_links_on_the_way_decide(tmp_path):
    real = tmp_path / "real" / "deep"
    real.mkdir(parents=True)
    (real / "agent.yaml").touch()
    (tmp_path / "a").symlink_to("real")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "x.yaml").symlink_to("../a/deep/agent.yaml")
    found = folders_of(tmp_path / "links" / "x.yaml")
    assert set(found) == {tmp_path / "links", tmp_path, real}


def test_links_in_a_circle_are_no_file(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert signature(tmp_path / "a") is None
    assert folders_of(tmp_path / "a") == (tmp_path,)
