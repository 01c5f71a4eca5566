from __future__ import annotations

from typing import ClassVar

import pytest
from textual import events
from textual.app import App

from launch_tui.tui.widgets.columns import Column, place
from launch_tui.tui.widgets.window_table import Cell, Row, WindowTable
from tests.tui.frames import escapes, frame

COLUMNS = [
    Column(key="id", label="RUN", width=8, whole=True),
    Column(key="job", label="JOB", width=10, flexible=True),
    Column(key="state", label="STATE", width=9, rank=1),
    Column(key="queue", label="QUEUE", width=8, rank=3),
    Column(key="age", label="AGE", width=4, rank=2, right=True),
]


class Memory:
    """Rows in memory, counting what is asked of them."""

    def __init__(self, count=0):
        self.keys = [f"run{i:05}" for i in range(count)]
        self.state = {}
        self.asked = []

    def count(self):
        return len(self.keys)

    def page(self, offset, limit):
        self.asked.append((offset, limit))
        return [
            Row(
                key=key,
                cells=(key, "train", Cell(self.state.get(key, "queued"), "bold"), "gpu", "2m"),
            )
            for key in self.keys[offset : offset + limit]
        ]


class Finding(Memory):
    """Rows that know where a key is."""

    def find(self, key):
        return self.keys.index(key) if key in self.keys else None


class Listing(App):
    """One table."""

    CSS = "WindowTable { border: round grey; }"
    BINDINGS: ClassVar = [("x", "nothing")]

    def __init__(self, rows, **options):
        super().__init__()
        self.table = WindowTable(COLUMNS, rows, **options)
        self.heard = []

    def compose(self):
        yield self.table

    def on_mount(self):
        self.table.focus()

    def on_window_table_row_highlighted(self, message):
        self.heard.append(("on", message.key))

    def on_window_table_row_opened(self, message):
        self.heard.append(("open", message.key))

    def on_window_table_marks_changed(self, message):
        self.heard.append(("marks", sorted(message.table.marks)))

    def on_window_table_header_clicked(self, message):
        self.heard.append(("header", message.column))


def inside(app) -> list[str]:
    return [line.strip("│").rstrip(" ▁▂▃▄▅▆▇█▎▊▉│") for line in frame(app).splitlines()[1:-1]]


def cursor_line(app) -> str:
    """The text of the line that is drawn as the cursor."""
    table = app.table
    return table.render_line(table.cursor_row - table.scroll_offset.y + 1).text.strip()


async def test_the_table_as_it_looks():
    app = Listing(Memory(3))
    async with app.run_test(size=(70, 8)):
        assert inside(app) == [
            "  RUN       JOB                            STATE      QUEUE      AGE",
            "  run00000  train                          queued     gpu         2m",
            "  run00001  train                          queued     gpu         2m",
            "  run00002  train                          queued     gpu         2m",
            "",
            "",
        ]


async def test_only_pages_in_view_are_asked_for():
    rows = Memory(100_000)
    app = Listing(rows)
    async with app.run_test(size=(70, 20)) as pilot:
        assert rows.asked == [(0, 100)]
        await pilot.press("G")
        await pilot.pause()
        assert rows.asked == [(0, 100), (99_900, 100)]
        assert cursor_line(app).startswith("run99999")
        assert inside(app)[-1].startswith("  run99999")


async def test_columns_go_by_rank_and_ids_are_never_cut():
    rows = Memory(2)
    rows.keys = ["run00000", "a-longer-run-id"]
    app = Listing(rows)
    async with app.run_test(size=(62, 8)) as pilot:
        assert inside(app)[0].split() == ["RUN", "JOB", "STATE", "QUEUE", "AGE"]
        for width, labels in [(52, "RUN JOB STATE AGE"), (46, "RUN JOB STATE"), (34, "RUN JOB")]:
            await pilot.resize_terminal(width, 8)
            await pilot.pause()
            assert inside(app)[0].split() == labels.split()
            assert "a-longer-run-id" in frame(app)


def test_columns_of_rank_zero_stay_whatever_the_width():
    assert [p.column.key for p in place(COLUMNS, 5, [0] * 5)] == ["id", "job"]
    widths = {p.column.key: p.width for p in place(COLUMNS, 100, [0] * 5)}
    assert sum(widths.values()) + 8 == 100
    assert widths["job"] > 10


async def test_keys_move_the_cursor_and_tell_of_it():
    app = Listing(Memory(300))
    async with app.run_test(size=(70, 14)) as pilot:
        for key, row in [
            ("j", 1),
            ("down", 2),
            ("k", 1),
            ("up", 0),
            ("up", 0),
            ("ctrl+d", 5),
            ("ctrl+u", 0),
            ("pagedown", 10),
            ("pageup", 0),
            ("end", 299),
            ("g", 0),
            ("G", 299),
            ("home", 0),
        ]:
            await pilot.press(key)
            await pilot.pause()
            assert app.table.cursor_row == row, key
            assert cursor_line(app).startswith(f"run{row:05}")
        assert app.heard[:3] == [("on", "run00000"), ("on", "run00001"), ("on", "run00002")]
        app.heard.clear()
        await pilot.press("enter")
        await pilot.pause()
        assert app.heard == [("open", "run00000")]


async def test_marks():
    app = Listing(Memory(3))
    async with app.run_test(size=(70, 8)) as pilot:
        assert app.table.chosen == ["run00000"]
        await pilot.press("space", "space")
        await pilot.pause()
        assert inside(app)[1].startswith("• run00000")
        assert app.table.chosen == ["run00000", "run00001"]
        assert app.table.cursor_row == 2
        await pilot.press("k", "space")
        await pilot.pause()
        assert app.table.marks == {"run00000"}
        app.table.mark(["run00002"])
        await pilot.pause()
        assert app.heard[-1] == ("marks", ["run00002"])


async def test_the_mouse_selects_opens_and_scrolls():
    app = Listing(Memory(300))
    async with app.run_test(size=(70, 14)) as pilot:
        await pilot.click(WindowTable, offset=(5, 4))
        assert app.table.cursor_key == "run00002"
        await pilot.click(WindowTable, offset=(5, 5), times=2)
        await pilot.pause()
        assert app.heard[-1] == ("open", "run00003")
        await pilot.click(WindowTable, offset=(15, 1))
        await pilot.pause()
        assert app.heard[-1] == ("header", "job")
        await pilot._post_mouse_events([events.MouseScrollDown], offset=(5, 5))
        await pilot.pause()
        assert app.table.scroll_offset.y > 0
        assert app.table.cursor_key == "run00003"


@pytest.mark.parametrize("kind", [Memory, Finding])
async def test_the_cursor_stays_on_its_row_when_rows_come_above(kind):
    rows = kind(300)
    app = Listing(rows)
    async with app.run_test(size=(70, 14)) as pilot:
        app.table.select("run00050")
        await pilot.pause()
        line = app.table.cursor_row - app.table.scroll_offset.y
        app.heard.clear()
        rows.keys[:0] = ["new1", "new2", "new3"]
        app.table.reload()
        await pilot.pause()
        assert app.table.cursor_key == "run00050"
        assert app.table.cursor_row == 53
        assert app.table.cursor_row - app.table.scroll_offset.y == line
        assert cursor_line(app).startswith("run00050")
        assert app.heard == []


async def test_at_the_top_new_rows_come_into_view_above_the_cursor():
    rows = Memory(300)
    app = Listing(rows)
    async with app.run_test(size=(70, 14)) as pilot:
        rows.keys[:0] = ["new1"]
        app.table.reload()
        await pilot.pause()
        assert inside(app)[1].startswith("  new1")
        assert app.table.cursor_key == "run00000"
        assert app.table.cursor_row == 1


async def test_a_row_that_is_gone_leaves_the_cursor_in_its_place():
    rows = Memory(5)
    app = Listing(rows)
    async with app.run_test(size=(70, 14)) as pilot:
        await pilot.press("G")
        await pilot.pause()
        rows.keys.remove("run00004")
        app.table.reload()
        await pilot.pause()
        assert app.table.cursor_key == "run00003"
        rows.keys.clear()
        app.table.reload()
        await pilot.pause()
        assert app.table.cursor_key is None
        assert app.heard[-1] == ("on", None)
        assert app.table.chosen == []
        await pilot.press("enter", "space", "j")
        assert app.heard[-1] == ("on", None)


async def test_a_reload_draws_only_the_lines_that_changed(monkeypatch):
    rows = Memory(300)
    app = Listing(rows)
    async with app.run_test(size=(70, 14)) as pilot:
        await pilot.pause()
        drawn = []
        draw = WindowTable.render_line
        monkeypatch.setattr(
            WindowTable, "render_line", lambda self, y: drawn.append(y) or draw(self, y)
        )
        app.table.reload()
        await pilot.pause()
        assert drawn == []
        rows.state["run00003"] = "running"
        app.table.reload()
        await pilot.pause()
        assert drawn == [4]
        assert "running" in inside(app)[4]


async def test_an_empty_table_says_why():
    app = Listing(Memory(), empty="Nothing here yet\n n  launch one")
    async with app.run_test(size=(70, 8)) as pilot:
        assert inside(app)[1:3] == ["  Nothing here yet", "   n  launch one"]
        app.table.empty = "No failures"
        await pilot.pause()
        assert inside(app)[1] == "  No failures"
        app.table.rows = Memory(2)
        await pilot.pause()
        assert inside(app)[1].startswith("  run00000")


async def test_hostile_text_and_markup_stay_text():
    rows = Memory(3)
    rows.keys = ["[/gpu] [red]x", "a\x1b]52;c;eA==\x07b\nc", "漢字" * 20 + "\u202e"]
    app = Listing(rows, empty="x")
    async with app.run_test(size=(80, 8)):
        assert escapes(app) == set()
        assert "[/gpu] [red]x" in frame(app)
        assert "a␛b⏎c" in frame(app)


async def test_select_finds_far_rows_when_the_source_can():
    app = Listing(Finding(10_000))
    async with app.run_test(size=(70, 14)) as pilot:
        assert app.table.select("run09000")
        assert not app.table.select("absent")
        await pilot.pause()
        assert app.table.cursor_key == "run09000"
        assert cursor_line(app).startswith("run09000")


async def test_ascii_only():
    rows = Memory(1)
    app = Listing(rows)
    async with app.run_test(size=(40, 8)) as pilot:
        app.table.ascii_only = True
        app.table.mark(["run00000"])
        app.table.columns = [
            Column(key="id", label="A-LONG-LABEL", width=5),
            Column(key="job", label="J", width=3),
        ]
        await pilot.pause()
        assert inside(app)[:2] == ["  A-LO~  J", "* run0~  tr~"]


def test_no_name_of_ours_hides_one_of_textuals():
    from textual.scroll_view import ScrollView

    ours = {n for n in vars(WindowTable([])) if n.startswith("_")} - set(vars(ScrollView()))
    assert {name for name in ours if hasattr(ScrollView, name)} == set()
