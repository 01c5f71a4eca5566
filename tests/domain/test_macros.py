"""Macros in a resource configuration."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.macros import MACROS, expand

VALUES = {"run_id": "r1", "run_name": "a ${author}", "author": "ann", "gpus": "0,1", "empty": ""}


def test_the_macros_of_wandb_are_there():
    wandb = {"project_name", "entity_name", "run_id", "run_name", "image_uri", "author"}
    assert wandb | {"queue_name", "job_name", "gpus"} == set(MACROS)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${run_id}", "r1"),
        ("/data/${author}/${run_id}.log", "/data/ann/r1.log"),
        ("${HOME}/${run_id}", "${HOME}/r1"),
        ("${unknown}", "${unknown}"),
        ("$run_id", "$run_id"),
        ("${ run_id }", "${ run_id }"),
        ("${run_id:-x}", "${run_id:-x}"),
        ("$${run_id}", "$r1"),
        ("${empty}", ""),
        ("", ""),
    ],
)
def test_known_macros_are_replaced_and_others_stay(text, expanded):
    assert expand(text, VALUES) == expanded


def test_a_replacement_is_not_looked_at_again():
    assert expand("${run_name}", VALUES) == "a ${author}"


def test_only_texts_are_expanded_and_never_keys():
    config = {"${run_id}": ["${run_id}", 1, None, True, {"a": "${author}"}], "n": 2.5}
    assert expand(config, VALUES) == {"${run_id}": ["r1", 1, None, True, {"a": "ann"}], "n": 2.5}
    assert config["${run_id}"][0] == "${run_id}"


trees = st.recursive(
    st.none() | st.integers() | st.text("${}ab_", max_size=12) | st.sampled_from(["${a}", "${b}"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("${}ab"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(trees)
def test_without_known_macros_nothing_changes(tree):
    assert expand(tree, {}) == tree


@given(st.lists(st.sampled_from(["${a}", "${b}", "${c}", "$", "{", "}", "x"]), max_size=8))
def test_against_a_split_at_the_macros(parts):
    text = "".join(parts)
    values = {"a": "1", "b": "${a}"}
    pieces = re.split(r"(\$\{\w+\})", text)
    assert expand(text, values) == "".join(values.get(p[2:-1], p) if p[:1] == "$" else p
                                           for p in pieces)  # fmt: skip
