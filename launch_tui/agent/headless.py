"""The agent as the main program: signals, and nothing else."""

from __future__ import annotations

import asyncio
import gc
import signal
from typing import TYPE_CHECKING

from launch_tui.agent.loop import Agent

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.agent.config_file import ConfigFile
    from launch_tui.agent.report import AgentEvent
    from launch_tui.store.paths import Home


def run(home: Home, settings: ConfigFile, *, report: Callable[[AgentEvent], None]) -> int:
    """Run an agent until SIGTERM, SIGINT, ``agent stop`` or the end of a drain.

    Args:
        home: The data directory.
        settings: Its settings, which are followed.
        report: Called with each thing that happens, on the agent's loop.

    Returns:
        The exit status.

    Raises:
        UsageError: When the settings cannot be read or are wrong.
    """
    asyncio.run(serve(home, settings, report=report))
    return 0


async def serve(home: Home, settings: ConfigFile, *, report: Callable[[AgentEvent], None]) -> None:
    """Run an agent as ``run`` does, on the event loop that runs, in the main thread."""
    agent = Agent(home, config=settings.load(), config_file=settings, report=report)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, agent.leave)
    # A closed terminal is no reason to stop working: the queue goes on when the screen goes.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # What is there now stays for good and need not be searched for cycles again and again.
    gc.freeze()
    await agent.run()
