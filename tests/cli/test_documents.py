"""JSON and YAML that a person gives."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launch_tui.cli.documents import dump_yaml, parse_document, read_object
from launch_tui.cli.launch_spec import read_config
from launch_tui.errors import UsageError

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_yaml_numbers_are_numbers_and_dates_are_text(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("lr: 3e-4\nsmall: 1e-05\nday: 2024-01-02\nn: 3\nyes_: true\n1: one\nt: 1.5e3\n")
    assert read_object(str(path), field="-c") == {
        "lr": 3e-4, "small": 1e-05, "day": "2024-01-02", "n": 3, "yes_": True, "1": "one",
        "t": 1500.0,
    }  # fmt: skip


def test_text_file_and_stdin(tmp_path, monkeypatch):
    path = tmp_path / "c.json"
    path.write_text('\ufeff{"a": 1}', encoding="utf-8")
    assert read_object(str(path), field="-c") == {"a": 1}
    assert read_object(' {"a": 1}', field="-c") == {"a": 1}
    monkeypatch.setattr("sys.stdin", io.StringIO("a: 1"))
    assert read_object("-", field="-c") == {"a": 1}
    path.write_text("")
    assert read_object(str(path), field="-c") == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1", "line 1"),
        ("a: b: c", "line 1"),
        ('{"a": 1,, }', "line 1 column 9"),
        ('{"a": 1', "delimiter"),
        ("- 1\n- 2", "is no object"),
        ("[1]", "is no object"),
        ("just words", "is no object"),
        ("a: &x [*x]", "cannot be read"),
        ("{" * 100_000, "cannot be read"),
        ('{"a":' * 100_000, "too deep"),
        (BOMB, "more than 1,000,000 values"),
        ("!!python/object:os.system x", "cannot be read"),
    ],
)
def test_bad_text_is_named_with_its_place(tmp_path, text, says):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_object(str(path), field="-c")
    assert says in str(caught.value)
    assert str(caught.value).startswith("-c: ")


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "latin").write_bytes(b"a: \xe9")
    for given_, says in (
        (str(tmp_path / "nothing.yaml"), "No such file"),
        (str(tmp_path), "Is a directory"),
        (str(tmp_path / "latin"), "not UTF-8"),
        ("x\0y", "cannot read"),
        ("x" * 5000, "File name too long"),
    ):
        with pytest.raises(UsageError, match=says):
            read_object(given_, field="-c")


def test_the_shape_of_a_launch_spec():
    plain = read_config('{"lr": 1, "overrides": {"lr": 2}}')
    assert plain == {"overrides": {"run_config": {"lr": 1, "overrides": {"lr": 2}}}}
    spec = '{"project": "p", "overrides": {"run_config": {"lr": 1}, "entry_point": ["a"]}}'
    assert read_config(spec)["overrides"] == {"run_config": {"lr": 1}, "entry_point": ["a"]}


def test_a_launch_spec_is_read_as_wandb_wrote_it(capsys):
    spec = read_config(
        '{"job": "train:v1", "author": "me", "docker": {}, "git": {}, "uri": null, "queue": "gpu",'
        ' "resource": "local-process", "resource_args": {"local-process": {"gpus": 1}},'
        ' "template_variables": {"n": "2"}, "priority": 0, "overrides": {"args": [],'
        ' "run_config": {"lr": 1}, "entry_point": []}}'
    )
    assert capsys.readouterr().err.startswith("note: author of the launch spec is not used: ")
    assert spec["resource_args"] == {"local-process": {"gpus": 1}}
    assert (spec["queue"], spec["priority"]) == ("gpu", "critical")
    assert spec["overrides"] == {"run_config": {"lr": 1}}
    alone = read_config('{"resource_args": {"gpus": 1}, "priority": "LOW"}')
    assert (alone["resource_args"], alone["priority"]) == ({"gpus": 1}, "low")
    # A configuration may have keys that are named as a spec's.
    for plain in ({"name": "x", "project": "y"}, {"resource_args": {"a": 1}, "lr": 1}):
        assert read_config(json.dumps(plain)) == {"overrides": {"run_config": plain}}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"overrides": {"args": "x"}}, "overrides.args is no list of texts"),
        ({"overrides": {"args": [1]}}, "overrides.args is no list of texts"),
        ({"overrides": {"dockerfile": 1}}, "overrides.dockerfile is no text"),
        ({"overrides": {"files": ["a"]}}, "overrides.files is no object"),
        (
            {"overrides": {"run_config": {"a": 1}}, "docker": {"docker_image": 1}},
            "docker.docker_image is no text",
        ),
        ({"overrides": {"run_config": 3}}, "overrides.run_config is no object"),
        ({"overrides": {"entry_point": [1]}}, "overrides.entry_point is no command"),
        ({"overrides": {"entry_point": 1}}, "overrides.entry_point is no command"),
        ({"overrides": {"run_config": {"a": 1}}, "sweep_id": "x"}, "'sweep_id' of a launch spec"),
        ({"overrides": {"run_config": {"a": 1}}, "resource_args": 1}, "resource_args is no object"),
        ({"resource_args": {"gpus": 1}, "queue": 3}, "queue is no text"),
        ({"resource_args": {"gpus": 1}, "priority": 4}, "priority: '4' is no priority"),
        ({"resource_args": {"gpus": 1}, "priority": True}, "priority: 'True' is no priority"),
        ({"resource_args": {"a": 1}, "resource": "lsf"}, "no target resource is called 'lsf'"),
    ],
)
def test_a_spec_that_asks_for_what_there_is_not(spec, says):
    with pytest.raises(UsageError, match="-c") as caught:
        read_config(json.dumps(spec))
    assert says in str(caught.value)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_what_is_written_for_an_editor_reads_back(values):
    assert parse_document(f"# title\n{dump_yaml(values)}", where="it", field="x") == values


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(" a:#'|-\n\t"), max_size=3).map("\n".join))
def test_lines_of_text_read_back_too(text):
    values = {"setup": text, "in": {"ner": [text]}}
    assert parse_document(dump_yaml(values), where="it", field="x") == values


def test_lines_are_written_as_lines():
    assert dump_yaml({"setup": "a\nb: c\n"}) == "setup: |\n  a\n  b: c\n"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        parse_document(text, where="it", field="x")
    except UsageError as error:
        assert error.field == "x"  # noqa: PT017


def test_merges_of_merges_are_bounded():
    levels = [f"k{n}: &k{n} {{<<: [{', '.join([f'*k{n - 1}'] * 50)}]}}" for n in range(1, 30)]
    with pytest.raises(UsageError, match="more than"):
        parse_document("\n".join(["k0: &k0 {x: 1}", *levels]), where="the text", field="-c")
    once = parse_document("a: &a {x: 1}\nb: {<<: *a, y: 2}\n", where="the text", field="-c")
    assert once == {"a": {"x": 1}, "b": {"x": 1, "y": 2}}
