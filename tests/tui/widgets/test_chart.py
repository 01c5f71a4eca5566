from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App

from launch_tui.store._downsample import Bucket
from launch_tui.tui.theme import DARK, series_colours
from launch_tui.tui.widgets.chart import Chart, Series
from launch_tui.tui.widgets.plot import (
    Scale,
    bounds_of,
    dots,
    short_number,
    short_step,
    sparkline,
)
from tests.tui.frames import escapes, frame


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


def series(name, values):
    return Series(name=name, buckets=[point(i, v) for i, v in enumerate(values)])


class Drawing(App):
    """One chart, with a border."""

    CSS = "Chart { border: round grey; }"

    def __init__(self, *given, **options):
        super().__init__()
        self.register_theme(DARK)
        self.theme = "launch-dark"
        self.chart = Chart(given, **options)

    def compose(self):
        yield self.chart


FALLING = series("loss", [1 / (1 + i / 4) for i in range(40)])


async def test_the_chart_as_it_looks():
    app = Drawing(FALLING)
    async with app.run_test(size=(40, 9)):
        assert frame(app) == (
            "╭─ loss 0.09302 ───────────────────────╮\n"
            "│      1 ⠹⡄                            │\n"
            "│         ⢳                            │\n"
            "│         ⠈⢧⡀                          │\n"
            "│           ⠳⢤⡀                        │\n"
            "│             ⠉⠳⠤⢤⣀⣀                   │\n"
            "│0.09302           ⠈⠉⠉⠓⠒⠒⠒⠦⠤⠤⠤⠤⠤⠤⣄⣀⣀⣀⣀⣀│\n"
            "│        0                           39│\n"
            "╰──────────────────────────────────────╯\n"
        )


def test_a_number_that_is_none_is_a_gap():
    buckets = series("loss", [1.0] * 20 + [math.nan, math.inf] + [1.0] * 18).buckets
    scale = Scale(False)
    drawn = dots(buckets, bounds_of([buckets], scale), scale, 20, 4)
    assert {column for column, _ in drawn} == set(range(20)) - {10}


async def test_a_chart_without_points_says_so():
    app = Drawing(empty="No metrics yet: this run logs none")
    async with app.run_test(size=(60, 9)) as pilot:
        assert "No metrics yet: this run logs none" in frame(app)
        app.chart.series = [series("loss", [math.nan, math.inf])]
        await pilot.pause()
        assert "No finite value yet" in frame(app)
        assert "loss inf" in frame(app)


async def test_log_y_only_with_a_positive_value():
    app = Drawing(series("lr", [10.0**-i for i in range(7)]))
    async with app.run_test(size=(40, 13)) as pilot:
        app.chart.log_y = True
        await pilot.pause()
        shown = frame(app)
        assert "1e-3" in shown.replace("0.001", "1e-3")
        assert "1e-6" in shown
        app.chart.series = [series("reward", [-1.0, -2.0, -3.0])]
        await pilot.pause()
        assert "-3 " in frame(app)
        app.chart.series = [series("mixed", [-1.0, 10.0, 1000.0])]
        await pilot.pause()
        assert "1000 " in frame(app)
        assert " 10 " in frame(app)


async def test_series_lie_over_each_other_in_their_colours():
    names = ["train/loss", "eval/loss"]
    app = Drawing(series(names[0], [1.0] * 9), series(names[1], [2.0] * 9))
    async with app.run_test(size=(60, 9)):
        colours = series_colours(names, DARK)
        assert "train/loss 1  eval/loss 2" in frame(app)
        used = set()
        for y in range(6):
            for segment in app.chart.render_line(y):
                if any(c > "⠀" for c in segment.text):
                    used.add(segment.style.color.name)
        assert used == set(colours)


async def test_ascii_only():
    app = Drawing(FALLING)
    async with app.run_test(size=(40, 9)) as pilot:
        app.chart.ascii_only = True
        await pilot.pause()
        drawn = "".join(line.strip("│") for line in frame(app).splitlines()[1:-1])
        assert drawn.isascii()
        assert "'" in drawn
        assert "." in drawn


async def test_hostile_names_stay_text():
    app = Drawing(series("[/gpu] \x1b]52;c;x\x07\n\u202e", [1.0, 2.0]))
    async with app.run_test(size=(60, 9)):
        assert escapes(app) == set()
        assert "[/gpu]" in frame(app)


@pytest.mark.parametrize("size", [(3, 3), (6, 3), (10, 4), (12, 5), (200, 50)])
async def test_any_size_can_be_drawn(size):
    app = Drawing(FALLING)
    async with app.run_test(size=size):
        assert frame(app).startswith("╭")


async def test_the_same_series_is_not_drawn_again(monkeypatch):
    app = Drawing(FALLING)
    async with app.run_test(size=(40, 9)) as pilot:
        await pilot.pause()
        drawn = []
        monkeypatch.setattr(Chart, "render_line", lambda self, y: drawn.append(y))
        app.chart.series = [FALLING]
        await pilot.pause()
        assert drawn == []


numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)


@given(st.lists(numbers, max_size=50), st.booleans(), st.integers(1, 30), st.integers(1, 12))
def test_no_value_breaks_a_chart_or_leaves_it(values, log, width, height):
    buckets = [point(i, v) for i, v in enumerate(values)]
    scale = Scale(log)
    bounds = bounds_of([buckets], scale)
    if bounds is None:
        return
    for (column, row), bits in dots(buckets, bounds, scale, width, height).items():
        assert 0 <= column < width
        assert 0 <= row < height
        assert 0 < bits < 256


@given(st.lists(numbers, max_size=50), st.integers(0, 20), st.booleans())
def test_no_value_breaks_a_sparkline(values, width, ascii_only):
    line = sparkline(values, width, ascii_only=ascii_only)
    assert len(line) == min(len(values), width)
    assert line.isascii() or not ascii_only


def test_a_spike_in_a_bucket_is_drawn():
    spike = Bucket(first_step=5, last_step=5, minimum=0, maximum=9, last=0, count=100, gaps=0)
    buckets = [point(0, 0.0), spike, point(10, 0.0)]
    scale = Scale(False)
    drawn = dots(buckets, bounds_of([buckets], scale), scale, 11, 4)
    assert {row for column, row in drawn if column == 5} == {0, 1, 2, 3}


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
