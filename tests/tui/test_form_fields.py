"""The fields that a schema makes, kind by kind, and what is typed into them."""

from __future__ import annotations

import pytest

from launch_tui.errors import UsageError
from launch_tui.tui.form_fields import Kind, config_of, fields_of, read_field

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "label": "a label"},
        "one": {"type": "string", "enum": ["a", "b"]},
        "maybe": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "default": None},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "some": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}},
        "token": {"type": "string", "format": "secret"},
        "password": {"type": "string", "format": "password"},
        "flag": {"type": "boolean"},
        "inner": {"type": "object", "properties": {"n": {"type": "number", "exclusiveMinimum": 0}}},
        "free": {"type": "object"},
        "conf/model.yaml:": {
            "type": "object",
            "properties": {
                "layers": {"type": "integer", "minimum": 1, "maximum": 48},
                "opt": {"type": "object", "properties": {"name": {"type": "string"}}},
            },
        },
    },
}


@pytest.fixture
def fields():
    return {one.label: one for one in fields_of(SCHEMA)}


def test_kinds_and_labels(fields):
    assert {label: (one.kind, one.hint) for label, one in fields.items()} == {
        "text": (Kind.TEXT, "text"),
        "one": (Kind.CHOICE, "choice"),
        "maybe": (Kind.INTEGER, "int · ≥ 1"),
        "either": (Kind.JSON, "JSON"),
        "some": (Kind.LIST, "of x, y"),
        "token": (Kind.SECRET, "${secret:NAME}"),
        "password": (Kind.SECRET, "${secret:NAME}"),
        "flag": (Kind.BOOLEAN, "bool"),
        "inner.n": (Kind.NUMBER, "float · > 0"),
        "free": (Kind.JSON, "JSON"),
        "conf/model.yaml:layers": (Kind.INTEGER, "int · 1..48"),
        "conf/model.yaml:opt.name": (Kind.TEXT, "text"),
    }
    assert fields["text"].description == "a label"


@pytest.mark.parametrize(
    ("label", "text", "value"),
    [
        ("maybe", "3", 3),
        ("maybe", "null", None),
        ("some", "x, y", ["x", "y"]),
        ("token", "${secret:HF_TOKEN}", "${secret:HF_TOKEN}"),
        ("conf/model.yaml:layers", "8", 8),
    ],
)
def test_what_is_read(fields, label, text, value):
    assert read_field(fields[label], text) == value


@pytest.mark.parametrize(
    ("label", "text", "says"),
    [
        ("maybe", "0", "at least 1"),
        ("some", "x, z", "one of x, y"),
        ("token", "hf_abcdef", "is a secret, which is given by reference"),
        ("password", "${secret:}", "is a secret, which is given by reference"),
        ("conf/model.yaml:layers", "99", "at most 48"),
        ("inner.n", "0", "more than 0"),
    ],
)
def test_what_is_refused(fields, label, text, says):
    with pytest.raises(UsageError, match=says) as refusal:
        read_field(fields[label], text)
    assert text == "x, z" or text not in str(refusal.value) or label not in ("token", "password")
    assert refusal.value.field == label


def test_the_configuration_of_what_is_typed(fields):
    values = [(fields["inner.n"], 2.0), (fields["conf/model.yaml:opt.name"], "sgd")]
    assert config_of(values) == {"inner": {"n": 2.0}, "conf/model.yaml:": {"opt": {"name": "sgd"}}}
