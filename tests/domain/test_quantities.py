"""Sizes and durations as people write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.quantities import (
    MAX_DURATION,
    MAX_SIZE,
    parse_duration,
    parse_size,
    write_duration,
    write_size,
)
from launch_tui.errors import UsageError

G = 1024**3
NOT_NUMBERS = [None, True, False, [], {}, math.nan, math.inf, -math.inf, -1, -0.5, 10**400]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1024", 1024),
        ("10B", 10),
        ("1k", 1024),
        ("512m", 512 * 1024**2),
        ("20G", 20 * G),
        ("20GB", 20 * G),
        ("20GiB", 20 * G),
        ("20Gi", 20 * G),
        (" 20 gb ", 20 * G),
        ("1.5G", G + G // 2),
        ("2T", 2048 * G),
        ("1P", 1024**5),
        ("1.0", 1),
        (7, 7),
        (2.0, 2),
        (MAX_SIZE, MAX_SIZE),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "G",
        "-1",
        "1.5",
        "1e3",
        "20X",
        "20GG",
        "20iB",
        "1,5G",
        "٣G",
        "9" * 21,
        1.5,
        MAX_SIZE + 1,
        "2000P",
        *NOT_NUMBERS,
    ],
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UsageError) as refusal:
        parse_size(text, field="memory")
    assert refusal.value.field == "memory"
    assert "such as 20G" in refusal.value.allowed


@given(st.integers(0, 10**15), st.integers(1, 3), st.sampled_from("KMGT"))
def test_fractions_of_sizes_are_exact(number, places, unit):
    written = f"{number // 10**places}.{number % 10**places:0{places}}"
    factor = 1024 ** ("KMGT".index(unit) + 1)
    if number * factor // 10**places <= MAX_SIZE:
        assert parse_size(written + unit) == number * factor // 10**places


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1K"),
        (1536, "1.5K"),
        (20 * G, "20G"),
        (81559 * 1024**2, "79.6G"),
        (1024 * G - 1, "1T"),
        (2048 * 1024**5, "2048P"),
    ],
)
def test_written_sizes(size, text):
    assert write_size(size) == text


@given(st.integers(0, MAX_SIZE // 2))
def test_a_written_size_is_near(size):
    assert parse_size(write_size(size)) == pytest.approx(size, rel=0.05)


@given(st.integers(0, 1023), st.integers(0, 4))
def test_a_whole_size_is_written_exactly(count, power):
    assert parse_size(write_size(count * 1024**power)) == count * 1024**power


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("90s", 90),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("1 hour 30 minutes", 5400),
        ("2H", 7200),
        ("2d", 172_800),
        ("1w", 604_800),
        ("500ms", 0.5),
        ("1m500ms", 60.5),
        ("2:00:00", 7200),
        ("5:30", 330),
        ("90:00", 5400),
        ("26:00:00", 93_600),
        ("0:00.5", 0.5),
        ("1-00:00:00", 86_400),
        (" 10 ", 10),
        (10, 10),
        (0.5, 0.5),
    ],
)
def test_durations(text, seconds):
    found = parse_duration(text)
    assert found == seconds
    assert isinstance(found, float)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "s",
        "-1",
        "1e3",
        "1m1m",
        "5m2h",
        "1 month",
        "99:99",
        "1:99:00",
        "1-24:00:00",
        "1-2:03",
        ":30",
        "1:2",
        "nan",
        "inf",
        "٣s",
        "9999w",
        "9" * 13,
        *NOT_NUMBERS,
    ],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UsageError) as refusal:
        parse_duration(text, field="--timeout")
    assert refusal.value.field == "--timeout"
    assert "1h30m" in refusal.value.allowed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0001, "0s"),
        (0.5, "0.5s"),
        (60, "1m"),
        (5400, "1h30m"),
        (60.25, "1m0.25s"),
        (59.9999, "1m"),
        (90061, "1d1h1m1s"),
    ],
)
def test_written_durations(seconds, text):
    assert write_duration(seconds) == text


@given(st.integers(0, int(MAX_DURATION) * 1000))
def test_a_written_duration_reads_back(milliseconds):
    assert parse_duration(write_duration(milliseconds / 1000)) == pytest.approx(
        milliseconds / 1000, abs=1e-6
    )


def test_a_number_that_cannot_be_written_is_refused_too():
    with pytest.raises(UsageError, match="the number is too large"):
        parse_size(10**5000)
    with pytest.raises(UsageError, match="the number is not a duration"):
        parse_duration(-(10**5000))


def test_an_error_repeats_what_was_given():
    with pytest.raises(UsageError, match=r"^memory: 'lots' is not a size"):
        parse_size("lots", field="memory")
    with pytest.raises(UsageError, match=r"^timeout: -5 is not a duration"):
        parse_duration(-5, field="timeout")
    with pytest.raises(UsageError, match="^memory: '" + "x" * 36 + "… is not a size"):
        parse_size("x" * 100, field="memory")


def outcome(parse, value):
    try:
        return parse(value)
    except UsageError as refusal:
        return str(refusal)


@given(st.text() | st.floats() | st.integers() | st.text("0123456789.:-KMGhmsd", max_size=12))
def test_anything_is_read_or_refused_on_one_line(value):
    for parse, most in ((parse_size, MAX_SIZE), (parse_duration, MAX_DURATION)):
        found = outcome(parse, value)
        assert "\n" not in found if isinstance(found, str) else 0 <= found <= most
