from __future__ import annotations

import pytest

from launch_tui.tui import keys
from launch_tui.tui.keymap import KeyMap
from launch_tui.tui.screens.help import HelpScreen, scope_lines
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.frames import assert_frame, frame


@pytest.mark.parametrize("size", SIZES)
async def test_help_shows_the_keys_of_where_one_is_first(busy_world, make_app, size):
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("3", "question_mark")
        await settle(pilot)
        await assert_frame(pilot, GOLDEN / f"help-{size[0]}x{size[1]}.txt")


@pytest.mark.parametrize("key", ["escape", "question_mark", "q", "f1"])
async def test_it_closes_with_the_key_that_opens_it_and_others(busy_world, make_app, key):
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("G")
        await pilot.press(key)
        await until(pilot, lambda: not isinstance(app.screen, HelpScreen))
        assert app.is_running


async def test_the_keys_of_the_focused_log_are_told(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        app.screen.query_one("#preview-log").focus()
        await pilot.pause()
        await pilot.press("question_mark")
        await settle(pilot)
        assert "Log and build log" in frame(app)
        assert "Go to the next line that looks like an error" in frame(app)


def test_every_action_with_a_key_is_told():
    told = "\n".join(line.plain for line in scope_lines(keys.SCOPES, KeyMap(), lambda _: "", 300))
    for action in keys.ACTIONS:
        if action.keys:
            assert (action.help or action.label) in told
