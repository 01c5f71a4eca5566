from __future__ import annotations

import json
import math

import pytest

from launch_tui.domain.hiding import HIDDEN, names_a_secret, without_secrets


@pytest.mark.parametrize(
    "key",
    ["token", "hf_token", "HF_TOKEN", "apiKey", "api-key", "aws.secret", "password", "auth",
     "private_key", "dbPassword", "Authorization"],
)  # fmt: skip
def test_a_key_of_a_secret_is_known(key):
    assert names_a_secret(key)
    assert without_secrets({"a": {key: "s3cr3t"}}) == {"a": {key: HIDDEN}}


@pytest.mark.parametrize(
    "key", ["max_tokens", "tokens", "tokenizer", "author", "key", "secretary", "lr", "keyboard"]
)
def test_a_key_that_only_sounds_so_is_none(key):
    assert not names_a_secret(key)
    assert without_secrets({key: "x"}) == {key: "x"}


def test_what_says_nothing_stays():
    values = {"token": "", "password": None, "auth": True, "secret": 0.5}
    assert without_secrets(values) == values


def test_known_values_are_taken_out_wherever_they_stand():
    value = {"cause": "401 for hunter22", "list": ["x hunter22 y", 3], "hunter22": 1}
    found = without_secrets(value, ["hunter22", "x"])
    assert "hunter22" not in json.dumps(found)
    assert found["list"] == [f"x {HIDDEN} y", 3]


def test_numbers_that_json_has_not_become_text():
    found = without_secrets({"loss": math.nan, "a": [math.inf, -math.inf], "b": 1.5})
    assert found == {"loss": "NaN", "a": ["Infinity", "-Infinity"], "b": 1.5}
    json.dumps(found, allow_nan=False)
