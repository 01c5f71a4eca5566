"""The persistent loop that claims runs, carries them out and settles them.

Importing this package loads neither textual nor rich; the parts are imported when an agent starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch_tui.agent.report import AgentEvent
    from launch_tui.store.paths import Home


def run_headless(
    home: Home,
    *,
    queues: Sequence[str] | None = None,
    max_jobs: int | None = None,
    report: Callable[[AgentEvent], None],
) -> int:
    """Run an agent in this process until it is asked to leave.

    Args:
        home: The data directory.
        queues: The queues to serve; None for all, also those made later.
        max_jobs: How many runs at once; None for no limit.
        report: Called with each thing that happens, on the agent's loop.

    Returns:
        The exit status.
    """
    from launch_tui.agent.headless import run

    return run(home, queues=queues, max_jobs=max_jobs, report=report)
