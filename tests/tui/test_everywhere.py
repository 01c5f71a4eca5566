"""What the palette offers everywhere, and texts that name keys."""

from __future__ import annotations

from launch_tui.tui import keys
from launch_tui.tui.screens.ask_name import AskName
from launch_tui.tui.screens.docs import DocsScreen, pages
from launch_tui.tui.screens.help import HelpScreen
from launch_tui.tui.screens.menu import Menu
from launch_tui.tui.widgets.key_bar import footer_actions
from tests.tui.conftest import settle, until
from tests.tui.frames import frame


async def test_compact_takes_the_frames_off_and_gives_them_back(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        before = frame(app)
        app.action_app_compact()
        await settle(pilot)
        assert "│" not in frame(app).split("\n")[3]
        assert "Runs" in frame(app).split("\n")[1]
        app.action_app_compact()
        await settle(pilot)
        assert frame(app) == before


async def test_compact_is_a_setting(busy_world, make_app):
    (busy_world.home.root / "ui.yaml").write_text("compact: true")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "╭" not in frame(app)


async def test_the_documentation_is_read_without_a_browser(busy_world, make_app):
    assert "ui" in {page.stem for page in pages()}
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.action_app_docs()
        await until(pilot, lambda: isinstance(app.screen, Menu))
        await until(pilot, lambda: "The screens" in frame(app))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, DocsScreen))
        await until(pilot, lambda: "# The agent" in frame(app))


async def test_all_keys_are_told_from_anywhere(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        app.action_app_all_keys()
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await until(pilot, lambda: "All keys" in frame(app))
        assert next(iter(keys.SCOPES.values())) in frame(app)


async def test_how_many_at_once_is_asked_and_checked(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("3")
        await settle(pilot)
        app.screen.action_queues_at_once()
        await until(pilot, lambda: isinstance(app.screen, AskName))
        await pilot.press("ctrl+u", *"none", "enter")
        await until(pilot, lambda: "max_running" in frame(app))
        app.screen.action_queues_at_once()
        await until(pilot, lambda: isinstance(app.screen, AskName))
        await pilot.press("ctrl+u", "9", "enter")
        await until(pilot, lambda: busy_world.launch.queues.get("gpu").max_running == 9)


async def test_texts_name_the_keys_that_hold(world, make_app):
    (world.home.root / "ui.yaml").write_text(
        "keymap: {jobs.add: B, queues.new: C, app.launch: U, app.help: f3}"
    )
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        assert "none: 2, then B" in frame(app)
        for mode, words in (("2", "B  add one"), ("3", "C  make one"), ("4", "U  launch a run")):
            await pilot.press(mode)
            await settle(pilot)
            assert words in frame(app)
        assert "3, then C" in frame(app)


async def test_where_there_is_no_footer_the_status_has_the_key_of_help(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(60, 16)) as pilot:
        await settle(pilot)
        assert frame(app).rstrip().endswith("? help")


async def test_a_key_of_the_focused_pane_stands_once_in_the_footer(world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        shown = [app.key(action.id) for action in footer_actions(app.screen)]
        assert shown[0] == app.key("first.queue")
        assert len(shown) == len(set(shown))
