from __future__ import annotations

import contextlib
import os

import pytest

from launch_tui.tui import log_acts
from launch_tui.tui.screens.line import LineScreen
from launch_tui.tui.screens.run import RunScreen
from launch_tui.tui.screens.save_log import SaveLog
from tests.tui.conftest import GOLDEN, settle, until
from tests.tui.frames import assert_frame, frame

RUNNING = "run00006"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def opened(pilot):
    await settle(pilot)
    pilot.app.push_screen(RunScreen(RUNNING))
    await settle(pilot)
    return pilot.app.screen.query_one("#log")


async def save_to(pilot, path):
    await until(pilot, lambda: isinstance(pilot.app.screen, SaveLog))
    await pilot.press("end", "ctrl+u", *str(path), "enter")


async def test_all_is_saved_and_a_file_is_replaced_only_when_asked(busy_world, make_app, here):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        view = await opened(pilot)
        await pilot.press("W")
        await until(pilot, lambda: "Writes all 200 lines" in frame(app))
        await pilot.press("enter")
        saved = here / f"{RUNNING}.1-output.log"
        await until(pilot, saved.exists)
        assert saved.read_bytes() == view.source.read_bytes()
        saved.write_text("mine")
        await pilot.press("W")
        await until(pilot, lambda: isinstance(app.screen, SaveLog))
        await pilot.press("enter")
        await until(pilot, lambda: "enter again replaces it" in frame(app))
        assert saved.read_text() == "mine"
        await pilot.press("enter")
        await until(pilot, lambda: saved.read_bytes() == view.source.read_bytes())


async def test_what_is_chosen_or_filtered_is_saved(busy_world, make_app, here):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        view = await opened(pilot)
        await pilot.press("v", "k", "W")
        await until(pilot, lambda: "2 selected lines" in frame(app))
        await save_to(pilot, here / "two")
        await until(pilot, (here / "two").exists)
        assert (here / "two").read_text().count("step=19") == 2
        await pilot.press("escape")
        view.show_only("!step=.*[1-9] ")
        await until(pilot, lambda: view.row_count == 20)
        await pilot.press("W")
        await until(pilot, lambda: "20 lines that the filter shows" in frame(app))
        await save_to(pilot, here / "round")
        await until(pilot, (here / "round").exists)
        assert (here / "round").read_text().count("0 loss=") == 20


async def test_a_path_that_cannot_be_written_is_told_in_the_dialog(busy_world, make_app, here):
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("W")
        await save_to(pilot, here / "absent" / "x")
        await until(pilot, lambda: "path: there is no folder" in frame(app))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, SaveLog))


async def test_a_browser_gets_a_download(busy_world, make_app, here, monkeypatch):
    app = make_app()
    sent = []
    monkeypatch.setattr(type(app), "is_web", property(lambda _: True))
    monkeypatch.setattr(app, "deliver_binary", lambda path, **_: sent.append(path.read_bytes()))
    async with app.run_test(size=(80, 24)) as pilot:
        view = await opened(pilot)
        await pilot.press("W")
        await until(pilot, lambda: sent)
        assert sent == [view.source.read_bytes()]


async def test_chosen_lines_are_copied(busy_world, make_app):
    app = make_app()
    copied = []
    app.copy = copied.append
    async with app.run_test(size=(120, 34)) as pilot:
        view = await opened(pilot)
        await pilot.press("v", "k", "y")
        await until(pilot, lambda: copied)
        assert copied[0].count("\n") == 1
        assert len(view.chosen) == 0


async def test_a_line_is_shown_whole_and_copied(busy_world, make_app):
    busy_world.log(RUNNING, "x" * 300 + "漢字 end\n")
    app = make_app()
    copied = []
    app.copy = copied.append
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LineScreen))
        await settle(pilot)
        await assert_frame(pilot, GOLDEN / "line-80x24.txt")
        await pilot.press("y")
        assert copied == ["x" * 300 + "漢字 end"]
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, LineScreen))


@pytest.mark.parametrize("name", ["less", "other"])
async def test_the_pager_gets_the_log_and_nothing_that_acts(
    busy_world, make_app, here, monkeypatch, name
):
    pager = here / name
    pager.write_text(f'#!/bin/sh\ncat "${{1:--}}" > {here}/got\n')
    pager.chmod(0o755)
    monkeypatch.setenv("PAGER", str(pager))
    busy_world.log(RUNNING, b"\x1b]0;x\x07\x1b[31mred\x1b[0m\n")
    app = make_app()
    monkeypatch.setattr(app, "suspend", contextlib.nullcontext)
    async with app.run_test(size=(80, 24)) as pilot:
        view = await opened(pilot)
        await pilot.press("vertical_line")
        await until(pilot, (here / "got").exists)
        raw = view.source.read_bytes()
    shown = raw if name == "less" else raw.replace(b"\x1b]0;x\x07", b"")
    assert (here / "got").read_bytes() == shown


async def test_a_pager_that_is_not_there_is_told(busy_world, make_app, monkeypatch):
    monkeypatch.setenv("PAGER", "/absent/pager")
    app = make_app()
    monkeypatch.setattr(app, "suspend", contextlib.nullcontext)
    async with app.run_test(size=(120, 24)) as pilot:
        await opened(pilot)
        await pilot.press("vertical_line")
        await until(pilot, lambda: any("set PAGER" in n.message for n in app._notifications))


async def test_the_palette_acts_on_the_log_in_view(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        view = await opened(pilot)
        await pilot.press("colon", *"view: wrap", "enter")
        await until(pilot, lambda: view.wrap)
        await pilot.press("colon", *"save log as", "enter")
        await until(pilot, lambda: isinstance(app.screen, SaveLog))


def test_the_pager_is_the_persons_own(monkeypatch):
    monkeypatch.setenv("PAGER", "less -S")
    assert log_acts.pager() == ["less", "-S"]
    monkeypatch.delenv("PAGER")
    monkeypatch.setenv("PATH", os.devnull)
    assert log_acts.pager() == ["less"]
