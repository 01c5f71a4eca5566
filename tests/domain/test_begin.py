from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from launch_tui.domain.begin import parse_begin
from launch_tui.errors import UsageError

EAST = timezone(timedelta(hours=2))
NOW = datetime(2027, 1, 31, 14, 30, 5, tzinfo=EAST)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("+2h", "2027-01-31T14:30:05"),
        ("+90", "2027-01-31T12:31:35"),
        ("22:30", "2027-01-31T20:30:00"),
        ("14:30", "2027-02-01T12:30:00"),
        ("9:05", "2027-02-01T07:05:00"),
        ("tomorrow", "2027-01-31T22:00:00"),
        ("Tomorrow 06:00", "2027-02-01T04:00:00"),
        ("2027-02-01", "2027-01-31T22:00:00"),
        ("2027-02-01T08:00", "2027-02-01T06:00:00"),
        ("2027-02-01T08:00:00Z", "2027-02-01T08:00:00"),
        (" 2027-02-01 08:00 ", "2027-02-01T06:00:00"),
    ],
)
def test_what_a_beginning_means(text, moment):
    expected = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert parse_begin(text, now=NOW) == expected


@pytest.mark.parametrize("text", ["", "  ", "soon", "25:00", "12:60", "tomorrow noon", "+", "+x"])
def test_what_is_no_beginning(text):
    with pytest.raises(UsageError) as caught:
        parse_begin(text, now=NOW)
    assert str(caught.value).startswith("--begin")
