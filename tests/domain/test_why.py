from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import pytest

from launch_tui.domain.dependency import Condition, Dependency
from launch_tui.domain.queue import Queue, Resource
from launch_tui.domain.run import Run, RunState
from launch_tui.domain.why import Situation, explain

NOW, LATER = "2027-01-31T12:00:00.000000Z", "2027-01-31T12:20:00.000000Z"


@dataclass
class Agent:
    running: bool = True
    state: str = "active"
    queues: tuple[str, ...] | None = None
    max_jobs: int | None = None
    runs: tuple[str, ...] = ()


RUN = Run(
    id="abcd1234",
    name="n",
    project="p",
    job="j",
    version="v0",
    queue="gpu",
    resource="local-process",
    state=RunState.QUEUED,
    created_at=NOW,
    directory="/runs/abcd1234",
)
QUEUE = Queue(name="gpu", resource=Resource.LOCAL_PROCESS, max_running=2)
FREE = Situation(run=RUN, queue=QUEUE, agent=Agent(), now=NOW)

# In the order in which one hides the next: each holds whatever comes after it.
REASONS = [
    ("held", "held by you", {"run": {"state": RunState.HELD}}),
    ("paused", "queue gpu is paused", {"queue": {"paused": True}}),
    ("after", "after run up000000 (running)", {
        "unmet": ((Dependency("up000000"), RunState.RUNNING),)}),
    ("backoff", "back-off before attempt 2, until", {
        "run": {"not_before": LATER, "retried": 1, "attempt": 2}}),
    ("position", "3rd in line", {"ahead": 2}),
    ("no_agent", "no agent is running", {"agent": Agent(running=False)}),
    ("draining", "the agent is draining", {"agent": Agent(state="draining")}),
    ("not_served", "the agent does not serve queue gpu", {"agent": Agent(queues=("cpu",))}),
    ("max_running", "max_running 2/2", {"queue": {"running": 2}}),
    ("max_jobs", "the agent has 1/1 jobs", {"agent": Agent(max_jobs=1, runs=("x",))}),
    ("gpu", "waits for GPU: 2 free of 4, needs 4", {
        "run": {"blocked": "gpu: waits for GPU: 2 free of 4, needs 4"}}),
    ("next", "next in line", {}),
]  # fmt: skip


def situation(*changes):
    made = FREE
    for change in changes:
        for name, value in change.items():
            value = replace(getattr(made, name), **value) if isinstance(value, dict) else value
            made = replace(made, **{name: value})
    return made


@pytest.mark.parametrize(("kind", "text", "change"), REASONS, ids=[r[0] for r in REASONS])
def test_each_reason_is_told_where_it_is_the_only_one(kind, text, change):
    reason = explain(situation(change))
    assert reason.kind == kind
    assert reason.reason.startswith(text)


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(REASONS[:-1], 2)))
def test_of_two_reasons_the_one_is_told_that_holds_whatever_becomes_of_the_other(first, second):
    assert explain(situation(second[2], first[2])).kind == first[0]


def test_a_time_is_told_in_both_forms():
    reason = explain(situation({"run": {"not_before": LATER}}))
    assert (reason.kind, reason.until) == ("begin", LATER)
    assert explain(situation({"run": {"not_before": NOW}})).kind == "next"


def test_several_that_are_waited_for_are_named_up_to_a_point():
    unmet = tuple(
        (Dependency(f"run{n}", condition), RunState.QUEUED)
        for n, condition in enumerate([*Condition, *Condition])
    )
    told = explain(situation({"unmet": unmet})).reason
    assert told == (
        "after run run0 (queued), run run1 to fail (queued), run run2 to end (queued) and 3 more"
    )


def test_an_active_run_without_an_agent_says_so():
    running = {"run": {"state": RunState.RUNNING}, "progress": "loss 0.3"}
    assert explain(situation(running)).reason == "loss 0.3"
    left = explain(situation(running, {"agent": None}))
    assert left.kind == "no_agent"


def test_what_has_ended_tells_its_cause():
    ended = {"run": {"state": RunState.FAILED, "cause": "exit status 3"}}
    assert explain(situation(ended)).reason == "failed: exit status 3"
