from __future__ import annotations

import pytest
from rich.color import Color
from rich.style import Style
from textual.theme import BUILTIN_THEMES

from launch_tui.domain.run import RunState
from launch_tui.tui.palettes import DARK, LIGHT
from launch_tui.tui.theme import (
    LOOKS,
    THEMES,
    glyph,
    needs_ascii,
    series_colours,
    state_style,
)

ANSI = BUILTIN_THEMES["ansi-dark"]


def exact_in_xterm_256(colour: str) -> bool:
    triplet = tuple(Color.parse(colour).triplet)
    in_cube = all(part in (0, 95, 135, 175, 215, 255) for part in triplet)
    grey = len(set(triplet)) == 1 and triplet[0] in range(8, 239, 10)
    return in_cube or grey


def test_every_state_has_a_glyph_of_its_own_in_both_sets():
    assert set(LOOKS) == set(RunState)
    assert len({glyph(state) for state in RunState}) == len(RunState)
    plain = {glyph(state, ascii_only=True) for state in RunState}
    assert len(plain) == len(RunState)
    assert all(mark.isascii() for mark in plain)


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_every_colour_is_exact_on_256_colours(theme):
    styles = [Style.parse(state_style(state, theme)) for state in RunState]
    names = [style.color.name for style in styles]
    names += series_colours("abcdefg", theme)
    names += [theme.primary, theme.error, theme.background, theme.surface, theme.foreground]
    assert [name for name in names if not exact_in_xterm_256(name)] == []


def test_sixteen_colour_themes_use_the_terminals_own_colours():
    for state in RunState:
        color = Style.parse(state_style(state, ANSI)).color
        assert color.number is None or color.number < 16


def test_the_same_series_has_the_same_colour_and_two_never_share_one():
    for theme in THEMES:
        (loss,) = series_colours(["loss"], theme)
        names = ["loss", *(f"metric {i}" for i in range(6))]
        colours = series_colours(names, theme)
        assert colours[0] == loss
        assert len(set(colours)) == 7
        assert len(series_colours([*names, "eighth"], theme)) == 8


def test_ascii_where_the_locale_or_the_terminal_has_no_more():
    assert needs_ascii({"TERM": "linux"}, "utf-8")
    assert needs_ascii({"TERM": "xterm"}, "ANSI_X3.4-1968")
    assert not needs_ascii({"TERM": "xterm-256color"}, "UTF-8")
