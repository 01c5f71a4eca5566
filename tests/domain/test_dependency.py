from __future__ import annotations

import pytest

from launch_tui.domain.dependency import Condition, Dependency, is_met, parse_dependency
from launch_tui.domain.run import RunState
from launch_tui.errors import UsageError


@pytest.mark.parametrize(
    ("text", "dependency"),
    [
        ("abc", Dependency("abc", Condition.OK)),
        ("@:failed", Dependency("@", Condition.FAILED)),
        (" @~2:any ", Dependency("@~2", Condition.ANY)),
    ],
)
def test_what_is_waited_for(text, dependency):
    assert parse_dependency(text) == dependency


@pytest.mark.parametrize("text", ["", ":ok", "abc:", "abc:done", "abc:ok:any"])
def test_what_names_nothing_to_wait_for(text):
    with pytest.raises(UsageError, match=r"--after: .*RUN:ok, RUN:failed or RUN:any"):
        parse_dependency(text)


@pytest.mark.parametrize(
    ("condition", "met", "hopeless"),
    [
        (Condition.OK, {"finished"}, {"failed", "lost", "preempted", "stopped"}),
        (Condition.FAILED, {"failed", "lost", "preempted"}, {"finished", "stopped"}),
        (Condition.ANY, {"finished", "failed", "lost", "preempted", "stopped"}, set()),
    ],
)
def test_every_end_meets_a_condition_or_makes_it_hopeless(condition, met, hopeless):
    answers = {state.value: is_met(condition, state) for state in RunState}
    assert {state for state, answer in answers.items() if answer} == met
    assert {state for state, answer in answers.items() if answer is False} == hopeless
