from __future__ import annotations

from launch_tui.tui.trend import over_time, spark


def test_each_part_is_a_cell():
    assert spark([0, 0.13, 0.5, 0.99, 1, 7, -1]) == "▁▂▅███▁"
    assert spark([0, None, 1]) == "▁ █"
    assert spark([0, 0.5, 1], ascii_only=True) == "_+@"
    assert spark([]) == ""


def test_time_is_cut_into_spans_of_which_the_highest_counts():
    points = [(0.0, 9), (11, 1), (12, 3), (15, 2), (20, None), (40, 5), (41, 7)]
    assert over_time(points, width=3, seconds=30, until=40) == [3, None, 5]


def test_what_is_older_or_newer_is_left_out():
    assert over_time([(0, 1), (100, 1)], width=2, seconds=10, until=50) == [None, None]
