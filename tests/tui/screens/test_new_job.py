from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from launch_tui.domain.job import JobKind
from launch_tui.tui.screens.new_job import NewJob, is_repository
from launch_tui.tui.widgets.field_row import FieldRow
from launch_tui.tui.widgets.window_table import WindowTable
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.frames import assert_frame, frame


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "digits"
    made.mkdir()
    (made / "train.py").write_text("print('hello')\n")
    return made


def commit(folder):
    git = ("git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q", "-b", "trunk"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run((*git, *words), check=True)


async def opened(pilot):
    await settle(pilot)
    await pilot.press("2")
    await settle(pilot)
    await pilot.press("A")
    await settle(pilot)
    return {row.field.key: row for row in pilot.app.screen.query(FieldRow)}


async def done(pilot):
    """Create, and agree to what it has to tell."""
    app = pilot.app
    await pilot.press("f5")
    await until(pilot, lambda: not isinstance(app.screen, NewJob) or app.screen._made is not None)
    if isinstance(app.screen, NewJob):
        await pilot.press("enter")
    await until(pilot, lambda: not isinstance(app.screen, NewJob))


@pytest.mark.parametrize("size", SIZES)
async def test_the_form_looks_as_it_did(busy_world, make_app, size, monkeypatch, tmp_path):
    monkeypatch.setattr("launch_tui.tui.screens.new_job.Path.cwd", lambda: Path("/home/me/digits"))
    app = make_app()
    async with app.run_test(size=size) as pilot:
        rows = await opened(pilot)
        rows["name"].set_text("my job")
        await pilot.pause()
        await assert_frame(pilot, GOLDEN / f"new-job-{size[0]}x{size[1]}.txt")


async def test_a_folder_becomes_a_job_and_the_cursor_is_on_it(busy_world, make_app, folder):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        rows = await opened(pilot)
        rows["place"].set_text(str(folder))
        rows["tracking"].editor.value = "optional"
        rows["venv"].editor.value = "none"
        rows["description"].set_text("hello")
        await pilot.pause()
        await done(pilot)
        job = busy_world.launch.jobs.get("digits")
        assert (job.kind, job.entry_point[-1], job.tracking) == (
            JobKind.CODE,
            "train.py",
            "optional",
        )
        assert (job.description, str(job.environment.mode)) == ("hello", "none")
        table = app.screen.query_one("#job-table", WindowTable)
        await until(pilot, lambda: table.cursor_key == "digits")


async def test_a_repository_becomes_a_job(busy_world, make_app, folder):
    commit(folder)
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        rows = await opened(pilot)
        rows["place"].set_text(f"file://{folder}")
        rows["ref"].set_text("nowhere")
        await pilot.pause()
        await pilot.press("f5")
        await until(pilot, lambda: rows["ref"]._error)
        assert "trunk" in frame(app)
        rows["ref"].set_text("trunk")
        await pilot.pause()
        await done(pilot)
        job = busy_world.launch.jobs.get("digits")
        assert (job.kind, job.source.ref) == (JobKind.GIT, "trunk")


async def test_bad_input_is_told_at_its_field_and_nothing_is_lost(
    busy_world, make_app, folder, tmp_path
):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        rows = await opened(pilot)
        rows["place"].set_text("/no/such/place")
        rows["name"].set_text("a b")
        rows["entry_point"].set_text("python 'x")
        await until(pilot, lambda: "(3 to fix)" in frame(app))
        shown = frame(app)
        for text in ("/no/such/place is not there", "a_b", "cannot be read"):
            assert text in shown
        rows["place"].set_text(str(folder))
        rows["name"].set_text("ab")
        rows["entry_point"].set_text("python other.py")
        await pilot.pause()
        await pilot.press("f5")
        await until(pilot, lambda: "the source has no file other.py" in frame(app))
        assert rows["entry_point"].editor.has_focus
        rows["entry_point"].set_text("")
        rows["python"].set_text("/no/python")
        await pilot.pause()
        await pilot.press("f5")
        await until(pilot, lambda: "is no interpreter" in frame(app))
        assert rows["name"].text == "ab"


async def test_what_making_it_has_to_tell_is_shown_before_the_form_closes(
    busy_world, make_app, folder
):
    (folder / "requirements.txt").write_text("numpy\n")
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        rows = await opened(pilot)
        rows["place"].set_text(str(folder))
        await pilot.pause()
        await pilot.press("f5")
        await until(pilot, lambda: "wandb is not in the job's environment" in frame(app))
        assert "created digits:v0" in frame(app)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, NewJob))
        assert [v.version for v in busy_world.launch.jobs.versions("digits")] == ["v0"]


@pytest.mark.parametrize(
    ("place", "is_one"),
    [
        ("https://example.com/a/b", True),
        ("git@example.com:a/b", True),
        ("file:///tmp/x", True),
        ("somewhere.git", True),
        ("/tmp", False),
        ("relative/folder", False),
    ],
)
def test_a_url_is_told_from_a_folder(place, is_one):
    assert is_repository(place) is is_one
