from __future__ import annotations

import pytest

from launch_tui.domain.run import RunState
from launch_tui.tui.screens.jobs import JobsScreen
from launch_tui.tui.screens.launch_form import LaunchForm
from launch_tui.tui.screens.run import RunScreen
from launch_tui.tui.widgets.window_table import WindowTable
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.frames import assert_frame, escapes, frame
from tests.tui.screens.test_queues import an_editor, with_suspend

INPUTS = {
    "type": "object",
    "properties": {"lr": {"type": "number", "default": 0.1}, "amp": {"enum": ["on", "off"]}},
}


def table(app):
    return app.screen.query_one("#job-table", WindowTable)


@pytest.mark.parametrize("size", SIZES)
async def test_the_jobs_look_as_they_did(busy_world, make_app, size):
    busy_world.job("train", inputs=INPUTS, description="A classifier", links=("data",))
    busy_world.launch.jobs.set_alias("train:v1", "prod")
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("2")
        await settle(pilot)
        await assert_frame(pilot, GOLDEN / f"jobs-{size[0]}x{size[1]}.txt")


async def test_the_side_follows_the_cursor_and_a_recent_run_opens(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("2", "j")
        await settle(pilot)
        assert "evaluate:v0" in frame(app)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))


async def test_no_job_says_the_next_key(world, make_app):
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("2")
        await settle(pilot)
        assert "A  add one" in frame(app)


async def test_n_launches_the_job_under_the_cursor(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("2", "j", "n")
        await until(pilot, lambda: isinstance(app.screen, LaunchForm))
        await settle(pilot)
        assert "Launch evaluate" in frame(app)


async def test_a_job_is_deleted_only_after_asking(busy_world, make_app):
    names = lambda: {job.name for job in busy_world.launch.jobs.list()}  # noqa: E731
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("2", "G")
        await settle(pilot)
        await pilot.press("D", "enter")
        await settle(pilot)
        assert "tokenise" in names()
        await pilot.press("D", "d")
        await until(pilot, lambda: "tokenise" not in names())
        await until(pilot, lambda: table(app).row_count == 2)


async def test_a_job_whose_runs_go_on_is_kept_and_it_is_told(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("2")
        await settle(pilot)
        await pilot.press("D", "d")
        events = busy_world.launch.agents.events
        await until(pilot, lambda: any("3 runs of 'train'" in e.message for e in events()))
        assert len(busy_world.launch.jobs.list()) == 3


async def test_words_hide_what_does_not_match_until_escape(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("2", "slash", *"tok", "enter")
        await settle(pilot)
        assert table(app).keys_in_view == ["tokenise"]
        assert "filter tok" in frame(app)
        await pilot.press("slash", *"zz", "enter")
        await settle(pilot)
        assert "hides 3 rows" in frame(app)
        await pilot.press("escape")
        await settle(pilot)
        assert table(app).row_count == 3


async def test_a_click_moves_the_cursor(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.click("#top", offset=(25, 0))
        await settle(pilot)
        assert app.current_mode == "jobs"
        await pilot.click("#job-table", offset=(6, 4))
        await settle(pilot)
        assert table(app).cursor_key == "tokenise"


async def test_what_another_process_makes_is_shown(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("2")
        await settle(pilot)
        busy_world.job("fresh")
        await until(pilot, lambda: table(app).row_count == 4)
        busy_world.run(RunState.QUEUED, job="fresh")
        await until(pilot, lambda: ["fresh", "code", "v0", "1"] in [
            line.replace("│", " ").split()[:4] for line in frame(app).splitlines()
        ])  # fmt: skip


async def test_read_only_changes_nothing(busy_world, make_app):
    app = make_app(read_only=True)
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("2", "D", "A", "n")
        await settle(pilot)
        assert isinstance(app.screen, JobsScreen)


async def test_hostile_names_do_nothing(world, make_app):
    bad = "\x1b]0;pwned\x07[/b]\x9b2J"
    world.queue("gpu")
    world.job("job", description=bad, links=(bad,), inputs={"properties": {bad: {"default": bad}}})
    world.run(RunState.FAILED, job="job", name=bad, cause=bad)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("2")
        await settle(pilot)
        assert "job:v0" in frame(app)
        assert escapes(app) == set()


async def test_e_edits_the_job_and_another_command_is_the_next_version(
    busy_world, make_app, tmp_path, monkeypatch
):
    an_editor(tmp_path, monkeypatch, 'sed -i "s/train.py/other.py/" "$1"')
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        with_suspend(app, monkeypatch)
        await pilot.press("2")
        await settle(pilot)
        name = table(app).cursor_key
        await pilot.press("e")
        job = busy_world.launch.jobs.get
        await until(pilot, lambda: job(name).entry_point == ("python", "other.py"))


async def test_on_a_narrow_terminal_enter_shows_what_the_side_says(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(60, 16)) as pilot:
        await settle(pilot)
        await pilot.press("2")
        await settle(pilot)
        assert "entry point" not in frame(app)
        await pilot.press("enter")
        await until(pilot, lambda: "entry point" in frame(app))
        await pilot.press("escape")
        await until(pilot, lambda: "entry point" not in frame(app))
        assert table(app).has_focus
