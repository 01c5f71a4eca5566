"""The runs table's rows: metric with its curve, progress, the time that is left."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.progress import Done
from launch_tui.sdk.progress import Progress
from launch_tui.tui.palettes import DARK
from launch_tui.tui.run_rows import (
    COLUMNS,
    Drawing,
    columns_for,
    left_text,
    metric_text,
    run_row,
    without_metric,
)
from launch_tui.tui.widgets.columns import place
from tests.tui.world import NOW

FALLING = tuple(1 / n for n in range(1, 9))


def shown_columns(width, **how):
    columns = columns_for(width, **how)
    placed = place(columns, width - 2, [8] * len(columns))
    return [one.column.key for one in placed]


def test_columns_go_by_rank_and_what_is_dropped_first_is_least_missed():
    assert shown_columns(58) == ["glyph", "run", "job", "state", "note"]
    assert shown_columns(78) == ["glyph", "run", "job", "state", "age", "time", "note"]
    assert shown_columns(94) == ["glyph", "run", "job", "state", "metric", "age", "time", "note"]
    assert "done" not in shown_columns(120)
    assert shown_columns(174) == [c.key for c in COLUMNS if c.key != "priority"]
    assert "metric" in shown_columns(93, priorities=True)


@pytest.mark.parametrize("width", range(30, 220))
def test_at_any_width_everything_that_is_placed_fits(width):
    columns = columns_for(width)
    placed = place(columns, width - 2, [8] * len(columns))
    needed = sum(one.width for one in placed) + 2 * (len(placed) - 1)
    assert needed <= max(width - 2, 40)
    assert {"glyph", "run", "state", "note"} <= {one.column.key for one in placed}


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(), ""),
        (Progress(key="loss", value=0.31234, curve=FALLING), "loss 0.3123 █▂▁"),
        (Progress(key="loss", value=0.3), "loss 0.3"),
        (Progress(key="train/loss", value=0.31234, curve=FALLING), "loss 0.3123 █▂▁"),
        (Progress(key="perplexity_of_it", value=12.5, curve=FALLING), "perplexi… 12.5"),
        (Progress(key="acc", value=nan, curve=(nan, nan)), "acc nan"),
        (Progress(key="acc", value=-inf), "acc -inf"),
    ],
)
def test_a_metric_fits_its_column(progress, text):
    assert metric_text(progress) == text
    assert len(text) <= 15 + 1


@given(
    st.text(max_size=40), st.floats(), st.lists(st.floats(), max_size=12), st.booleans()
)  # fmt: skip
def test_any_metric_fits_its_column(key, value, curve, ascii_only):
    progress = Progress(key=key, value=value, curve=tuple(curve))
    assert len(metric_text(progress, ascii_only=ascii_only)) <= 15


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "<1m"), (59, "<1m"), (60, "1m"), (3599, "59m"), (4800, "1h20m"), (43_200, "12h"),
     (359_999, "99h"), (360_000, "4d")],
)  # fmt: skip
def test_the_time_that_is_left_in_five_characters(seconds, text):
    assert left_text(seconds) == text


def test_a_note_has_no_metric_that_stands_elsewhere():
    assert without_metric("GPU 0  loss 0.312", "loss") == "GPU 0"
    assert without_metric("loss of power", "loss") == "loss of power"
    assert without_metric("try 2/4  acc 0.5", "loss") == "try 2/4  acc 0.5"


def test_what_has_no_column_stands_before_the_note(busy_world):
    run = busy_world.launch.runs.get(busy_world.running)
    done = Done(at=3, of=10, unit="epoch", share=0.3)
    progress = Progress(key="loss", value=0.3, curve=FALLING, done=done, ends_at=NOW + 480)
    row = run_row(run, "GPU 0  loss 0.312", progress, Drawing(now=NOW, theme=DARK))
    assert row.spare == (("metric", "loss 0.3"), ("done", "3/10"), ("left", "~8m"))
    assert [cell.text for cell in row.cells[6:9]] == ["loss 0.3 █▄▂▂▁▁", "3/10", "8m"]
    assert row.cells[-1].text == "GPU 0"


def test_why_a_run_failed_is_not_kept_behind_its_metric(busy_world):
    run = busy_world.launch.runs.get("run00002")
    row = run_row(run, "oom", Progress(key="loss", value=0.3), Drawing(now=NOW, theme=DARK))
    assert row.spare == ()
    assert row.cells[6].text == "loss 0.3"
