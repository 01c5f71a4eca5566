"""Schemas that make no sense as those of a configuration; two_hundred.jsonl has what is told."""

from __future__ import annotations

import pytest

from launch_tui.domain.given_schema import check_given_schema, check_schema
from launch_tui.errors import UsageError

TREE = {
    "type": "object",
    "$defs": {"T": {"properties": {"next": {"$ref": "#/$defs/T"}}}},
    "properties": {
        "t": {"$ref": "#/$defs/T"},
        "minimum": {"type": "integer", "minimum": 1, "maximum": 1},
        "enum": {"enum": [None, "a"], "type": ["string", "null"], "default": "a"},
        "default": {"type": "object", "default": {"enum": [], "minimum": 3, "maximum": 1}},
        "n": {"type": "integer", "default": None},
    },
    "required": ["anything"],
}


def test_what_makes_sense_passes():
    check_given_schema(TREE)
    check_given_schema({})
    check_given_schema({"description": "whatever"})
    check_given_schema({"type": ["null", "object"], "additionalProperties": False})


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": ["array", "null"]}, "type"),
        ({"anyOf": [{"properties": {"a": {"enum": []}}}]}, "anyOf/0/properties/a/enum"),
        ({"properties": {"properties": {"enum": []}}}, "properties/properties/enum"),
        ({"properties": {"a": {"items": {"minItems": 2, "maxItems": 1}}}}, "items/minItems"),
        ({"$dynamicRef": "#"}, "without end"),
        ({"properties": {"a": {"$ref": "#/properties/a"}}}, "without end"),
        ({"$ref": "#/properties/a/type", "properties": {"a": {"type": "null"}}}, "does not lead"),
        ({"$ref": "#/anyOf/x", "anyOf": [True]}, "does not lead"),
    ],
)
def test_what_no_configuration_meets_is_refused_with_its_place(schema, told):
    with pytest.raises(UsageError, match=told):
        check_schema(schema, field="x")


def test_defaults_are_held_to_the_schema_of_a_person_and_not_to_that_of_a_script():
    wrong = {"properties": {"a": {"type": "integer", "default": "x"}}}
    check_schema(wrong)
    check_given_schema({**wrong, "declaredBy": "script"})
    with pytest.raises(UsageError, match="properties/a/default: 'x'"):
        check_given_schema(wrong)
