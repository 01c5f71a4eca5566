"""The language of ``runs --filter``."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.expression import (
    MAX_DEPTH,
    AllOf,
    AnyOf,
    Comparison,
    Not,
    Place,
    Word,
    conjuncts,
    parse,
)
from launch_tui.domain.filter import Filter
from launch_tui.domain.run import Run, RunState
from launch_tui.errors import UsageError

NOW = 1_800_000_000.0
RUN = Run(
    id="ab12cd34",
    name="ResNet baseline",
    project="vision",
    job="train",
    version="v3",
    queue="gpu",
    resource="local-process",
    state=RunState.FAILED,
    phase="run",
    cause="exit 137",
    exit_code=137,
    tracked=True,
    config={"lr": 0.001, "model": {"depth": 18}, "a.b": 1, "amp": True, "opt": "adam"},
    summary={"loss": 0.25, "acc": {"val": 0.9}},
    tags=("baseline", "Night"),
    note="second try",
    created_at="2027-01-15T06:00:00.000000Z",
    started_at="2027-01-15T06:30:00.000000Z",
    ended_at="2027-01-15T07:00:00.000000Z",
    directory="/tmp/x",
    author="ada",
)


def matches(text: str, run: Run = RUN) -> bool:
    return Filter(text).matches(run, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "state=failed",
        "state==failed",
        "state!=finished",
        "config.lr=1e-3",
        "cfg.lr>=1e-3",
        "c.lr<0.01",
        "config.model.depth=18",
        "config.a.b=1",
        "config.amp=true",
        "config.opt=adam",
        "s.loss<0.3",
        "summary.acc.val>0.8",
        "tag:baseline",
        "tags=baseline",
        "tag:night",
        "tag~^Ni",
        "not tag:other",
        "-tag:other",
        "-note:debug",
        "note:TRY",
        "resnet",
        '"ResNet base"',
        "'exit 137'",
        "exit_code=137",
        "exit_code>100",
        "tracked=true",
        "state=failed queue=gpu",
        "state=failed and queue=gpu",
        "state=finished or queue=gpu",
        "not (state=finished or queue=cpu)",
        "state=finished and queue=cpu or job=train",
        "duration=30m",
        "duration>1799 duration<1h",
        "duration=1800",
        "age>1h30m",
        "age<2h30m",
        "created>2027-01-15",
        "created>2027-01-15T05:59:00",
        "name~^Res.et",
        "name!~debug",
        'name="ResNet baseline"',
        "config.nothing!=1",
        "image!=x",
        "job=train AND version=v3",
        "loss or resnet",
        "lr>=1e-3",
        "lr>=1e-3 state:failed -tag:debug loss<0.3",
        "model.depth=18",
        "a.b=1",
        "acc.val>0.8",
        "opt:AD",
        '"opt"=adam',
        "q:gp j=train s:failed",
        "state:bad",
        "state=ended",
        "state!=active",
        "nothing!=1",
        "author=ada",
    ],
)
def test_matches(text):
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "state=finished",
        "config.lr>0.001",
        "config.lr=text",
        "config.nothing=1",
        "config.nothing>0",
        "config.opt>5 config.lr=5",
        "config.lr<-1",
        "tag:base",
        "-resnet",
        "not state=failed",
        "state=failed queue=cpu",
        "state=failed and (queue=cpu or queue=slurm)",
        "duration>30m",
        "image=x",
        "image~x",
        "zebra",
        "config.amp=1",
        "config.amp>0",
        "lr>1e-3",
        "summary.lr>0",
        "config.loss<1",
        "nothing<1",
        "state:active",
        "state:waiting",
        "-state:bad",
        "author=bob",
    ],
)
def test_does_not_match(text):
    assert not matches(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stat=failed", "no field 'stat', did you mean 'state'?"),
        ("queues:gpu", "config.queues or summary.queues"),
        ("config=1", "no field 'config'"),
        ("config.=1", "no field 'config.'"),
        ("state=", "the end"),
        ("(state=failed", "')' was expected"),
        ("state=failed)", "not expected"),
        ("=failed", "a field or a word was expected"),
        ("state=failed or", "the end"),
        ("not", "the end"),
        ('name~"("', "no regular expression"),
        ('name="open', "cannot be read"),
        ("state=banana", "'banana' is no state (allowed: queued, held, claimed"),
        ("state=fai", "no state"),
        ("state!=Failed", "no state"),
        ("state:banana", "no state"),
        ("not s:x", "no state"),
        ("state>failed", "state has no order to compare by (allowed: =, !=, :, ~, !~)"),
        ("tags>a", "tags has no order"),
        ("priority=urgent", "'urgent' is no priority (allowed: critical, high, medium, low)"),
        ("resource=docker", "no resource"),
        ("sync:frob", "no sync (allowed: unsynced, waiting"),
        ("failure=banana", "no failure"),
        ("tracked=maybe", "'maybe' is no tracked (allowed: true, false)"),
        ("exit_code:abc", "'abc' is no number to compare exit_code with (allowed: a number)"),
        ("attempt>many", "no number"),
        ("created>yesterday", "'yesterday' is no time to compare created_at with"),
        ("ended<=2h", "no time"),
        ("(" * (MAX_DEPTH + 1) + "x" + ")" * (MAX_DEPTH + 1), "deep"),
    ],
)
def test_says_what_is_wrong(text, says):
    with pytest.raises(UsageError) as caught:
        Filter(text)
    assert says in str(caught.value)
    assert str(caught.value).startswith("--filter: ")


def test_a_value_can_be_typed_letter_by_letter():
    for text in ("state:active", "s:failed", "created>2027-01-15T06", "tracked:true"):
        at = re.search("[:>]", text).end()
        for end in range(at + 1, len(text) + 1):
            Filter(text[:end])


@pytest.mark.parametrize(
    "text",
    [
        "exit_code:-1",
        "exit_code=1e2",
        "sync=''",
        "tracked=True",
        "exit_code~x",
        "ended<2027-01-15T06:00:00.5+01:00",
    ],
)
def test_what_a_field_can_be_is_taken(text):
    Filter(text)


def test_a_bare_key_is_the_configurations_before_it_is_a_metric():
    both = replace(RUN, config={"x": 1, "y": None}, summary={"x": 2, "y": 3})
    assert matches("x=1 s.x=2 y=3", both)
    assert not matches("x=2", both)


def test_a_tree_says_what_a_text_means():
    meant = parse("lr>1 -state:failed")
    assert conjuncts(meant) == (
        Comparison(Place.EITHER, "lr", ">", "1"),
        Not(Comparison(Place.FIELD, "state", ":", "failed")),
    )
    assert parse("  ") == AllOf()
    assert conjuncts(parse("a or b")) == (AnyOf((Word("a"), Word("b"))),)


def test_a_waiting_run_has_no_duration_and_a_running_one_has_one_by_now():
    waiting = replace(RUN, started_at=None, ended_at=None, state=RunState.QUEUED)
    assert not matches("duration<1w", waiting)
    running = replace(RUN, ended_at=None, state=RunState.RUNNING)
    assert matches("duration=1h30m", running)


FRAGMENTS = st.lists(
    st.sampled_from(
        ["state=failed", "config.lr>0.1", "tag:a", "or", "and", "not", "(", ")", "-", "x", "<", '"']
    ),
    max_size=12,
).map(" ".join)


@given(st.one_of(st.text(max_size=60), FRAGMENTS))
def test_any_text_is_a_filter_or_a_usage_error(text):
    try:
        made = Filter(text)
    except UsageError:
        return
    assert made.matches(RUN, NOW) in (True, False)


TERMS = st.sampled_from(["state=failed", "state=queued", "config.lr>1", "resnet", "duration>1h"])


@given(TERMS, TERMS)
def test_the_laws_of_logic_hold(a, b):
    assert matches(f"not ({a} or {b})") == matches(f"(not {a}) and (not {b})")
    assert matches(f"not not {a}") == matches(a)
    assert matches(f"{a} {b}") == matches(f"({a}) and ({b})")
    assert matches(f"-({a})") != matches(a)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_numbers_compare_as_numbers(value, bound):
    run = replace(RUN, summary={"x": value})
    assert matches(f"summary.x<{bound!r}", run) == (value < bound)
    assert matches(f"summary.x={bound!r}", run) == (value == bound)
