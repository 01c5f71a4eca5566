"""One run carried out: source, build, start, watch, settle.

Before each side effect the intent is committed, so whoever looks after a crash knows how far it
may have come. Up to ``building`` a run that is left goes back to its place in the queue; from
``starting`` on the job's own token tells whether it ran.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from launch_tui import faults
from launch_tui.agent.admission import held_by
from launch_tui.agent.evidence import Evidence
from launch_tui.agent.learning import learn_declared, learn_schemas
from launch_tui.agent.ledger import RETRY_S, WAITED_FOR, Ledger
from launch_tui.agent.limits import (
    began,
    ended_by_limit,
    first_expiry,
    gpu_idle_limit,
    run_limit,
    start_limit,
)
from launch_tui.agent.outcome import Outcome, exit_status, judge
from launch_tui.agent.process_way import ProcessWay
from launch_tui.agent.secret_values import secret_value
from launch_tui.agent.secure_mode import check_secure
from launch_tui.agent.setting import Setting, keeps_container, setting_of
from launch_tui.agent.sourcing import bring_source
from launch_tui.agent.stopping import StopAsked, Stopping
from launch_tui.agent.watching import Tracking
from launch_tui.agent.way import attempt_of
from launch_tui.domain.attempt import Ended, EndKind, Running, Said
from launch_tui.domain.config_secrets import with_values
from launch_tui.domain.failure import retry_matches
from launch_tui.domain.kernel import KernelEvidence
from launch_tui.domain.queue import Resource
from launch_tui.domain.run import MAX_PREEMPTIONS, Phase, RunState
from launch_tui.domain.text import printable
from launch_tui.errors import EngineDown, LaunchError, RunFailure, Stale, StartFailed
from launch_tui.store import queues, read
from launch_tui.store.clock import seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from pathlib import Path

    from launch_tui.agent.context import Context
    from launch_tui.agent.limits import Expiry
    from launch_tui.agent.way import Way
    from launch_tui.domain.attempt import Attempt
    from launch_tui.store.claiming import Claimed
    from launch_tui.targets import Target
    from launch_tui.tracking.offline import Progress

LOG_TAIL_BYTES = 16 * 1024
MAX_BACKOFF_S = 3600.0
"""Doubling the time before a retry ends here, unless the first back-off is longer still."""

log = logging.getLogger(__name__)

T = TypeVar("T")

_PHASES = {
    RunState.CLAIMED: Phase.SOURCE,
    RunState.SOURCING: Phase.SOURCE,
    RunState.BUILDING: Phase.BUILD,
    RunState.STARTING: Phase.START,
    RunState.RUNNING: Phase.RUN,
}


_NOT_STARTED = frozenset({RunState.CLAIMED, RunState.SOURCING, RunState.BUILDING})


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
        self._target: Target = context.targets[claimed.run.resource]
        self._directory = context.db.home.attempt(self.run.id, self.run.attempt)
        self._ledger = Ledger(context, claimed.run)
        self._stopping = Stopping()
        self._tracking: Tracking | None = None
        self._setting = Setting()
        self._way: Way = ProcessWay(context, claimed.run, claimed.spec, self._setting)
        self._evidence: Evidence | None = None
        self.held = held_by(claimed.run, claimed.spec)
        """What of the machine's slots the run has until this is over."""

    def ask_to_stop(self, mode: str) -> None:
        """End the run as soon as it can be."""
        self._stopping.ask(mode)

    async def carry_out(self) -> None:
        """Take the run from ``claimed`` to its outcome."""
        await self._guarded(self._in_time())

    async def take_up(self) -> None:
        """Go on with a run that another agent, now dead, has begun.

        Whether its job has started shows at once, and one that has is not late.
        """
        await self._guarded(self._from_where_it_is())

    async def _in_time(self) -> None:
        """Carry it out, and end it as a person would when it does not start in time."""
        self._set_up()
        limit = self._setting.start_timeout or self._context.config().start_timeout
        if limit is None:
            await self._from_source()
            return
        starting = asyncio.ensure_future(self._end_if_it_does_not_start(limit))
        try:
            await self._from_source()
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)

    def _set_up(self) -> None:
        allowed = self._context.config().macro_environment
        self._setting = setting_of(self.run, self._spec, allowed)
        self._way = self._way_of_target()

    def _way_of_target(self) -> Way:
        """Return how this kind of target comes to an attempt; what it needs is loaded only then."""
        if self.run.resource == Resource.LOCAL_CONTAINER:
            from launch_tui.agent.container_way import ContainerWay

            return ContainerWay(self._context, self.run, self._spec, self._setting)
        return ProcessWay(self._context, self.run, self._spec, self._setting)

    async def _end_if_it_does_not_start(self, limit: float) -> None:
        claimed = self.run.claimed_at
        expiry = await start_limit(seconds(claimed) if claimed else time.time(), limit)
        if self._ledger.state is not RunState.RUNNING:
            self._stopping.expire(expiry)

    async def _from_source(self) -> None:
        if self._context.config().secure_mode:
            check_secure(self._context.db, self.run, self._spec)
        source = await self._stopping.unless_asked(self._bring_source())
        built = await self._stopping.unless_asked(self._build(source))
        handle = await self._start(source, built)
        await self._settle(handle)

    async def _from_where_it_is(self) -> None:
        self._set_up()
        if self._ledger.state not in (RunState.STARTING, RunState.RUNNING):
            why = "its agent ended before it was started"
            await self._ledger.insist(lambda: self._ledger.give_back(why))
            return
        attempt = self._attempt_of_tracking()
        handle = await self._patiently(lambda: self._target.adopt(attempt))
        if handle is None and await self._void(attempt):
            await self._try_anew("its agent ended before it was started")
            return
        handle = handle or await self._patiently(lambda: self._target.adopt(attempt))
        if handle is None:
            raise StartFailed("it was started, and left no trace", next_step="rerun")
        self._context.report("adopted", run=self.run)
        await self._settle(handle)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Turn whatever happens into an outcome: a failed launch is never silent."""
        try:
            await work
        except asyncio.CancelledError:
            if self._ledger.state in _NOT_STARTED:
                with contextlib.suppress(LaunchError):
                    self._ledger.give_back("its agent left before it was started")
            raise
        except Stale:
            self._context.report("someone else settled it", run=self.run)
        except StopAsked:
            await self._end_with(self._ended_before_start())
        except RunFailure as failure:
            await self._end_with(_failed(failure, Phase(failure.phase)))
        except LaunchError as error:
            await self._end_with(_failed(error, _PHASES[self._ledger.state]))
        except Exception as error:
            log.exception("run %s", self.run.id)
            what = LaunchError(
                f"unexpected {type(error).__name__}: {error}",
                next_step="this is a bug of launch_tui; please report it",
            )
            await self._end_with(_failed(what, _PHASES[self._ledger.state]))

    async def _bring_source(self) -> Path:
        await self._ledger.enter(RunState.SOURCING)
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

    async def _build(self, source: Path) -> Any:  # noqa: ANN401
        await self._ledger.enter(RunState.BUILDING)
        faults.point("build.before")
        log = self._directory / "build.log"
        built = await self._patiently(lambda: self._way.build(source, log, self._ledger.say))
        faults.point("build.after")
        return built

    async def _start(self, source: Path, built: Any) -> object:  # noqa: ANN401
        config = read.given_config(self._context.db, self.run.id)
        ready = await self._patiently(
            lambda: self._way.ready(source, built, self._with_secrets(config))
        )
        attempt = self._with_entity(ready.attempt)
        await self._patiently(lambda: self._target.prepare(attempt))
        if self._stopping.asked:
            raise StopAsked
        await self._ledger.enter(RunState.STARTING, ready.message, **ready.changes)
        faults.point("start.intended")
        handle = await self._patiently(lambda: self._target.start(attempt))
        faults.point("start.answered")
        return handle

    def _with_secrets(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the configuration with the values of the secrets that it refers to."""
        root = self._context.db.home.root
        return with_values(config, lambda name: secret_value(name, root, os.environ))

    def _with_entity(self, attempt: Attempt) -> Attempt:
        """Return the attempt with the agent's entity where the launch has none of its own."""
        entity = self._context.config().entity
        if self._spec.entity or not entity or "WANDB_ENTITY" in attempt.environment:
            return attempt
        return replace(attempt, environment={**attempt.environment, "WANDB_ENTITY": entity})

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do what may be repeated until the engine answers: until then nothing is known.

        Raises:
            StopAsked: The run is to end, and nothing of it can have started.
        """
        waited = False
        while True:
            try:
                done = await work()
            except EngineDown as error:
                self._context.engine_watch.failed(error)
                if not waited:
                    self._ledger.say(f"waits: {error}")
                waited = True
                if self._stopping.asked and self._ledger.state in _NOT_STARTED:
                    raise StopAsked from error
                await asyncio.sleep(RETRY_S)
            else:
                if waited:
                    self._ledger.say("the Docker engine answers again")
                return done

    async def _settle(self, handle: object) -> None:
        """Watch the job to its end and store the outcome."""
        self._tracking = Tracking(self._context, self.run, self._attempt_of_tracking())
        ended = await self._watch(handle, self._tracking)
        faults.point("end.seen")
        await self._settle_as(ended)
        await self._forget(handle)

    async def _settle_as(self, ended: Ended) -> None:
        """Store what the end of the job means, or queue its next attempt."""
        if self._tracking is None:
            raise RuntimeError("a job ended that was not watched")
        if ended.kind is EndKind.VOID:
            if self._stopping.expiry is not None:
                await self._end_with(self._ended_before_start())
            else:
                await self._try_anew(ended.cause)
            return
        progress = await self._tracking.finish()
        if ended.kind is EndKind.EXITED and self._wants_another():
            await self._ledger.requeue_preempted("the job asked to be run again")
            return
        outcome = self._outcome(ended, progress)
        if outcome.state is RunState.LOST and ended.kind is EndKind.REBOOTED and self._runs_again():
            await self._ledger.requeue_preempted(ended.cause)
            return
        await self._learn(progress, finished=outcome.state is RunState.FINISHED)
        await self._end_with(outcome, ended_at=ended.ended_at)

    def _outcome(self, ended: Ended, progress: Progress) -> Outcome:
        """Return what the end of the job means."""
        tail = printable_tail(self._directory / "output.log") if ended.exit_code != 0 else ""
        if (expiry := self._stopping.expiry or self._over_before(ended)) is not None:
            return _over(expiry, exit_status(ended.exit_code))
        if failure := self._setting.start_failure(ended.exit_code, tail):
            return _failed(failure, Phase.START)
        return judge(
            ended,
            stopped=self._stopping.by_user,
            tracked=progress.tracked,
            tracking_required=self._must_be_tracked(),
            wandb_exit=progress.exit_code,
            untracked_reason=self._why_untracked() if not progress.tracked else None,
            log_tail=tail,
            evidence=self._evidence_of(ended),
        )

    def _evidence_of(self, ended: Ended) -> Callable[[], KernelEvidence] | None:
        """Return what tells of memory: the resource's own word where it has one."""
        if ended.oom:
            return lambda: KernelEvidence(group_kills=1)
        return self._evidence.at_end if self._evidence else None

    def _over_before(self, ended: Ended) -> Expiry | None:
        """Return the limit for which an agent that is dead now may have ended the job."""
        if not self.run.started_at or not ended.exit_code or self._stopping.by_user:
            return None
        started_at = seconds(self.run.started_at)
        return ended_by_limit(started_at, ended.ended_at, self._setting.timeout)

    def _ended_before_start(self) -> Outcome:
        if self._stopping.expiry is not None:
            return _over(self._stopping.expiry, None)
        return Outcome(state=RunState.STOPPED, cause="stopped by the user before it started")

    async def _end_with(self, outcome: Outcome, *, ended_at: float = 0.0) -> None:
        """Settle the run, or queue its next attempt where a retry is for this outcome."""
        left = self._spec.retries > self.run.retried and not self._stopping.by_user
        if left and retry_matches(self._spec.retry_on, outcome.state, outcome.failure):
            first = self._spec.backoff
            delay = min(first * 2**self.run.retried, max(first, MAX_BACKOFF_S))
            with contextlib.suppress(Stale):
                await self._ledger.retry(outcome, delay)
            return
        await self._ledger.conclude(outcome, self._last_seen, ended_at=ended_at)

    async def _learn(self, progress: Progress, *, finished: bool) -> None:
        """Teach the job what it takes and gives; a defect in that costs no run."""

        def work() -> None:
            if finished:
                learn_schemas(self._context, self.run, progress)
            else:
                learn_declared(self._context, self.run, progress, ended=True)

        try:
            await self._ledger.insist(work)
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
        running: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
        # Not a TaskGroup: what goes wrong beside the job must never end the watching of it.
        beside = [
            asyncio.ensure_future(self._stop_when_asked(handle)),
            asyncio.ensure_future(tracking.follow(self._pids_of(handle))),
        ]
        if self._setting.timeout or self._setting.gpu_idle_stop:
            beside.append(asyncio.ensure_future(self._end_when_over(running)))
        try:
            async for status in self._target.watch(handle):
                if isinstance(status, Running):
                    await self._ledger.enter_running(status.started_at)
                    self._evidence = Evidence(status.pid, started_at=status.started_at)
                    running.set_result(status)
                elif isinstance(status, Said):
                    self._ledger.say(status.text)
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
        await self._stopping.wanted()
        self._ledger.say("stopping")
        try:
            grace = self._context.config().stopped_run_timeout
            await self._stopping.end(self._target, handle, grace)
        except LaunchError as error:
            self._context.report(error.cause, run=self.run)

    async def _end_when_over(self, running: asyncio.Future[Running]) -> None:
        """End the job once it has run for as long as it may, or its GPUs idle for too long."""
        started_at = began(await running)
        limits = []
        if self._setting.timeout:
            limits.append(run_limit(started_at, self._setting.timeout))
        idle, devices = self._setting.gpu_idle_stop, self._context.devices
        if idle and self.run.gpus:
            limits.append(
                gpu_idle_limit(
                    lambda: devices.idle_for(
                        self.run.gpus, idle.below, running_for=time.time() - started_at
                    ),
                    idle.seconds,
                    idle.below,
                )
            )
        expiry = await first_expiry(limits)
        faults.point("limit.over")
        self._stopping.expire(expiry)

    async def _void(self, attempt: Attempt) -> bool:
        while True:
            try:
                return await self._patiently(lambda: self._target.void(attempt))
            except WAITED_FOR as error:
                self._context.report(f"waits: {error.cause}", run=self.run)
                await asyncio.sleep(RETRY_S)

    def _runs_again(self) -> bool:
        """Say whether the queue, as it is now, wants a rebooted machine's runs once more."""
        queue = queues.find(self._context.db, self.run.queue)
        wanted = queue is not None and queue.on_reboot == "requeue"
        return wanted and self.run.attempt - self.run.retried <= MAX_PREEMPTIONS

    def _wants_another(self) -> bool:
        """Say whether the job wrote, for this attempt, that it is to go on in the next one."""
        return self._context.db.home.again(self.run.id, self.run.attempt).exists()

    async def _try_anew(self, why: str) -> None:
        if self.run.attempt - self.run.retried > MAX_PREEMPTIONS:
            raise StartFailed(f"{why}, {self.run.attempt} times", next_step="launch-tui doctor")
        await self._ledger.try_anew(why)

    async def _forget(self, handle: object) -> None:
        """Let the target throw away what it kept for the outcome's sake, which is stored now."""
        forget = getattr(self._target, "forget", None)
        if forget is None or keeps_container(self._spec):
            return
        # What is left now is found and removed by a later agent.
        with contextlib.suppress(LaunchError):
            await forget(handle)

    def _attempt_of_tracking(self) -> Attempt:
        """Return the attempt as tracking needs it, also when it was adopted."""
        home = self._context.db.home
        place = self._way.working_directory()
        return attempt_of(self.run, home, command=self._spec.command, place=place, variables={})

    def _say_from_thread(self, loop: asyncio.AbstractEventLoop) -> Callable[[str], None]:
        def say(text: str) -> None:
            loop.call_soon_threadsafe(self._ledger.say, text)

        return say

    def _pids_of(self, handle: object) -> Callable[[], Sequence[int]]:
        pids = getattr(self._target, "pids", None)
        if pids is None:
            return list

        def seen() -> Sequence[int]:
            found: Sequence[int] = pids(handle)
            if self._evidence is not None:
                self._evidence.saw(found)
            return found

        return seen

    def _must_be_tracked(self) -> bool:
        """Say whether job and queue, as it is now, both ask for ``wandb.init``."""
        queue = queues.find(self._context.db, self.run.queue)
        rules = (self._spec.tracking, queue.tracking if queue else "required")
        return all(rule == "required" for rule in rules)

    def _why_untracked(self) -> str | None:
        from launch_tui.tracking.offline import why_untracked

        tail = tail_of(self._directory / "output.log")
        given = {**self._spec.captured, **self._setting.env, **self._spec.setenv}
        return why_untracked(tail, given)


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


def _over(expiry: Expiry, exit_code: int | None) -> Outcome:
    """Return the outcome of a run that a limit has ended, whatever it did with the grace."""
    return Outcome(
        state=RunState.FAILED,
        exit_code=exit_code,
        phase=expiry.phase,
        cause=expiry.cause,
        next_step=expiry.next_step,
        failure=expiry.kind,
    )
