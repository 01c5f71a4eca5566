from __future__ import annotations

from typing import ClassVar

import pytest
from textual import events
from textual.app import App
from textual.geometry import Offset
from textual.selection import Selection

from launch_tui.store import log_folds
from launch_tui.tui.widgets import log_pane
from launch_tui.tui.widgets.log_view import LogView
from tests.tui.frames import escapes, frame


class Viewing(App):
    """One log view, with a border."""

    CSS = "LogView { border: round grey; }"
    BINDINGS: ClassVar = [(key, f"hear('{key}')") for key in ("q", "n", "slash", "escape")]

    def __init__(self, source=None, **options):
        super().__init__()
        self.view = LogView(source, **options)
        self.opened = []
        self.wanted = []
        self.heard = []

    def compose(self):
        yield self.view

    def on_mount(self):
        self.view.focus()

    def on_log_view_line_opened(self, message):
        self.opened.append((message.number, message.text))

    def on_log_view_wanted(self, message):
        self.wanted.append((message.what, message.view.chosen_text()))

    def action_hear(self, key):
        self.heard.append(key)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "output.log"


def numbered(count, start=0):
    return b"".join(b"line %d\n" % i for i in range(start, start + count))


def inside(app) -> list[str]:
    """The text within the border."""
    lines = frame(app).splitlines()[1:-1]
    return [line.strip("│").rstrip(" ▁▂▃▄▅▆▇█▎▊▉│") for line in lines]


async def settle(app, pilot):
    await app.workers.wait_for_complete()
    await pilot.pause()


async def test_the_end_is_in_view_and_stays_there(log):
    log.write_bytes(numbered(100))
    app = Viewing(log)
    async with app.run_test(size=(40, 12)) as pilot:
        assert inside(app)[-1] == "line 99"
        assert inside(app)[0] == "line 90"
        with log.open("ab") as file:
            file.write(numbered(50, 100))
        app.view.tick()
        await pilot.pause()
        assert inside(app)[-1] == "line 149"


async def test_scrolling_up_stops_following_and_counts_what_is_new(log):
    log.write_bytes(numbered(100))
    app = Viewing(log)
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot.press("k", "k")
        await pilot.pause()
        assert not app.view.following
        with log.open("ab") as file:
            file.write(numbered(1204, 100))
        app.view.tick()
        await pilot.pause()
        assert inside(app)[0] == "line 88"
        assert "▼ 1,204 new  G" in frame(app)
        await pilot.press("G")
        await pilot.pause()
        assert app.view.following
        assert inside(app)[-1] == "line 1303"
        assert "new" not in frame(app)


async def test_every_key_moves_as_in_less(log):
    log.write_bytes(numbered(100))
    app = Viewing(log)
    async with app.run_test(size=(40, 12)) as pilot:
        for key, first in [
            ("g", "line 0"),
            ("j", "line 1"),
            ("down", "line 2"),
            ("up", "line 1"),
            ("ctrl+d", "line 5"),
            ("ctrl+u", "line 1"),
            ("pagedown", "line 10"),
            ("pageup", "line 1"),
            ("home", "line 0"),
            ("end", "line 90"),
        ]:
            await pilot.press(key)
            await pilot.pause()
            assert inside(app)[0] == first, key
        await pilot.press("F")
        assert not app.view.following
        await pilot.press("F")
        assert app.view.following


async def test_the_wheel_scrolls_and_reaching_the_end_follows_again(log):
    log.write_bytes(numbered(100))
    app = Viewing(log)
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot._post_mouse_events([events.MouseScrollUp], offset=(5, 5))
        await pilot.pause()
        assert not app.view.following
        for _ in range(3):
            await pilot._post_mouse_events([events.MouseScrollDown], offset=(5, 5))
        await pilot.pause()
        assert app.view.following


async def test_a_progress_bar_moves_in_one_line(log):
    log.write_bytes(b"start\n 10%|#")
    app = Viewing(log)
    async with app.run_test(size=(40, 8)) as pilot:
        assert inside(app)[:2] == ["start", " 10%|#"]
        with log.open("ab") as file:
            file.write(b"\r 20%|##")
        app.view.tick()
        await pilot.pause()
        assert inside(app)[:3] == ["start", " 20%|##", ""]
        with log.open("ab") as file:
            file.write(b"\r100%|##########|\r\ndone\n")
        app.view.tick()
        await pilot.pause()
        assert inside(app)[:3] == ["start", "100%|##########|", "done"]


async def test_colours_are_kept_and_nothing_else_acts(log):
    log.write_bytes(
        b"\x1b[1;38;5;208mwarn\x1b[0m \x1b]52;c;aGVsbG8=\x07\x1b[2J\x1b]0;owned\x1b\\x[/gpu]\n"
        + b"\x9b31m\xc2\x9b2J \xff \x00 \xe2\x80\xae end\n"
    )
    app = Viewing(log)
    async with app.run_test(size=(60, 8)):
        assert escapes(app) == set()
        assert inside(app)[0] == "warn x[/gpu]"
        (segment,) = [s for s in app.view.render_line(0) if s.text == "warn"]
        assert segment.style.color.number == 208
        assert segment.style.bold


async def test_a_long_line_is_cut_and_opens_whole(log):
    log.write_bytes(b"short\n" + b"x" * 90_000 + b"\n")
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        app.view.scroll_to(x=4096 - 10, animate=False)
        await pilot.pause()
        assert inside(app)[1].startswith("xxx")
        assert "enter opens the line" in frame(app)
        await pilot.press("enter")
        await pilot.pause()
        assert app.opened == [(1, "x" * 90_000)]


async def test_a_double_click_opens_a_line(log):
    log.write_bytes(numbered(3))
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        await pilot.click(LogView, offset=(3, 2), times=2)
        await pilot.pause()
        assert app.opened == [(1, "line 1")]
        assert app.screen.selections == {}


async def test_dragging_selects_text(log):
    log.write_bytes(b"\x1b[31mfirst\x1b[0m line\nsecond line\nthird\n")
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        await pilot.mouse_down(LogView, offset=(7, 1))
        await pilot.hover(LogView, offset=(6, 2))
        await pilot.mouse_up(LogView, offset=(6, 2))
        await pilot.pause()
        assert app.screen.get_selected_text() == "line\nsecond"
        assert not app.view.following


async def test_a_selection_of_everything_is_bounded(log, monkeypatch):
    monkeypatch.setattr(log_pane, "COPY_LINES", 5)
    log.write_bytes(numbered(100))
    app = Viewing(log)
    async with app.run_test(size=(60, 8)):
        text, _ = app.view.get_selection(Selection(None, None))
        assert text.splitlines() == [f"line {i}" for i in range(5)]
        text, _ = app.view.get_selection(Selection(Offset(2, 97), Offset(3, 98)))
        assert text == "ne 97\nlin"


async def test_wrapped_lines_go_on_below_and_the_end_stays_in_view(log):
    log.write_bytes(numbered(50) + b"abcdefghij" * 10 + b"\nlast\n")
    app = Viewing(log)
    async with app.run_test(size=(42, 8)) as pilot:
        await pilot.press("w")
        await pilot.pause()
        shown = inside(app)
        assert shown[-1] == "last"
        assert "".join(shown[-4:-1]) == "abcdefghij" * 10
        assert shown[0] == "line 48"


async def test_wrapped_wide_characters_and_colours(log):
    log.write_bytes("\x1b[31m漢字\x1b[0m".encode() * 30 + b"\n")
    app = Viewing(log)
    async with app.run_test(size=(23, 8)) as pilot:
        await pilot.press("w")
        await pilot.pause()
        assert "".join(inside(app)).replace(" ", "") == "漢字" * 30


async def test_line_numbers(log):
    log.write_bytes(numbered(120))
    app = Viewing(log)
    async with app.run_test(size=(42, 8)) as pilot:
        await pilot.press("number_sign")
        await pilot.pause()
        assert inside(app)[-1] == "120 line 119"
        await pilot.press("g")
        await pilot.pause()
        assert inside(app)[0] == "  1 line 0"


async def test_an_empty_log_says_why_and_a_missing_one_is_waited_for(log):
    app = Viewing(log, empty="No output yet: the run waits for a GPU")
    async with app.run_test(size=(60, 8)) as pilot:
        assert inside(app)[0] == "No output yet: the run waits for a GPU"
        log.write_bytes(b"hello\n")
        app.view.tick()
        await pilot.pause()
        assert inside(app)[:2] == ["hello", ""]


async def test_a_truncated_log_begins_with_a_mark(log):
    log.write_bytes(numbered(100))
    app = Viewing(log)
    async with app.run_test(size=(80, 8)) as pilot:
        log.write_bytes(b"anew\n")
        app.view.tick()
        await pilot.pause()
        assert "truncated or replaced" in inside(app)[0]
        assert inside(app)[1] == "anew"


async def test_another_source_is_shown_from_its_end(log, tmp_path):
    log.write_bytes(numbered(100))
    other = tmp_path / "other.log"
    other.write_bytes(numbered(40, 1000))
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        await pilot.press("g")
        app.view.source = other
        await pilot.pause()
        assert inside(app)[-1] == "line 1039"
        app.view.source = None
        await pilot.pause()
        assert inside(app)[0] == "No output yet"


async def test_the_end_of_a_large_log_shows_before_it_is_indexed(log, monkeypatch):
    monkeypatch.setattr(log_pane, "FIRST_BYTES", 1000)
    monkeypatch.setattr(log_pane, "FRAME_BYTES", 1000)
    log.write_bytes(numbered(5000))
    view = LogView(log)
    assert not view._rows.index.complete
    app = Viewing()
    app.view = view
    async with app.run_test(size=(60, 8)) as pilot:
        view._window = None
        assert [drawn.text for drawn in view._read_window()][-1] == "line 4999"
        await settle(app, pilot)
        assert view.line_count == 5000
        assert view.status == ""
        assert inside(app)[-1] == "line 4999"


async def test_searching_goes_from_match_to_match(log):
    log.write_bytes(numbered(300))
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        await pilot.press("g")
        await pilot.press("slash", *"line 1.0$", "enter")
        await settle(app, pilot)
        assert app.view.status == "/line 1.0$ 1 of 10"
        assert "line 100" in inside(app)
        await pilot.press("n")
        await pilot.pause()
        assert app.view.status == "/line 1.0$ 2 of 10"
        assert "line 110" in inside(app)
        await pilot.press("N", "N")
        await pilot.pause()
        assert app.view.status == "/line 1.0$ 10 of 10"
        assert "line 190" in inside(app)
        assert app.heard == []
        await pilot.press("escape")
        await pilot.pause()
        assert app.view.status == ""


async def test_a_search_is_smart_about_case_and_takes_what_is_no_regex(log):
    log.write_bytes(b"Error (oops\nerror\nfine\n")
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        for typed, found in [("error", "2"), ("Error", "1"), ("(oops", "1")]:
            app.view.search(typed)
            await settle(app, pilot)
            assert app.view.status.endswith(f"of {found}")
        app.view.search("absent")
        await settle(app, pilot)
        assert app.view.status.endswith("no match")


async def test_a_filter_shows_only_what_matches_and_grows(log):
    log.write_bytes(numbered(300))
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        await pilot.press("ampersand", *"9$", "enter")
        await settle(app, pilot)
        assert inside(app)[-1] == "line 299"
        assert inside(app)[0] == "line 249"
        assert app.view.status == "&9$ 30 lines"
        with log.open("ab") as file:
            file.write(numbered(10, 300))
        app.view.tick()
        await pilot.pause()
        assert inside(app)[-1] == "line 309"
        await pilot.press("escape")
        await settle(app, pilot)
        assert inside(app)[-1] == "line 309"
        assert inside(app)[0] == "line 304"


async def test_a_filter_can_hide_what_matches(log):
    log.write_bytes(numbered(30))
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        await pilot.press("ampersand", "exclamation_mark", *"[0-8]$", "enter")
        await settle(app, pilot)
        assert inside(app)[:4] == ["line 9", "line 19", "line 29", ""]


async def test_keys_go_into_the_prompt_and_nowhere_else(log):
    log.write_bytes(numbered(30))
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        await pilot.press("slash", "q", "n", "backspace", "space")
        await pilot.pause()
        assert inside(app)[-1] == "/q"
        assert app.heard == []
        await pilot.press("escape")
        await pilot.pause()
        assert inside(app)[-1] == "line 29"


async def test_keys_that_come_at_once_are_typed_too(log):
    log.write_bytes(numbered(30))
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        for key in ("slash", *"new", "enter"):
            app.post_message(events.Key(key, "/" if key == "slash" else key[:1]))
        await pilot.pause()
        await settle(app, pilot)
        assert app.view.status == "/new no match"
        assert app.opened == []


async def test_n_and_escape_belong_to_others_without_a_search(log):
    log.write_bytes(numbered(30))
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        await pilot.press("n", "escape")
        assert app.heard == ["n", "escape"]


async def test_an_idle_log_is_not_drawn_again(log, monkeypatch):
    log.write_bytes(numbered(30))
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        await pilot.pause()
        drawn = []
        monkeypatch.setattr(LogView, "render_line", lambda self, y: drawn.append(y))
        for _ in range(5):
            app.view.tick()
        await pilot.pause()
        assert drawn == []


async def test_the_view_follows_a_resize(log):
    log.write_bytes(numbered(100))
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert inside(app)[-1] == "line 99"
        assert app.view.following
        await pilot.resize_terminal(30, 6)
        await pilot.pause()
        assert inside(app)[-1] == "line 99"
        assert app.view.following


def test_no_name_of_ours_hides_one_of_textuals():
    from textual.scroll_view import ScrollView

    ours = {name for name in vars(LogView()) if name.startswith("_")} - set(vars(ScrollView()))
    assert {name for name in ours if hasattr(ScrollView, name)} == set()


async def test_indexing_that_takes_long_is_told_in_the_border(log, monkeypatch):
    monkeypatch.setattr(log_pane, "FIRST_BYTES", 1000)
    monkeypatch.setattr(log_pane, "FRAME_BYTES", 1000)
    monkeypatch.setattr(log_pane, "SAID_AFTER", -1.0)
    told = []
    tell = LogView._tell
    monkeypatch.setattr(LogView, "_tell", lambda self: (tell(self), told.append(self.status)))
    log.write_bytes(numbered(2000))
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        await settle(app, pilot)
        assert "indexing 40 %" in told
        assert app.view.status == ""
        assert app.view.border_subtitle is None


async def found(app, pilot):
    await settle(app, pilot)
    await pilot.pause()
    return app.view.status


async def test_e_and_E_go_to_lines_that_look_like_an_error(log):
    lines = [f"line {n} val_error=0.1" for n in range(200)]
    lines[50] = "\x1b[31mERROR\x1b[0m worker 3"
    lines[120] = "ValueError: bad batch"
    log.write_text("\n".join(lines) + "\n")
    app = Viewing(log)
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("E")
        assert await found(app, pilot) == "errors 2 of 2"
        assert "ValueError: bad batch" in inside(app)
        await pilot.press("E")
        assert await found(app, pilot) == "errors 1 of 2"
        assert "ERROR worker 3" in inside(app)
        await pilot.press("e")
        assert await found(app, pilot) == "errors 2 of 2"
        with log.open("a") as file:
            file.write("RuntimeError: CUDA error\n")
        app.view.tick()
        await pilot.press("e")
        assert await found(app, pilot) == "errors 3 of 3"
        await pilot.press("escape")
        assert await found(app, pilot) == ""
        assert app.heard == []


async def test_an_error_near_is_gone_to_before_a_large_log_is_searched(log, monkeypatch):
    monkeypatch.setattr(log_pane, "SEARCHED_BYTES", 64)
    log.write_bytes(numbered(3000) + b"Traceback (most recent call last):\n" + numbered(50))
    app = Viewing(log)
    async with app.run_test(size=(60, 12)) as pilot:
        app.view.action_log_previous_error()
        assert app.view._finder.lags
        assert app.view._finder.current == 3000
        await pilot.pause()
        assert any("Traceback" in line for line in inside(app))
        assert await found(app, pilot) == "errors 1 of 1"


async def test_lines_are_chosen_by_moving_and_copied(log):
    log.write_bytes(b"\x1b[32mgreen\x1b[0m 1\n" + numbered(100))
    app = Viewing(log)
    wanted = app.wanted
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("y")
        assert wanted == []
        await pilot.press("v", "k", "k")
        assert await found(app, pilot) == "3 lines: y copies, W saves"
        assert not app.view.following
        await pilot.press("y")
        await pilot.pause()
        assert wanted == [("copy", "line 97\nline 98\nline 99")]
        assert list(app.view.chosen_lines()) == [98, 99, 100]
        await pilot.press("g", "v", "j")
        await pilot.pause()
        assert app.view.chosen_text() == "green 1\nline 0"
        assert app.view.span_of(app.view.chosen_lines()) == (0, 24)
        assert inside(app)[0] == "green 1"
        await pilot.press("G")
        await pilot.pause()
        assert len(app.view.chosen) == 101
        assert inside(app)[-1] == "line 99"
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.view.chosen) == 0
        assert app.heard == []


async def test_chosen_lines_are_seen_to_be(log):
    log.write_bytes(b"one\n\nthree\n")
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        plain = [app.view.render_line(y)._segments[-1].style.bgcolor for y in range(3)]
        await pilot.press("v", "k")
        await pilot.pause()
        chosen = [app.view.render_line(y)._segments[-1].style.bgcolor for y in range(3)]
        assert chosen[0] == plain[0]
        assert chosen[1] == chosen[2] != plain[2]


async def test_a_mark_stands_between_what_was_and_what_comes(log):
    log.write_bytes(numbered(3))
    app = Viewing(log)
    app.clock = lambda: 0.0
    async with app.run_test(size=(60, 9)) as pilot:
        await pilot.press("m")
        with log.open("ab") as file:
            file.write(numbered(2, 3))
        app.view.tick()
        await pilot.pause()
        shown = inside(app)
        assert shown[2] == "line 2"
        assert ":00:00 ─" in shown[3]
        assert shown[4:6] == ["line 3", "line 4"]
        await pilot.press("slash", *"line 4", "enter")
        await settle(app, pilot)
        assert app.view._finder.current == 4


async def test_nested_bars_take_a_line_each_while_they_move(log):
    log.write_bytes(b"start\n\router 0")
    app = Viewing(log)
    async with app.run_test(size=(60, 9)) as pilot:
        for n in range(30):
            with log.open("ab") as file:
                file.write(b"\n\rinner %d\x1b[A" % n + (b"\router %d" % n if n % 10 == 9 else b""))
            app.view.tick()
        await pilot.pause()
        assert inside(app)[:4] == ["start", "outer 29", "inner 29", ""]
        with log.open("ab") as file:
            file.write(b"\n\ndone\n")
        app.view.tick()
        await pilot.pause()
        assert inside(app)[:5] == ["start", "outer 29", "inner 29", "done", ""]
        await pilot.press("number_sign")
        await pilot.pause()
        assert [line.split()[0] for line in inside(app)[:2]] == ["1", "32"]


def bars(many):
    return b"".join(b"\n\rinner %d\x1b[A\router %d" % (n, n) for n in range(many)) + b"\n\n"


@pytest.fixture
def large(log, monkeypatch):
    """A log of which the end alone is folded when it is opened."""
    monkeypatch.setattr(log_folds, "BYTES", 3_000)
    monkeypatch.setattr(log_folds, "_APART_FROM", 1_000)
    log.write_bytes(b"first" + bars(9_000) + numbered(1_000) + bars(500) + b"last\n")
    return log


async def test_what_is_before_the_end_of_a_large_log_is_folded_once_one_goes_there(large):
    app = Viewing(large)
    async with app.run_test(size=(60, 9)) as pilot:
        app.view.tick()
        await settle(app, pilot)
        assert inside(app)[-3:] == ["outer 499", "inner 499", "last"]
        assert not app.view._rows.folds.whole
        await pilot.press("g")
        app.view.tick()
        await settle(app, pilot)
        assert inside(app)[:4] == ["outer 8999", "inner 8999", "line 0", "line 1"]
        assert app.view.row_count == 1_005
        assert "new" not in frame(app)
        await pilot.press("G")
        await pilot.pause()
        assert inside(app)[-4:] == ["line 999", "outer 499", "inner 499", "last"]


async def test_lines_in_view_and_chosen_stay_while_those_before_are_folded(large):
    app = Viewing(large)
    async with app.run_test(size=(60, 9)) as pilot:
        await settle(app, pilot)
        app.view.scroll_to(y=app.view._rows.row_of(9_500), animate=False, immediate=True)
        await pilot.press("v", "k", "k")
        await pilot.pause()
        seen, copied = inside(app), app.view.chosen_text()
        assert copied
        with large.open("ab") as file:
            file.write(b"more\n")
        app.view.tick()
        await settle(app, pilot)
        assert app.view._rows.folds.whole
        assert app.view.row_count == 1_006
        assert inside(app)[:-1] == seen[:-1]
        assert "1 new" in inside(app)[-1]
        assert app.view.chosen_text() == copied


async def test_a_filter_stays_in_place_while_lines_are_folded(large):
    app = Viewing(large)
    async with app.run_test(size=(60, 9)) as pilot:
        await settle(app, pilot)
        app.view.show_only("9$")
        await settle(app, pilot)
        many = app.view.row_count
        app.view.scroll_to(y=many - 60, animate=False, immediate=True)
        await pilot.pause()
        seen = inside(app)
        app.view.tick()
        await settle(app, pilot)
        assert app.view.row_count == 102 < many
        assert inside(app) == seen
        assert app.view.status == "&9$ 102 lines"


async def test_folding_that_takes_long_is_told_in_the_border(large, monkeypatch):
    monkeypatch.setattr(log_pane, "SAID_AFTER", 0)
    app = Viewing(large)
    async with app.run_test(size=(60, 9)) as pilot:
        await settle(app, pilot)
        assert app.view.status == ""
        await pilot.press("g")
        app.view.tick()
        app.view._tell()
        assert app.view.status == "folding 0 %"
        await settle(app, pilot)
        assert app.view.status == ""


async def test_the_process_that_folds_ends_with_the_view(large):
    app = Viewing(large)
    async with app.run_test(size=(60, 9)) as pilot:
        await settle(app, pilot)
        rows = app.view._rows
        rows.find_whole()
        folding = rows.folds._process
        assert folding._process.poll() is None
        app.view.source = None
        assert folding._process.poll() is not None


async def test_a_large_log_is_searched_by_a_process_that_ends_with_the_view(log, monkeypatch):
    from launch_tui.store import log_search

    monkeypatch.setattr(log_search, "SCAN_FROM", 1000)
    log.write_bytes(numbered(200_000))
    app = Viewing(log)
    async with app.run_test(size=(60, 9)) as pilot:
        await settle(app, pilot)
        app.view.search("line 7.*7$")
        await found(app, pilot)
        many = sum(str(n).startswith("7") and n % 10 == 7 and n > 7 for n in range(200_000))
        assert app.view.status == f"/line 7.*7$ 1 of {many:,}"
        app.view.show_only("line .*99$")
        await pilot.press("G")
        await settle(app, pilot)
        assert inside(app)[-1] == "line 199999"
        assert app.view.row_count == 2_000
        app.view.search("(0+)+x")
        app.view.tick()
        app.view._finder.advance(1)
        scanning = app.view._finder._search._scan
        app.view.source = None
        assert scanning._process.poll() is not None


async def test_what_a_filter_leaves_is_not_new(log):
    log.write_bytes(numbered(300))
    app = Viewing(log)
    async with app.run_test(size=(60, 8)) as pilot:
        await pilot.press("g")
        app.view.show_only("9")
        await settle(app, pilot)
        assert "new" not in frame(app)
        with log.open("ab") as file:
            file.write(b"9\n")
        app.view.tick()
        await pilot.pause()
        assert "1 new" in frame(app)


async def test_one_goes_to_a_time(log):
    lines = []
    for n in range(3000):
        lines.append(
            f"\x1b[2m2026-11-28 {10 + n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}\x1b[0m x"
        )
        lines += ["Traceback", "  no time here"] if n % 50 == 0 else []
    log.write_text("\n".join(lines) + "\n")
    app = Viewing(log)
    async with app.run_test(size=(60, 12)) as pilot:
        for typed, wanted in [
            ("10:07:30", "2026-11-28 10:07:30 x"),
            ("-1m", "2026-11-28 10:48:59 x"),
            ("00:01", "2026-11-28 10:00:00 x"),
        ]:
            await pilot.press("t", *typed, "enter")
            await pilot.pause()
            assert wanted in inside(app)
        await pilot.press("t", *"noon", "enter")
        await pilot.pause()
        assert app.view.status.startswith("noon is no time: 12:04")
        await pilot.press("slash", "enter")
        await pilot.pause()
        assert app.view.status == ""
        log.write_text("a\nb\n")
        app.view.tick()
        app.view.go_to_time("12:00")
        assert app.view.status == "the last lines carry no time"
