"""Keys that come all at once, as over a slow link, do what they do one by one."""

from __future__ import annotations

import asyncio
import time

import pytest
from textual import events
from textual.keys import _character_to_key
from textual.widgets import Input

from launch_tui.tui.going import open_run
from launch_tui.tui.screens.help import HelpScreen
from launch_tui.tui.screens.home import HomeScreen
from launch_tui.tui.screens.run import RunScreen
from tests.tui.conftest import settle, until
from tests.tui.frames import frame

NAMES = {"\r": "enter", "\x15": "ctrl+u", "\x1b": "escape", "\t": "tab"}


def burst(app, keys):
    """Have all keys come before any acts."""
    for character in keys:
        name = NAMES.get(character) or _character_to_key(character)
        app.post_message(events.Key(name, None if character in NAMES else character))


async def begun(app):
    """Wait until the application has begun with a key; no longer, as the pilot would."""
    deadline = time.monotonic() + 30
    while app._keys._under_way is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0)


@pytest.fixture
def priorities(busy_world):
    def read():
        return {run.id: (run.priority, str(run.state)) for run in busy_world.launch.runs.every()}

    return read


async def test_what_is_typed_after_the_filters_key_does_not_act_on_runs(
    busy_world, make_app, priorities
):
    before = priorities()
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        burst(app, "/some-x+D\r")
        await until(pilot, lambda: app.screen.filter_in_force == "some-x+D")
        assert isinstance(app.screen, HomeScreen)
        assert not isinstance(app.focused, Input)
        assert priorities() == before


async def test_a_line_is_cleared_before_what_is_typed_next(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        burst(app, "/first\x15other\r")
        await until(pilot, lambda: app.screen.filter_in_force == "other")
        burst(app, "/\x15\r")
        await until(pilot, lambda: not app.screen.filter_in_force)


@pytest.mark.parametrize("mode", ["2", "3", "4"])
async def test_the_filter_of_every_list_gets_what_is_typed(busy_world, make_app, mode):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        burst(app, f"{mode}/-xPD\r")
        await until(pilot, lambda: app.screen.filter_in_force == "-xPD")
        assert len(app.screen_stack) == 1


async def test_the_palette_gets_what_is_typed(busy_world, make_app, priorities):
    before = priorities()
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        burst(app, ":help: keys (this\r")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert priorities() == before


async def test_a_log_and_the_charts_get_what_is_typed(busy_world, make_app, priorities):
    busy_world.log(busy_world.running, "one\nsome-x+D here\ntwo\n")
    before = priorities()
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        open_run(app, busy_world.running)
        await until(pilot, lambda: "here" in frame(app))
        burst(app, "/some-x\r")
        await until(pilot, lambda: "/some-x 1 of 1" in frame(app))
        burst(app, "]/-xD+\r")
        await until(pilot, lambda: "-xD+" in frame(app))
        assert priorities() == before


@pytest.fixture
def run_screens_mount(monkeypatch):
    """Keeps screens of runs from being mounted until it is set."""
    held, real = asyncio.Event(), RunScreen.on_mount

    async def slow(self):
        await held.wait()
        real(self)

    monkeypatch.setattr(RunScreen, "on_mount", slow)
    return held


async def test_a_key_that_comes_back_from_what_opened_a_screen_waits_for_that(
    busy_world, make_app, run_screens_mount
):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        # As it comes from the runs, where nobody has handled it.
        key = events.Key("right_square_bracket", "]")
        key._set_forwarded()
        app.post_message(key)
        open_run(app, busy_world.running)
        burst(app, "]")
        await begun(app)
        assert not app.screen.is_mounted
        run_screens_mount.set()
        await until(pilot, lambda: app.screen.query("#build:focus"))


async def test_a_key_that_waits_long_for_a_screen_is_not_lost(
    busy_world, make_app, run_screens_mount
):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        burst(app, "]")
        open_run(app, busy_world.running)
        burst(app, "]")
        await begun(app)
        # The keys' patience ends while the screen is still being made.
        await app._keys._give_up()
        assert not app.screen.is_mounted
        assert app._keys._under_way is not None
        run_screens_mount.set()
        await until(pilot, lambda: app.screen.query("#build:focus"))


async def test_what_is_pasted_keeps_its_place_among_the_keys(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        burst(app, "/a")
        app.post_message(events.Paste("-pasted-"))
        burst(app, "z\r")
        await until(pilot, lambda: app.screen.filter_in_force == "a-pasted-z")


async def test_a_key_whose_widget_has_gone_holds_up_no_other(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await app.screen.query_one("#runs").remove()
        burst(app, "jj2")
        await until(pilot, lambda: app.current_mode == "jobs")
