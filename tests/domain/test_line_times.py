from __future__ import annotations

import pytest

from launch_tui.domain.line_times import DAY, asked_time, time_of_line

NOON = time_of_line("2026-11-28 12:00:00 INFO x")


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("2026-11-28T12:00:01.5Z INFO", NOON + 1),
        ("[2026/11/28 12:00:02,123] x", NOON + 2),
        ("[rank0] 2026-11-27 12:00:00 x", NOON - DAY),
        ("01:02:03 step", 3723),
        ("[01:02:03] step", 3723),
        ("step 3 loss 0.1", None),
        ("2026-99-99 12:00:00 x", None),
        ("0000-01-01 12:00:00 x", None),
        ("25:00:00 x", None),
        ("100%|####| 6/6 [00:10:07<00:00]", None),
        ("10.0.0.1:80:12:99", None),
        ("x" * 90 + " 01:02:03", None),
    ],
)
def test_a_line_carries_its_time_near_its_start(line, seconds):
    assert time_of_line(line) == seconds


@pytest.mark.parametrize(
    ("typed", "last", "seconds"),
    [
        ("12:04", 50_000, 43_440),
        ("9:04:30", 50_000, 32_670),
        ("11:00", NOON, NOON - 3600),
        ("13:00", NOON, NOON + 3600 - DAY),
        ("2026-11-28 11:59", NOON, NOON - 60),
        ("-5m", NOON, NOON - 300),
        ("-1.5h", 50_000, 44_600),
        ("-2 d", NOON, NOON - 2 * DAY),
        ("soon", NOON, None),
        ("12", NOON, None),
    ],
)
def test_a_time_is_asked_for_in_a_few_ways(typed, last, seconds):
    assert asked_time(typed, last) == seconds
