"""What an agent writes of one run: each step it takes, its outcome, or its way back to the queue.

All of it is guarded by the state that the run was last brought to and by its owner. A full disk or
a locked store is waited for: neither is a reason to give up a run or to tell what is not so.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, TypeVar

from launch_tui import faults
from launch_tui.domain.run import RunState
from launch_tui.errors import DiskFull, Stale, StoreBusy
from launch_tui.store import write
from launch_tui.store.clock import iso, now
from launch_tui.store.dependencies import WAITS_FOR_TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from launch_tui.agent.context import Context
    from launch_tui.agent.outcome import Outcome
    from launch_tui.domain.run import Run

RETRY_S = 1.0
"""How often a write is tried again while the disk is full or the store is locked."""
WAITED_FOR = (DiskFull, StoreBusy)
"""What passes: no run is given up for it, and nothing is told that is not so."""

T = TypeVar("T")

_DURABLE = frozenset({RunState.STARTING})
"""Steps that must be on disk before their effect. After a loss of power a run that was sourcing or
building is claimed anew, and one that was running has its own token and records on disk."""

_FORGOTTEN = {"phase": None, "cause": None, "next_step": None, "exit_code": None, "failure": None}


class Ledger:
    """Keeps the store's account of one run that this agent has.

    Args:
        context: The agent's.
        run: The run, as it was claimed or taken over.
    """

    def __init__(self, context: Context, run: Run) -> None:
        self._context = context
        self._run = run
        self.state = run.state

    async def enter(self, to: RunState, message: str = "", **changes: object) -> None:
        """Bring the run to the next state."""
        await self.insist(
            lambda: write.transition(
                self._context.db,
                self._run.id,
                self.state,
                to,
                owner=self._context.agent,
                actor=self._context.agent,
                message=message,
                changes=changes,
                durable=to in _DURABLE,
            )
        )
        self.state = to
        self._context.report(message or str(to), run=self._run, state=to)

    async def enter_running(self, started_at: float | None) -> None:
        """Record that the job runs, once.

        Args:
            started_at: When it started, not when that was seen: an adopted job may have ended long
                ago.
        """
        if self.state is RunState.STARTING:
            when = iso(started_at) if started_at else now()
            await self.enter(RunState.RUNNING, started_at=when)
            faults.point("running.recorded")

    async def conclude(
        self,
        outcome: Outcome,
        observed: Callable[[], Mapping[str, Any]],
        *,
        ended_at: float = 0.0,
    ) -> None:
        """Store the outcome together with what tracking last saw."""
        changes: dict[str, Any] = {
            "phase": outcome.phase,
            "cause": outcome.cause,
            "next_step": outcome.next_step,
            "exit_code": outcome.exit_code,
            "failure": outcome.failure,
            "ended_at": iso(ended_at) if ended_at else now(),
        }
        faults.point("settle.before")
        try:
            await self.insist(
                lambda: write.settle(
                    self._context.db,
                    self._run.id,
                    self.state,
                    outcome.state,
                    owner=self._context.agent,
                    actor=self._context.agent,
                    changes=changes,
                    observed=observed(),
                )
            )
        except Stale:
            self._context.report("someone else settled it", run=self._run)
            return
        faults.point("settle.after")
        self.state = outcome.state
        text = str(outcome.state) + (f": {outcome.cause}" if outcome.cause else "")
        self._context.report(text, run=self._run, state=outcome.state)

    def give_back(self, why: str) -> None:
        """Put the run back into its place in the queue; nothing of it has started."""
        self._requeue(why, self._run.attempt)

    async def try_anew(self, why: str) -> None:
        """Queue the next attempt in the run's place, since this one can never start."""
        await self.insist(lambda: self._requeue(why, self._run.attempt + 1))

    async def requeue_preempted(self, why: str) -> None:
        """Queue the next attempt in the run's place after the machine took this one away."""
        await self.insist(
            lambda: self._requeue(why, self._run.attempt + 1, through=RunState.PREEMPTED)
        )

    async def retry(self, outcome: Outcome, delay: float) -> None:
        """Queue the next attempt in the run's place, to start in ``delay`` seconds or later."""
        faults.point("retry.before")
        wait: dict[str, Any] = {"not_before": None, "waits": 0}
        if delay:
            wait = {"not_before": iso(time.time() + delay), "waits": WAITS_FOR_TIME}
        cause = outcome.cause or str(outcome.state)
        await self.insist(
            lambda: self._requeue(
                cause,
                self._run.attempt + 1,
                through=outcome.state,
                changes={**_FORGOTTEN, **wait, "retried": self._run.retried + 1},
            )
        )
        faults.point("retry.after")

    def say(self, text: str) -> None:
        """Make ``text`` the one line worth knowing of this run."""
        with contextlib.suppress(*WAITED_FOR):
            write.observe(self._context.db, self._run.id, {"progress": text})
        self._context.report(text, run=self._run)

    async def insist(self, work: Callable[[], T]) -> T:
        """Write to the disk, however long it stays full or the store stays locked."""
        said = ""
        while True:
            try:
                return work()
            except WAITED_FOR as error:
                if error.cause != said:
                    said = error.cause
                    self._context.report(f"waits: {said}", run=self._run)
                await asyncio.sleep(RETRY_S)

    def _requeue(
        self,
        why: str,
        attempt: int,
        *,
        through: RunState | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        self.state = write.requeue(
            self._context.db,
            self._run.id,
            self.state,
            owner=self._context.agent,
            message=why,
            attempt=attempt,
            through=through,
            changes=changes,
        )
        back = self.state is RunState.QUEUED
        text = f"back in its queue: {why}" if back else "stopped by the user"
        self._context.report(text, run=self._run, state=self.state)
