from __future__ import annotations

import pytest

from launch_tui.domain.declared import Declaration, learnt_inputs, loosened, normalised
from launch_tui.domain.inputs import check_config
from launch_tui.errors import UsageError

CONFIG = {"lr": 0.1, "model": {"layers": 2, "name": "a", "deep": {"x": 1}}, "a.b": 3}


def declared(file="", include=(), exclude=(), **more):
    return Declaration(
        file=file,
        include=tuple(map(tuple, include)),
        exclude=tuple(map(tuple, exclude)),
        **more,
    )


def names(schema, prefix=()):
    found = []
    for key, inner in schema.get("properties", {}).items():
        below = names(inner, (*prefix, key))
        found += below or [(*prefix, key)]
    return found


EVERY = [("lr",), ("model", "layers"), ("model", "name"), ("model", "deep", "x"), ("a.b",)]


@pytest.mark.parametrize(
    ("include", "exclude", "left"),
    [
        ([], [], EVERY),
        ([["model"]], [], EVERY[1:4]),
        ([["model", "layers"], ["lr"]], [], [("lr",), ("model", "layers")]),
        ([["model"]], [["model", "deep"]], [("model", "layers"), ("model", "name")]),
        ([], [["model"]], [("lr",), ("a.b",)]),
        ([["model"]], [["model"]], []),
        ([["a.b"]], [], [("a.b",)]),
        ([["a", "b"]], [], []),
    ],
)
def test_include_and_exclude_as_wandb_has_them(include, exclude, left):
    one = declared(include=include, exclude=exclude)
    learnt = learnt_inputs({}, CONFIG, CONFIG, [one])
    assert names(learnt) == left
    # What was learnt before the declaration goes as well.
    before = learnt_inputs({}, CONFIG, CONFIG)
    assert names(learnt_inputs(before, CONFIG, CONFIG, [one])) == left
    content = learnt_inputs({}, {}, {}, [declared("c.yaml", include, exclude, content=CONFIG)])
    assert names(content) == ([("c.yaml:", *path) for path in left] or [("c.yaml:",)])


SCHEMA = {
    "type": "object",
    "properties": {"lr": {"type": "number", "maximum": 1}, "n": {"type": "integer"}},
    "required": ["lr", "n"],
}


def test_a_scripts_schema_gets_the_scripts_own_values_and_keeps_them():
    once = learnt_inputs({}, {"lr": 0.5, "n": 1}, {"lr": 0.5}, [declared(schema=SCHEMA)])
    assert once["properties"] == {
        "lr": {"type": "number", "maximum": 1, "default": 0.5},
        "n": {"type": "integer"},
    }
    assert (once["required"], once["declaredBy"]) == (["n"], "script")
    again = learnt_inputs(once, {"lr": 0.2, "n": 1}, {}, [declared(schema=SCHEMA)])
    assert again == once
    # A run that ended before its declaration takes none back.
    assert learnt_inputs(once, {"x": 1}, {"x": 1}) == once
    check_config(once, {"lr": 0.3})
    with pytest.raises(UsageError, match="at most 1"):
        check_config(once, {"lr": 3})


def test_the_last_declaration_of_a_source_holds():
    first, last = (
        declared(schema=SCHEMA),
        declared(schema={"properties": {"z": {"type": "string"}}}),
    )
    made = learnt_inputs({}, {}, {}, [first, last])
    assert names(made) == [("z",)]
    assert names(learnt_inputs(made, CONFIG, CONFIG, [declared(include=[["lr"]])])) == [("lr",)]


def test_a_persons_schema_stays():
    persons = {"type": "object", "properties": {"lr": {"type": "number", "maximum": 2}}}
    made = learnt_inputs(
        persons, {"lr": 0.5, "x": 1}, {"lr": 0.5, "x": 1}, [declared(schema=SCHEMA)]
    )
    assert made["properties"]["lr"]["maximum"] == 2
    assert "declaredBy" not in made
    with_file = learnt_inputs(made, {}, {}, [declared("c.json", schema=SCHEMA, content={"lr": 9})])
    assert with_file["properties"]["c.json:"]["properties"]["lr"]["default"] == 9


def test_what_is_learnt_is_held_loosely_beside_what_is_declared():
    files = [declared(schema=SCHEMA), declared("c.json", content={"n": 1})]
    inputs = learnt_inputs({}, {}, {}, files)
    check_config(inputs, {"c.json:": {"n": 1.5, "new": "x"}})
    check_config(inputs, {"c.json:": {"n": None}})
    with pytest.raises(UsageError, match="type integer"):
        check_config(inputs, {"n": 1.5})
    with pytest.raises(UsageError, match=r"c\.json:n"):
        check_config(inputs, {"c.json:": {"n": "x"}})
    with pytest.raises(UsageError, match=r"d\.json: is no file that the job manages"):
        check_config(inputs, {"d.json:": {"n": 1}})


def test_the_next_version_is_only_told_of_types_and_defaults():
    made = learnt_inputs({}, {}, {}, [declared("c.json", schema=SCHEMA, content={"lr": 0.5})])
    assert loosened(made) == {
        "type": "object",
        "properties": {
            "c.json:": {
                "type": "object",
                "properties": {"lr": {"type": "number", "default": 0.5}, "n": {"type": "integer"}},
            }
        },
    }
    persons = {"type": "object", "properties": {"lr": {"maximum": 1}}}
    assert loosened(persons) == persons


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        (
            {"properties": {"a": {"type": "string", "required": True}, "b": {"required": False}}},
            {"properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]},
        ),
        (
            {
                "$defs": {"A": {"type": "integer"}},
                "properties": {"a": {"$ref": "#/$defs/A", "title": "x"}},
            },
            {"properties": {"a": {"type": "integer", "title": "x"}}},
        ),
        (
            {"properties": {"a": {"allOf": [{"type": "number"}], "default": 1}}},
            {"properties": {"a": {"type": "number", "default": 1}}},
        ),
        (
            {"properties": {"default": {"$ref": "#/nowhere"}, "required": {"type": "number"}}},
            {"properties": {"default": {"$ref": "#/nowhere"}, "required": {"type": "number"}}},
        ),
    ],
)
def test_schemas_in_one_form(schema, made):
    assert normalised(schema) == made


def test_a_schema_that_refers_to_itself_stays():
    schema = {
        "$defs": {"T": {"type": "object", "properties": {"next": {"$ref": "#/$defs/T"}}}},
        "properties": {"t": {"$ref": "#/$defs/T"}},
    }
    made = normalised(schema)
    assert made["properties"]["t"]["properties"]["next"] == {"$ref": "#/$defs/T"}
    check_config(made, {"t": {"next": {"next": {}}}})


def test_a_secret_of_the_scripts_own_is_no_default():
    schema = {"properties": {"token": {"type": "string", "format": "secret"}}}
    made = learnt_inputs({}, {"token": "x"}, {"token": "x"}, [declared(schema=schema)])
    assert made["properties"]["token"] == {"type": "string", "format": "secret"}
