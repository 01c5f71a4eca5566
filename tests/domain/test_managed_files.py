from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.managed_files import (
    check_files,
    join_files,
    joined_key,
    path_of,
    split_files,
    split_key,
    written_key,
)
from launch_tui.domain.params import parse_params, product
from launch_tui.domain.words import flattened, parse_assignments
from launch_tui.errors import UsageError
from launch_tui.sdk.request import LaunchRequest, command_line

KEYS = st.text(st.characters(codec="ascii", exclude_characters="=:"), min_size=1)


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("lr", ["lr"]),
        ("a.b.c", ["a", "b", "c"]),
        (r"a\.b.c", ["a.b", "c"]),
        (r"a\\.b", ["a\\", "b"]),
        (r"a\b", ["a\\b"]),
        ("conf/c.json:lr", ["conf/c.json:", "lr"]),
        ("a.b/c.yaml:x.y", ["a.b/c.yaml:", "x", "y"]),
        (r"t.yml:x\.y", ["t.yml:", "x.y"]),
        ("t.toml:x", ["t", "toml:x"]),
    ],
)
def test_what_a_word_names(word, path):
    assert split_key(word) == path


@given(st.lists(KEYS, min_size=1, max_size=4), st.booleans())
def test_a_key_reads_as_it_was_written(path, in_file):
    path = ["a.b/c.json:", *path] if in_file else path
    assert split_key(written_key(path)) == path


@pytest.mark.parametrize("name", ["a\\\\.yml:", "a.yml:b.yml:", "a.yml:", ".yml:", ""])
@pytest.mark.parametrize("more", [[], ["lr"], ["a.b", "c"]])
def test_names_like_a_files_are_written_so_that_they_are_read(name, more):
    assert split_key(written_key([name, *more])) == [name, *more]


def test_words_of_files_nest_beside_those_of_the_config():
    config = parse_assignments(["lr=1", "c.yaml:opt.lr=2", "c.yaml:n=x", "d/e.json:k=null"])
    assert config == {
        "lr": 1,
        "c.yaml:": {"opt": {"lr": 2}, "n": "x"},
        "d/e.json:": {"k": None},
    }
    assert [key for key, _ in flattened(config)] == [
        "lr",
        "c.yaml:opt.lr",
        "c.yaml:n",
        "d/e.json:k",
    ]
    own, files = split_files(config)
    assert (own, list(files)) == ({"lr": 1}, ["c.yaml", "d/e.json"])
    assert join_files(own, files) == config


def test_parameters_of_files():
    params = parse_params(["c.yaml:n=1,2", "lr=0.1"])
    assert product(params) == [{"c.yaml:": {"n": n}, "lr": 0.1} for n in (1, 2)]
    with pytest.raises(UsageError, match=r"c\.yaml:a\.b lies within c\.yaml:a"):
        parse_params(["c.yaml:a=1,2", "c.yaml:a.b=1"])


@pytest.mark.parametrize("words", [["c.yaml:a=1", "c.yaml:a.b=2"], ["c.yaml:a..b=1"]])
def test_words_that_contradict_are_refused(words):
    with pytest.raises(UsageError):
        parse_assignments(words)


@pytest.mark.parametrize("path", ["/etc/x.json", "../x.yaml", "a/../../x.yml"])
def test_paths_that_lead_out_are_refused(path):
    with pytest.raises(UsageError, match="below the job's folder"):
        check_files({f"{path}:": {"a": 1}})
    assert parse_assignments(['x.json:={"a": 1}']) == {"x.json:": {"a": 1}}
    with pytest.raises(UsageError, match="takes values by key"):
        check_files({"x.json:": 3})


def test_only_json_and_yaml_are_files():
    found = [path_of(key) for key in ("a.json:", "a.yaml:", "a.yml:", "a.toml:", "a.json", "a:")]
    assert found == ["a.json", "a.yaml", "a.yml", "", "", ""]
    assert joined_key(["a.json:", "b", "c"]) == "a.json:b.c"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"lr": 1, "c.yaml:": {"a": {"b": "x"}}}, " lr=1 c.yaml:a.b=x"),
        (
            {"c.yaml:": {"a.b": 1}},
            """ -c '{"overrides": {"run_config": {}, "files": {"c.yaml": {"a.b": 1}}}}'""",
        ),
    ],
)
def test_the_command_that_asks_for_the_same(config, words):
    assert command_line(LaunchRequest(job="j", queue="q", config=config)).endswith(f"-q q{words}")
