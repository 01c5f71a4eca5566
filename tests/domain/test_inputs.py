from __future__ import annotations

import subprocess
import sys

import pytest

from launch_tui.domain.inputs import (
    check_config,
    infer_inputs,
    infer_outputs,
    is_learnt,
    merge_schemas,
    unknown_keys,
)
from launch_tui.errors import UsageError

CONFIG = {
    "lr": 0.1,
    "epochs": 3,
    "name": "a",
    "fast": True,
    "layers": [1, 2],
    "opt": {"kind": "adam", "betas": {"one": 0.9}},
    "seed": None,
    "empty": {},
    "_wandb": {"x": 1},
}


def test_inputs_have_types_defaults_and_nesting():
    assert infer_inputs(CONFIG) == {
        "type": "object",
        "properties": {
            "lr": {"type": "number", "default": 0.1},
            "epochs": {"type": "integer", "default": 3},
            "name": {"type": "string", "default": "a"},
            "fast": {"type": "boolean", "default": True},
            "layers": {"type": "array", "default": [1, 2]},
            "opt": {
                "type": "object",
                "properties": {
                    "kind": {"type": "string", "default": "adam"},
                    "betas": {
                        "type": "object",
                        "properties": {"one": {"type": "number", "default": 0.9}},
                    },
                },
            },
            "seed": {"type": "null", "default": None},
            "empty": {"type": "object", "default": {}},
        },
    }


def test_what_is_inferred_is_a_json_schema_that_takes_its_own_config():
    import jsonschema

    schema = infer_inputs(CONFIG)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({k: v for k, v in CONFIG.items() if k != "_wandb"}, schema)
    assert is_learnt(schema)


def test_outputs_are_the_keys_of_summary_and_history():
    outputs = infer_outputs(
        {"best": {"acc": 1}, "_runtime": 3, "pic": {"_type": "image-file"}}, {"val.loss": 0.5}
    )
    assert outputs["properties"] == {
        "best.acc": {"type": "number"},
        "pic": {"type": "object"},
        "val.loss": {"type": "number"},
    }


def merged(*configs):
    schema = {}
    for config in configs:
        schema = merge_schemas(schema, infer_inputs(config))
    return schema["properties"]


def test_merging_unites_types_and_takes_the_latest_defaults():
    assert merged({"a": 1, "b": "x"}, {"b": None, "c": True}, {"a": 0.5}) == {
        "a": {"type": "number", "default": 0.5},
        "b": {"type": ["string", "null"], "default": None},
        "c": {"type": "boolean", "default": True},
    }
    assert merged({"o": {"x": 1}}, {"o": {"y": 2}})["o"]["properties"] == {
        "x": {"type": "integer", "default": 1},
        "y": {"type": "integer", "default": 2},
    }


def test_a_value_that_becomes_an_object_is_both():
    schema = merged({"o": 1}, {"o": {"x": 1}})
    assert schema["o"]["type"] == ["integer", "object"]
    assert "default" not in schema["o"]


def test_merging_again_changes_nothing():
    schema = infer_inputs(CONFIG)
    assert merge_schemas(schema, infer_inputs(CONFIG)) == schema


def test_what_a_person_gave_stays():
    given = {
        "type": "object",
        "required": ["lr"],
        "properties": {"lr": {"type": "number", "minimum": 0, "default": 1.0}},
    }
    schema = merge_schemas(given, infer_inputs({"lr": "text", "more": 1}))
    assert schema["required"] == ["lr"]
    assert schema["properties"]["lr"] == given["properties"]["lr"]
    assert schema["properties"]["more"] == {"type": "integer", "default": 1}


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"lr": 1},
        {"epochs": 0.5},
        {"unknown": "anything"},
        {"name": None},
        {"seed": "now a text"},
        {"opt": {"kind": "sgd", "new": 1}},
        {"layers": []},
        {"empty": {"filled": 1}},
        {"lr": float("nan")},
    ],
)
def test_what_a_job_can_take_is_taken(config):
    check_config(infer_inputs(CONFIG), config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"lr": "fast"}, 'lr: "fast" is a string (allowed: a number, such as 0.1)'),
        ({"epochs": "x"}, 'epochs: "x" is a string (allowed: a number, such as 3)'),
        ({"name": 3}, 'name: 3 is an integer (allowed: a string, such as "a")'),
        ({"fast": 1}, "fast: 1 is an integer (allowed: a boolean, such as true)"),
        ({"epochs": True}, "epochs: true is a boolean (allowed: a number, such as 3)"),
        ({"opt": "adam"}, 'opt: "adam" is a string (allowed: an object)'),
        ({"opt": {"betas": {"one": []}}}, "opt.betas.one: is a list (allowed: a number"),
        ({"layers": 3}, "layers: 3 is an integer (allowed: a list)"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_name(config, message):
    with pytest.raises(UsageError) as refusal:
        check_config(infer_inputs(CONFIG), config)
    assert str(refusal.value).startswith(message)


GIVEN = {
    "type": "object",
    "properties": {
        "lr": {"type": "number", "minimum": 0},
        "kind": {"enum": ["a", "b"]},
        "inner": {"type": "object", "properties": {"n": {"type": "integer"}}},
    },
}


@pytest.mark.parametrize(
    ("config", "field", "allowed"),
    [
        ({"lr": -1}, "lr", "at least 0"),
        ({"kind": "c"}, "kind", "one of a, b"),
        ({"inner": {"n": "x"}}, "inner.n", "type integer"),
    ],
)
def test_a_schema_that_a_person_gave_is_held_to(config, field, allowed):
    with pytest.raises(UsageError) as refusal:
        check_config(GIVEN, config)
    assert (refusal.value.field, refusal.value.allowed) == (field, allowed)
    check_config(GIVEN, {"lr": 1, "kind": "a", "other": 1})


def test_a_schema_that_is_none_is_refused():
    with pytest.raises(UsageError, match="no JSON Schema"):
        check_config({"type": "nonsense", "minimum": 1}, {"a": 1})


def test_a_reference_to_elsewhere_is_refused_and_not_fetched():
    with pytest.raises(UsageError, match="refers to what is not in it: http"):
        check_config({"properties": {"a": {"$ref": "http://127.0.0.1:9/x.json"}}}, {"a": 1})


def test_unknown_keys_come_with_the_nearest_known_one():
    schema = infer_inputs(CONFIG)
    given = {"epoch": 1, "opt": {"kimd": 1, "kind": "x"}, "zzz": 1, "empty": {"x": 1}, "lr": 1}
    assert unknown_keys(schema, given) == {"epoch": "epochs", "opt.kimd": "opt.kind", "zzz": ""}
    assert unknown_keys({}, {"a": 1}) == {}


def test_checking_what_was_learnt_does_not_import_jsonschema():
    code = (
        "import sys; from launch_tui.domain.inputs import *;"
        "check_config(infer_inputs({'a': 1}), {'a': 2});"
        "sys.exit('jsonschema' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
