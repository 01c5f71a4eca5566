"""What the agent learns from a running job's ``wandb`` files, and what it puts into the store."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from launch_tui.agent.learning import learn_declared
from launch_tui.domain.config_secrets import references
from launch_tui.domain.limits import METRIC_KEYS
from launch_tui.domain.metrics import most_telling
from launch_tui.errors import DiskFull, LaunchError
from launch_tui.store import read, write
from launch_tui.tracking.bounds import MAX_BYTES
from launch_tui.tracking.declared import declared_size
from launch_tui.tracking.offline import OfflineTracker, Progress, find_wandb_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch_tui.agent.context import Context
    from launch_tui.domain.attempt import Attempt
    from launch_tui.domain.run import Run

INTERVAL_S = 0.5
"""How often the files of a running job are read: wandb 0.31 flushes as often (WANDB.md 3.3)."""
LEFT_OUT = (
    f"logs more than is kept ({METRIC_KEYS:,} metrics, {MAX_BYTES >> 20} MiB of summary): the rest"
    " stays in its own wandb file, for wandb sync"
)
log = logging.getLogger(__name__)
BYTES_AT_ONCE = 256 * 1024
"""How much is read before another run gets its turn."""
MOST_READINGS = 10
"""How often what a script declares is read while it runs."""


class Tracking:
    """Reads the metrics of one attempt, in the tracking thread, and stores what changed."""

    def __init__(self, context: Context, run: Run, attempt: Attempt) -> None:
        self._context = context
        self._run = run
        self._attempt = attempt
        self._tracker: OfflineTracker | None = None
        self._stored: dict[str, Any] = {}
        self._complaint = ""
        self._secrets = dict(references(read.given_config(context.db, run.id)))
        self._declared = 0
        self._readings = 0
        self._told = False
        self._telling = write.telling_metric(context.db, run.id)
        self.progress: Progress | None = None

    async def follow(self, pids: Callable[[], Sequence[int]]) -> None:
        """Read on until cancelled; a defect of tracking never costs a run."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                while (await self._poll(pids)).more:
                    self._store()
                self._store()
                self._learn_declared()
            except LaunchError as error:
                self._complain(error.cause)
            except Exception as error:
                log.exception("tracking of run %s", self._run.id)
                self._complain(f"{type(error).__name__}: {error}")

    async def finish(self) -> Progress:
        """Read what is left once the job has ended, and return the whole.

        A full disk is waited for. What cannot be read at all is left out: the job's outcome does
        not depend on it, except that a job whose file is there has called ``wandb.init``.
        """
        try:
            progress = await self._rest()
        except Exception as error:
            log.exception("tracking of run %s", self._run.id)
            self._complain(str(error))
            known = self.progress or Progress()
            progress = replace(known, tracked=bool(find_wandb_files(self._attempt)))
            self.progress = progress
        self.tell_left_out()
        await self._in_thread(self._close)
        return progress

    async def _rest(self) -> Progress:
        while True:
            try:
                progress = await self._poll(list)
            except DiskFull as error:
                self._complain(error.cause)
                await asyncio.sleep(INTERVAL_S)
            else:
                if not progress.more:
                    return progress

    def observed(self) -> dict[str, Any]:
        """Return what the store should have of this run now."""
        progress = self.progress
        if progress is None:
            return {}
        values: dict[str, Any] = {
            "tracked": progress.tracked,
            "observed": dict(progress.config),
            "summary": dict(progress.summary),
            "progress": most_telling(progress.last, self._telling),
        }
        if progress.display_name:
            values["name"] = progress.display_name
        if progress.tags:
            values["tags"] = list(dict.fromkeys((*self._run.tags, *progress.tags)))
        if progress.notes:
            values["note"] = progress.notes
        return values

    def _complain(self, what: str) -> None:
        if what != self._complaint:
            self._complaint = what
            self._context.report(f"tracking: {what}", run=self._run)

    def tell_left_out(self) -> None:
        """Put an event beside the run, once an attempt, when the job logs more than is kept."""
        if self._told or self.progress is None or not self.progress.left_out:
            return
        self._told = True
        write.add_event(self._context.db, LEFT_OUT, actor=self._context.agent, run_id=self._run.id)
        self._complain(LEFT_OUT)

    def _store(self) -> None:
        self.tell_left_out()
        values = self.observed()
        changed = {k: v for k, v in values.items() if self._stored.get(k) != v}
        if changed:
            write.observe(self._context.db, self._run.id, changed)
            self._stored = values

    def _learn_declared(self) -> None:
        """Learn what the script declared, while it runs: the next launch may come before its end.

        A script that goes on declaring is read again at its end only.
        """
        size = declared_size(self._attempt.directory / "wandb")
        if self.progress is None or size == self._declared or self._readings >= MOST_READINGS:
            return
        self._declared, self._readings = size, self._readings + 1
        learn_declared(self._context, self._run, self.progress)

    async def _poll(self, pids: Callable[[], Sequence[int]]) -> Progress:
        self.progress = await self._in_thread(self._poll_in_thread, pids)
        return self.progress

    def _poll_in_thread(self, pids: Callable[[], Sequence[int]]) -> Progress:
        if self._tracker is None:
            path = self._context.db.home.metrics(self._run.id)
            self._tracker = OfflineTracker(self._attempt, path, secrets=self._secrets)
        return self._tracker.poll(BYTES_AT_ONCE, pids=pids)

    def _close(self) -> None:
        if self._tracker is not None:
            self._tracker.close()

    async def _in_thread(self, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._context.tracking, function, *arguments)
