"""Hearing what a script declares, and reading it from a file that lies in the job's hands."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from launch_tui.tracking.declared import (
    HOOK_VARIABLE,
    declared_size,
    install,
    listening,
    put_first,
    read,
)

LINE = {"file": "", "include": ["a", r"b\.c.d"], "exclude": None, "schema": None, "content": None}


@pytest.fixture
def heard(tmp_path):
    """Returns ``heard(*lines)``: what is read of these lines, and what is complained about."""

    def read_lines(*lines):
        raw = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines]
        (tmp_path / "inputs.jsonl").write_bytes(b"\n".join(raw) + b"\n")
        complaints = []
        return read(tmp_path, complaints.append), complaints

    return read_lines


def test_a_declaration(heard):
    (one,), complaints = heard(LINE)
    assert (one.file, one.include, one.exclude) == ("", (("a",), ("b.c", "d")), ())
    assert complaints == []
    (one,), _ = heard({**LINE, "file": "./conf/a.yaml", "content": "a: 1\nb: [x]\n"})
    assert (one.file, one.content) == ("conf/a.yaml", {"a": 1, "b": ["x"]})
    (one,), _ = heard({**LINE, "schema": {"properties": {"a": {"required": True}}}})
    assert one.schema == {"properties": {"a": {}}, "required": ["a"]}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "line",
    [
        b"", b"rubbish", b"[]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"file": 3}',
        {**LINE, "file": "a.toml"}, {**LINE, "file": ["a.json"]},
    ],
)  # fmt: skip
def test_what_is_no_declaration_is_left_out(heard, line):
    found, _ = heard(line, LINE)
    assert len([one for one in found if one.include]) == 1
    assert len(found) <= 2


@pytest.mark.parametrize("content", [3, "[1]", "a: [", "\x00", BOMB, "x", None, "a: .inf"])
def test_a_content_that_cannot_be_read_is_none(heard, content):
    (one,), _ = heard({**LINE, "file": "a.yaml", "content": content})
    assert one.content is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": 3},
        {"properties": {"a": {"$ref": "https://example.invalid/x"}}},
        {"properties": {"a": {"pattern": "("}}, "type": "nonsense"},
    ],
)
def test_a_schema_that_is_none_is_complained_about(heard, schema):
    (one,), complaints = heard({**LINE, "schema": schema})
    assert one.schema is None
    assert len(complaints) == 1
    assert complaints[0].startswith("the schema of wandb.config: ")


def test_only_a_plain_file_is_read(tmp_path):
    assert read(tmp_path, pytest.fail) == []
    assert declared_size(tmp_path) == 0
    os.mkfifo(tmp_path / "inputs.jsonl")
    assert read(tmp_path, pytest.fail) == []
    (tmp_path / "inputs.jsonl").unlink()
    (tmp_path / "real").write_text(json.dumps(LINE))
    (tmp_path / "inputs.jsonl").symlink_to(tmp_path / "real")
    assert read(tmp_path, pytest.fail) == []


def run(tmp_path, code, **environment):
    install(tmp_path)
    variables = put_first({**os.environ, **listening(tmp_path), **environment})
    assert HOOK_VARIABLE not in variables
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.split()


def test_the_module_leaves_no_trace_where_wandb_is_not(tmp_path):
    code = "import sys; print(len([p for p in sys.path if 'hook' in p]), sys.path[0] == '')"
    assert run(tmp_path, code) == ["0", "True"]


def test_a_job_that_is_to_be_left_alone_gets_no_path(tmp_path):
    code = "import os; print(os.environ.get('PYTHONPATH'))"
    assert run(tmp_path, code, LAUNCH_TUI_INPUTS="", PYTHONPATH="own") == ["own"]


def test_a_sitecustomize_behind_it_runs_and_is_what_is_imported(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("print('own')\nvalue = 3\n")
    code = "import sitecustomize; print(sitecustomize.value)"
    assert run(tmp_path, code, PYTHONPATH=str(own)) == ["own", "3"]


@pytest.mark.parametrize("place", ["/nowhere/inputs.jsonl", "/proc/inputs.jsonl"])
def test_a_place_that_cannot_be_written_costs_the_job_nothing(tmp_path, place):
    package = tmp_path / "wandb" / "sdk" / "launch" / "inputs"
    package.mkdir(parents=True)
    # Stands for wandb's module where only the names matter that are listened to.
    (package / "internal.py").write_text(
        "class JobInputArguments:\n    def __init__(self, **named):\n"
        "        self.__dict__.update(named)\n\n\ndef override_file(path):\n    return path\n"
    )
    code = (
        "from wandb.sdk.launch.inputs import internal as i; print(i.override_file('x'));"
        "told = i.JobInputArguments(file_path='x', include=None, exclude=None, schema=None);"
        "print(told.file_path)"
    )
    assert run(tmp_path, code, LAUNCH_TUI_INPUTS=place) == ["x", "x"]
    assert run(tmp_path, code, LAUNCH_TUI_INPUTS=str(tmp_path / "inputs.jsonl")) == ["x", "x"]
    assert declared_size(tmp_path) > 0
