from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

from launch_tui.domain.text import log_line
from launch_tui.tui.widgets.ansi import overlaid, painted, without_colours

BASE = Style(color="white")
lines = st.lists(
    st.one_of(
        st.text(max_size=5),
        st.sampled_from(["\x1b[31m", "\x1b[0m", "\x1b[m", "\x1b[38;2;1;2;3m", "\x1b[48;5;300m"]),
        st.text("0123456789;:", max_size=20).map(lambda p: f"\x1b[{p}m"),
    )
).map("".join)


def looks(line: str) -> list[tuple[str, str]]:
    return [(text, str(style)) for text, style, _ in painted(line, Style.null(), 1000)]


@given(lines, st.integers(1, 20))
def test_no_colour_loses_or_adds_a_character(line, limit):
    shown = log_line(line)
    drawn = "".join(segment.text for segment in painted(shown, BASE, limit))
    assert drawn == without_colours(shown)[:limit]
    assert "\x1b" not in drawn


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m x", [("red", "bold color(1)"), (" x", "none")]),
        ("\x1b[91;44mx", [("x", "color(9) on color(4)")]),
        ("\x1b[38;5;208mx", [("x", "color(208)")]),
        ("\x1b[38;2;1;2;3mx", [("x", "#010203")]),
        ("\x1b[38:2::1:2:3mx", [("x", "#010203")]),
        ("\x1b[48;5;17mx\x1b[49my", [("x", "on color(17)"), ("y", "on default")]),
        ("\x1b[4;9;7mx\x1b[24;29;27my", [("x", "reverse underline strike"), ("y", None)]),
        ("\x1b[5;8mx", [("x", "none")]),
        ("\x1b[38mx", [("x", "none")]),
        ("\x1b[;;mx", [("x", "none")]),
    ],
)
def test_colours_as_terminals_read_them(line, expected):
    for (text, style), (wanted, look) in zip(looks(line), expected, strict=True):
        assert text == wanted
        assert look is None or Style.parse(style) == Style.parse(look)


@given(lines, st.integers(0, 30), st.integers(0, 30))
def test_an_overlay_changes_only_what_it_covers(line, start, length):
    segments = painted(log_line(line), BASE, 1000)
    before = [(c, s.style) for s in segments for c in s.text]
    mark = Style(underline2=True)
    after = [(c, s.style) for s in overlaid(segments, start, start + length, mark) for c in s.text]
    assert [c for c, _ in after] == [c for c, _ in before]
    for at, ((_, was), (_, now)) in enumerate(zip(before, after, strict=True)):
        assert (now != was) == (start <= at < start + length)
