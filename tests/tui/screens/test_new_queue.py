from __future__ import annotations

import pytest

from launch_tui.tui.screens.new_queue import NewQueue
from launch_tui.tui.widgets.field_row import FieldRow
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.frames import assert_frame, frame


async def opened(pilot):
    await settle(pilot)
    pilot.app.push_screen(NewQueue())
    await settle(pilot)
    return {row.field.key: row for row in pilot.app.screen.query(FieldRow)}


@pytest.mark.parametrize("size", SIZES)
async def test_the_form_looks_as_it_did(busy_world, make_app, size):
    app = make_app()
    async with app.run_test(size=size) as pilot:
        rows = await opened(pilot)
        rows["max_running"].set_text("0")
        await pilot.pause()
        assert_frame(app, GOLDEN / f"new-queue-{size[0]}x{size[1]}.txt")


async def test_bad_input_is_told_at_its_field_and_nothing_is_lost(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(100, 34)) as pilot:
        rows = await opened(pilot)
        rows["name"].set_text("no/slash")
        rows["max_running"].set_text("many")
        await pilot.press("f5")
        await settle(pilot)
        assert "cannot be a queue's name" in frame(app)
        assert "is no whole number" in frame(app)
        assert "(2 to fix)" in frame(app)
        rows["name"].set_text("gpu")
        rows["max_running"].set_text("3")
        await pilot.pause()
        await pilot.press("f5")
        await until(pilot, lambda: "there is a queue called 'gpu' already" in frame(app))
        assert rows["max_running"].text == "3"
        rows["name"].set_text("gpu2")
        await pilot.pause()
        await pilot.press("ctrl+enter")
        await until(pilot, lambda: not isinstance(app.screen, NewQueue))
        assert busy_world.launch.queues.get("gpu2").max_running == 3


async def test_the_first_queue_has_a_name_already(world, make_app):
    app = make_app()
    async with app.run_test(size=(100, 34)) as pilot:
        await opened(pilot)
        await pilot.press("alt+enter")
        await until(pilot, lambda: [q.name for q in world.launch.queues.list()] == ["default"])
