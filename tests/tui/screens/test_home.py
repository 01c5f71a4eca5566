from __future__ import annotations

import pytest

from launch_tui.domain.run import RunState
from launch_tui.tui.screens.run import RunScreen
from launch_tui.tui.widgets.log_view import LogView
from launch_tui.tui.widgets.window_table import WindowTable
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.frames import assert_frame, frame


def table(app):
    return app.screen_stack[0].query_one("#runs", WindowTable)


def shown(app):
    """The ids in the table's lines, in order."""
    lines = frame(app).split("\n")
    words = [word for line in lines for word in line.split() if word.startswith("run0")]
    return list(dict.fromkeys(words))


@pytest.mark.parametrize("size", SIZES)
async def test_home_looks_as_it_did(busy_world, make_app, size):
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await until(pilot, lambda: app.screen.query("#preview-log"))
        await pilot.press("j")
        log = app.screen.query_one("#preview-log", LogView)
        if size[1] >= 20:
            await until(pilot, lambda: log.source and busy_world.running in str(log.source))
        await settle(pilot)
        assert_frame(app, GOLDEN / f"home-{size[0]}x{size[1]}.txt")


@pytest.mark.parametrize("size", SIZES)
async def test_an_empty_home_says_what_to_do(world, make_app, size):
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        assert_frame(app, GOLDEN / f"home-empty-{size[0]}x{size[1]}.txt")


async def test_a_terminal_too_small_is_told_what_is_needed(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(38, 20)) as pilot:
        await settle(pilot)
        assert frame(app).split() == ["needs", "40x10"]
        await pilot.resize_terminal(80, 9)
        await settle(pilot)
        assert frame(app).split() == ["needs", "40x10"]
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert "run00006" in frame(app)


async def test_what_runs_comes_first_then_the_queue_in_its_order(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        keys = table(app).keys_in_view
        assert keys[:6] == ["run00007", "run00006", "run00008", "run00009", "run00010", "run00011"]
        await pilot.press("s")
        assert table(app).keys_in_view == [f"run{n:05d}" for n in range(11, 0, -1)]


async def test_the_note_of_what_waits_is_its_place(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        text = frame(app)
        for note in ("2nd in line", "held by you", "queue nightly is paused", "loss 0.2981",
                     "killed by SIGKILL"):  # fmt: skip
            assert note in text


async def test_the_preview_follows_the_cursor(busy_world, make_app):
    busy_world.log("run00007", "collecting torch\n", name="build.log")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await until(pilot, lambda: app.screen.query("#preview-log"))
        await settle(pilot)
        log = app.screen.query_one("#preview-log", LogView)
        assert log.source.name == "build.log"
        assert "collecting torch" in frame(app)
        await pilot.press("j")
        await until(pilot, lambda: "step=199" in frame(app))
        assert "loss 0.005" in frame(app)


async def test_a_change_in_the_store_is_shown_and_the_cursor_stays_on_its_run(world, make_app):
    world.queue("gpu")
    first = world.run(RunState.QUEUED)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        second = world.run(RunState.RUNNING)
        await until(pilot, lambda: second in table(app).keys_in_view)
        assert table(app).keys_in_view == [second, first]
        assert table(app).cursor_key == first


async def test_a_filter_by_state_and_queue_and_one_by_words(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"state:failed")
        await until(pilot, lambda: table(app).keys_in_view == ["run00003", "run00002"])
        await pilot.press("enter")
        assert table(app).has_focus
        assert "filter state:failed" in frame(app)
        await pilot.press("escape")
        await until(pilot, lambda: table(app).row_count == 11)

        await pilot.press("slash", *"q:nightly lr-3e-4", "enter")
        await until(pilot, lambda: "hides 11 runs" in frame(app))
        await pilot.press("escape", "slash", *"lr-3e-4 config.lr<0.01", "enter")
        await until(pilot, lambda: table(app).keys_in_view == ["run00006"])


async def test_a_filter_that_cannot_be_read_says_so(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"nosuch>1")
        await until(pilot, lambda: "there is no field" in frame(app))
        assert table(app).row_count == 11


async def test_active_failures_and_all(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("a")
        assert table(app).row_count == 6
        await pilot.press("f")
        assert table(app).keys_in_view == ["run00003", "run00002"]
        await pilot.press("f")
        assert table(app).row_count == 11


async def test_choosing_a_queue_shows_its_runs(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.click("#queues", offset=(4, 4))
        await settle(pilot)
        assert table(app).keys_in_view == ["run00010", "run00011"]
        assert "filter q:nightly" in frame(app)
        await pilot.press("escape")
        assert table(app).row_count == 11


async def test_pausing_a_queue_from_the_side(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        app.screen.query_one("#queues").focus()
        await pilot.press("j", "P")
        await settle(pilot)
        assert busy_world.launch.queues.get("gpu").paused
        await pilot.press("P")
        await settle(pilot)
        assert not busy_world.launch.queues.get("gpu").paused


async def test_stop_asks_and_does_what_is_answered(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("j", "x")
        await pilot.pause()
        assert "Stop run00006" in frame(app)
        await pilot.press("enter")
        await settle(pilot)
        assert len(app.screen_stack) == 1
        assert not busy_world.launch.db.all("SELECT 1 FROM runs WHERE stop_mode IS NOT NULL")
        await pilot.press("x", "k")
        await settle(pilot)
        row = busy_world.launch.db.one("SELECT stop_mode FROM runs WHERE id = 'run00006'")
        assert row["stop_mode"] == "now"


async def test_marked_runs_are_stopped_together(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("j", "j", "space", "space", "x")
        await pilot.pause()
        assert "Stop 2 runs" in frame(app)
        await pilot.press("s")
        await settle(pilot)
        states = [busy_world.launch.runs.get(i).state for i in ("run00008", "run00009")]
        assert states == [RunState.STOPPED, RunState.STOPPED]
        assert not table(app).marks


async def test_hold_release_and_front(busy_world, make_app):
    runs = busy_world.launch.runs
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("j", "j", "H")
        await settle(pilot)
        assert runs.get("run00008").state is RunState.HELD
        await pilot.press("H")
        await settle(pilot)
        assert runs.get("run00008").state is RunState.QUEUED
        await pilot.press("j", "F")
        await settle(pilot)
        assert runs.why("run00008").reason == "2nd in line"


async def test_delete_asks_and_removes_the_directory(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        busy_world.log("run00001", "old\n")
        await pilot.press("G", "D")
        await pilot.pause()
        assert "Delete run00001" in frame(app)
        await pilot.press("d")
        await settle(pilot)
        assert table(app).row_count == 10
        assert not busy_world.home.run("run00001").exists()


async def test_a_verb_that_does_not_fit_says_why(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("D")
        await until(pilot, lambda: "has not ended" in frame(app))


async def test_edit_changes_a_waiting_run(busy_world, make_app, monkeypatch):
    monkeypatch.setattr(
        "launch_tui.tui.editing.edit_text",
        lambda _app, text: text.replace("lr: 0.001", "lr: 0.1"),
    )
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("j", "j", "e")
        await settle(pilot)
        assert busy_world.launch.runs.get("run00008").config["lr"] == 0.1


async def test_read_only_changes_nothing(busy_world, make_app):
    app = make_app(read_only=True)
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        assert "read-only" in frame(app)
        await pilot.press("j", "j", "x", "H", "F")
        await settle(pilot)
        assert len(app.screen_stack) == 1
        assert busy_world.launch.runs.get("run00008").state is RunState.QUEUED


async def test_enter_and_a_double_click_open_a_run(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        await pilot.press("escape")
        await pilot.click("#runs", offset=(20, 3), times=2)
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        assert app.screen.run_id == "run00006"


async def test_zoom_gives_one_pane_the_screen(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("z")
        await settle(pilot)
        assert "Queues ─" not in frame(app)
        assert "Build ─" not in frame(app)
        assert "run00001" in frame(app)
        await pilot.press("z")
        await settle(pilot)
        assert "Queues ─" in frame(app)
