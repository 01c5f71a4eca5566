from __future__ import annotations

from dataclasses import replace

import pytest
from textual.geometry import Size

from launch_tui.domain.run import RunState
from launch_tui.tui.failures import GATHERED_S, STANDS_S, FailureNews, told_of
from launch_tui.tui.keys import BY_ID


class App:
    """What the news has of the application: the store, and who tells."""

    def __init__(self, launch):
        self.launch = launch
        self.size = Size(120, 34)
        self.told = []

    def key(self, action_id):
        return BY_ID[action_id].key

    def tell(self, text, *, severity, seconds):
        assert (severity, seconds) == ("error", STANDS_S)
        self.told.append(text)


@pytest.fixture
def watched(busy_world):
    """Returns the news with its clock, and the world."""
    app = App(busy_world.launch)
    now = [100.0]
    news = FailureNews(app, clock=lambda: now[0])

    def passes(seconds):
        now[0] += seconds
        news.look()
        news.tell()

    return busy_world, app, passes


def test_what_failed_before_is_no_news(watched):
    _, app, passes = watched
    passes(0)
    passes(100)
    assert app.told == []


def test_one_failure_is_told_with_phase_cause_and_next_step(watched):
    world, app, passes = watched
    run_id = world.run(RunState.FAILED, phase="run", cause="exit 3", next_step="read the log")
    passes(0)
    assert app.told == []
    passes(GATHERED_S)
    assert app.told == [
        f"{run_id} failed in run on gpu: exit 3. Next: read the log  f to list"
    ]  # fmt: skip
    passes(100)
    assert len(app.told) == 1


def test_failures_together_are_one_and_later_ones_wait_until_the_toast_is_gone(watched):
    world, app, passes = watched
    for queue in ("gpu", "gpu", "gpu", "gpu"):
        world.run(RunState.FAILED, queue=queue, phase="run", cause="x")
        passes(0.1)
    passes(GATHERED_S)
    assert app.told == ["4 runs failed on gpu  f to list"]
    world.run(RunState.FAILED, queue="gpu", phase="run", cause="x")
    world.run(RunState.LOST, queue="cpu", cause="x")
    passes(GATHERED_S * 2)
    assert len(app.told) == 1
    passes(STANDS_S)
    assert app.told[1:] == ["2 runs failed: 1 on gpu, 1 on cpu  f to list"]


def test_a_failure_that_is_tried_again_is_none(watched):
    world, app, passes = watched
    run_id = world.run(RunState.FAILED, phase="run", cause="x")
    passes(0)
    world.launch.db.execute("UPDATE runs SET state = 'queued' WHERE id = ?", (run_id,))
    gone = world.run(RunState.FAILED, phase="run", cause="x")
    passes(0)
    world.launch.runs.delete(gone)
    passes(GATHERED_S)
    assert app.told == []


def test_a_run_that_was_lost_is_told_as_such(busy_world):
    run = busy_world.launch.runs.get("run00002")
    lost = replace(run, state=RunState.LOST, phase=None, cause=None, next_step=None)
    assert told_of([lost]) == "run00002 lost on gpu"


def test_on_a_small_terminal_the_next_step_is_left_to_the_row(watched):
    world, app, passes = watched
    app.size = Size(60, 16)
    run_id = world.run(RunState.FAILED, phase="run", cause="exit 3", next_step="read the log")
    passes(0)
    passes(GATHERED_S)
    assert app.told == [f"{run_id} failed in run on gpu: exit 3  f to list"]
