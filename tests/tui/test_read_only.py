"""Read-only: whatever changes something is shown as not to be had, and is not."""

from __future__ import annotations

import sqlite3

import pytest

from launch_tui.tui import keys
from launch_tui.tui.keymap import KeyMap
from launch_tui.tui.palette import Palette, action_entries
from launch_tui.tui.screens.new_queue import NewQueue
from launch_tui.tui.widgets.key_bar import OFF, footer_actions
from tests.tui.conftest import settle, until
from tests.tui.frames import frame

PLACES = {
    "runs": (),
    "run": ("g", "enter"),
    "log": ("tab", "tab", "tab"),
    "queues at the side": ("shift+tab",),
    "jobs": ("2",),
    "queues": ("3",),
    "agent": ("4",),
}
DANGEROUS = [action for action in keys.ACTIONS if action.dangerous]


def dump(home):
    with sqlite3.connect(f"{home.store.as_uri()}?mode=ro", uri=True) as db:
        return list(db.iterdump())


@pytest.mark.parametrize("place", PLACES)
async def test_no_key_changes_anything_or_opens_a_form(busy_world, make_app, place):
    before = dump(busy_world.home)
    app = make_app(read_only=True)
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press(*PLACES[place])
        await settle(pilot)
        stack = list(app.screen_stack)
        for action in DANGEROUS:
            for key in KeyMap().of(action):
                # A key may mean something harmless here.
                await pilot.press(key)
                while len(app.screen_stack) > len(stack):
                    assert not app.screen.is_modal, action.id
                    await pilot.press("escape")
        await settle(pilot)
        assert app.screen_stack[0] is stack[0]
    assert dump(busy_world.home) == before


async def test_an_empty_store_offers_nothing(world, make_app):
    app = make_app(read_only=True)
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("enter", "N", "A", "d", "n")
        await settle(pilot)
        assert len(app.screen_stack) == 1
        assert "read-only: make them with launch-tui" in frame(app)
        assert world.launch.queues.list() == []


async def test_the_status_says_so(busy_world, make_app):
    app = make_app(read_only=True)
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        assert "read-only" in frame(app).split("\n")[32]


@pytest.mark.parametrize("mode", ["1", "2", "3", "4"])
async def test_the_footer_greys_all_of_it(busy_world, make_app, mode):
    app = make_app(read_only=True)
    async with app.run_test(size=(200, 34)) as pilot:
        await settle(pilot)
        await pilot.press(mode)
        await settle(pilot)
        spans = app.screen.query_one("#keys").render().spans
        text = app.screen.query_one("#keys").render().plain
        off = {text[s.start : s.end].strip() for s in spans if OFF in str(s.style)}
        dangerous = [a for a in footer_actions(app.screen) if a.dangerous]
        assert dangerous or mode == "1"
        for action in footer_actions(app.screen):
            assert (action.label in off) == action.dangerous, action.id


async def test_help_says_it_of_each(busy_world, make_app):
    app = make_app(read_only=True)
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("question_mark")
        await settle(pilot)
        lines = [" ".join(line.plain.split()) for line in app.screen._lines()]
        for action in keys.ACTIONS:
            if action.keys:
                told = [line for line in lines if action.help in line]
                assert told
                assert all(line.endswith("(read-only)") == action.dangerous for line in told)


async def test_the_palette_shows_it_and_does_not_do_it(busy_world, make_app):
    app = make_app(read_only=True)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        entries = {entry.text: entry for entry in action_entries(app)}
        for action in keys.ACTIONS:
            if action.palette:
                assert bool(entries[action.palette].refused) == action.dangerous
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, Palette))
        await pilot.press(*"queue: new")
        await until(pilot, lambda: any("queue: new" in line and "read-only" in line
                                       for line in frame(app).split("\n")))  # fmt: skip
        await pilot.press("enter")
        await until(pilot, lambda: "read-only: this is not to be had here" in frame(app))
        assert len(app.screen_stack) == 1


async def test_no_form_opens_by_another_way(busy_world, make_app):
    app = make_app(read_only=True)
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        app.open_form(job="train")
        app.ask(NewQueue(), lambda _: None)
        await app.run_action("app.app_launch")
        await app.run_action("app.app_demo")
        await settle(pilot)
        assert len(app.screen_stack) == 1
