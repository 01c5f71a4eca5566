"""A container while its engine stands still, is stopped, is killed, or loses an answer."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
import pytest_asyncio

from launch_tui.domain.attempt import EndKind, Running, Said
from launch_tui.domain.container import Mount
from launch_tui.engine.client import Engine
from launch_tui.errors import EngineDown, EngineError, StartFailed
from launch_tui.targets import local_container
from launch_tui.targets.local_container import BACK, DOWN, LocalContainer
from tests.targets.docker_attempts import built

COUNTS = "i=0; while [ ! -e /home/go ]; do echo $i; i=$((i+1)); /busybox usleep 20000; done; exit 6"


@pytest.fixture
def image_file(docker_engine, tiny_image, tmp_path):
    path = tmp_path / "image.tar"
    with path.open("wb") as file:
        for chunk in docker_engine.ask_blocking(lambda api: api.get_image(tiny_image)):
            file.write(chunk)
    return path


@pytest.fixture
def private_engine(private_dockerd, image_file):
    """An engine of this test's own, which has the image without a shell."""
    engine = Engine(private_dockerd.environ, answer_s=2.0)

    def load(api):
        with image_file.open("rb") as file:
            list(api.load_image(file))

    engine.ask_blocking(load)
    yield engine
    engine.close_blocking()


@pytest.fixture
def make_tiny(make_container, private_engine, tiny_image, home):
    """Returns ``make(code)``: an attempt that runs it; ``/home`` is the data directory."""
    image = built(private_engine, tiny_image)

    def make(code, **more):
        mounts = (Mount(source=home, target="/home"),)
        return make_container("/busybox", "sh", "-c", code, image=image, mounts=mounts, **more)

    return make


@pytest_asyncio.fixture
async def private_target(private_engine, home, monkeypatch):
    monkeypatch.setattr(local_container, "RETRY_SECONDS", 0.1)
    target = LocalContainer(private_engine, home)
    yield target
    await target.close()


def log(attempt):
    return (attempt.directory / "output.log").read_bytes()


async def started(target, attempt):
    await target.prepare(attempt)
    return await target.start(attempt)


def counted(attempt):
    """Return how far the job has counted, whose lines are whole and in order."""
    lines = log(attempt).decode().splitlines()
    assert lines == [str(number) for number in range(len(lines))]
    return len(lines)


def restart(dockerd, how):
    getattr(dockerd, how)()
    dockerd.start()


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_container_that_ends_with_its_engine_is_told_as_the_engine_tells_it(
    private_dockerd, private_target, make_tiny, until, how
):
    attempt = make_tiny(COUNTS)
    statuses = private_target.watch(await started(private_target, attempt))
    assert isinstance(await anext(statuses), Running)
    await until(lambda: counted(attempt) > 3)
    await asyncio.to_thread(getattr(private_dockerd, how))
    async with asyncio.timeout(30):
        assert await anext(statuses) == Said(text=DOWN)
        await asyncio.to_thread(private_dockerd.start)
        assert await anext(statuses) == Said(text=BACK)
        ended = await anext(statuses)
    assert (ended.kind, ended.exit_code) == (EndKind.EXITED, -signal.SIGTERM)
    assert counted(attempt) > 3


async def test_a_container_outlives_an_engine_that_lets_it(
    private_dockerd, private_engine, private_target, make_tiny, until, home
):
    private_dockerd.options = (*private_dockerd.options, "--live-restore")
    await asyncio.to_thread(restart, private_dockerd, "stop")
    attempt, short = make_tiny(COUNTS), make_tiny("/busybox sleep 1; exit 3")
    statuses = private_target.watch(await started(private_target, attempt))
    short_statuses = private_target.watch(await started(private_target, short))
    assert isinstance(await anext(statuses), Running)
    assert isinstance(await anext(short_statuses), Running)
    await asyncio.to_thread(private_dockerd.kill)
    before = counted(attempt)
    async with asyncio.timeout(30):
        assert await anext(statuses) == Said(text=DOWN)
        await until(lambda: counted(attempt) > before + 60)
        await asyncio.to_thread(private_dockerd.start)
        assert await anext(statuses) == Said(text=BACK)
        assert [status async for status in short_statuses][-1].exit_code == 3
        (home / "go").touch()
        ended = await anext(statuses)
    assert (ended.kind, ended.exit_code) == (EndKind.EXITED, 6)
    assert counted(attempt) > before + 60


async def test_an_engine_that_stands_still_ends_nothing(
    private_dockerd, private_target, make_tiny, until, home, monkeypatch
):
    monkeypatch.setattr(local_container, "LOOK_SECONDS", 0.2)
    attempt = make_tiny(COUNTS)
    statuses = private_target.watch(await started(private_target, attempt))
    assert isinstance(await anext(statuses), Running)
    private_dockerd.pause()
    try:
        async with asyncio.timeout(30):
            assert await anext(statuses) == Said(text=DOWN)
        before = counted(attempt)
        await until(lambda: counted(attempt) > before + 20)
    finally:
        private_dockerd.resume()
    async with asyncio.timeout(30):
        assert await anext(statuses) == Said(text=BACK)
        (home / "go").touch()
        (ended,) = [status async for status in statuses]
    assert (ended.kind, ended.exit_code) == (EndKind.EXITED, 6)


async def test_stopping_waits_for_the_engine_and_asks_once(
    private_dockerd, private_target, make_tiny, until, outcome
):
    private_dockerd.options = (*private_dockerd.options, "--live-restore")
    await asyncio.to_thread(restart, private_dockerd, "stop")
    attempt = make_tiny("trap 'echo asked' INT; echo up; while :; do /busybox usleep 20000; done")
    handle = await started(private_target, attempt)
    await until(lambda: log(attempt) == b"up\n")
    await asyncio.to_thread(private_dockerd.kill)
    stopping = asyncio.ensure_future(private_target.stop(handle, 0.5))
    await asyncio.sleep(1)
    assert (stopping.done(), log(attempt)) == (False, b"up\n")
    await asyncio.to_thread(private_dockerd.start)
    async with asyncio.timeout(30):
        await stopping
    ended = (await outcome(private_target, handle))[-1]
    assert (ended.exit_code, log(attempt)) == (-signal.SIGTERM, b"up\nasked\n")


async def test_without_an_engine_every_verb_says_so_and_may_be_repeated(
    private_dockerd, private_target, make_tiny, outcome
):
    attempt = make_tiny("echo ran")
    private_dockerd.stop()
    verbs = (
        lambda: private_target.prepare(attempt),
        lambda: private_target.start(attempt),
        lambda: private_target.adopt(attempt),
        lambda: private_target.sweep(lambda *_: True),
    )
    for verb in verbs:
        with pytest.raises(EngineDown):
            await verb()
    private_dockerd.start()
    handle = await started(private_target, attempt)
    assert (await outcome(private_target, handle))[-1].exit_code == 0
    private_dockerd.stop()
    with pytest.raises(EngineDown):
        await private_target.forget(handle)
    private_dockerd.start()
    await private_target.forget(handle)
    assert log(attempt) == b"ran\n"


async def test_an_attempt_that_is_given_up_without_an_engine_stays_so(
    private_dockerd, private_target, make_tiny
):
    attempt = make_tiny("echo never")
    await private_target.prepare(attempt)
    private_dockerd.stop()
    assert await private_target.void(attempt)
    private_dockerd.start()
    with pytest.raises(StartFailed, match="given up"):
        await private_target.start(attempt)
    assert await private_target.void(attempt)


async def test_an_engine_that_answers_nonsense_ends_nothing(
    docker_target, docker_engine, make_container, monkeypatch
):
    monkeypatch.setattr(local_container, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(local_container, "LOOK_SECONDS", 0.05)
    attempt = make_container("sleep", "600")
    handle = await started(docker_target, attempt)
    statuses = docker_target.watch(handle)
    assert isinstance(await anext(statuses), Running)
    real = docker_target._containers.find

    async def confused(_):
        raise EngineError("layer does not exist", status=500)

    monkeypatch.setattr(docker_target._containers, "find", confused)
    said = await anext(statuses)
    assert said == Said(text="the Docker engine cannot be asked: layer does not exist")
    with pytest.raises(EngineDown, match="layer does not exist"):
        await docker_target.adopt(attempt)
    monkeypatch.setattr(docker_target._containers, "find", real)
    assert await anext(statuses) == Said(text=BACK)
    await docker_target.stop(handle, 0)
    assert (await anext(statuses)).exit_code == -signal.SIGKILL


LOST = [
    ("create_container_from_config", False),
    ("create_container_from_config", True),
    ("start", False),
    ("start", True),
    ("head", False),
    ("inspect_container", False),
]


@pytest.mark.parametrize(("question", "carried_out"), LOST)
async def test_an_answer_that_is_lost_starts_nothing_twice(
    docker_target, docker_engine, make_container, outcome, until, monkeypatch, question, carried_out
):
    """The engine carries it out or not; whoever asked knows nothing of either."""
    attempt = make_container("sh", "-c", "echo ran; sleep 600")
    await docker_target.prepare(attempt)
    lost = losing(docker_engine, question, carried_out)
    monkeypatch.setattr(docker_engine, "ask", lost)
    with pytest.raises(EngineDown, match="lost"):
        await docker_target.start(attempt)
    handle = await docker_target.start(attempt)
    await until(lambda: log(attempt) == b"ran\n")
    await docker_target.stop(handle, 0)
    assert (await outcome(docker_target, handle))[-1].exit_code == -signal.SIGKILL
    assert log(attempt) == b"ran\n"


def losing(engine, name, carried_out):
    """An ``ask`` of the engine that loses the first answer to one question."""
    real, lost = engine.ask, []

    class Watched:
        def __init__(self, api):
            self._api = api

        def __getattr__(self, asked):
            if asked == name and not lost:
                lost.append(asked)
                if carried_out:
                    return lambda *args, **how: (getattr(self._api, name)(*args, **how), lose())
                return lambda *_, **__: lose()
            return getattr(self._api, asked)

    def lose():
        raise EngineDown("lost")

    async def ask(question):
        return await real(lambda api: question(Watched(api)))

    return ask


async def test_a_reboot_is_told_as_one(docker_target, make_container, outcome, monkeypatch):
    """The engine says 255 of what was running; the container says in which boot that was."""
    from launch_tui.targets import container_end, containers

    monkeypatch.setattr(containers, "boot_id", lambda: "the boot before")
    attempt = make_container("sh", "-c", "echo ran; exit 255")
    handle = await started(docker_target, attempt)
    monkeypatch.setattr(container_end, "boot_time", lambda: 0.0)
    ended = (await outcome(docker_target, handle))[-1]
    assert (ended.kind, ended.cause) == (EndKind.REBOOTED, "rebooted")
    assert os.path.exists(attempt.directory / "token" / "started")
