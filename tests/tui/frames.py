"""Golden text frames: what the terminal shows, as text that reads well in a diff."""

from __future__ import annotations

import asyncio
import difflib
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from textual.app import App
    from textual.pilot import Pilot

# How often in a row a screen has to look the same before it is written as golden.
AT_REST = 10


def frame(app: App) -> str:
    """Return the screen as text, trailing blanks cut."""
    strips = app.screen._compositor.render_strips(app.size)
    return "\n".join("".join(s.text for s in strip).rstrip() for strip in strips) + "\n"


async def assert_frame(pilot: Pilot, golden: Path, timeout: float = 30.0) -> None:
    """Wait until the screen is that of a file; ``UPDATE_FRAMES=1`` writes the file instead.

    Workers and threads bring parts of a screen, so what is there after a number of ticks is a
    matter of the machine's load; what a screen comes to is not.
    """
    if os.environ.get("UPDATE_FRAMES"):
        assert_text(await _at_rest(pilot), golden)
        return
    deadline = time.monotonic() + timeout
    while (shown := frame(pilot.app)) != golden.read_text() and time.monotonic() < deadline:
        await tick(pilot)
    assert_text(shown, golden)


def assert_text(shown: str, golden: Path) -> None:
    """Compare a screen's text with a file; ``UPDATE_FRAMES=1`` writes the file first."""
    if os.environ.get("UPDATE_FRAMES"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(shown)
    expected = golden.read_text()
    # A whole screen does not fit into what an assertion shows of two strings.
    difference = "\n".join(
        difflib.unified_diff(
            expected.splitlines(), shown.splitlines(), golden.name, "shown", lineterm="", n=1
        )
    )
    assert not difference, f"UPDATE_FRAMES=1 rewrites {golden.name}:\n{difference}"


def escapes(app: App) -> set[str]:
    """Return the characters on the screen that would act on a terminal: none should."""
    return {c for c in frame(app) if c != "\n" and not c.isprintable() and c not in "\u200d\u200b"}


async def tick(pilot: Pilot) -> None:
    """Give the application one turn: its pulse, its threads, its messages."""
    pilot.app.pulse.tick()
    await asyncio.sleep(0.01)
    await pilot.pause()


async def _at_rest(pilot: Pilot) -> str:
    shown, same = frame(pilot.app), 0
    while same < AT_REST:
        await tick(pilot)
        last, shown = shown, frame(pilot.app)
        same = same + 1 if shown == last else 0
    return shown
