from __future__ import annotations

import pytest

from launch_tui.domain.run import RunState
from launch_tui.tui.screens.confirm import Confirm
from launch_tui.tui.screens.side_by_side import SideBySide
from launch_tui.tui.widgets.log_view import LogView
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.frames import assert_frame, escapes, frame

BUILD_FAILED, RUNNING = "run00003", "run00006"


async def beside(pilot, run_ids):
    await settle(pilot)
    pilot.app.push_screen(SideBySide(run_ids))
    await settle(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_logs_side_by_side_look_as_they_did(busy_world, make_app, size):
    busy_world.log(BUILD_FAILED, "resolving\nno version of torchh is known\n", name="build.log")
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await beside(pilot, [RUNNING, BUILD_FAILED, "run00008"])
        await assert_frame(pilot, GOLDEN / f"side-by-side-{size[0]}x{size[1]}.txt")


async def test_L_shows_the_logs_of_the_marked_runs(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("L")
        await until(pilot, lambda: any("mark them" in n.message for n in app._notifications))
        await pilot.press("space", "j", "space", "L")
        await until(pilot, lambda: isinstance(app.screen, SideBySide))
        assert len(app.screen.query(LogView)) == 2
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, SideBySide))


async def test_each_follows_and_is_searched_on_its_own(world, make_app):
    world.queue("gpu", max_running=3)
    runs = [world.run(RunState.RUNNING) for _ in range(2)]
    for n, run in enumerate(runs):
        world.log(run, "".join(f"run {n} line {k}\n" for k in range(100)))
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await beside(pilot, runs)
        first, second = app.screen.query(LogView)
        assert first.has_focus
        await pilot.press("tab", "slash", *"line 5$", "enter")
        await until(pilot, lambda: second.status == "/line 5$ 1 of 1")
        assert first.status == ""
        assert first.following
        assert not second.following
        world.log(runs[0], "run 0 is done\n")
        world.log(runs[1], "run 1 is done\n")
        await until(pilot, lambda: "run 0 is done" in frame(app) and "1 new" in frame(app))
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert f"Stop {runs[1]}" in frame(app)


async def test_four_logs_and_hostile_output(world, make_app):
    world.queue("gpu", max_running=4)
    runs = [world.run(RunState.RUNNING, name="\x1b]0;x\x07[/b]") for _ in range(4)]
    for run in runs:
        world.log(run, b"\x1b]52;c;aGk=\x07\x1b[2J[/red] \x9b31m\n")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await beside(pilot, runs)
        assert escapes(app) == set()
        assert frame(app).count("[/red]") == 4


async def test_a_run_that_is_deleted_says_so(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await beside(pilot, [RUNNING, BUILD_FAILED])
        busy_world.launch.runs.delete(BUILD_FAILED)
        await until(pilot, lambda: f"{BUILD_FAILED}  deleted" in frame(app))
