"""One walk through everything, as a person takes it: keys in, screens and the store out."""

from __future__ import annotations

import contextlib

import pytest

from launch_tui.domain.run import ACTIVE
from launch_tui.sdk import Launch
from tests.terminal.terminals import Terminal

LEFT, ENTER, F5, SELECT_ALL = "\x1b[D", "\r", "\x1b[15~", "\x1b[18~"
BUILD_S = 200
"""The demo's environment is built from a package index."""


@pytest.fixture
def opened(private_home):
    terminals = []

    def open_ui():
        terminal = Terminal(home=private_home)
        terminals.append(terminal)
        return terminal

    yield open_ui
    for terminal in terminals:
        terminal.end()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_from_an_empty_directory_to_a_ui_that_attaches(opened, private_home, wait_until):
    ui = opened()
    ui.wait_for("Nothing here yet")
    ui.press("d")
    with Launch(private_home) as launch:
        wait_until(lambda: launch.runs.count() == 3, 30, "the demo's three runs")
        wait_until(lambda: _has_metrics(launch, "@~2"), BUILD_S, "a run that logs")
        ui.wait_for("val.loss")
        changed = _launch_with_changed_values(ui, launch, wait_until)
        assert changed.config["epochs"] == 300
        wait_until(lambda: _has_metrics(launch, changed.id), 120, "the changed run logs")
        _open_and_stop(ui, launch, changed.id, wait_until)
        stopped = launch.runs.get(changed.id)
        assert (stopped.state, stopped.tracked) == ("stopped", True)
        _rerun(ui, launch, wait_until)
        _leave_and_attach(ui, opened, launch, wait_until)


def _has_metrics(launch, run):
    series = launch.runs.series(run)
    if series is None:
        return False
    with series:
        return any(info.name == "val.loss" for info in series.keys())  # noqa: SIM118


def _launch_with_changed_values(ui, launch, wait_until):
    """Launch the job under the cursor of Jobs; its last configuration stands in the form."""
    before = launch.runs.count()
    since = len(ui.raw)
    ui.press("2")
    ui.wait_for("Recent runs", since=since)
    since = len(ui.raw)
    ui.press("n")
    ui.wait_for('"learning_rate"', since=since)
    ui.wait_for("the same by command", since=since)
    # All of the text is selected and replaced; the field may get the focus a moment after it is
    # drawn, so it is done until the run is there.
    wait_until(
        lambda: _typed(ui, lambda: launch.runs.count() > before),
        60,
        "the run of the form",
    )
    return launch.runs.get("@")


def _typed(ui, launched):
    """Type the configuration and launch it once it is shown; say whether that came to a run."""
    since = len(ui.raw)
    ui.press(SELECT_ALL + '{"epochs": 300}')
    try:
        ui.wait_for("epochs=300", timeout=3, since=since)
    except AssertionError:
        return False
    ui.press(F5)
    with contextlib.suppress(AssertionError):
        return ui.wait_until(launched, 10)
    return False


def _open_and_stop(ui, launch, run, wait_until):
    """Open the run that the cursor is on since it was launched, and stop it there."""
    since = len(ui.raw)
    ui.press(ENTER)
    ui.wait_for("Events", since=since)
    since = len(ui.raw)
    ui.press("x")
    ui.wait_for("interrupt, and kill only if that fails", since=since)
    # The dialog stands on Cancel.
    ui.press(LEFT + LEFT + ENTER)
    wait_until(lambda: launch.runs.get(run).state == "stopped", 60, "the run is stopped")


def _rerun(ui, launch, wait_until):
    before = launch.runs.count()
    since = len(ui.raw)
    ui.press("r")
    ui.wait_for("Plan", since=since)
    ui.press(F5)
    wait_until(lambda: launch.runs.count() == before + 1, 20, "the run that is run again")
    run = launch.runs.get("@").id
    wait_until(lambda: launch.runs.get(run).state == "running", 60, "the run that is run again")


def _leave_and_attach(ui, opened, launch, wait_until):
    since = len(ui.raw)
    ui.press("q")
    ui.wait_for("the queue goes on without a screen", since=since)
    ui.press(ENTER)
    assert ui.exit_status() == 0
    assert launch.agents.is_running()
    again = opened()
    again.wait_for("attached")
    again.wait_for("running")
    launch.runs.stop("@", now=True)
    wait_until(lambda: not launch.runs.list(states=tuple(ACTIVE)), 120, "the end of all runs")
    again.press("\x11")
    assert again.exit_status() == 0
    launch.agents.stop()
    wait_until(lambda: not launch.agents.is_running(), 20, "the agent's end")
