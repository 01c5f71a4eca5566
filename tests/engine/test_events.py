"""Events of containers: who follows one is woken, whatever becomes of the stream."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid

import pytest
import pytest_asyncio

from launch_tui.engine import events as events_module
from launch_tui.engine.client import Engine
from launch_tui.engine.events import ContainerEvents


@pytest.fixture
def label():
    return f"launch-tui-test.events={uuid.uuid4().hex}"


@pytest_asyncio.fixture
async def events(docker_engine, label):
    found = ContainerEvents(docker_engine, label)
    yield found
    await found.close()


@pytest.fixture
def make(docker_engine, base_image, label):
    """Returns ``make(seconds)``: the id of a container that runs for so long."""
    made = []

    def run(seconds, labelled=True):
        name, _, value = label.partition("=")
        container = docker_engine.ask_blocking(
            lambda api: api.create_container(
                base_image, ["sleep", str(seconds)], labels={name: value} if labelled else {}
            )
        )["Id"]
        made.append(container)
        docker_engine.ask_blocking(lambda api: api.start(container))
        return container

    yield run
    for container in made:
        with contextlib.suppress(Exception):
            docker_engine.ask_blocking(
                lambda api, container=container: api.remove_container(container, force=True)
            )


async def kill(engine, container):
    await engine.ask(lambda api: api.kill(container))


async def woken(news, seconds=20.0):
    """Say whether it was woken rather than out of time."""
    begin = time.monotonic()
    await news.wait(seconds)
    return time.monotonic() - begin < seconds / 2


async def settled(news):
    """Wait until nothing more is told of what was before."""
    while await woken(news, 0.6):
        pass


async def test_who_follows_a_container_is_woken_by_its_end(docker_engine, events, make):
    container, other = make(600), make(600)
    with events.following(container) as news, events.following(other) as others:
        await settled(news)
        await settled(others)
        await kill(docker_engine, container)
        assert await woken(news)
        assert not await woken(others, 1.0)


async def test_an_end_just_before_the_stream_is_told_as_well(docker_engine, events, make):
    container = make(600)
    with events.following(container) as news:
        # The stream has been asked for, and is not open yet.
        await kill(docker_engine, container)
        assert await woken(news)


async def test_all_who_follow_it_are_woken_by_one_stream(docker_engine, events, make, monkeypatch):
    streams = []
    real = docker_engine.stream

    def counted(question):
        streams.append(question)
        return real(question)

    monkeypatch.setattr(docker_engine, "stream", counted)
    container = make(600)
    with contextlib.ExitStack() as stack:
        news = [stack.enter_context(events.following(container)) for _ in range(3)]
        await kill(docker_engine, container)
        assert all(await asyncio.gather(*(woken(each) for each in news)))
    assert len(streams) == 1


async def test_nobody_hears_of_what_has_another_label(docker_engine, events, make):
    foreign = make(600, labelled=False)
    with events.following(foreign) as news:
        await kill(docker_engine, foreign)
        assert not await woken(news, 1.0)


async def test_waiting_ends_with_its_time_and_remembers_what_came_between(events):
    with events.following("nothing") as news:
        begin = time.monotonic()
        await news.wait(0.05)
        assert 0.04 < time.monotonic() - begin < 5
        news.wake()
        assert await woken(news)
        assert not await woken(news, 0.1)


async def test_the_stream_is_open_only_while_somebody_follows(docker_engine, events, make):
    container = make(600)
    with events.following(container) as news:
        await settled(news)
        first = events._reading
        assert not first.done()
    # Who comes while the first one is ending has one of their own.
    with events.following(container) as news:
        await kill(docker_engine, container)
        assert await woken(news)
        assert first.done()
    await events.close()
    await events.close()


async def test_an_engine_that_comes_back_is_listened_to_again(private_dockerd, monkeypatch):
    monkeypatch.setattr(events_module, "RETRY_SECONDS", 0.05)
    engine = Engine(private_dockerd.environ)
    streams = []
    real = engine.stream
    monkeypatch.setattr(engine, "stream", lambda question: streams.append(1) or real(question))
    events = ContainerEvents(engine, "a=b")
    with events.following("x") as news:
        await asyncio.to_thread(private_dockerd.kill)
        # A broken stream is told to everybody: each may have missed something.
        assert await woken(news)
        begun = len(streams)
        await asyncio.to_thread(private_dockerd.start)
        # As long as there is none, one is tried after the other; then there is no need.
        await settled(news)
        assert len(streams) > begun
        before = len(streams)
        assert not await woken(news, 0.5)
        assert len(streams) == before
    await events.close()
    await engine.close()
