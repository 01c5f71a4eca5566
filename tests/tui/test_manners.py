from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from rich.color import ColorType

import launch_tui.tui
from launch_tui.tui import keys, theme
from launch_tui.tui.app import LaunchApp
from launch_tui.tui.fitting import Fitting, fitting
from tests.tui.conftest import SIZES, settle, until
from tests.tui.frames import frame

PACKAGE = Path(launch_tui.tui.__file__).parent
MOVING = {"LoadingIndicator", "ProgressBar"}
SCREENS = ("1", "2", "3", "4")
XTERM = "xterm-256color"


def styles(app):
    """All styles on the screen, as they are sent to the terminal."""
    strips = app.screen._compositor.render_strips(app.size)
    return [segment.style for strip in strips for segment in strip if segment.style]


def test_nothing_spins():
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        assert not names & MOVING, path
        assert ".loading = True" not in text, path
        assert not re.search(r"cursor_blink\s*=\s*True", text), path


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": XTERM}, Fitting()),
        ({"TERM": XTERM, "SSH_CONNECTION": "a 1 b 2"}, Fitting(motion=False)),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, Fitting()),
        ({"TERM": "xterm"}, Fitting(theme="ansi-dark")),
        ({"TERM": "linux"}, Fitting(theme="ansi-dark", ascii=True)),
        ({"TERM": XTERM, "NO_COLOR": "1"}, Fitting(theme="ansi-dark")),
        ({"TERM": "xterm", "COLORFGBG": "0;15"}, Fitting(theme="ansi-light")),
        ({"TERM": XTERM, "COLORFGBG": "0;default;15"}, Fitting(theme="launch-light")),
        ({"TERM": XTERM, "COLORFGBG": "15;0"}, Fitting()),
    ],
)
def test_what_fits_is_what_the_terminal_says(environ, expected):
    assert fitting(environ, "utf-8") == expected


def test_a_locale_without_utf_8_gets_ascii():
    assert fitting({"TERM": XTERM}, "ascii").ascii


@pytest.mark.parametrize("name", theme.names())
async def test_every_theme_can_be_chosen_and_holds(busy_world, make_app, name):
    (busy_world.home.root / "ui.yaml").write_text(f"theme: {name}")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        assert app.theme == name
        for key in SCREENS:
            await pilot.press(key)
            await settle(pilot)
        sent = {style.color.type for style in styles(app) if style.color is not None}
        if name in theme.SIXTEEN:
            assert sent <= {ColorType.DEFAULT, ColorType.STANDARD}, sent
        else:
            assert ColorType.TRUECOLOR in sent


@pytest.mark.parametrize("name", theme.SIXTEEN)
async def test_the_cursor_is_seen_on_sixteen_colours(busy_world, make_app, name):
    (busy_world.home.root / "ui.yaml").write_text(f"theme: {name}")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("j")
        await settle(pilot)
        table = app.screen.query_one("#runs")
        region = table.region
        strips = app.screen._compositor.render_strips(app.size)
        lines = [strips[region.y + y] for y in range(2, 6)]
        looks = [{(s.style.bgcolor, s.style.reverse) for s in line if s.style} for line in lines]
        assert len({frozenset(map(str, each)) for each in looks}) > 1


@pytest.mark.parametrize("name", theme.names())
async def test_no_color_sends_no_colour(busy_world, make_app, monkeypatch, name):
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app(fits=Fitting(theme=name))
    async with app.run_test(size=(120, 34)) as pilot:
        for key in SCREENS:
            await pilot.press(key)
            await settle(pilot)
            for style in styles(app):
                for colour in (style.color, style.bgcolor):
                    if name in theme.SIXTEEN:
                        assert colour is None or colour.is_default, (key, style)
                    elif colour is not None and colour.triplet is not None:
                        assert len(set(colour.triplet)) == 1, (key, style)


async def test_a_theme_is_chosen_from_a_menu(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        app.action_app_theme()
        await settle(pilot)
        assert "launch-contrast" in frame(app)
        await pilot.press("5")
        await until(pilot, lambda: app.theme == "launch-contrast")
        await until(pilot, lambda: "in ui.yaml" in frame(app))


async def test_motion_is_as_the_settings_say(busy_world, make_app):
    app = make_app(fits=Fitting(motion=False))
    async with app.run_test() as pilot:
        await settle(pilot)
        assert app.animation_level == "none"
        app.action_app_motion()
        assert app.animation_level == "basic"
    (busy_world.home.root / "ui.yaml").write_text("motion: false")
    app = make_app()
    async with app.run_test() as pilot:
        await settle(pilot)
        assert app.animation_level == "none"


@pytest.mark.parametrize("pressed", ["", "n", "colon", "question_mark"])
@pytest.mark.parametrize("size", [(39, 30), (100, 9), (20, 5)])
async def test_too_small_a_terminal_says_one_line(busy_world, make_app, size, pressed):
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        if pressed:
            await pilot.press(pressed)
            await settle(pilot)
        before = frame(app)
        await pilot.resize_terminal(*size)
        await settle(pilot)
        assert frame(app).strip() == "needs 40x10"
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert frame(app) == before


@pytest.mark.parametrize("size", [(200, 60), *SIZES, (40, 10)])
async def test_every_size_shows_every_screen(busy_world, make_app, size):
    app = make_app()
    async with app.run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        await pilot.resize_terminal(*size)
        for key in SCREENS:
            await pilot.press(key)
            await settle(pilot)
            shown = frame(app)
            assert "needs 40x10" not in shown
            assert "launch-tui" in shown
            assert all(len(line) <= size[0] for line in shown.split("\n"))


async def test_the_settings_are_edited_and_followed(busy_world, make_app, monkeypatch):
    app = make_app()
    path = busy_world.home.root / "ui.yaml"
    edited = "keymap: {app.agent: 9}\ntheme: launch-light\nascii: true\n"
    monkeypatch.setattr("launch_tui.tui.editing.edit_text", lambda app, text: edited)
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        app.action_app_settings()
        await settle(pilot)
        assert path.read_text() == edited
        assert app.theme == "launch-light"
        await pilot.press("9")
        await until(pilot, lambda: app.current_mode == "agent")
        await until(pilot, lambda: "9 Agent" in frame(app))
        await until(pilot, lambda: frame(app).isascii())


async def test_settings_that_are_wrong_are_not_kept(busy_world, make_app, monkeypatch):
    app = make_app()
    path = busy_world.home.root / "ui.yaml"
    path.write_text("theme: launch-light\n")
    monkeypatch.setattr("launch_tui.tui.editing.edit_text", lambda app, text: "theme: pink")
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        app.action_app_settings()
        await until(pilot, lambda: "theme: 'pink' is no" in frame(app))
        assert path.read_text() == "theme: launch-light\n"


async def test_in_a_browser_nothing_takes_the_terminal(busy_world, make_app, monkeypatch):
    monkeypatch.setattr(LaunchApp, "is_web", True)
    monkeypatch.setattr("launch_tui.tui.editing.edit_text", lambda *_: 1 / 0)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        for key in SCREENS:
            await pilot.press(key, "e")
            await settle(pilot)
            assert len(app.screen_stack) == 1
        await pilot.press("3", "question_mark")
        await settle(pilot)
        # A long one goes on in the next line.
        lines = [" ".join(line.plain.split()) for line in app.screen._lines()]
        for action in keys.ACTIONS:
            if action.keys:
                (line, *_) = [each for each in lines if action.help in each]
                assert line.endswith("(not in a browser)") == action.terminal, action.id


async def test_a_browser_gets_what_is_copied_and_the_servers_desktop_does_not(
    busy_world, make_app, monkeypatch
):
    monkeypatch.setattr(LaunchApp, "is_web", True)
    monkeypatch.setattr("launch_tui.tui.clipboard._feed", lambda tool, text: pytest.fail(tool))
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("TMUX", "/tmp/x,1,0")
    delivered, written = [], []
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        monkeypatch.setattr(app._driver, "write", written.append)
        monkeypatch.setattr(
            app, "deliver_text", lambda file, save_filename: delivered.append(file.read())
        )
        app.copy("run00006")
        await settle(pilot)
        assert [text for text in written if text.startswith("\x1b]52;c;")]
        assert not [text for text in written if "Ptmux" in text]
        app.copy("x" * 60_000)
        assert delivered == ["x" * 60_000]
