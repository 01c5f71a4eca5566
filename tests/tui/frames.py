"""Golden text frames: what the terminal shows, as text that reads well in a diff."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from textual.app import App


def frame(app: App) -> str:
    """Return the screen as text, trailing blanks cut."""
    strips = app.screen._compositor.render_strips(app.size)
    return "\n".join("".join(s.text for s in strip).rstrip() for strip in strips) + "\n"


def assert_frame(app: App, golden: Path) -> None:
    """Compare the screen with a file; ``UPDATE_FRAMES=1`` writes the file instead."""
    assert_text(frame(app), golden)


def assert_text(shown: str, golden: Path) -> None:
    """Compare a screen's text with a file, as ``assert_frame`` does."""
    if os.environ.get("UPDATE_FRAMES"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(shown)
    assert shown == golden.read_text(), f"{golden.name}: UPDATE_FRAMES=1 rewrites it"


def escapes(app: App) -> set[str]:
    """Return the characters on the screen that would act on a terminal: none should."""
    return {c for c in frame(app) if c != "\n" and not c.isprintable() and c not in "\u200d\u200b"}
