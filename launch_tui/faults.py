"""Named points between an intent and its effect, at which a test can kill the process.

``LAUNCH_TUI_FAULT=name`` makes the process that reaches the point send itself SIGKILL;
``LAUNCH_TUI_FAULT=name:3`` at the third time. Nothing else reads the variable. ``POINTS`` is the
whole list: tests go through it, and a point that no test reaches fails them. The supervisor runs
without this package (``python -IS``) and carries the same few lines; its points are listed here
too.
"""

from __future__ import annotations

import os
import signal

VARIABLE = "LAUNCH_TUI_FAULT"

POINTS: dict[str, str] = {}
"""Point -> what has happened before it and not yet after it. Each owner's are added below."""


def _armed() -> tuple[str, int]:
    name, _, count = os.environ.get(VARIABLE, "").partition(":")
    return name, int(count or 1)


_name, _left = _armed()


def point(name: str) -> None:
    """Die here by SIGKILL if the environment asks for it; otherwise do nothing."""
    global _left
    if name != _name:
        return
    _left -= 1
    if _left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
