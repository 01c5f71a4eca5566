"""What SQL rules out of a filter is never meant by it: the two are held against each other."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launch_tui.domain.filter import Filter
from launch_tui.domain.job import CodeSource, Environment, JobKind, VenvMode
from launch_tui.domain.queue import Queue, Resource
from launch_tui.domain.run import RunState
from launch_tui.domain.spec import RunSpec
from launch_tui.store import enqueuing, queues, read, searching
from launch_tui.store.database import Database
from launch_tui.store.enqueuing import NewRun
from launch_tui.store.filter_sql import condition_of
from launch_tui.store.paths import Home
from launch_tui.store.read import RunQuery

NOW = 1_800_000_000.0
AWKWARD = (
    {"lr": 0.001, "model": {"depth": 18, "a.b": 2}, "a.b": {"c": 3}, "opt": "adam"},
    {"lr": "0.001", "amp": True, "a": {"b": {"c": "x"}}, "opt": ["adam", "sgd"]},
    {"lr": float("nan"), "opt": None, "a.b.c": 5},
    {"lr": float("inf"), "opt": "KELVIN \u212a", "amp": False},
    {"lr": -1e-300, "opt": "\u0130stanbul", "a": {"b.c": 7}},
    {"lr": 10**25, "opt": 'say "hi" \\ there'},
    {},
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A store with runs that differ in everything a filter can look at."""
    spec = RunSpec(
        kind=JobKind.CODE, source=CodeSource(digest="d", path="/x"), command=("true",),
        environment=Environment(mode=VenvMode.NONE), author="ada",
    )  # fmt: skip
    with Database(Home(tmp_path_factory.mktemp("filled") / "home")) as db:
        for name in ("gpu", "gpu2", "cpu"):
            queues.create(db, Queue(name=name, resource=Resource.LOCAL_PROCESS))
        states = list(RunState)
        for number in range(28):
            config = AWKWARD[number % len(AWKWARD)]
            new = NewRun(
                queue=("gpu", "gpu2", "cpu")[number % 3], job="job", version="v0", spec=spec,
                name=f"Run-{number} K\u00c9", project="p", config=config,
                tags=("Night", 'dé"bug')[: number % 3],
            )  # fmt: skip
            run_id = enqueuing.enqueue(db, [new])[0].id
            values = {
                "state": states[number % len(states)],
                "observed": json.dumps(AWKWARD[(number + 3) % len(AWKWARD)]),
                "summary": json.dumps({"loss": number / 10, "acc": {"val": 1 - number / 30}}),
                "cause": (None, "exit 137", "Out of memory")[number % 3],
                "exit_code": (None, 0, 137)[number % 3],
                "created_at": f"2027-01-15T0{number % 9}:00:00.000000Z",
                "started_at": None if number % 4 else "2027-01-15T06:30:00.000000Z",
            }
            sets = ", ".join(f"{name} = :{name}" for name in values)
            db.execute(f"UPDATE runs SET {sets} WHERE id = :id", {**values, "id": run_id})
        yield db


def meant(db, text):
    """The runs that Python means by a filter."""
    wanted = Filter(text)
    return {run.id for run in read.every_run(db, RunQuery()) if wanted.matches(run, NOW)}


def left(db, text):
    """The runs that SQL leaves over."""
    condition = condition_of(Filter(text).expression, NOW)
    if condition is None:
        return {row["id"] for row in db.all("SELECT id FROM runs")}
    rows = db.all(
        f"SELECT r.id FROM runs r JOIN queues q ON q.id = r.queue_id WHERE {condition.sql}",
        condition.parameters,
    )
    return {row["id"] for row in rows}


def found(db, text):
    seen = []
    for stretch in searching.search(db, RunQuery(), Filter(text), NOW):
        seen += stretch.found
    assert seen == sorted(seen, reverse=True)
    return {row["id"] for row in db.all("SELECT id, seq FROM runs") if row["seq"] in set(seen)}


TERMS = st.sampled_from(
    [
        "lr>=1e-3", "lr=0.001", "lr<1", "lr>5", "lr:0.0", "lr=inf", "lr<-1", "c.lr=0.001", "lr=abc",
        "a.b.c=5", "a.b.c>4", "a.b.c:x", "a.b.c=7", "model.depth=18", "model.a.b=2", "opt:adam",
        "opt=adam", "opt:KELVIN", "opt:k", "opt:istan", "opt<b", "opt>zz", 'opt:"say"', "amp=true",
        "amp=1", "amp:tru", "nothing=1", "nothing!=1", "loss<0.5", "s.loss=1.2", "acc.val>0.5",
        "state=failed", "state:fail", "state:active", "state!=ended", "s:waiting", "queue:gpu",
        "q=gpu", "queue!=cpu", "job=job", "cause:memory", "cause!=x", "cause=x", "exit_code=137",
        "exit_code>100", "exit_code!=0", "tag:night", "tag=Night", "tags:dé", "tag:zz",
        "name:run-1", "name=x", "name~Run-1", "name!~Run", "k", "É", "night", "gpu2", "zebra",
        "author=ada", "author:ad", "age<3h", "age>5h", "age=1h", "age<-1", "duration>1h",
        "created>2027-01-15T03",
        "started>2027", "author=x", "author!=x", "priority=medium", "tracked=false", "id:a",
    ]
)  # fmt: skip
FILTERS = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        inner.map(lambda one: f"not ({one})"),
        inner.map(lambda one: f"-({one})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' '.join(parts)})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' or '.join(parts)})"),
    ),
    max_leaves=6,
)


@given(FILTERS)
@settings(max_examples=300, deadline=None)
def test_sql_rules_out_only_what_is_not_meant(filled, text):
    assert meant(filled, text) <= left(filled, text)


@given(FILTERS)
@settings(max_examples=100, deadline=None)
def test_a_search_finds_just_what_is_meant(filled, text):
    assert found(filled, text) == meant(filled, text)


@given(
    st.floats(allow_nan=False),
    st.floats(allow_nan=False),
    st.sampled_from(["<", "<=", "=", ">", ">="]),
)
@settings(max_examples=200, deadline=None)
def test_numbers_that_python_and_sqlite_read_otherwise_are_not_ruled_out(
    filled, value, bound, sign
):
    filled.execute(
        "UPDATE runs SET summary = ? WHERE seq = 1", (json.dumps({"x": value, "loss": 0.0}),)
    )
    for text in (f"x{sign}{bound!r}", f"x{sign}{value!r}"):
        assert meant(filled, text) <= left(filled, text)


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("lr>=1e-3 state:failed -tag:debug loss<0.3", 1),
        ("zebra", 9),
        ("loss<0.5", 6),
        ("model.depth=18", 12),
        ("state=failed or q=cpu", 12),
        ("not (state:ended or state:active)", 0),
        ("tag:night", 19),
        ("exit_code=137", 9),
    ],
)
def test_sql_does_rule_out_most_of_what_is_not_meant(filled, text, most):
    assert len(left(filled, text)) <= most


@pytest.mark.parametrize("text", ["name~x", "nothing!=1", "-loss<1", "duration>1h", "é", "lr=nan"])
def test_what_sql_would_answer_otherwise_it_is_not_asked(text):
    assert condition_of(Filter(text).expression, NOW) is None


def test_no_key_reaches_sql_unquoted(filled):
    for key in ("x'y", 'x"y', "x\\y", "x;--", "$", "a[0]", "é"):
        quoted = key.replace("\\", "\\\\").replace('"', '\\"')
        assert found(filled, f'"{quoted}"=1') == set()
