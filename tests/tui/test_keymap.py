from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from launch_tui.errors import UsageError
from launch_tui.tui import key_page, keys
from launch_tui.tui.keymap import KeyMap, read_keymap
from launch_tui.tui.screens.confirm import Confirm
from launch_tui.tui.screens.new_queue import NewQueue
from launch_tui.tui.widgets.log_view import LogView
from tests.tui.conftest import settle, until
from tests.tui.frames import frame

ROOT = Path(__file__).resolve().parents[2]


def write_settings(world, text):
    world.home.root.mkdir(parents=True, exist_ok=True)
    (world.home.root / "ui.yaml").write_text(text)


def test_the_page_of_keys_is_current():
    assert (ROOT / "docs" / "keys.md").read_text() == key_page.page(), "run `just keys`"


@pytest.mark.parametrize("action", keys.ACTIONS, ids=lambda action: action.id)
def test_every_action_can_be_given_another_key(action):
    keymap = read_keymap({action.id: "f9"}, "ui.yaml: keymap")
    assert keymap.shown(action) == "f9"
    assert keymap.overlay()[action.id] == "f9"
    others = [each for each in keys.ACTIONS if each.id != action.id]
    assert [keymap.of(each) for each in others] == [KeyMap().of(each) for each in others]


@pytest.mark.parametrize("action", keys.ACTIONS, ids=lambda action: action.id)
def test_the_keys_of_the_table_may_be_written_down(action):
    given = list(KeyMap().of(action))
    if given:
        assert set(read_keymap({action.id: given}, "k").of(action)) == set(given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"run.stopp": "X"}, "k.run.stopp: there is no such action; did you mean run.stop?"),
        ({"zzz": "X"}, "k.zzz: there is no such action; docs/keys.md has them all"),
        ({"run.stop": "n"}, "k.run.stop: n is the key of app.launch (new)"),
        ({"run.stop": "r"}, "k.run.stop: r is the key of run.rerun (rerun)"),
        ({"run.stop": "a"}, "k.run.stop: a is the key of runs.all (active/all)"),
        ({"run.stop": "j"}, "k.run.stop: j is the key of move.down (down)"),
        ({"run.stop": "l"}, "k.run.stop: l is the key of runs.unfold"),
        ({"move.down": "x"}, "k.move.down: x is the key of run.stop (stop)"),
        ({"run.stop": "f7", "run.rerun": "f7"}, "k.run.stop: f7 is the key of run.rerun"),
        ({"app.help": "P"}, "k.app.help: P is the key of queues.pause"),
        ({"form.plan": "f5"}, "k.form.plan: f5 is the key of form.submit"),
        ({"app.leave": "f5"}, "k.app.leave: f5 is the key of form.submit"),
        ({"run.stop": "ctrl+m"}, "k.run.stop: a terminal cannot tell ctrl+m from enter"),
        ({"run.stop": "hyperspace"}, "k.run.stop: 'hyperspace' is no key"),
        ({"run.stop": "ctl+x"}, "k.run.stop: 'ctl+x' is no key"),
        ({"run.stop": "ctrl+"}, "k.run.stop: 'ctrl+' is no key"),
        ({"run.stop": "xx"}, "k.run.stop: 'xx' is no key"),
        ({"run.stop": "\x1b"}, "k.run.stop: '\\x1b' is no key"),
        ({"run.stop": True}, "k.run.stop: True is no key"),
        ({"run.stop": {"a": 1}}, "k.run.stop: {'a': 1} is no key"),
        ({"run.stop": []}, "k.run.stop: is empty"),
        ({"form.submit": "s"}, "k.form.submit: s is typed into fields"),
        ({"app.leave": "Q"}, "k.app.leave: Q is typed into fields"),
        ("x", "k: is no section"),
    ],
)
def test_what_would_do_nothing_is_refused(given, told):
    with pytest.raises(UsageError) as error:
        read_keymap(given, "k")
    assert str(error.value).startswith(told)


@pytest.mark.parametrize(
    ("written", "held", "shown"),
    [
        ("X", ("X",), "X"),
        ("!", ("exclamation_mark",), "!"),
        (",", ("comma",), ","),
        ("ä", ("ä",), "ä"),
        ("ctrl+t, f6", ("ctrl+t", "f6"), "^t"),
        (["f6", "f6"], ("f6",), "f6"),
        (9, ("9",), "9"),
        ("shift+up", ("shift+up",), "shift+up"),
        ("alt+x", ("alt+x",), "alt+x"),
        ("question_mark", ("question_mark",), "?"),
    ],
)
def test_a_key_is_written_as_people_and_as_textual_write_it(written, held, shown):
    action = keys.BY_ID["runs.sort"]
    if held == ("question_mark",):
        action = keys.BY_ID["app.help"]
    keymap = read_keymap({action.id: written}, "k")
    assert keymap.of(action) == held
    assert keymap.shown(action) == shown


async def test_a_moved_key_acts_and_the_old_one_does_not(busy_world, make_app):
    write_settings(busy_world, "keymap: {run.stop: X, app.agent: 9, move.down: ctrl+n}")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        shown = frame(app)
        assert "9 Agent" in shown
        assert "X stop" in shown
        assert "x stop" not in shown
        await pilot.press("x")
        await settle(pilot)
        assert len(app.screen_stack) == 1
        table = app.screen.query_one("#runs")
        before = table.cursor_key
        await pilot.press("j")
        assert table.cursor_key == before
        await pilot.press("ctrl+n")
        assert table.cursor_key != before
        await pilot.press("X")
        await until(pilot, lambda: isinstance(app.screen, Confirm))


async def test_help_palette_and_click_have_the_moved_key(busy_world, make_app):
    write_settings(busy_world, "keymap: {run.stop: X, app.help: ctrl+t, app.palette: f8}")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+t")
        await settle(pilot)
        lines = frame(app).split("\n")
        assert any(" X  " in line and "Stop or cancel" in line for line in lines)
        await pilot.press("ctrl+t")
        await settle(pilot)
        await pilot.press("f8", *"run: stop")
        await settle(pilot)
        assert any("run: stop" in line and " X" in line for line in frame(app).split("\n"))
        await pilot.press("escape")
        await settle(pilot)
        footer = frame(app).split("\n")[33]
        await pilot.click(offset=(footer.index("X stop") + 3, 33))
        await until(pilot, lambda: isinstance(app.screen, Confirm))


async def test_two_keys_change_places(busy_world, make_app):
    write_settings(busy_world, "keymap: {run.stop: r, run.rerun: x}")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Confirm))


async def test_a_log_moves_by_the_same_keys(busy_world, make_app):
    write_settings(busy_world, "keymap: {move.up: ctrl+k}")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        app.screen.go_to(busy_world.running)
        await pilot.press("enter")
        await settle(pilot)
        log = app.screen.query_one("#log", LogView)
        assert log.following
        await pilot.press("k")
        assert log.following
        await pilot.press("ctrl+k")
        await until(pilot, lambda: not log.following)


async def test_a_form_has_the_moved_key_and_says_so(busy_world, make_app):
    write_settings(busy_world, "keymap: {form.submit: f6}")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("3", "N")
        await until(pilot, lambda: isinstance(app.screen, NewQueue))
        await until(pilot, lambda: "f6   esc closes" in frame(app))
        app.screen.query(Input).first().value = "fresh"
        await pilot.press("f5")
        await settle(pilot)
        assert isinstance(app.screen, NewQueue)
        await pilot.press("f6")
        await until(pilot, lambda: "fresh" in [q.name for q in busy_world.launch.queues.list()])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("keymap: {run.stop: n}", "ui.yaml: keymap.run.stop: n is the key of app.launch"),
        ("keymap: {run.halt: n}", "ui.yaml: keymap.run.halt: there is no such action"),
        ("theme: [", "ui.yaml: "),
        ("colour: red", "ui.yaml: colour: there is no such key"),
    ],
)
async def test_wrong_settings_leave_the_defaults_and_are_told(busy_world, make_app, text, told):
    write_settings(busy_world, text)
    app = make_app()
    async with app.run_test(size=(200, 50), notifications=True) as pilot:
        await settle(pilot)
        path = str(busy_world.home.root)
        events = busy_world.launch.agents.events
        await until(pilot, lambda: any(told in event.message for event in events()))
        (message,) = [event.message for event in events() if told in event.message]
        assert message.startswith(path)
        assert message.endswith("The UI's own settings hold")
        assert [note.message for note in app._notifications] == [message]
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
