"""Secrets are masked by name, by value and by shape, and what is none stays."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.redact import MASK, Redactor, is_secret_name

MARK = "s3cr3t-v4lue"


@pytest.mark.parametrize(
    "text",
    [
        f"HF_TOKEN={MARK}",
        f"export WANDB_API_KEY='{MARK}'",
        f'{{"api_key": "{MARK}"}}',
        f'"{{\\"password\\": \\"{MARK}\\"}}"',
        f"db_password: {MARK}",
        f"train.py --auth-token {MARK} --lr 1",
        f"train.py --secret={MARK}",
        f"https://me:{MARK}@host/repo.git",
        f"GET /data?token={MARK}&page=2",
        f"Authorization: Bearer {MARK}",
        f"authorization = Basic {MARK}",
        f"curl -H 'X-Auth: Bearer {MARK}'",
        f"AWS_SECRET_ACCESS_KEY => {MARK}",
        f"accessToken: {MARK}",
        f"cookie: {MARK}",
    ],
)
def test_what_stands_behind_a_name_or_in_a_url_is_masked(text):
    masked = Redactor().text(text)
    assert MARK not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    "key",
    [
        "hf_" + "a1B2" * 8,
        "ghp_" + "x" * 36,
        "github_pat_" + "y" * 40,
        "sk-" + "z" * 40,
        "AKIA" + "Q" * 16,
        "AIza" + "w" * 35,
        "glpat-" + "v" * 20,
        "xoxb-" + "1" * 20,
        "eyJ" + "h" * 20 + "." + "p" * 20 + "." + "s" * 20,
        "wandb_v1_" + "k" * 40,
    ],
)
def test_well_known_kinds_of_keys_are_masked_wherever_they_stand(key):
    assert Redactor().text(f"error near {key}: refused") == f"error near {MASK}: refused"


def test_a_private_key_is_masked_over_all_its_lines():
    text = "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nb"
    assert Redactor().text(text) == f"a\n{MASK}\nb"
    assert "MIIE" not in Redactor().text("-----BEGIN PRIVATE KEY-----\nMIIE")


def test_known_values_are_masked_as_they_are_and_as_they_are_written_elsewhere():
    value = 'pä"ss/wörd&1'
    redactor = Redactor([value])
    for text in (value, json.dumps(value), "x=p%C3%A4%22ss%2Fw%C3%B6rd%261"):
        masked = redactor.text(f"said {text}!")
        assert MASK in masked
        assert "ss/w" not in masked
        assert "ss%2Fw" not in masked


def test_one_value_may_be_a_part_of_another():
    assert Redactor(["abcdef", "abcdefgh"]).text("abcdefgh abcdef") == f"{MASK} {MASK}"


@pytest.mark.parametrize(
    "text",
    [
        "tok/s=182k tokens: 1000000 max_tokens=512000",
        "tokenizer: bert-base tokenizer_name=gpt2",
        "token: 5  num_token=42",
        "step=4200 loss=0.330 lr=3.0e-4",
        "commit 5697105abcdef5697105abcdef5697105abcdef12",
        "password=None token=null",
        "the secretary said: hello",
        "https://example.org/a/b?page=2",
    ],
)
def test_what_is_no_secret_stays(text):
    assert Redactor(["1", "true", "no"]).text(text) == text


def test_an_object_is_masked_by_its_keys():
    tree = {
        "lr": 0.1,
        "api_key": MARK,
        "nested": {"password": MARK, "list": [f"token={MARK}"], "off": {"secret": None}},
        "credentials": [MARK, {"user": MARK}],
        "use_auth_token": True,
    }
    masked = Redactor().tree(tree)
    assert MARK not in json.dumps(masked)
    assert masked["lr"] == 0.1
    assert masked["use_auth_token"] is True
    assert masked["nested"]["off"] == {"secret": None}


def test_the_word_after_a_flag_that_names_a_secret_is_masked():
    words = ["train.py", "--token", MARK, "--lr", "1", f"--password={MARK}", "--api-key", "--x"]
    masked = Redactor().words(words)
    assert masked[:5] == ["train.py", "--token", MASK, "--lr", "1"]
    assert MARK not in " ".join(masked)
    assert masked[-1] == "--x"


def test_names_that_say_it():
    for name in ("HF_TOKEN", "wandb_api_key", "DB_PASSWORD", "private-key", "accessToken"):
        assert is_secret_name(name)
    for name in ("tokens", "tokenizer", "max_tokens", "lr", "keyword", "path"):
        assert not is_secret_name(name)


@given(st.text(max_size=200), st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126),
                                      min_size=6, max_size=20))  # fmt: skip
def test_a_known_value_never_stays(around, value):
    if MASK in value or value.lower() in ("disabled", "enabled", "offline", "online"):
        return
    masked = Redactor([value]).text(f"{around}{value}{around}")
    assert value not in masked.replace(MASK, "\0")
