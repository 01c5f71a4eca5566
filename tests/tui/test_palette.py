from __future__ import annotations

import pytest

from launch_tui.tui import keys
from launch_tui.tui.palette import Palette, best
from launch_tui.tui.screens.confirm import Confirm
from launch_tui.tui.screens.new_queue import NewQueue
from launch_tui.tui.screens.run import RunScreen
from launch_tui.tui.widgets.window_table import WindowTable
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.frames import assert_frame, escapes, frame


@pytest.mark.parametrize("size", SIZES)
async def test_the_palette_looks_as_it_did(busy_world, make_app, size):
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+p", *"que")
        await settle(pilot)
        await assert_frame(pilot, GOLDEN / f"palette-{size[0]}x{size[1]}.txt")


async def typed(pilot, text):
    await settle(pilot)
    await pilot.press("colon")
    await until(pilot, lambda: isinstance(pilot.app.screen, Palette))
    await pilot.press(*text.replace(" ", "_").replace("_", " ").split(" ")[0])
    for word in text.split(" ")[1:]:
        await pilot.press("space", *word)
    await pilot.press("enter")


async def test_an_action_of_another_screen_is_done_there(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await typed(pilot, "queue new")
        await until(pilot, lambda: isinstance(app.screen, NewQueue))
        assert app.current_mode == "queues"


async def test_an_action_of_this_screen_is_done_here(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await typed(pilot, "run stop")
        await until(pilot, lambda: isinstance(app.screen, Confirm))


async def test_one_goes_to_a_run_a_job_or_a_queue_by_name(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await typed(pilot, "job tokenise")
        await until(pilot, lambda: app.current_mode == "jobs")
        table = app.screen.query_one("#job-table", WindowTable)
        await until(pilot, lambda: table.cursor_key == "tokenise")
        await typed(pilot, "nightly")
        await until(pilot, lambda: app.current_mode == "queues")
        table = app.screen.query_one("#queue-table", WindowTable)
        await until(pilot, lambda: table.cursor_key == "nightly")
        await typed(pilot, "lr-3e-4")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))


async def test_a_click_chooses(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+p", *"queue cpu")
        await pilot.pause()
        await pilot.click("#found", offset=(5, 0))
        await until(pilot, lambda: app.current_mode == "queues")


async def test_hostile_names_do_nothing(world, make_app):
    world.queue("gpu")
    world.run(job="train", name="\x1b]0;pwned\x07[/b]\x9b2J")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+p", *"go")
        await settle(pilot)
        assert "[/b]" in frame(app)
        assert escapes(app) == set()


def test_the_best_match_is_first():
    assert best("", ["b", "a"]) == [0, 1]
    found = best("qnew", ["run: stop", "queue: new…", "go: runs"])
    assert found == [1]


def test_every_entry_is_area_and_verb():
    for action in keys.ACTIONS:
        if action.palette:
            area, colon, verb = action.palette.partition(": ")
            assert area.isalpha()
            assert colon
            assert verb
