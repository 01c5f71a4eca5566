from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from launch_tui.store._downsample import Bucket
from launch_tui.tui.palettes import DARK
from launch_tui.tui.theme import series_colours
from launch_tui.tui.widgets.chart import Ink, Line, Picture, draw
from launch_tui.tui.widgets.plot import (
    Curve,
    Scale,
    bounds_of,
    columns_of,
    curve_of,
    row_texts,
    scale_for,
    short_number,
    short_step,
    sparkline,
    value_at,
    within,
)

INK = Ink(*(Style.parse(style) for style in ("default", "grey50", "grey30", "grey42", "grey27")))


def point(step, value):
    finite = math.isfinite(value)
    return Bucket(
        first_step=step,
        last_step=step,
        minimum=value if finite else math.nan,
        maximum=value if finite else math.nan,
        last=value,
        count=1,
        gaps=0 if finite else 1,
    )


def curve(values, every=1):
    return curve_of([point(i * every, v) for i, v in enumerate(values)])


def line(values, colour="#5fafff", **more):
    return Line(curve=curve(values), colour=colour, last=values[-1], **more)


def drawn(picture, width=40, height=9, **options):
    return draw(picture, width, height, INK, **options)


def text(drawing):
    return "\n".join("".join(s.text for s in row) for row in drawing.rows) + "\n"


FALLING = [1 / (1 + i / 4) for i in range(40)]


def test_the_chart_as_it_looks():
    assert text(drawn(Picture(title="loss", lines=(line(FALLING),)))) == (
        "╭─ loss 0.09302 ───────────────────────╮\n"
        "│       1 ⢹                            │\n"
        "│         ⠘⢦                           │\n"
        "│          ⠈⣇                          │\n"
        "│           ⠈⠳⣄                        │\n"
        "│             ⠈⠙⠦⠤⣄⣀                   │\n"
        "│ 0.09302          ⠈⠉⠉⠓⠒⠒⠒⠦⠤⠤⠤⠤⠤⢤⣀⣀⣀⣀⣀ │\n"
        "│         0                         39 │\n"
        "╰──────────────────────────────────────╯\n"
    )


def test_a_number_that_is_none_is_a_gap():
    values = [1.0] * 20 + [math.nan, math.inf] + [1.0] * 18
    gapped = curve(values)
    columns = columns_of(gapped, bounds_of([gapped]), 40, 16)
    assert {at for at, column in enumerate(columns) if not column} == {20, 21}


def test_a_line_is_not_joined_over_a_gap():
    gapped = curve([0.0, 0.0, math.nan, 9.0, 9.0])
    columns = columns_of(gapped, bounds_of([gapped]), 5, 40)
    assert columns[1] == 1 << 39
    assert columns[3] == 1


def test_a_chart_without_points_says_so():
    assert "No metrics yet: none" in text(drawn(Picture(title="", empty="No metrics yet: none")))
    shown = text(drawn(Picture(title="loss", lines=(line([math.nan, math.inf]),))))
    assert "No finite value yet" in shown
    assert "loss inf" in shown


def test_log_y_only_with_a_positive_value():
    shown = text(
        drawn(
            Picture(title="lr", lines=(line([10.0**-i for i in range(7)]),), log_y=True), height=13
        )
    )
    assert " 0.001 " in shown
    assert " 1e-6 " in shown
    assert "-3 " in text(drawn(Picture(title="r", lines=(line([-1.0, -2.0, -3.0]),), log_y=True)))
    mixed = text(drawn(Picture(title="m", lines=(line([-1.0, 10.0, 1000.0]),), log_y=True)))
    assert " 1000 " in mixed
    assert " 10 " in mixed


def coloured(drawing):
    """The colours of the cells that have dots."""
    return {
        s.style.color.name
        for row in drawing.rows[1:-2]
        for s in row
        if any(0x2800 < ord(c) < 0x2900 for c in s.text)
    }


def test_lines_lie_over_each_other_in_their_colours():
    colours = series_colours(["run1", "run2"], DARK)
    lines = tuple(line([float(n)] * 9, colour, label=str(n)) for n, colour in enumerate(colours, 1))
    drawing = drawn(Picture(title="loss", lines=lines))
    assert "loss  1 1  2 2" in text(drawing)
    assert coloured(drawing) == set(colours)


def test_each_of_several_lines_ends_in_its_number():
    lines = tuple(line([float(n)] * 9, label=str(n)) for n in (1, 2, 3))
    rows = text(drawn(Picture(title="x", lines=lines))).splitlines()[1:-2]
    ends = [row.rstrip("│ ")[-1:] for row in rows]
    assert [mark for mark in ends if mark] == ["3", "2", "1"]


def test_lines_that_end_together_end_beside_each_other():
    lines = tuple(line([1.0, 2.0], label=str(n)) for n in (1, 2, 3))
    assert "321 │" in text(drawn(Picture(title="x", lines=lines)))


def test_in_ascii_each_of_several_lines_is_drawn_with_its_number():
    lines = tuple(line([float(n)] * 9, label=str(n)) for n in (1, 2))
    shown = text(drawn(Picture(title="x", lines=lines), ascii_only=True))
    assert shown.isascii()
    assert "1111111" in shown
    assert "2222222" in shown


def test_a_curve_that_is_smoothed_lies_over_its_values():
    noisy = curve([0.0, 10.0] * 20)
    smooth = curve([5.0] * 40)
    drawing = drawn(Picture(title="x", lines=(Line(curve=smooth, faint=noisy, colour="#5fafff"),)))
    assert {"#5fafff", INK.faint.color.name} <= coloured(drawing)


def test_ascii_only():
    shown = text(drawn(Picture(title="loss", lines=(line(FALLING),)), ascii_only=True))
    assert shown.isascii()
    assert "'" in shown
    assert "." in shown.split("\n", 1)[1]


def test_hostile_names_stay_text():
    hostile = "[/gpu] \x1b]52;c;x\x07\n\u202e"
    shown = text(drawn(Picture(title=hostile, lines=(line([1.0, 2.0]),)), width=60))
    assert all(c == "\n" or c.isprintable() for c in shown)
    assert "[/gpu]" in shown


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("size", [(0, 0), (3, 3), (4, 3), (6, 3), (10, 4), (12, 5), (200, 50)])
def test_any_size_can_be_drawn(size, ascii_only, several):
    lines = [line(FALLING), line(FALLING[::-1], label="2")][: 1 + several]
    picture = Picture(title="漢字 loss", lines=tuple(lines), cross=3.0)
    drawing = drawn(picture, *size, ascii_only=ascii_only)
    assert len(drawing.rows) == size[1]
    assert {sum(cell_len(s.text) for s in row) for row in drawing.rows} <= {size[0]}


def test_the_cross_hair_stands_where_x_is_and_tells_the_values():
    picture = Picture(title="loss", lines=(line(FALLING, at_cross=0.5),), cross=20.0)
    drawing = drawn(picture)
    rows = text(drawing).splitlines()
    assert rows[0].startswith("╭─ loss 0.5 ─")
    columns = {row.index("│", 1, -1) for row in rows[1:4]}
    assert len(columns) == 1
    (column,) = columns
    assert abs(drawing.x_at(column) - 20) <= drawing.cell
    assert "20" in rows[-2][column - 2 : column + 3]


@given(st.integers(6, 120), st.floats(0, 39))
def test_every_x_has_its_cell_and_every_cell_its_x(width, x):
    drawing = drawn(Picture(title="a", lines=(line(FALLING),), cross=x), width=width)
    row = "".join(s.text for s in drawing.rows[1])
    at = row.find("│", 1, len(row) - 1)
    if drawing.columns and at > 0:
        assert abs(drawing.x_at(at) - x) <= drawing.cell * 1.01


def test_a_window_shows_its_part_with_the_line_cut_at_the_edges():
    rising = curve([0.0, 10.0, 20.0, 30.0], every=10)
    part = within(rising, 5, 15)
    assert part.xs == [5, 10, 15]
    assert part.ends == [5.0, 10.0, 15.0]
    between = within(rising, 12, 14)
    assert between.ends == pytest.approx([12.0, 14.0])
    assert within(rising, 40, 50).xs == []
    shown = text(drawn(Picture(title="x", lines=(line([0.0, 1.0]),), window=(7, 9))))
    assert "No value here" in shown


def test_the_newest_value_at_an_x():
    some = curve([5.0, 6.0, math.nan], every=10)
    assert [value_at(some, x) for x in (-1, 0, 9, 10, 15)] == [None, 5.0, 5.0, 6.0, 6.0]
    assert math.isnan(value_at(some, 99))


numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)


@given(
    st.lists(
        st.tuples(st.integers(-(2**62), 2**62), numbers, st.sampled_from([None, math.nan])),
        max_size=50,
    ),
    st.booleans(),
    st.integers(1, 30),
    st.integers(1, 12),
)
def test_no_value_breaks_a_chart_or_leaves_it(values, log, width, height):
    buckets = [point(x, v) for x, v, _ in values]
    some = curve_of(buckets)
    some = some._replace(ends=[v if end is None else end for _, v, end in values])
    some = scale_for([some], log=log).curve(some)
    bounds = bounds_of([some])
    if bounds is None:
        return
    columns = columns_of(some, bounds, width * 2, height * 4)
    assert len(columns) == width * 2
    assert all(0 <= column < 1 << height * 4 for column in columns)
    inked = {
        (at, row)
        for row, cells in enumerate(row_texts(columns, height))
        for at, cell in enumerate(cells)
        if cell != " "
    }
    assert inked


@given(st.lists(numbers, min_size=1, max_size=40), st.integers(2, 60), st.integers(2, 40))
def test_every_finite_value_is_under_ink(values, width, height):
    some = curve(values)
    bounds = bounds_of([some])
    if bounds is None:
        return
    columns = columns_of(some, bounds, width, height)
    for x, value in zip(some.xs, values, strict=True):
        if math.isfinite(value):
            one = Curve([x], [value], [value], [value])
            place = columns_of(one, bounds, width, height)
            assert all(mine & theirs == theirs for mine, theirs in zip(columns, place, strict=True))


@given(st.lists(numbers, max_size=50), st.integers(0, 20), st.booleans())
def test_no_value_breaks_a_sparkline(values, width, ascii_only):
    line = sparkline(values, width, ascii_only=ascii_only)
    assert len(line) == min(len(values), width)
    assert line.isascii() or not ascii_only


def test_a_spike_in_a_bucket_is_drawn():
    spike = Bucket(first_step=5, last_step=5, minimum=0, maximum=9, last=0, count=100, gaps=0)
    some = curve_of([point(0, 0.0), spike, point(10, 0.0)])
    columns = columns_of(some, bounds_of([some]), 11, 16)
    assert columns[5] == (1 << 16) - 1


def test_a_logarithm_begins_at_what_is_positive():
    bucket = Bucket(first_step=0, last_step=0, minimum=-5, maximum=100, last=-5, count=9, gaps=0)
    heights = Scale(True).curve(curve_of([bucket]))
    assert (heights.lows[0], heights.highs[0]) == (2, 2)
    assert math.isnan(heights.ends[0])


def test_sparklines_and_numbers():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([1, math.nan, 1], 8) == "▁ ▁"
    assert sparkline(range(100), 4) == "▁▃▆█"
    assert sparkline([0, 6], 4, ascii_only=True) == "_#"
    assert [short_number(v) for v in (0.312345, 1e-06, 123456, 1.5e20, math.nan)] == [
        "0.3123",
        "1e-6",
        "1.235e5",
        "1.5e20",
        "NaN",
    ]
    assert [short_step(v) for v in (0, 9999, 12_345, 1_234_567, 2e9)] == [
        "0",
        "9999",
        "12.3k",
        "1.23M",
        "2G",
    ]
