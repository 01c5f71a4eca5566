"""Whatever a job or a download says of itself costs a line, never more."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launch_tui.domain.declared import Declaration, learnt_inputs, loosened, normalised
from launch_tui.domain.given_schema import check_schema
from launch_tui.domain.inputs import check_config, known_inputs, limits
from launch_tui.domain.wandb_job import read_wandb_job
from launch_tui.errors import UsageError
from launch_tui.tracking.declared import read
from launch_tui.tui.form_fields import fields_of

WORDS = st.sampled_from([
    "type", "properties", "required", "enum", "default", "minimum", "maximum", "items", "anyOf",
    "allOf", "$ref", "$defs", "format", "const", "additionalProperties", "object", "string",
    "number", "integer", "array", "secret", "#/$defs/a", "#", "a", "b", "c.json:", "declaredBy",
    "script", "wb_type", "params", "type_map", "typedDict", "union", "allowed_types", "source",
    "source_type", "repo", "image", "artifact", "git", "remote", "commit", "entrypoint", "runtime",
    "3.11", "input_types", "input_schemas", "@wandb.config", "files", "",
])  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.just(0.5) | WORDS
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=25,
)
OBJECTS = st.dictionaries(WORDS, JSON, max_size=6)
NAMES = st.sampled_from(["a", "b", "c.json:", "properties", "required", "type", "default"])
SCHEMAS = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "number", "integer", "boolean", "null", "array"]),
            "default": JSON,
            "enum": st.lists(LEAVES, min_size=1, max_size=3),
            "minimum": st.integers(-3, 3),
            "exclusiveMaximum": st.just(0.5),
            "required": st.booleans(),
            "format": st.sampled_from(["secret", "date"]),
            "items": st.just({"enum": ["x"]}),
            "declaredBy": st.just("script"),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.just("object"),
            "properties": st.dictionaries(NAMES, inner, max_size=4),
            "required": st.lists(NAMES, max_size=2, unique=True),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "additionalProperties": st.booleans() | inner,
            "declaredBy": st.just("script"),
        },
    ),
    max_leaves=8,
)
CALM = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def in_a_line(call):
    """Return what a call returns, None when it refuses in one line."""
    try:
        return call()
    except UsageError as error:
        told = str(error)
    assert "\n" not in told
    return None


@CALM
@given(OBJECTS)
def test_a_definition(document):
    job = in_a_line(lambda: read_wandb_job(document))
    if job is not None and job.inputs:
        fields_of(job.inputs)
        known_inputs(job.inputs)


@CALM
@given(SCHEMAS, OBJECTS, SCHEMAS)
def test_a_schema_that_passes_can_be_used(schema, config, known):
    made, known = normalised(schema), normalised(known)
    try:
        check_schema(made)
        check_schema(known)
    except UsageError:
        return
    declared = [Declaration(schema=made), Declaration(file="c.json", schema=made, content=config)]
    for before in ({}, known):
        inputs = learnt_inputs(before, config, config, declared)
        json.dumps(inputs)
        fields_of(inputs)
        loosened(inputs)
        for _, inner in known_inputs(inputs):
            limits(inner)
        in_a_line(lambda: check_config(inputs, {**config, "c.json:": config}))  # noqa: B023


@CALM
@given(OBJECTS)
def test_a_line_of_a_job(tmp_path, told):
    (tmp_path / "inputs.jsonl").write_text(json.dumps(told) + "\n")
    read(tmp_path, lambda line: None)


@pytest.mark.parametrize("depth", [100, 5_000])
def test_depth_is_no_crash(tmp_path, depth):
    text = '{"properties": {"a": ' * depth + "{}" + "}}" * depth
    (tmp_path / "inputs.jsonl").write_text('{"file": "", "schema": ' + text + "}\n")
    said = []
    assert len(read(tmp_path, said.append)) <= 1
