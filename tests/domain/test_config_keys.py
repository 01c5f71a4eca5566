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
    find_key,
    nearest,
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
        (Key(name="a", kind=Kind.WHOLE, help="", minimum=1, words=("all", "none")),
         "a whole number of at least 1, or all, or none"),
        (Key(name="a", kind=Kind.LINES, help="", form="HOST:PORT"), "HOST:PORT"),
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


ALIASED = (
    Key(name="shm-size", kind=Kind.SIZE, help=""),
    Key(name="publish", kind=Kind.LINES, help="", aliases=("p",), also=("ports",)),
    Key(name="gpu_memory", kind=Kind.SIZE, help=""),
)


@pytest.mark.parametrize(
    ("name", "found"),
    [("shm-size", "shm-size"), ("shm_size", "shm-size"), ("p", "publish"), ("P", None),
     ("gpu-memory", "gpu_memory"), ("ports", None), ("shm", None)],
)  # fmt: skip
def test_a_key_is_found_by_each_of_its_names(name, found):
    key = find_key(ALIASED, name)
    assert (key and key.name) == found


@pytest.mark.parametrize(
    ("name", "meant"),
    [("shmsize", "shm-size"), ("shm_sise", "shm-size"), ("ports", "publish"), ("zzz", "")],
)
def test_the_nearest_key_counts_dashes_as_underscores(name, meant):
    assert nearest(name, ALIASED) == meant


@pytest.mark.parametrize("value", ["all", "ALL", " all "])
def test_a_word_is_taken_beside_the_values_of_the_kind(value):
    key = Key(name="a", kind=Kind.WHOLE, help="", minimum=0, words=("all",))
    assert (key.read(value, "a"), key.read("2", "a")) == ("all", 2)
    with pytest.raises(UsageError, match="allowed: a whole number of at least 0, or all"):
        key.read("every", "a")


def test_a_word_goes_through_the_keys_own_reading():
    key = Key(name="a", kind=Kind.SIZE, help="", words=("-1",), parse=lambda read, _: (read,))
    assert (key.read(-1, "a"), key.read("1K", "a")) == (("-1",), (1024,))


@pytest.mark.parametrize("value", ["A=1", "A=1\nB=2=3\n", ["A=1"]])
def test_names_are_read_from_the_forms_that_docker_has(value):
    read = Key(name="env", kind=Kind.NAMES, help="").read(value, "env")
    assert read in ({"A": "1"}, {"A": "1", "B": "2=3"})


def test_names_that_are_no_variables_have_a_rule_of_their_own():
    def short(name, field):
        if len(name) > 3:
            raise UsageError(field, f"{name} is too long")

    key = Key(name="label", kind=Kind.NAMES, help="", check_name=short)
    assert key.read({"a.b": 1}, "label") == {"a.b": "1"}
    with pytest.raises(UsageError, match=r"label: a\.bc is too long"):
        key.read(["a.bc=1"], "label")
