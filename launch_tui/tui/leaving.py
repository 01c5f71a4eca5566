"""How one leaves the UI, and what becomes of the queue then.

The queue goes on when the screen goes: unless the person chooses otherwise, an agent without a
screen takes over. Nothing here waits for anything: whoever composed the program carries the
decision out once the terminal is the person's again.
"""

from __future__ import annotations

import contextlib
from enum import Enum
from typing import TYPE_CHECKING

from launch_tui.errors import LaunchError

if TYPE_CHECKING:
    from launch_tui.tui.app import LaunchApp


class Leave(Enum):
    """What the person decided about the work that goes on."""

    HAND_OVER = "hand over"
    """An agent without a screen takes over, if there is work and the agent was in this process."""
    STOP_ALL = "stop all"
    """Everything that runs is stopped, nothing more is claimed, what waits stays queued."""


class NoTerminal:
    """Stands where Textual's writer thread stood, for a terminal that is gone.

    The old writer may be dead with a full queue, and then blocks whoever writes to it.
    """

    def write(self, text: str) -> None:
        """Write nothing."""

    def stop(self) -> None:
        """There is nothing to stop."""


def let_go_of_the_terminal(app: LaunchApp) -> None:
    """Have the driver write nowhere from now on."""
    driver = app._driver
    # Private to Textual 8; tests/terminal notices when a new Textual moves it.
    if driver is not None and hasattr(driver, "_writer_thread"):
        driver._writer_thread = NoTerminal()


def ask_and_leave(app: LaunchApp) -> None:
    """Leave; ask first if work goes on that the agent in this process carries out."""
    # What was committed a moment ago may not have reached the screen yet, and a question that is
    # not asked is a decision taken for the person.
    with contextlib.suppress(LaunchError):
        app.look()
    glance = app.glance
    if not (glance.active or glance.waiting) or not glance.agent_is_ours:
        app.exit(Leave.HAND_OVER)
        return
    from launch_tui.tui.screens.confirm import Choice, Confirm

    modal = Confirm(
        "Leave",
        what_goes_on(glance.active, glance.waiting),
        (
            Choice("leave", "Leave", key="l", help="the queue goes on without a screen"),
            Choice("stop", "Stop all and quit", key="s", help="what waits stays queued",
                   dangerous=True),
        ),
    )  # fmt: skip
    decisions = {"leave": Leave.HAND_OVER, "stop": Leave.STOP_ALL}
    app.ask(modal, lambda answer: app.exit(decisions[answer]))


def what_goes_on(active: int, waiting: int) -> str:
    """Return one sentence about the work that a person leaves behind."""
    parts = []
    if active:
        parts.append(f"{active:,} {'run is' if active == 1 else 'runs are'} active")
    if waiting:
        parts.append(f"{waiting:,} {'waits' if waiting == 1 else 'wait'}")
    return " and ".join(parts) + "."
