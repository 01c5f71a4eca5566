"""``run_agent``: the agent in this process, for programs that are their own agent."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.api.naming import argument_names
from launch_tui.errors import LaunchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch_tui.agent.report import AgentEvent


def run_agent(
    queues: Sequence[str] | None = None,
    max_jobs: int | None = None,
    *,
    home: str | Path | None = None,
    config: str | Path | None = None,
    report: Callable[[AgentEvent], None] | None = None,
) -> None:
    """Run an agent here until SIGTERM, SIGINT, ``agent stop`` or the end of a drain.

    Jobs that run when it leaves go on, and the next agent takes them over. It blocks, and needs the
    main thread, whose signals it handles; ``launch-tui --agent-only`` is one in the background. It
    stands by while another agent holds the data directory.

    Args:
        queues: The queues to serve; all, also those made later, if left out.
        max_jobs: How many runs at once; no limit if left out, or -1.
        home: The data directory; by default ``LAUNCH_TUI_HOME``, else the platform's place.
        config: The file of its settings; ``agent.yaml`` in the data directory if left out.
        report: Called with each thing that happens.

    Raises:
        UsageError: For settings that are wrong.
        LaunchError: In another thread than the main one.
    """
    from launch_tui.agent.config_file import ConfigFile
    from launch_tui.agent.headless import run
    from launch_tui.store.paths import default_home

    if threading.current_thread() is not threading.main_thread():
        raise LaunchError(
            "an agent needs the main thread, for its signals",
            next_step="start launch-tui --agent-only as a process of its own",
        )
    if isinstance(queues, str):
        raise UsageError("queues", f"{queues!r} is one text", allowed="a list of names")
    if max_jobs is not None and max_jobs != -1 and max_jobs < 1:
        raise UsageError("max_jobs", f"{max_jobs} is no number of jobs", allowed="1 or more, -1")
    place = default_home(None if home is None else str(home))
    with argument_names():
        settings = ConfigFile.of(
            place,
            None if config is None else Path(config),
            queues=None if queues is None else tuple(queues),
            max_jobs=max_jobs,
        )
        before = {number: signal.getsignal(number) for number in _HANDLED}
        try:
            run(place, settings, report=report or (lambda _: None))
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
