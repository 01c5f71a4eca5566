"""Template variables: declarations, holes, and filling them."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from launch_tui.domain.template import (
    allowed,
    check_declarations,
    check_override,
    check_template,
    check_value,
    fill,
    has_hole,
    holes,
)
from launch_tui.errors import UsageError

VARIABLES = check_declarations(
    {
        "n": {"type": "integer", "minimum": 1, "maximum": 8},
        "lr": {"type": "number", "default": 0.1},
        "opt": {"type": "string", "enum": ["adam", "sgd"], "default": "adam"},
        "amp": {"type": "boolean", "default": False},
        "note": {"type": "string", "default": ""},
    }
)
CONFIG = {
    "gpus": "{{n}}",
    "setup": ["run --lr={{lr}} {{ opt }} {{amp}} '{{note}}'"],
    "env": {"AMP": "{{amp}}", "X": "1"},
    "nice": 5,
}


def refusal(call, *args, **kwargs):
    with pytest.raises(UsageError) as error:
        call(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_wandbs_form_stays_and_a_bare_schema_becomes_it():
    wandb = {
        "n": {
            "schema": {"type": "integer", "enum": [1, 2], "minimum": 1, "maximum": 2, "default": 1},
            "description": "how many",
        }
    }
    assert check_declarations(wandb) == wandb
    assert check_declarations({"n": {**wandb["n"]["schema"], "description": "how many"}}) == wandb
    assert check_declarations(check_declarations(wandb)) == wandb


@pytest.mark.parametrize(
    ("given", "kind"),
    [("float", "number"), ("int", "integer"), ("bool", "boolean"), ("str", "string")],
)
def test_types_of_the_user_interface_are_wandbs(given, kind):
    assert check_declarations({"x": {"type": given}}) == {"x": {"schema": {"type": kind}}}


@pytest.mark.parametrize(
    ("schema", "line"),
    [
        ({}, "schema.type: is missing (allowed: string, integer, number, boolean)"),
        ({"type": "integr"}, "schema.type: 'integr' is not a type, did you mean integer?"),
        ({"type": ["integer"]}, "schema.type: a list is not a type"),
        ({"type": "integer", "min": 1}, "schema.min: is not known, did you mean minimum?"),
        ({"type": "integer", "maximun": 1}, "schema.maximun: is not known, did you mean maximum?"),
        ({"type": "string", "choices": []}, "schema.choices: is not known, did you mean enum?"),
        ({"type": "string", "enum": []}, "schema.enum: is no list of values"),
        ({"type": "string", "enum": "ab"}, "schema.enum: is no list of values"),
        ({"type": "string", "enum": [1]}, "schema.enum: 1 is not of type string (allowed: text)"),
        ({"type": "integer", "enum": ["1"]}, "schema.enum: '1' is not of type integer"),
        ({"type": "integer", "enum": [1, 2, 1]}, "schema.enum: has 1 twice"),
        ({"type": "integer", "enum": [1, 9], "maximum": 5}, "schema.enum: 9 is out of the bounds"),
        ({"type": "integer", "minimum": 0.5}, "schema.minimum: 0.5 is not of type integer"),
        ({"type": "number", "minimum": math.nan}, "schema.minimum: nan is not of type number"),
        ({"type": "number", "maximum": math.inf}, "schema.maximum: inf is not of type number"),
        ({"type": "integer", "maximum": True}, "schema.maximum: true is not of type integer"),
        ({"type": "string", "minimum": 1}, "schema.minimum: is not for the type string"),
        ({"type": "boolean", "maximum": 1}, "schema.maximum: is not for the type boolean"),
        ({"type": "number", "minimum": 2, "maximum": 1}, "schema.minimum: 2 is above the maximum"),
        ({"type": "number", "maximum": 1, "default": 2}, "schema.default: 2 is not allowed"),
        ({"type": "string", "enum": ["a"], "default": "b"}, "schema.default: 'b' is not allowed"),
        ({"type": "integer", "default": "1"}, "schema.default: '1' is not of type integer"),
        ({"type": "boolean", "default": 1}, "schema.default: 1 is not of type boolean"),
        ({"type": "string", "default": "{{y}}"}, "schema.default: '{{y}}' is a hole itself"),
        ({"type": "string", "description": 5}, "description: 5 is not a text"),
    ],
)
def test_a_declaration_without_sense_is_refused_by_name(schema, line):
    assert refusal(check_declarations, {"x": schema}).startswith(f"template variables x.{line}")
    if "description" not in schema:
        assert refusal(check_declarations, {"x": {"schema": schema}}).startswith(
            f"template variables x.{line}"
        )


@pytest.mark.parametrize("name", ["", "a b", "1a", "a.b", "a}}", "ä"])
def test_a_name_that_no_hole_can_have_is_refused(name):
    assert "cannot be a variable's name" in refusal(check_declarations, {name: {"type": "string"}})


def test_what_is_no_declaration_is_refused():
    assert "x: 5 is no declaration" in refusal(check_declarations, {"x": 5})
    assert "x.schema: 5 is no schema" in refusal(check_declarations, {"x": {"schema": 5}})
    line = refusal(check_declarations, {"x": {"schema": {"type": "string"}, "defualt": 5}})
    assert line.startswith("template variables x.defualt: is not known")


def test_a_queue_is_saved_when_holes_and_declarations_agree():
    check_template(CONFIG, VARIABLES)
    check_template({"a": 1}, {})


def test_a_hole_that_is_not_declared_is_refused():
    line = refusal(check_template, {**CONFIG, "cpus": ["x{{ot}}"]}, VARIABLES, field="-c")
    assert line == (
        "-c cpus.0: {{ot}} is not declared, did you mean opt? (allowed: n, lr, opt, amp, note)"
    )
    assert "declares no template variables" in refusal(check_template, {"a": "{{x}}"}, {})


def test_a_declaration_that_no_hole_uses_is_refused():
    extra = {**VARIABLES, **check_declarations({"m": {"type": "integer"}})}
    assert refusal(check_template, CONFIG, extra) == "template variable m: is used by no hole"


def test_a_hole_in_a_key_or_in_a_hole_is_refused():
    variables = check_declarations({"n": {"type": "string"}})
    assert "a.{{n}}: has a hole in a key" in refusal(check_template, {"a": {"{{n}}": 1}}, variables)
    assert "has a hole within a hole" in refusal(check_template, {"a": "{{{{n}}}}"}, variables)
    check_template({"a": '{"json": {"n":{{n}}}}'}, variables)


def test_holes_are_found_with_their_places():
    assert holes({"a": ["{{x}}", {"b": "{{x}} {{ y }}"}], "c": "{{1}} {{.Z}} {x} {{}}"}) == {
        "x": ["a.0", "a.1.b"],
        "y": ["a.1.b"],
    }


def test_filling():
    values = {"n": "4", "lr": "1e-4", "amp": "true", "note": "a=b=c"}
    assert fill(CONFIG, VARIABLES, values) == {
        "gpus": 4,
        "setup": ["run --lr=0.0001 adam true 'a=b=c'"],
        "env": {"AMP": True, "X": "1"},
        "nice": 5,
    }
    assert CONFIG["gpus"] == "{{n}}"


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("n", "8", 8),
        ("n", "+1", 1),
        ("n", 4, 4),
        ("n", 4.0, 4),
        ("lr", "3", 3),
        ("lr", ".5", 0.5),
        ("lr", 2, 2),
        ("lr", -0.5, -0.5),
        ("amp", "True", True),
        ("amp", "off", False),
        ("amp", True, True),
        ("opt", "sgd", "sgd"),
        ("note", "5", "5"),
        ("note", "x{{", "x{{"),
        ("note", "", ""),
    ],
)
def test_values_take_the_type_of_their_variable(name, raw, value):
    found = check_value(VARIABLES[name], raw, field="x")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("n", "9", "'9' is not allowed (allowed: a whole number from 1 to 8)"),
        ("n", "0", "'0' is not allowed"),
        ("n", "4.5", "'4.5' is not allowed"),
        ("n", "4.0", "'4.0' is not allowed"),
        ("n", "٣", "'٣' is not allowed"),
        ("n", 4.5, "4.5 is not allowed"),
        ("n", True, "true is not allowed"),
        ("n", None, "null is not allowed"),
        ("n", "", "'' is not allowed"),
        ("n", math.nan, "nan is not allowed"),
        ("lr", "nan", "'nan' is not allowed (allowed: a finite number)"),
        ("lr", "inf", "'inf' is not allowed"),
        ("lr", "-Infinity", "'-Infinity' is not allowed"),
        ("lr", "1e999", "'1e999' is not allowed"),
        ("lr", math.nan, "nan is not allowed"),
        ("lr", math.inf, "inf is not allowed"),
        ("lr", True, "true is not allowed"),
        ("lr", "0x10", "'0x10' is not allowed"),
        ("lr", "1_000", "'1_000' is not allowed"),
        ("opt", "adm", "'adm' is not allowed, did you mean adam? (allowed: adam, sgd)"),
        ("opt", "Adam", "'Adam' is not allowed"),
        ("amp", "maybe", "'maybe' is not allowed (allowed: true, false)"),
        ("amp", 1, "1 is not allowed"),
        ("note", 5, "5 is not allowed (allowed: text)"),
        ("note", ["a"], "a list is not allowed"),
        ("note", "a\0b", "'a\\x00b' is not allowed"),
        ("note", "{{n}}", "'{{n}}' is a hole itself"),
    ],
)
def test_a_value_outside_its_schema_is_refused(name, value, line):
    values = {"n": 1, name: value}
    assert refusal(fill, CONFIG, VARIABLES, values).startswith(f"--set-var {name}: {line}")


def test_an_unknown_name_and_a_missing_value_are_refused():
    assert refusal(fill, CONFIG, VARIABLES, {"n": 1, "nota": "x"}) == (
        "--set-var nota: is not a template variable of the queue, did you mean note?"
        " (allowed: n, lr, opt, amp, note)"
    )
    assert refusal(fill, CONFIG, VARIABLES, {}) == (
        "--set-var n: is missing and has no default (allowed: a whole number from 1 to 8)"
    )
    assert "gpus: {{x}} is not declared" in refusal(fill, {"gpus": "{{x}}"}, VARIABLES, {})


def test_a_value_is_needed_only_where_its_hole_is():
    assert fill({"a": 1}, VARIABLES, {}) == {"a": 1}
    assert "is not allowed" in refusal(fill, {"a": 1}, VARIABLES, {"n": "99"})


def test_values_cannot_make_a_new_hole_with_the_text_around():
    variables = check_declarations({"x": {"type": "string"}, "y": {"type": "string"}})
    for config, values in (({"a": "{{{x}}"}, {"x": "{b}}"}), ({"a": "{{x}}{{y}}"},
                                                             {"x": "{{", "y": "b}}"})):  # fmt: skip
        assert "make a new hole {{b}} in a" in refusal(fill, config, variables, values)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer"}, "a whole number"),
        ({"type": "integer", "minimum": 1}, "a whole number of at least 1"),
        ({"type": "number", "maximum": 0.5}, "a finite number of at most 0.5"),
        ({"type": "number", "minimum": 0, "maximum": 1}, "a finite number from 0 to 1"),
        ({"type": "string", "enum": ["a", "b"]}, "a, b"),
        ({"type": "boolean"}, "true, false"),
    ],
)
def test_what_is_allowed_in_words(schema, words):
    assert allowed({"schema": schema}) == words


def test_a_launch_cannot_replace_what_the_owner_made_a_variable():
    assert refusal(check_override, CONFIG, {"gpus": 100}) == (
        "-R gpus: is the queue's {{n}} and cannot be replaced (allowed: --set-var n=…)"
    )
    for launch in ({"gpus": None}, {"env": None}, {"env": {"AMP": "1"}}, {"setup": []}):
        assert "cannot be replaced" in refusal(check_override, CONFIG, launch)
    check_override(CONFIG, {"nice": 1, "cpus": 2, "env": {"X": "2", "Y": "3"}})


NAMES = ["n", "lr", "opt", "amp", "note"]
VALUES = {
    "n": st.integers(1, 8),
    "lr": st.floats(allow_nan=False, allow_infinity=False),
    "opt": st.sampled_from(["adam", "sgd"]),
    "amp": st.booleans(),
    "note": st.text("ab ={}$", max_size=6).filter(lambda text: not has_hole(text)),
}
values_of_all = st.fixed_dictionaries(VALUES)
pieces = st.lists(st.tuples(st.text("ab= ", max_size=3), st.sampled_from([*NAMES, ""])), max_size=4)


@given(pieces, values_of_all)
def test_texts_are_filled_as_a_simple_model_says(parts, values):
    template = "".join(text + (f"{{{{{name}}}}}" if name else "") for text, name in parts)
    written = {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}
    expected = "".join(text + (written[name] if name else "") for text, name in parts)
    assume(not has_hole(expected))
    said = [part for part in parts if any(part)]
    whole = len(said) == 1 and not said[0][0] and said[0][1]
    expected = values[whole] if whole else expected
    assert fill({"a": [template]}, VARIABLES, values) == {"a": [expected]}


@given(values_of_all)
def test_what_was_typed_means_what_was_given(values):
    typed = {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}
    config = {name: f"{{{{{name}}}}}" for name in NAMES}
    filled = fill(config, VARIABLES, typed)
    assert filled == values == fill(config, VARIABLES, values)
    assert isinstance(filled["n"], int)


trees = st.recursive(
    st.none() | st.integers() | st.text("{}n lr", max_size=10)
    | st.sampled_from(["{{n}}", "{{lr}}", "{{note}}", "{{{n}}", "{{ {{note}}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def filled_or_refused(config, values):
    try:
        return fill(config, VARIABLES, values)
    except UsageError as error:
        return str(error)


@given(st.dictionaries(st.text("ab", min_size=1), trees, max_size=3), values_of_all)
def test_no_hole_is_ever_left(config, values):
    found = filled_or_refused(config, values)
    if not isinstance(found, str):
        assert holes(found) == {}
        if not holes(config):
            assert found == config


@given(
    st.integers(-5, 5), st.integers(-5, 5), st.integers(-20, 20) | st.floats(-20, 20),
)  # fmt: skip
def test_bounds_hold_for_every_value(low, high, value):
    assume(low <= high)
    variables = check_declarations({"x": {"type": "number", "minimum": low, "maximum": high}})
    try:
        inside = fill({"a": "{{x}}"}, variables, {"x": value}) == {"a": value}
    except UsageError:
        inside = False
    assert inside == (low <= value <= high)


def test_an_enormous_number_is_refused_too():
    line = refusal(fill, CONFIG, VARIABLES, {"n": 10**5000})
    assert line.startswith("--set-var n: a number of that size is not allowed")
