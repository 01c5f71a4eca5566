from __future__ import annotations

import json
from dataclasses import replace

import pytest

from launch_tui.tui.changed_value import texts_with
from launch_tui.tui.launch_model import for_run

INPUTS = {
    "type": "object",
    "properties": {
        "lr": {"type": "number", "default": 0.001},
        "model": {"type": "object", "properties": {"depth": {"type": "integer"}}},
        "amp": {"type": "boolean"},
    },
}


@pytest.fixture
def model(world):
    world.queue("gpu")
    world.job("train", inputs=INPUTS)
    config = {"lr": 0.001, "model": {"depth": 18, "width": 3}, "seed": 7}
    return for_run(world.launch, world.run(config=config))


def requested(model, texts):
    """The config that the form asks for with these texts."""
    from launch_tui.tui.form_fields import read_field

    fields = model.inputs_and_queue()
    values = {one.key: read_field(one, texts[one.key]) for one in fields if one.key in texts}
    return model.request(values, fields).config


def test_a_value_goes_into_its_own_field(model):
    texts = texts_with(model, {"lr": 0.1, "model.depth": 34, "amp": True})
    assert requested(model, texts) == {"lr": 0.1, "model": {"depth": 34}, "amp": True}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("seed", 8, {"seed": 8}),
        ("model.width", 4, {"model": {"width": 4}}),
        ("fresh.inner", "x y", {"fresh": {"inner": "x y"}}),
    ],
)
def test_what_has_no_field_goes_with_the_rest(model, key, value, expected):
    texts = texts_with(model, {key: value})
    assert list(texts) == ["more"]
    words = texts["more"]
    assert ("seed=7" in words) == (key != "seed")
    config = requested(model, texts)
    for name, inner in expected.items():
        assert (
            config[name] == inner
            if not isinstance(inner, dict)
            else inner.items() <= config[name].items()
        )


def test_without_a_schema_the_whole_config_is_one_field(model):
    # A key may have a dot of its own.
    bare = replace(model, inputs={}, given={**model.given, "a.b": 1})
    texts = texts_with(bare, {"lr": 0.1, "model.depth": 34, "a.b": 2})
    assert list(texts) == ["config"]
    assert json.loads(texts["config"]) == {
        "lr": 0.1,
        "model": {"depth": 34, "width": 3},
        "seed": 7,
        "a.b": 2,
    }
    assert model.given["lr"] == 0.001
