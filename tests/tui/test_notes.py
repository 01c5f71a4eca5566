from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from launch_tui.domain.metrics import Telling
from launch_tui.domain.run import ACTIVE, WAITING, RunState
from launch_tui.sdk.folding import Folding
from launch_tui.tui import notes as notes_module
from launch_tui.tui.glance import GlanceReader
from launch_tui.tui.notes import Notes, best_of, gpu_names
from tests.tui.world import NOW


@pytest.fixture
def live(busy_world):
    return [run for run in busy_world.launch.runs.every() if run.state in ACTIVE | WAITING]


def made(world, **more):
    reader = GlanceReader(world.launch)
    return Notes(world.launch, glance=lambda: reader.read(NOW), **more)


@pytest.fixture
def ended(busy_world):
    return busy_world.launch.runs.get("run00002")


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({}, "killed by SIGKILL, probably out of memory"),
        ({"failure": "oom"}, "oom: killed by SIGKILL, probably out of memory"),
        ({"failure": "error", "cause": "ValueError: lr"}, "ValueError: lr"),
        ({"phase": "build", "cause": "no torchh"}, "build: no torchh"),
        ({"failure": "timeout", "cause": None}, "timeout"),
        ({"retried": 2, "attempt": 3, "cause": "lost"}, "try 3  lost"),
    ],
)
def test_a_run_that_has_ended_says_kind_and_cause_itself(busy_world, ended, changes, note):
    told = made(busy_world).of(replace(ended, **changes))
    assert told == f"{note}. Next: {ended.next_step}"


def test_all_rows_in_view_are_asked_for_at_once_and_once(busy_world, live, monkeypatch):
    asked = []
    reasons = notes_module.reasons
    monkeypatch.setattr(
        notes_module, "reasons", lambda launch, runs, *a: asked.append(len(runs))
        or reasons(launch, runs, *a),
    )  # fmt: skip
    notes = made(busy_world)
    assert notes.look(live)
    assert notes.complete
    assert asked == [len(live)]
    assert not notes.look(live)
    assert asked == [len(live)]
    runs = busy_world.launch.runs
    for run in live:
        reason = runs.why(run.id).reason
        assert notes.of(run) == ("" if reason == run.state else reason)


def test_looking_takes_a_small_part_of_the_time(busy_world, live):
    clock = itertools.count(step=1.0)
    notes = made(busy_world, clock=lambda: next(clock))
    assert notes.look(live)
    notes.outdate()
    looks = 0
    while not notes.look(live) and not notes.complete:
        looks += 1
    assert looks >= 1 / notes_module.SHARE - 5
    # A row that was never asked for does not wait.
    notes.outdate()
    fresh = busy_world.launch.runs.get(busy_world.run())
    assert notes.look([*live, fresh])


def test_a_group_tells_its_states_and_its_best_metric(busy_world):
    for state, loss in ((RunState.FINISHED, 0.3), (RunState.FINISHED, 0.2), (RunState.QUEUED, 0)):
        summary = {"summary": {"loss": loss}} if loss else {}
        busy_world.run(state, group="g-a", **summary)
    fold = Folding(busy_world.launch)
    fold.look()
    group = fold.group("g-a")
    notes = made(busy_world)
    assert notes.of(group) == "○ 1 ✓ 2"
    assert notes.look([group])
    assert notes.of(group) == "○ 1 ✓ 2  best loss 0.2"
    assert made(busy_world, ascii_only=True).of(group) == "1 queued 2 finished"


def test_the_best_is_the_least_loss_or_the_most_accuracy_and_else_nobody_knows(busy_world, ended):
    def of(*summaries):
        return best_of([replace(ended, summary=summary) for summary in summaries])

    assert of({"loss": 0.3, "acc": 1}, {"loss": 0.1}, {"loss": float("nan")}) == "best loss 0.1"
    assert of({"acc": 0.5}, {"acc": 0.75}) == "best acc 0.75"
    assert of({"val": {"loss": 0.5}}, {"val": {"loss": 0.25}}) == "best val.loss 0.25"
    f1 = Telling(key="f1", goal="max")
    runs = [replace(ended, summary={"loss": 1, "f1": f}) for f in (0.5, 0.75)]
    assert best_of(runs, f1) == "best f1 0.75"
    assert best_of(runs, Telling(key="nosuch")) == "best loss 1"
    assert of({"tokens": 10}, {}) == ""
    assert of({"_step": 10, "done": True}) == ""
    assert of() == ""


def test_a_gpu_goes_by_its_index_where_that_is_known(ended):
    run = replace(ended, gpus=("GPU-0aaa-1", "GPU-1bbb-2"))
    assert gpu_names(run, {"GPU-0aaa-1": 3}) == "GPU 3,GPU-1bbb"
    assert gpu_names(ended, {}) == ""
