"""What the agent learns from a running job's ``wandb`` files, and what it puts into the store."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from launch_tui.domain.metrics import most_telling
from launch_tui.errors import DiskFull, LaunchError
from launch_tui.store import jobs, read, write
from launch_tui.tracking.offline import OfflineTracker, Progress, find_wandb_files
from launch_tui.tracking.outputs import outputs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from launch_tui.agent.context import Context
    from launch_tui.domain.attempt import Attempt
    from launch_tui.domain.output import Output
    from launch_tui.domain.run import Run

INTERVAL_S = 0.5
"""How often the files of a running job are read: wandb 0.31 flushes as often (WANDB.md 3.3)."""
log = logging.getLogger(__name__)
BYTES_AT_ONCE = 256 * 1024
"""How much is read before another run gets its turn."""


class Tracking:
    """Reads the metrics of one attempt, in the tracking thread, and stores what changed."""

    def __init__(self, context: Context, run: Run, attempt: Attempt) -> None:
        self._context = context
        self._run = run
        self._attempt = attempt
        self._tracker: OfflineTracker | None = None
        self._stored: dict[str, Any] = {}
        self._complaint = ""
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

    def _store(self) -> None:
        values = self.observed()
        changed = {k: v for k, v in values.items() if self._stored.get(k) != v}
        if changed:
            write.observe(self._context.db, self._run.id, changed)
            self._stored = values

    async def _poll(self, pids: Callable[[], Sequence[int]]) -> Progress:
        self.progress = await self._in_thread(self._poll_in_thread, pids)
        return self.progress

    def _poll_in_thread(self, pids: Callable[[], Sequence[int]]) -> Progress:
        if self._tracker is None:
            path = self._context.db.home.metrics(self._run.id)
            self._tracker = OfflineTracker(self._attempt, path)
        return self._tracker.poll(BYTES_AT_ONCE, pids=pids)

    def _close(self) -> None:
        if self._tracker is not None:
            self._tracker.close()

    async def _in_thread(self, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._context.tracking, function, *arguments)


def learn_schemas(context: Context, run: Run, progress: Progress) -> None:
    """Teach the run's job version what it takes and gives."""
    from launch_tui.domain.inputs import infer_inputs, infer_outputs, merge_schemas
    from launch_tui.errors import NotFound

    if not run.version.startswith("v") or not progress.tracked:
        return
    reference = f"{run.job}:{run.version}"
    try:
        job = jobs.get(context.db, reference)
    except NotFound:
        return
    # What the launch gave says nothing of the script's own default, so it replaces none.
    own = without(progress.config, read.given_config(context.db, run.id))
    learnt = merge_schemas(infer_inputs(progress.config), job.inputs)
    inputs = merge_schemas(merge_schemas(job.inputs, learnt), infer_inputs(own))
    outputs = merge_schemas(job.outputs, infer_outputs(progress.summary, progress.last))
    outputs = _with_artifacts(outputs, outputs_of(context.db.home.run(run.id), run.attempt))
    if inputs != job.inputs or outputs != job.outputs:
        jobs.learn(context.db, reference, inputs, outputs)


def _with_artifacts(schema: Mapping[str, Any], logged: Sequence[Output]) -> dict[str, Any]:
    """Return the schema of a job's outputs with the names and types of what it logs as artifacts.

    A person's own schema is extended, not contradicted: names that it has stay as they are.
    """
    found = {output.name: {"type": output.type} for output in logged}
    known = schema.get("artifacts", {})
    return {**schema, "artifacts": {**found, **known}} if found else dict(schema)


def without(config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of ``config`` whose keys, nested ones alike, ``given`` does not have."""
    left: dict[str, Any] = {}
    for key, value in config.items():
        if key not in given:
            left[key] = value
        elif isinstance(value, dict) and isinstance(given[key], dict):
            left |= {key: inner} if (inner := without(value, given[key])) else {}
    return left
