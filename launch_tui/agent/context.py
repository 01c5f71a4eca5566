"""What all executions of one agent share."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from launch_tui.agent.config import AgentConfig
from launch_tui.agent.report import AgentEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from launch_tui.agent.devices import DeviceWatch
    from launch_tui.agent.engine_watch import EngineWatch
    from launch_tui.builders import Builder
    from launch_tui.builders.images import ImageBuilder
    from launch_tui.domain.run import Run
    from launch_tui.engine.client import Engine
    from launch_tui.store.database import Database
    from launch_tui.targets import Target

SOURCE_THREADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """An agent's name, its connection to the store, and what it acts with.

    ``tracking`` has one thread, because a metrics database belongs to the thread that opened it;
    ``sourcing`` has several, so that a slow clone holds nobody else up. ``config`` returns the
    settings that hold now: they may change while runs go on.
    """

    agent: str
    db: Database
    targets: Mapping[str, Target]
    builder: Builder
    images: ImageBuilder
    engine: Engine
    engine_watch: EngineWatch
    tell: Callable[[AgentEvent], None]
    devices: DeviceWatch
    config: Callable[[], AgentConfig] = AgentConfig
    tracking: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "tracking"))
    sourcing: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(SOURCE_THREADS, "sourcing")
    )

    def report(self, text: str, *, run: Run | None = None, state: str | None = None) -> None:
        """Tell whoever listens what happened."""
        event = AgentEvent(
            at=time.time(),
            kind="agent" if run is None else "run",
            text=text,
            run_id=run.id if run else None,
            state=state,
            queue=run.queue if run else None,
        )
        # A closed terminal, a broken pipe or a full disk under the agent's own output must not
        # cost a run: the store has all of it.
        with contextlib.suppress(OSError, ValueError):
            self.tell(event)

    def close(self) -> None:
        """Wait for the threads' work that is under way, and let go of them."""
        self.tracking.shutdown(wait=True, cancel_futures=True)
        self.sourcing.shutdown(wait=True, cancel_futures=True)
