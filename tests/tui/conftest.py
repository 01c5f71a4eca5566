from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from launch_tui.tui.app import LaunchApp
from tests.tui.frames import frame, tick
from tests.tui.world import NOW, World, busy

GOLDEN = Path(__file__).parent / "golden"
SIZES = ((120, 34), (80, 24), (60, 16))


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    """No setting of the person's own reaches a frame."""
    for name in [n for n in os.environ if n.startswith("TEXTUAL")] + ["NO_COLOR", "SSH_CONNECTION"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    found = [("docker", True, ""), ("sbatch", False, ""), ("wandb", True, "logged in")]
    first_run = "launch_tui.tui.widgets.first_run"
    monkeypatch.setattr(f"{first_run}.look_around", lambda: found)
    monkeypatch.setattr(f"{first_run}.short_path", lambda _: "~/.local/share/launch_tui")


@pytest.fixture
def world(private_home, monkeypatch):
    """An empty data directory whose runs get fixed ids and times."""
    made = World(private_home, monkeypatch)
    yield made
    made.close()


@pytest.fixture
def busy_world(private_home, monkeypatch):
    """Runs in every state; ``running`` is the id of the one that has a log and metrics."""
    made, made.running = busy(private_home, monkeypatch)
    yield made
    made.close()


@pytest.fixture
def make_app(private_home):
    """Returns ``make_app(**arguments)``: the application on this test's data directory."""

    def make(**arguments):
        return LaunchApp(private_home, **{"clock": lambda: NOW, "host": "gpubox", **arguments})

    return make


# Groups of workers that end by themselves.
WORKED_OFF = frozenset({"log", "plan", "job-counts", "source-diff"})


async def settle(pilot, ticks=3):
    """Let the application come to rest: its pulse is driven by hand."""
    app = pilot.app
    app.pulse.stop()
    for _ in range(ticks):
        await pilot.pause()
        app.pulse.tick()
    await app.workers.wait_for_complete(
        [w for w in app.workers if w.group in ("act", "filter", "progress")]
    )
    await _worked_off(pilot, timeout=5.0)
    app.pulse.tick()
    await pilot.pause()


async def _worked_off(pilot, timeout):
    """Let what screens look up by themselves come in; a test may have stopped it on purpose."""
    deadline = time.monotonic() + timeout
    while any(w.group in WORKED_OFF and not w.is_finished for w in pilot.app.workers):
        if time.monotonic() > deadline:
            return
        await pilot.pause(0.005)


async def until(pilot, condition, timeout=30.0):
    """Tick until a condition holds."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail("it did not come true; the screen:\n" + frame(pilot.app))
        await tick(pilot)
    return value
