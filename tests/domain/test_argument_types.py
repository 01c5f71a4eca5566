from __future__ import annotations

from pathlib import Path

import pytest

from launch_tui import Launch, create_run_queue, launch_add
from launch_tui.domain.argument_types import check_types, texts
from launch_tui.domain.queue import Resource
from launch_tui.errors import UsageError


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": 3}, "name: 3 is of type int (allowed: a text)"),
        ({"python_version": 3.1}, "python_version: 3.1 is of type float (allowed: a text)"),
        ({"tags": "debug"}, "tags: 'debug' is of type str (allowed: a list of texts)"),
        ({"tags": {"a": 1}}, "tags: the value is of type dict"),
        ({"retries": True}, "retries: True is of type bool (allowed: a whole number)"),
        ({"retries": 1.5}, "retries: 1.5 is of type float"),
        ({"backoff": "1s"}, "backoff: '1s' is of type str (allowed: a number)"),
        ({"entry_point": ["a", 1]}, "entry_point: the value is of type list"),
        ({"config": [1]}, "config: the value is of type list (allowed: a dict with texts as keys)"),
        ({"setenv": {1: "x"}}, "setenv: the value is of type dict"),
        ({"dockerfile": 3}, "dockerfile: 3 is of type int (allowed: a path)"),
    ],
)
def test_an_argument_of_the_wrong_type_is_refused_by_name(given, told):
    with pytest.raises(UsageError) as caught:
        check_types({"note": "x", **given})
    assert str(caught.value).startswith(told)


def test_what_fits_and_what_is_left_out_pass():
    check_types({
        "name": "n", "tags": (t for t in "ab"), "retries": 0, "backoff": 1, "config": {},
        "entry_point": ("a", "b"), "dockerfile": Path("x"), "resource": Resource.SLURM,
        "note": None, "another": object(),
    })  # fmt: skip
    assert texts("links", ["a", Path("b")]) == ("a", "b")
    with pytest.raises(UsageError, match=r"tags\[1\]: None is of type NoneType"):
        texts("tags", ["a", None])


@pytest.mark.parametrize(
    "call",
    [
        lambda launch: launch.launch("j", tags="debug"),
        lambda launch: launch.launch(3),
        lambda launch: launch.launch("j", 3),
        lambda launch: launch.launch("j", after=3),
        lambda launch: launch.launch("j", secrets=[1]),
        lambda launch: launch.launch_many("j", "default", 3),
        lambda launch: launch.create_job(".", aliases="prod"),
        lambda launch: launch.create_job(".", python_version=3.1),
        lambda launch: launch.queues.create("q", "process", max_running=1.5),
        lambda launch: launch.queues.create("q", "process", config=[1]),
        lambda launch: launch.runs(limit=-1),
        lambda launch: launch.runs(states="failed"),
        lambda launch: launch.run(3),
        lambda launch: launch.wait([], timeout="1s"),
        lambda launch: launch_add(config=[1], job="j"),
        lambda launch: launch_add(job="j", resource=3),
        lambda launch: create_run_queue("q", type=3),
    ],
)
def test_the_public_calls_refuse_it(private_home, call):
    with Launch() as launch:
        with pytest.raises(UsageError):
            call(launch)
        assert not launch.runs()
        assert not launch.jobs.list()
        assert not launch.queues.list()
