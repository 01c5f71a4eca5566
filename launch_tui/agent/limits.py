"""The limits after which the agent ends a run by itself: too long, too late, its GPUs idle.

Each is a coroutine that returns an ``Expiry`` when its limit is over and does nothing else: who
awaits it stops the run as a user would and settles it with what the expiry says. They count with
the monotonic clock from the moment they begin, so that a clock that is set forward ends no run;
what had passed before that moment is told by the wall clock, but for a job that is a process here:
its age is the kernel's.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.domain.failure import FailureKind, next_step_of
from launch_tui.domain.quantities import write_duration
from launch_tui.domain.run import Phase
from launch_tui.targets.processes import identify

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from launch_tui.domain.attempt import Running

IDLE_LOOK_S = 5.0
"""How often is asked how long the GPUs of a run have been idle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """A limit that is over, in the words with which the run is settled as failed."""

    kind: FailureKind
    phase: Phase
    cause: str
    next_step: str


def began(job: Running) -> float:
    """Return when a job started, in seconds since the epoch by the clock as it is set now."""
    process = None if job.pid is None else identify(job.pid)
    if process is None:
        return job.started_at or time.time()
    since_boot = process.start_time / os.sysconf("SC_CLK_TCK")
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)


async def run_limit(
    started_at: float, limit: float, *, wall: Callable[[], float] = time.time
) -> Expiry:
    """Return when a job has run for as long as it may.

    Args:
        started_at: When the job started, in seconds since the epoch; also long ago, for a job that
            was adopted.
        limit: Seconds that it may run.
        wall: The clock that ``started_at`` is by.
    """
    await _sleep_from(started_at, limit, wall)
    return ran_too_long(limit)


async def start_limit(
    claimed_at: float, limit: float, *, wall: Callable[[], float] = time.time
) -> Expiry:
    """Return when a run should have been running: source, environment and start included.

    Args:
        claimed_at: When its attempt was begun, in seconds since the epoch.
        limit: Seconds that this may take.
        wall: The clock that ``claimed_at`` is by.
    """
    await _sleep_from(claimed_at, limit, wall)
    return Expiry(
        kind=FailureKind.START_TIMEOUT,
        phase=Phase.START,
        cause=f"was not running within its start limit of {write_duration(limit)}",
        next_step=next_step_of(FailureKind.START_TIMEOUT),
    )


async def gpu_idle_limit(
    idle_for: Callable[[], float], limit: float, below: float, *, look_every: float = IDLE_LOOK_S
) -> Expiry:
    """Return when the GPUs of a run have been idle for as long as its queue allows.

    Args:
        idle_for: For how many seconds on end, until now, each GPU of the run was used less than
            ``below`` percent; 0 while one is used more and while nothing is known.
        limit: Seconds that they may be idle.
        below: The percentage, for the text.
        look_every: Seconds between two looks.
    """
    while (idle := idle_for()) < limit:  # noqa: ASYNC110, a use that goes on sends no event
        await asyncio.sleep(min(look_every, max(limit - idle, 0.01)))
    return Expiry(
        kind=FailureKind.TIMEOUT,
        phase=Phase.RUN,
        cause=f"its GPUs were used less than {below:g} % for {write_duration(limit)}",
        next_step="read the log for what it waited for, or ask for fewer GPUs; then rerun",
    )


async def first_expiry(limits: Iterable[Coroutine[None, None, Expiry]]) -> Expiry:
    """Return the first expiry of several limits; without any, wait until cancelled.

    A limit that cannot be watched for a defect of ours ends no run: it raises only when no other
    limit is left to wait for.
    """
    waiting = {asyncio.ensure_future(limit) for limit in limits}
    if not waiting:
        await asyncio.Event().wait()
    try:
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            over = [task for task in done if not task.cancelled() and task.exception() is None]
            if over or not waiting:
                return (over or list(done))[0].result()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


EARLY_S = 0.05
"""A timer and the clocks of two processes differ by a hair, and a job may end at once if asked."""


def ended_by_limit(started_at: float, ended_at: float, limit: float | None) -> Expiry | None:
    """Return the expiry of a job whose end nobody of us saw, None when it was within its limit.

    An agent that died between asking a job to end and settling it leaves this as the only trace.

    Args:
        started_at: When the job started, in seconds since the epoch.
        ended_at: When it ended, by the same clock.
        limit: Seconds that it might run, None without a limit.
    """
    if limit is None or not started_at or ended_at - started_at < limit - EARLY_S:
        return None
    return ran_too_long(limit)


def ran_too_long(limit: float) -> Expiry:
    """Return the expiry of a run's time limit, in seconds."""
    return Expiry(
        kind=FailureKind.TIMEOUT,
        phase=Phase.RUN,
        cause=f"ran longer than its time limit of {write_duration(limit)}",
        next_step=next_step_of(FailureKind.TIMEOUT),
    )


async def _sleep_from(begin: float, limit: float, wall: Callable[[], float]) -> None:
    # A clock that was set back must not lengthen the limit, so nothing less than 0 has passed.
    passed = max(0.0, wall() - begin)
    await asyncio.sleep(max(0.0, limit - passed))
