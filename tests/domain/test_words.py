"""How ``key=value`` words read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.words import merge, parse_assignments, parse_value, write_value
from launch_tui.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3e-4", 3e-4),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("+1", 1),
        ("1e3", 1000.0),
        ("007", "007"),
        ("true", True),
        ("False", False),
        ("None", None),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ('{"a": {"b": 1}}', {"a": {"b": 1}}),
        ('"3"', "3"),
        ("adam", "adam"),
        ("", ""),
        ("a=b", "a=b"),
        ("1_000", "1_000"),
        ("1" * 5000, "1" * 5000),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_values(text, value):
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_a_written_value_reads_back(value):
    assert json.dumps(parse_value(write_value(value))) == json.dumps(value)


def test_dotted_keys_nest():
    config = parse_assignments(["optimizer.lr=.1", "optimizer.name=adam", "seed=1"])
    assert config == {"optimizer": {"lr": 0.1, "name": "adam"}, "seed": 1}


@pytest.mark.parametrize(
    "words",
    [["lr"], ["=1"], ["a.=1"], [".a=1"], ["a=1", "a=2"], ["a=1", "a.b=2"], ["a.b=1", "a=2"]],
)
def test_contradictions_are_refused(words):
    with pytest.raises(UsageError):
        parse_assignments(words)


def test_merge_goes_into_objects_and_changes_neither():
    base = {"a": {"x": 1, "y": 2}, "b": 1}
    over = {"a": {"y": 3}, "c": {"z": 1}}
    assert merge(base, over) == {"a": {"x": 1, "y": 3}, "b": 1, "c": {"z": 1}}
    assert base == {"a": {"x": 1, "y": 2}, "b": 1}
    assert over == {"a": {"y": 3}, "c": {"z": 1}}
