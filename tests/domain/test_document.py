"""Documents that a person gives: YAML 1.2 and JSON, and what is refused of them."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.document import MAX_BYTES, MAX_DEPTH, check_plain, dotted, read_document
from launch_tui.errors import UsageError


def refusal(text):
    with pytest.raises(UsageError) as error:
        read_document(text, "-c")
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"gpus": 2}', {"gpus": 2}),
        ("{gpus: 2}", {"gpus": 2}),
        ('{"gpus": 2,} # with a comment', {"gpus": 2}),
        ("gpus: 2", {"gpus": 2}),
        ("gpus: 2\nenv:\n  A: x\n", {"gpus": 2, "env": {"A": "x"}}),
        ("---\ngpus: 2", {"gpus": 2}),
        ("", {}),
        ("# nothing\n", {}),
        ("a:", {"a": None}),
        ("a: ~", {"a": None}),
    ],
)
def test_documents(text, value):
    assert read_document(text, "-c") == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 0.001),
        (".5", 0.5),
        ("1.", 1.0),
        ("-3", -3),
        ("+3", 3),
        ("0x1F", 31),
        ("0o27", 23),
        ("0644", 420),
        ("08", 8),
        ("no", "no"),
        ("on", "on"),
        ("NO", "NO"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("2:00:00", "2:00:00"),
        ("2020-01-01", "2020-01-01"),
        ("1_000", "1_000"),
        ("3.11.4", "3.11.4"),
        ('"3"', "3"),
        ("20G", "20G"),
        ('"{{n}}"', "{{n}}"),
        ("=", "="),
    ],
)
def test_values_of_yaml(written, value):
    found = read_document(f"a: {written}\n", "-c")["a"]
    assert found == value
    assert type(found) is type(value)


def test_a_file_a_byte_order_mark_and_stdin(tmp_path, monkeypatch):
    path = tmp_path / "queue config"
    path.write_bytes(b"\xef\xbb\xbfgpus: 1\n")
    assert read_document(path, "-c") == read_document(str(path), "-c") == {"gpus": 1}
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"gpus: 3")))
    assert read_document("-", "-c") == {"gpus": 3}


def test_a_file_that_is_not_there_and_one_that_is_no_text(tmp_path):
    assert "cannot read nothere.yaml: No such file" in refusal("nothere.yaml")
    assert "Is a directory" in refusal(str(tmp_path))
    assert "cannot read a\0b: embedded null byte" in refusal("a\0b")
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in refusal(str(tmp_path / "x"))


def test_anchors_and_merge_keys_are_read():
    text = "base: &b {x: 1, z: 3}\nc:\n  <<: *b\n  x: 2\nd: [*b, *b]\ne: {<<: [*b, {y: 1}]}\n"
    base = {"x": 1, "z": 3}
    assert read_document(text, "-c") == {
        "base": base,
        "c": {"x": 2, "z": 3},
        "d": [base, base],
        "e": {"x": 1, "z": 3, "y": 1},
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": 1, "a": 2}', "-c a: is given twice"),
        ('{"a": {"b": 1, "b": 2}}', "-c b: is given twice"),
        ("a: 1\na: 2", "-c a: is given twice (line 2)"),
        ("o:\n  a: 1\n  a: 2\n", "-c o.a: is given twice (line 3)"),
        (
            "{gpus: {{n}}}",
            '-c gpus: has an object as a key (allowed: a hole in quotes: "{{name}}")',
        ),
        ("1: 2", "-c 1: is a key that is no text (allowed: a key in quotes)"),
        ("a: .nan", "-c a: nan is not a finite number"),
        ("a: [1, -.inf]", "-c a.1: -inf is not a finite number"),
        ("a: 9e999", "-c a: inf is not a finite number"),
        ('{"a": NaN}', "-c a: nan is not a finite number"),
        ('{"a": 1e999}', "-c a: inf is not a finite number"),
        ('{"a": "\\ud800"}', "-c a: holds half a character"),
        ('{"\\ud800": 1}', "-c: holds half a character"),
        ('{"a": ' + "9" * 5000 + "}", "-c: holds a number of too many digits"),
        ('{"a": ' + "9" * 400 + "}", "-c a: is a number of too many digits"),
        ("a: 0x" + "f" * 5000, "-c: cannot be read: a number of too many digits"),
        ("a: !!binary aGk=", "-c a: is of type bytes, which JSON does not have"),
        ("a: !!python/object/apply:os.system [x]", "-c: cannot be read: could not determine"),
        ("a: b: c", "-c: cannot be read: mapping values are not allowed here (line 1, column 5)"),
        ('{"a": 1 "b": 2}', "-c: cannot be read: Expecting ',' delimiter: line 1 column 9"),
        (
            "a: 1\n---\nb: 2",
            "-c: cannot be read: expected a single document in the stream, "
            "but found another document (line 2, column 1)",
        ),
        ("a: '\x07'", "-c: cannot be read: unacceptable character"),
        ("[1]", "-c: is a list, no object"),
        ("- a\n- b\n", "-c: is a list, no object"),
        ("a\nb", "-c: is a single value, no object"),
        ("x: &x {y: *x}", "-c x.y: is an alias of what it is in"),
        ("x: &x\n  <<: *x\n", "-c x.<< 0: is an alias of what it is in"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(text, line):
    assert refusal(text).startswith(line)


def test_a_bomb_of_aliases_is_refused_before_it_goes_off():
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    assert "stands for more than 50,000 values" in refusal(bomb)
    merge = "a0: &a0 {k: 1}\n" + "".join(
        f"a{n}: &a{n} {{x{n}: *a{n - 1}, y{n}: *a{n - 1}, <<: *a{n - 1}}}\n" for n in range(1, 30)
    )
    assert "stands for more than 50,000 values" in refusal(merge)


def test_a_document_that_is_too_large_is_refused(tmp_path):
    assert "more than 1 MB" in refusal("a: " + "x" * MAX_BYTES + "\n")
    assert "more than 1 MB" in refusal("a: " + "é" * (MAX_BYTES // 2) + "\n")
    # The limit cuts a character in two.
    (tmp_path / "large").write_text("aa: " + "é" * (MAX_BYTES // 2))
    assert "more than 1 MB" in refusal(str(tmp_path / "large"))
    assert "more than 1 MB" in refusal("/dev/zero")


def test_a_document_of_too_many_values_is_refused_before_all_of_it_is_read():
    many = "a: [" + "x," * 60_000
    assert "cannot be read: more than 50,000 values" in refusal(many + "]\n")
    # What makes it no YAML stands behind so many values.
    assert "more than 50,000 values" in refusal(many + "]]]\n")
    assert "more than" not in refusal("a: [" + "x," * 600 + "]]]\n")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "- " * 20_000 + "\n",
        "{a: " * 60 + "1" + "}" * 60,
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 60)),
    ],
)
def test_a_document_that_is_too_deep_is_refused(text):
    assert f"nested more than {MAX_DEPTH} deep" in refusal(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
json_objects = st.dictionaries(st.text(st.characters(codec="utf-8")), json_values, max_size=4)


@given(json_objects)
def test_json_is_read_as_json(value):
    assert read_document(json.dumps(value), "-c") == value


def outcome(text):
    try:
        return read_document(text, "-c")
    except UsageError as error:
        return str(error)


@given(st.text(st.sampled_from("ab:{}[]&*<-?!|>'\"#%@,. \n0~e")))
def test_any_text_is_read_or_refused_on_one_line(text):
    for document in ("{" + text, "a: " + text):
        found = outcome(document)
        if isinstance(found, str):
            assert "\n" not in found
        else:
            assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize("value", [{1: 2}, {"a": {None: 1}}, {"a": {1, 2}}, {"a": object()}])
def test_what_is_no_json_is_refused(value):
    with pytest.raises(UsageError):
        check_plain(value, "-R")


def test_what_goes_round_in_circles_is_refused():
    circle = {}
    circle["a"] = [circle]
    with pytest.raises(UsageError, match=f"nested more than {MAX_DEPTH} deep"):
        check_plain(circle, "-R")


@given(st.lists(st.text(".\\ab", min_size=1), min_size=1), st.lists(st.text(".\\ab", min_size=1)))
def test_different_paths_have_different_dotted_names(one, other):
    assert (dotted(one) == dotted(other)) == (one == other)


def test_json_is_read_without_the_yaml_reader():
    code = (
        "import sys; from launch_tui.domain.resource_config import read_document;"
        "read_document('{\"gpus\": 2}', '-R'); sys.exit('yaml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("value", ["!!float", "!!bool x", "!!timestamp x", "!!int ''", "!!set [1]"])
def test_a_value_that_its_tag_does_not_fit_is_refused(value):
    """Found by the fuzzer: PyYAML has errors of Python's own for these."""
    from launch_tui.cli.documents import parse_document

    for read in (
        lambda text: read_document(text, "-c"),
        lambda text: parse_document(text, where="the text", field="-c"),
    ):
        with pytest.raises(UsageError, match="-c"):
            read(f"a: {value}\n")
