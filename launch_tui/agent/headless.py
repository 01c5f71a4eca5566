"""The agent as the main program: signals, and nothing else."""

from __future__ import annotations

import asyncio
import gc
import signal
from typing import TYPE_CHECKING

from launch_tui.agent.loop import Agent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch_tui.agent.report import AgentEvent
    from launch_tui.store.paths import Home


def run(
    home: Home,
    *,
    queues: Sequence[str] | None,
    max_jobs: int | None,
    report: Callable[[AgentEvent], None],
) -> int:
    """Run an agent until SIGTERM, SIGINT, ``agent stop`` or the end of a drain."""
    asyncio.run(_run(home, queues=queues, max_jobs=max_jobs, report=report))
    return 0


async def _run(
    home: Home,
    *,
    queues: Sequence[str] | None,
    max_jobs: int | None,
    report: Callable[[AgentEvent], None],
) -> None:
    agent = Agent(home, queues=queues, max_jobs=max_jobs, report=report)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, agent.leave)
    # A closed terminal is no reason to stop working: the queue goes on when the screen goes.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # What is there now stays for good and need not be searched for cycles again and again.
    gc.freeze()
    await agent.run()
