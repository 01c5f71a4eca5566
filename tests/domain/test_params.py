"""``--param``: what values a word names, and the configurations that several make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.params import MAX_RUNS, parse_params, product, write_param
from launch_tui.errors import UsageError


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("lr=1e-3,3e-4", [1e-3, 3e-4]),
        ("seed=0..4", [0, 1, 2, 3, 4]),
        ("seed=-2..1", [-2, -1, 0, 1]),
        ("seed=4..0..-2", [4, 2, 0]),
        ("seed=0..4..3", [0, 3]),
        ("seed=0..2,10", [0, 1, 2, 10]),
        ("seed=7..7", [7]),
        ("x=0..1..0.25", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("x=0..0.3..0.1", [0.0, 0.1, 0.2, 0.3]),
        ("x=1e-3..3e-3..1e-3", [0.001, 0.002, 0.003]),
        ("opt=adam, sgd", ["adam", "sgd"]),
        ("flag=true,False,null", [True, False, None]),
        ('name="a,b",c', ["a,b", "c"]),
        (r'name="say \"a,b\"",c', ['say "a,b"', "c"]),
        ('name=["a,b", "c"]', ["a,b", "c"]),
        ("layers=[1,2],[3,4]", [[1, 2], [3, 4]]),
        ("layers=[[1,2]]", [[1, 2]]),
        ('aug={"a": 1, "b": [2, 3]},none', [{"a": 1, "b": [2, 3]}, "none"]),
        ('name=it"s,b', ['it"s', "b"]),
        ("name=a[0,1", ["a[0", 1]),
        ("path=../x,a..b", ["../x", "a..b"]),
        ('name="",x', ["", "x"]),
        ("eq=a=b,c", ["a=b", "c"]),
        ("mixed=1,true,1e3", [1, True, 1000.0]),
    ],
)
def test_values(word, values):
    (read,) = parse_params([word]).values()
    assert read == values
    assert [type(value) for value in read] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["lr"], "--param: 'lr' has no '='"),
        (["=1"], "--param: '=1' has an empty key"),
        (["a..b=1"], "--param: 'a..b=1' has an empty key"),
        (["lr="], "--param: lr has an empty value"),
        (["lr=1,,2"], "--param: lr has an empty value"),
        (["lr=1,"], "--param: lr has an empty value"),
        (["lr=[]"], "--param: lr has no values"),
        (["lr=1", "lr=2"], "--param: lr is given twice (allowed: all values in one: lr=a,b,c)"),
        (["lr=1,1.0"], "--param: lr has the value 1.0 twice"),
        (["o=adam,adam"], '--param: o has the value "adam" twice'),
        (["s=4..0"], "--param: s=4..0 is empty"),
        (["s=0..4..0"], "--param: s=0..4..0 is empty"),
        (["x=0..1.5"], "--param: x=0..1.5 needs a step"),
        (["x=0..1e999999999..1"], "--param: x=0..1e999999999..1 is too large a range"),
        (["x=0..1..1e-300"], "--param: makes more than 10,000 runs (allowed: at most 10,000)"),
        (["s=1..10001"], "--param: makes more than 10,000 runs"),
        (["a=0..99", "b=0..100"], "--param: makes 10,100 runs (allowed: at most 10,000)"),
        (["a=1", "a.b=2"], "--param: a.b lies within a, which has values of its own"),
        (["a.b.c=1", "a.b={}"], "--param: a.b.c lies within a.b"),
    ],
)
def test_wrong_words(words, says):
    with pytest.raises(UsageError) as caught:
        parse_params(words)
    assert str(caught.value).startswith(says)


def test_a_product_has_every_combination_with_the_last_key_fastest():
    params = parse_params(["opt.lr=1,2", "seed=0..1", "opt.name=a"])
    assert product(params) == [
        {"opt": {"lr": 1, "name": "a"}, "seed": 0},
        {"opt": {"lr": 1, "name": "a"}, "seed": 1},
        {"opt": {"lr": 2, "name": "a"}, "seed": 0},
        {"opt": {"lr": 2, "name": "a"}, "seed": 1},
    ]
    assert product({}) == [{}]


def test_a_product_checks_what_no_words_were_read_for():
    assert len(product({"a": list(range(100)), "b": list(range(100))})) == MAX_RUNS
    for params, says in (
        ({"a": list(range(MAX_RUNS + 1))}, "makes more than"),
        ({"a": []}, "a has no values"),
        ({"a": [{}], "a.b": [1]}, "a.b lies within a"),
    ):
        with pytest.raises(UsageError, match=says):
            product(params)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(VALUES, min_size=1, max_size=4, unique_by=repr))
def test_what_is_written_reads_back(values):
    word = write_param("key", values)
    assert parse_params([word]) == {"key": values}


@given(st.text(max_size=30))
def test_any_text_gives_values_or_a_refusal(text):
    try:
        values = parse_params([f"k={text}"])["k"]
    except UsageError as error:
        assert error.field == "--param"  # noqa: PT017
    else:
        assert values
