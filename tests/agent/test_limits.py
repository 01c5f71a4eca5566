"""The limits of a run, with short real times: each ends by an event, none is slept for."""

from __future__ import annotations

import asyncio
import time

import pytest

from launch_tui.agent.limits import (
    ended_by_limit,
    first_expiry,
    gpu_idle_limit,
    run_limit,
    start_limit,
)
from launch_tui.domain.failure import FailureKind
from launch_tui.domain.run import Phase


async def took(work):
    begin = time.monotonic()
    async with asyncio.timeout(20):
        expiry = await work
    return expiry, time.monotonic() - begin


async def test_a_run_ends_at_its_limit_and_says_so():
    expiry, seconds = await took(run_limit(time.time(), 0.2))
    assert 0.19 < seconds < 5
    assert (expiry.kind, expiry.phase) == (FailureKind.TIMEOUT, Phase.RUN)
    assert expiry.cause == "ran longer than its time limit of 0.2s"
    assert "--timeout" in expiry.next_step


async def test_what_passed_before_the_agent_came_counts():
    _, seconds = await took(run_limit(time.time() - 3600, 3600.1))
    assert 0.05 < seconds < 5
    _, seconds = await took(run_limit(time.time() - 7200, 3600))
    assert seconds < 1


async def test_a_clock_that_is_set_neither_ends_a_run_nor_lengthens_its_limit():
    walls = iter([1000.0, 9e9, 9e9])
    expiry = asyncio.ensure_future(run_limit(1000.0, 0.3, wall=lambda: next(walls)))
    _, seconds = await took(expiry)
    assert 0.25 < seconds < 5, "the wall clock was asked again"
    _, seconds = await took(run_limit(5000.0, 0.2, wall=lambda: 1000.0))
    assert seconds < 5, "a clock set back has lengthened the limit"


async def test_a_start_limit_is_a_failure_of_the_start():
    expiry, _ = await took(start_limit(time.time() - 60, 59.5))
    assert (expiry.kind, expiry.phase) == (FailureKind.START_TIMEOUT, Phase.START)
    assert expiry.cause == "was not running within its start limit of 59.5s"


async def test_gpus_must_be_idle_on_end():
    seen = iter([0.5, 9.9, 0.0, 3.0, 10.0])
    expiry, _ = await took(gpu_idle_limit(lambda: next(seen), 10, 5, look_every=0.001))
    assert next(seen, None) is None, "it did not wait for the last look"
    assert expiry.kind is FailureKind.TIMEOUT
    assert expiry.cause == "its GPUs were used less than 5 % for 10s"


async def test_the_first_of_several_limits_counts_and_the_others_are_let_go():
    now = time.time()
    expiry, _ = await took(
        first_expiry([run_limit(now, 600), start_limit(now, 0.05), run_limit(now, 900)])
    )
    assert expiry.kind is FailureKind.START_TIMEOUT
    assert len(asyncio.all_tasks()) == 1


async def test_a_limit_that_cannot_be_watched_ends_no_run():
    def broken():
        raise RuntimeError("no driver")

    expiry, _ = await took(
        first_expiry([gpu_idle_limit(broken, 1, 1), run_limit(time.time(), 0.1)])
    )
    assert expiry.kind is FailureKind.TIMEOUT
    with pytest.raises(RuntimeError, match="no driver"):
        await first_expiry([gpu_idle_limit(broken, 1, 1)])


async def test_without_limits_nothing_ever_expires():
    waiting = asyncio.ensure_future(first_expiry([]))
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()


def test_an_end_that_nobody_saw_is_told_by_its_times():
    assert ended_by_limit(1000, 1059, 60) is None
    assert ended_by_limit(1000, 1060, 60).kind is FailureKind.TIMEOUT
    assert ended_by_limit(1000, 9e9, None) is None
    assert ended_by_limit(0, 9e9, 60) is None
