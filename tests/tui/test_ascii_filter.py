from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from launch_tui.domain.run import RunState
from launch_tui.tui import keys
from launch_tui.tui.ascii_filter import AsciiFilter
from launch_tui.tui.theme import glyph
from tests.tui.conftest import settle, until
from tests.tui.frames import frame

BLACK = Color.parse("black")


def plain(text):
    (segment,) = AsciiFilter().apply([Segment(text)], BLACK)
    return segment.text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("run: launch…", "run: launch."),
        ("╭─ Log ─╮│┃━", "+- Log -+||-"),
        ("38°C ▸ x", "38 C > x"),
        ("café naïve", "cafe naive"),
        ("日本", "????"),
        ("⠀⡀⣿", " .@"),
        ("\u200b", ""),
        ("plain", "plain"),
    ],
)
def test_what_is_no_ascii_becomes_what_resembles_it(text, shown):
    assert plain(text) == shown
    assert cell_len(plain(text)) == cell_len(text)


@pytest.mark.parametrize("state", list(RunState))
def test_a_states_glyph_becomes_its_mark(state):
    assert plain(glyph(state)) == glyph(state, ascii_only=True)


def test_every_character_becomes_ascii_of_its_width():
    for code in [*range(0xA0, 0x3000), 0x1F600, 0xFFFD]:
        character = chr(code)
        if character.isprintable() and cell_len(character):
            assert plain(character).isascii(), hex(code)
            assert cell_len(plain(character)) == cell_len(character), hex(code)


async def test_every_screen_is_ascii_whoever_draws_it(busy_world, make_app):
    busy_world.run(name="größe → 日本", job="train")
    app = make_app(ascii_only=True)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        for pressed in (
            "g", "enter", "]", "]", "]", "]", "y", "escape", "escape", "2", "A", "escape", "3", "N",
            "escape", "E", "escape", "4", "P", "escape", "question_mark", "escape", "colon",
            "escape", "1", "n", "f2",
        ):  # fmt: skip
            await pilot.press(pressed)
            await settle(pilot)
            app.notify("done ✓ …")
            await settle(pilot)
            strange = {c for c in frame(app) if not c.isascii()}
            assert not strange, (pressed, strange, frame(app))


async def test_ascii_is_turned_on_and_off_while_it_is_open(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        assert not frame(app).isascii()
        app.action_app_ascii()
        await until(pilot, lambda: frame(app).isascii())
        await pilot.press("4")
        await until(pilot, lambda: frame(app).isascii() and "Events" in frame(app))
        app.action_app_ascii()
        await until(pilot, lambda: not frame(app).isascii())
    assert keys.BY_ID["app.ascii"].palette
