"""Kinds of values: what each reads, and how errors name the nearest right word."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.config_keys import (
    MAX_SHOWN,
    Key,
    Kind,
    read_flag,
    read_number,
    read_whole,
    shown_value,
)
from launch_tui.errors import UsageError


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        (Key(name="a", kind=Kind.WHOLE, help=""), "a whole number"),
        (Key(name="a", kind=Kind.WHOLE, help="", minimum=1), "a whole number of at least 1"),
        (Key(name="a", kind=Kind.NUMBER, help="", maximum=0.5), "a number of at most 0.5"),
        (Key(name="a", kind=Kind.WHOLE, help="", minimum=0, maximum=2),
         "a whole number from 0 to 2"),
        (Key(name="a", kind=Kind.SIZE, help="", minimum=8), "a size of at least 8B, such as 20G"),
        (
            Key(name="a", kind=Kind.DURATION, help="", maximum=5400),
            "a duration of at most 1h30m, such as 90s or 1h30m",
        ),
        (Key(name="a", kind=Kind.TEXT, help="", choices=("x", "y")), "x or y"),
    ],
)  # fmt: skip
def test_what_a_key_allows_in_words(key, allowed):
    assert key.allowed == allowed


@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(-20, 20))
def test_bounds_belong_to_what_is_allowed(low, high, value):
    key = Key(name="a", kind=Kind.WHOLE, help="", minimum=low, maximum=high)
    try:
        inside = key.read(value, "a") == value
    except UsageError:
        inside = False
    assert inside == (low <= value <= high)


@given(
    st.floats() | st.integers() | st.text() | st.booleans() | st.none() | st.text("0123456789.e+-")
)
def test_numbers_that_are_read_are_finite_numbers(value):
    number = read_number(value)
    assert number is None or math.isfinite(number)
    whole = read_whole(value)
    assert whole is None or (type(whole) is int and abs(whole) <= 10**30)
    assert whole is None or float(whole) == float(value)
    if isinstance(value, bool):
        assert (number, whole) == (None, None)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_also_as_text(value):
    assert read_number(value) == value
    if len(repr(value)) < 30:
        assert read_number(repr(value)) == value


@pytest.mark.parametrize(
    ("value", "flag"),
    [(True, True), ("true", True), ("Yes", True), ("ON", True), (False, False), ("off", False)]
    + [(value, None) for value in (1, 0, "", "1", "maybe", None, [])],
)  # fmt: skip
def test_flags(value, flag):
    assert read_flag(value) is flag


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), (1, "1"), (1.0, "1.0"), ("a", "'a'"), ([], "a list"),
     ({}, "an object"), ("a\nb\x1b", r"'a\nb\x1b'"), ("x" * 99, "'" + "x" * (MAX_SHOWN - 2) + "…")],
)  # fmt: skip
def test_a_wrong_value_is_repeated_on_one_short_line(value, text):
    assert shown_value(value) == text
