"""From words to a verb with its flags: any order, one-line refusals, nothing ignored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.cli.parsing import find_verb, parse, split_globals
from launch_tui.cli.verbs import BY_WORDS, GLOBAL_FLAGS, VERBS
from launch_tui.errors import UsageError


def read(*argv):
    given = split_globals(argv)
    verb, rest = find_verb(given.rest)
    return parse(verb, rest, given)


def understood(*argv):
    found = read(*argv)
    return found.verb, found.words, found.values, found.command, found.home, found.json


def test_words_and_flags_stand_in_any_order():
    expected = understood("launch", "train", "lr=1", "a=2", "-q", "gpu", "--json", "--tag", "x")
    for argv in (
        ["launch", "-q", "gpu", "train", "--tag", "x", "lr=1", "--json", "a=2"],
        ["--json", "launch", "train", "-qgpu", "lr=1", "--tag=x", "a=2"],
        ["launch", "train", "lr=1", "--json", "a=2", "--tag", "x", "--queue=gpu"],
    ):
        assert understood(*argv) == expected


def test_what_follows_two_dashes_is_the_command():
    found = read("launch", "-q", "gpu", "--", "python", "train.py", "--json", "-q", "x", "--")
    assert found.command == ["python", "train.py", "--json", "-q", "x", "--"]
    assert not found.json
    assert found.text("queue") == "gpu"


def test_home_and_debug_stand_anywhere():
    for argv in (
        ["--home", "/x", "runs"],
        ["runs", "--home=/x"],
        ["runs", "--debug", "--home", "/x"],
    ):
        assert read(*argv).home == "/x"


def test_values_may_begin_with_a_dash_after_an_equals_sign():
    assert read("launch", "x", "--note=-5%").text("note") == "-5%"
    assert read("launch", "x", "lr=-1e-3").words == ["x", "lr=-1e-3"]


def test_tags_to_take_away_and_notes_are_no_flags():
    assert read("tag", "@", "good", "-bad").words == ["@", "good", "-bad"]
    assert read("note", "@", "- tried again").words == ["@", "- tried again"]


def test_agent_only_is_agent_run():
    found = read("-q", "a", "--agent-only", "-q", "b", "-j", "3", "--json")
    assert found.verb is BY_WORDS["agent", "run"]
    assert found.many("queue") == ("a", "b")
    assert found.number("max_jobs") == 3


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["lanch"], "lanch: there is no such verb; did you mean launch?"),
        (["queue", "crate"], "crate: there is no such verb; did you mean queue create?"),
        (["queue"], "queue: needs a verb (allowed: create, list"),
        (["job", "create"], "job create: needs a verb (allowed: code, git, image)"),
        (["zzzzzz"], "zzzzzz: there is no such verb (allowed: launch, "),
        (["launch", "--queeu", "x"], "--queeu: launch has no such flag; did you mean --queue?"),
        (["launch", "--quux=1"], "--quux: launch has no such flag"),
        (["runs", "-Z"], "-Z: runs has no such flag"),
        (["launch", "x", "-q"], "-q: needs a value"),
        (["launch", "x", "--name"], "--name: needs a value"),
        (["runs", "-n", "many"], "-n: 'many' is not a whole number"),
        (["show"], "RUN: is missing (allowed: launch-tui show RUN)"),
        (["show", "a", "b"], "b: is one word too many: show takes RUN"),
        (["cp", "a:b"], "DEST: is missing"),
        (["--home"], "--home: needs a value"),
        (["-q", "x", "launch"], "-q: comes after a verb"),
        (["--frob"], "--frob: there is no such flag (allowed: --agent-only"),
        (["stop", "@", "--json"], "--json: stop prints nothing to be read by a program"),
        (["launch", "--agent-only"], "--agent-only: cannot stand together with 'launch'"),
        (["demo", "--headles"], "--headles: demo has no such flag; did you mean --headless?"),
    ],
)
def test_wrong_use_is_one_line_that_names_the_word(argv, says):
    with pytest.raises(UsageError) as caught:
        read(*argv)
    assert str(caught.value).startswith(says)
    assert caught.value.exit_status == 2


def test_flags_of_a_verb_do_not_clash():
    for verb in VERBS:
        names = [name for flag in (*verb.flags, *GLOBAL_FLAGS) for name in flag.names]
        assert len(names) == len(set(names)), verb.name
        keys = [flag.key for flag in verb.flags]
        assert len(keys) == len(set(keys)), verb.name


def test_every_handler_is_there():
    from importlib import import_module

    for verb in VERBS:
        module, _, function = verb.handler.rpartition(".")
        assert callable(getattr(import_module(f"launch_tui.cli.{module}"), function)), verb.name


WORDS = st.one_of(
    st.sampled_from(
        ["launch", "runs", "queue", "create", "job", "code", "-q", "--json", "--", "--home", "-n",
         "lr=1", "x", "--gpus", "-", "", "--note=a", "tag", "@", "--agent-only", "-h"]
    ),
    st.text(max_size=8),
)  # fmt: skip


@given(st.lists(WORDS, max_size=8))
def test_any_command_line_is_understood_or_refused(argv):
    given = split_or_none(argv)
    if given is None:
        return
    try:
        verb, rest = find_verb(given.rest)
        if verb is not None:
            parse(verb, rest, given)
    except UsageError as error:
        assert error.field or error.problem  # noqa: PT017


def split_or_none(argv):
    try:
        return split_globals(argv)
    except UsageError:
        return None
