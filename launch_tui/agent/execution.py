"""One run carried out: source, build, start, watch, settle.

Before each side effect the intent is committed, so whoever looks after a crash knows how far it
may have come. Up to ``building`` a run that is left goes back to its place in the queue; from
``starting`` on the job's own token tells whether it ran.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shlex
from typing import TYPE_CHECKING, Any, TypeVar

from launch_tui import faults
from launch_tui.agent.environment import variables_of
from launch_tui.agent.outcome import Outcome, judge
from launch_tui.agent.secure_mode import check_secure
from launch_tui.agent.sourcing import bring_source
from launch_tui.agent.watching import Tracking, learn_schemas
from launch_tui.domain.attempt import Attempt, Ended, EndKind, Running
from launch_tui.domain.run import MAX_PREEMPTIONS, Phase, RunState, StopMode
from launch_tui.domain.text import printable
from launch_tui.errors import DiskFull, LaunchError, RunFailure, Stale, StartFailed, StoreBusy
from launch_tui.store import queues, read, write
from launch_tui.store.clock import iso, now

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from launch_tui.agent.context import Context
    from launch_tui.builders import Interpreter
    from launch_tui.store.write import Claimed
    from launch_tui.targets import Target
    from launch_tui.tracking.offline import Progress

RETRY_S = 1.0
"""How often a write is tried again while the disk is full or the store is locked."""
WAITED_FOR = (DiskFull, StoreBusy)
"""What passes: no run is given up for it, and nothing is told that is not so."""
LOG_TAIL_BYTES = 16 * 1024

T = TypeVar("T")
log = logging.getLogger(__name__)

_DURABLE = frozenset({RunState.STARTING})
"""Steps that must be on disk before their effect. After a loss of power a run that was sourcing or
building is claimed anew, and one that was running has its own token and records on disk."""

_PHASES = {
    RunState.CLAIMED: Phase.SOURCE,
    RunState.SOURCING: Phase.SOURCE,
    RunState.BUILDING: Phase.BUILD,
    RunState.STARTING: Phase.START,
    RunState.RUNNING: Phase.RUN,
}


class StopAsked(Exception):
    """The user asked for the end of a run that has not started."""


class Execution:
    """Carries one claimed run to its outcome.

    Args:
        context: The agent's.
        claimed: The run; it belongs to this agent.
    """

    def __init__(self, context: Context, claimed: Claimed) -> None:
        self._context = context
        self.run = claimed.run
        self._spec = claimed.spec
        self._state = claimed.run.state
        self._target: Target = context.targets[claimed.run.resource]
        self._directory = context.db.home.attempt(self.run.id, self.run.attempt)
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._tracking: Tracking | None = None

    def ask_to_stop(self, mode: str) -> None:
        """End the run as soon as it can be."""
        self._stop.set()
        if mode == StopMode.NOW:
            self._hurry.set()

    async def carry_out(self) -> None:
        """Take the run from ``claimed`` to its outcome."""
        await self._guarded(self._from_source())

    async def take_up(self) -> None:
        """Go on with a run that another agent, now dead, has begun."""
        await self._guarded(self._from_where_it_is())

    async def _from_source(self) -> None:
        if self._context.config().secure_mode:
            check_secure(self._context.db, self.run, self._spec)
        source = await self._interruptible(self._bring_source())
        interpreter = await self._interruptible(self._build(source))
        handle = await self._start(source, interpreter)
        await self._settle(handle)

    async def _from_where_it_is(self) -> None:
        if self._state not in (RunState.STARTING, RunState.RUNNING):
            await self._insist(lambda: self._give_back("its agent ended before it was started"))
            return
        attempt = self._attempt(self._directory, self._spec.command, {})
        handle = await self._target.adopt(attempt)
        if handle is None and await self._void(attempt):
            await self._try_anew("its agent ended before it was started")
            return
        handle = handle or await self._target.adopt(attempt)
        if handle is None:
            raise StartFailed("it was started, and left no trace", next_step="rerun")
        self._context.report("adopted", run=self.run)
        await self._settle(handle)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Turn whatever happens into an outcome: a failed launch is never silent."""
        try:
            await work
        except asyncio.CancelledError:
            if self._state in (RunState.CLAIMED, RunState.SOURCING, RunState.BUILDING):
                with contextlib.suppress(LaunchError):
                    self._give_back("its agent left before it was started")
            raise
        except Stale:
            self._context.report("someone else settled it", run=self.run)
        except StopAsked:
            outcome = Outcome(state=RunState.STOPPED, cause="stopped by the user before it started")
            await self._conclude(outcome)
        except RunFailure as failure:
            await self._conclude(_failed(failure, Phase(failure.phase)))
        except LaunchError as error:
            await self._conclude(_failed(error, _PHASES[self._state]))
        except Exception as error:
            log.exception("run %s", self.run.id)
            what = LaunchError(
                f"unexpected {type(error).__name__}: {error}",
                next_step="this is a bug of launch_tui; please report it",
            )
            await self._conclude(_failed(what, _PHASES[self._state]))

    async def _interruptible(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what ``work`` returns, or end it when a stop is asked for."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise StopAsked
            return task.result()
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _bring_source(self) -> Path:
        await self._enter(RunState.SOURCING)
        faults.point("source.before")
        given_up = False
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(
            self._context.sourcing,
            lambda: bring_source(
                self.run,
                self._spec,
                self._context.db.home,
                report=self._say_from_thread(loop),
                cancelled=lambda: given_up,
            ),
        )
        try:
            source = await work
        except asyncio.CancelledError:
            given_up = True
            raise
        faults.point("source.after")
        return source

    async def _build(self, source: Path) -> Interpreter:
        await self._enter(RunState.BUILDING)
        faults.point("build.before")
        interpreter = await self._context.builder.build(
            source,
            self._spec.environment,
            self._directory / "build.log",
            self._say,
            variables=self._spec.captured,
        )
        faults.point("build.after")
        return interpreter

    async def _start(self, source: Path, interpreter: Interpreter) -> object:
        home = self._context.db.home
        config = read.given_config(self._context.db, self.run.id)
        variables = variables_of(self.run, self._spec, interpreter, home, config)
        if not self._spec.entity and (entity := self._context.config().entity):
            variables.setdefault("WANDB_ENTITY", entity)
        command = interpreter.command(self._spec.command)
        attempt = self._attempt(source, command, variables)
        await self._target.prepare(attempt)
        if self._stop.is_set():
            raise StopAsked
        await self._enter(RunState.STARTING, shlex.join(command))
        faults.point("start.intended")
        handle = await self._target.start(attempt)
        faults.point("start.answered")
        return handle

    async def _settle(self, handle: object) -> None:
        """Watch the job to its end and store the outcome."""
        self._tracking = Tracking(self._context, self.run, self._attempt_of_tracking())
        ended = await self._watch(handle, self._tracking)
        faults.point("end.seen")
        if ended.kind is EndKind.VOID:
            await self._try_anew(ended.cause)
            return
        progress = await self._tracking.finish()
        outcome = judge(
            ended,
            stopped=self._stop.is_set(),
            tracked=progress.tracked,
            tracking_required=self._must_be_tracked(),
            wandb_exit=progress.exit_code,
            untracked_reason=self._why_untracked() if not progress.tracked else None,
            log_tail=printable_tail(self._directory / "output.log"),
        )
        if outcome.state is RunState.LOST and ended.kind is EndKind.REBOOTED and self._runs_again():
            await self._insist(lambda: self._requeue_preempted(ended.cause))
            return
        if outcome.state is RunState.FINISHED:
            await self._learn(progress)
        await self._conclude(outcome, ended_at=ended.ended_at)

    async def _learn(self, progress: Progress) -> None:
        """Teach the job what it takes and gives; a defect in that costs no run."""
        try:
            await self._insist(lambda: learn_schemas(self._context, self.run, progress))
        except Exception:
            log.exception("schemas of run %s", self.run.id)

    def _last_seen(self) -> dict[str, Any]:
        try:
            return self._tracking.observed() if self._tracking else {}
        except Exception:
            log.exception("tracking of run %s", self.run.id)
            return {}

    async def _watch(self, handle: object, tracking: Tracking) -> Ended:
        ended = None
        # Not a TaskGroup: what goes wrong beside the job must never end the watching of it.
        beside = [
            asyncio.ensure_future(self._stop_when_asked(handle)),
            asyncio.ensure_future(tracking.follow(self._pids_of(handle))),
        ]
        try:
            async for status in self._target.watch(handle):
                if isinstance(status, Running):
                    await self._enter_running(status)
                else:
                    ended = status
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        if ended is None:
            raise StartFailed("the target lost sight of the job", next_step="rerun")
        return ended

    async def _stop_when_asked(self, handle: object) -> None:
        await self._stop.wait()
        self._say("stopping")
        try:
            if not self._hurry.is_set():
                await self._stop_gracefully(handle)
            if self._hurry.is_set():
                await self._target.stop(handle, 0)
        except LaunchError as error:
            self._context.report(error.cause, run=self.run)

    async def _stop_gracefully(self, handle: object) -> None:
        """Stop with grace; a second, impatient request ends the grace."""
        grace = self._context.config().stopped_run_timeout
        stopping = asyncio.ensure_future(self._target.stop(handle, grace))
        hurry = asyncio.ensure_future(self._hurry.wait())
        try:
            await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                stopping.result()
        finally:
            for task in (stopping, hurry):
                task.cancel()
            await asyncio.gather(stopping, hurry, return_exceptions=True)

    async def _conclude(self, outcome: Outcome, *, ended_at: float = 0.0) -> None:
        """Store an outcome, however long the disk stays full."""
        changes: dict[str, Any] = {
            "phase": outcome.phase,
            "cause": outcome.cause,
            "next_step": outcome.next_step,
            "exit_code": outcome.exit_code,
            "ended_at": iso(ended_at) if ended_at else now(),
        }
        faults.point("settle.before")
        try:
            await self._insist(
                lambda: write.settle(
                    self._context.db,
                    self.run.id,
                    self._state,
                    outcome.state,
                    owner=self._context.agent,
                    actor=self._context.agent,
                    changes=changes,
                    observed=self._last_seen(),
                )
            )
        except Stale:
            self._context.report("someone else settled it", run=self.run)
            return
        faults.point("settle.after")
        self._state = outcome.state
        text = str(outcome.state) + (f": {outcome.cause}" if outcome.cause else "")
        self._context.report(text, run=self.run, state=outcome.state)

    async def _enter(self, to: RunState, message: str = "", **changes: object) -> None:
        await self._insist(
            lambda: write.transition(
                self._context.db,
                self.run.id,
                self._state,
                to,
                owner=self._context.agent,
                actor=self._context.agent,
                message=message,
                changes=changes,
                durable=to in _DURABLE,
            )
        )
        self._state = to
        self._context.report(message or str(to), run=self.run, state=to)

    async def _insist(self, work: Callable[[], T]) -> T:
        """Write to the disk, however long it stays full or the store stays locked."""
        said = ""
        while True:
            try:
                return work()
            except WAITED_FOR as error:
                if error.cause != said:
                    said = error.cause
                    self._context.report(f"waits: {said}", run=self.run)
                await asyncio.sleep(RETRY_S)

    async def _void(self, attempt: Attempt) -> bool:
        while True:
            try:
                return await self._target.void(attempt)
            except WAITED_FOR as error:
                self._context.report(f"waits: {error.cause}", run=self.run)
                await asyncio.sleep(RETRY_S)

    async def _enter_running(self, status: Running) -> None:
        if self._state is RunState.STARTING:
            # When it started, not when that was seen: an adopted job may have ended long ago.
            started_at = iso(status.started_at) if status.started_at else now()
            await self._enter(RunState.RUNNING, started_at=started_at)
            faults.point("running.recorded")

    def _give_back(self, why: str) -> None:
        """Put the run back into its place in the queue; nothing of it has started."""
        self._requeue(why, self.run.attempt)

    async def _try_anew(self, why: str) -> None:
        """Queue the next attempt in the run's place, since this one can never start."""
        if self.run.attempt > MAX_PREEMPTIONS:
            raise StartFailed(f"{why}, {self.run.attempt} times", next_step="launch-tui doctor")
        await self._insist(lambda: self._requeue(why, self.run.attempt + 1))

    def _runs_again(self) -> bool:
        """Say whether the queue, as it is now, wants a rebooted machine's runs once more."""
        queue = queues.find(self._context.db, self.run.queue)
        wanted = queue is not None and queue.on_reboot == "requeue"
        return wanted and self.run.attempt <= MAX_PREEMPTIONS

    def _requeue_preempted(self, why: str) -> None:
        """Queue the next attempt in the run's place after the machine took this one away."""
        self._requeue(why, self.run.attempt + 1, through=RunState.PREEMPTED)

    def _requeue(self, why: str, attempt: int, through: RunState | None = None) -> None:
        write.requeue(
            self._context.db,
            self.run.id,
            self._state,
            owner=self._context.agent,
            message=why,
            attempt=attempt,
            through=through,
        )
        self._state = RunState.QUEUED
        self._context.report(f"back in its queue: {why}", run=self.run, state=RunState.QUEUED)

    def _attempt(
        self, working_directory: Path, command: Sequence[str], variables: dict[str, str]
    ) -> Attempt:
        return Attempt(
            run_id=self.run.id,
            number=self.run.attempt,
            directory=self._directory,
            command=tuple(command),
            working_directory=working_directory,
            environment=variables,
        )

    def _attempt_of_tracking(self) -> Attempt:
        """Return the attempt as tracking needs it, also when it was adopted."""
        from pathlib import Path

        place = Path(self._spec.in_place) if self._spec.in_place else self._directory / "source"
        subdirectory = getattr(self._spec.source, "subdirectory", "")
        return self._attempt(place / subdirectory, self._spec.command, {})

    def _say(self, text: str) -> None:
        """Make ``text`` the one line worth knowing of this run."""
        with contextlib.suppress(*WAITED_FOR):
            write.observe(self._context.db, self.run.id, {"progress": text})
        self._context.report(text, run=self.run)

    def _say_from_thread(self, loop: asyncio.AbstractEventLoop) -> Callable[[str], None]:
        def say(text: str) -> None:
            loop.call_soon_threadsafe(self._say, text)

        return say

    def _pids_of(self, handle: object) -> Callable[[], Sequence[int]]:
        pids = getattr(self._target, "pids", None)
        return (lambda: pids(handle)) if pids else list

    def _must_be_tracked(self) -> bool:
        """Say whether job and queue, as it is now, both ask for ``wandb.init``."""
        queue = queues.find(self._context.db, self.run.queue)
        rules = (self._spec.tracking, queue.tracking if queue else "required")
        return all(rule == "required" for rule in rules)

    def _why_untracked(self) -> str | None:
        from launch_tui.tracking.offline import why_untracked

        tail = tail_of(self._directory / "output.log")
        return why_untracked(tail, {**self._spec.captured, **self._spec.setenv})


def tail_of(path: Path) -> bytes:
    """Return the last bytes of a log; none when there is no log."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            return file.read(LOG_TAIL_BYTES)
    except OSError:
        return b""


def printable_tail(path: Path) -> str:
    """Return the last lines of a log, made harmless."""
    text = tail_of(path).decode("utf-8", "replace")
    return "\n".join(printable(line) for line in text.splitlines())


def _failed(error: LaunchError, phase: Phase) -> Outcome:
    return Outcome(
        state=RunState.FAILED, phase=phase, cause=error.cause, next_step=error.next_step or None
    )
