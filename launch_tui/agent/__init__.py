"""The persistent loop that claims runs, carries them out and settles them.

Importing this package loads neither textual nor rich; the parts are imported when an agent starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from launch_tui.agent.report import AgentEvent
    from launch_tui.store.paths import Home


def run_headless(
    home: Home,
    *,
    queues: Sequence[str] | None = None,
    max_jobs: int | None = None,
    config: Path | None = None,
    report: Callable[[AgentEvent], None],
) -> int:
    """Run an agent in this process until it is asked to leave.

    Args:
        home: The data directory.
        queues: The queues to serve, whatever the settings say; None leaves it to them.
        max_jobs: How many runs at once, -1 for no limit; None leaves it to the settings.
        config: The file of its settings; None for ``agent.yaml`` in the data directory, if it is
            there.
        report: Called with each thing that happens, on the agent's loop.

    Returns:
        The exit status.

    Raises:
        UsageError: When the settings cannot be read or are wrong.
    """
    from launch_tui.agent.config_file import ConfigFile
    from launch_tui.agent.headless import run

    chosen = None if queues is None else tuple(queues)
    settings = ConfigFile.of(home, config, queues=chosen, max_jobs=max_jobs)
    return run(home, settings, report=report)
