"""How far runs are and how their telling metric goes, from the store and the files of each run.

Nothing is kept here and nobody is asked: the metrics' file, the end of the log and the run's row
say it all, whichever process wrote them. What is read of a run is bounded, whatever it has logged.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING

from launch_tui.domain.metrics import Telling, find_telling, value_of
from launch_tui.domain.progress import (
    COUNTERS,
    EPOCH,
    STEP,
    Bar,
    Done,
    Sample,
    bar_in,
    bar_left,
    epoch_in,
    epochs_done,
    time_left,
    wholes,
)
from launch_tui.domain.run import RunState
from launch_tui.errors import LaunchError
from launch_tui.store import clock, write
from launch_tui.store.series import SeriesReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from launch_tui.domain.run import Run
    from launch_tui.sdk import Launch
    from launch_tui.store._downsample import Bucket
    from launch_tui.store.series_read import SeriesInfo

POINTS = 8
"""Points of the small curve in a row."""
_SAMPLES = 24
_TAIL = 8 << 10
"""Bytes of a log's end that are looked through for a bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a row tells of a run.

    ``key`` and ``value`` are the telling metric and its last value, ``curve`` a few of its values,
    NaN for gaps. ``done`` is how far it is; ``ends_at`` when it will be done, in seconds since the
    epoch, told only where the evidence is good (``domain.progress``).
    """

    key: str = ""
    value: float | None = None
    curve: tuple[float, ...] = ()
    done: Done | None = None
    ends_at: float | None = None


def stamp(launch: Launch, run: Run) -> object:
    """Return what differs when there may be news of a run: the states of its files (10 µs)."""
    metrics = launch.home.metrics(run.id)
    files = (metrics, metrics.with_name(f"{metrics.name}-wal"), _log(launch, run))
    return (run.state, run.attempt, *(_state(path) for path in files))


def progress_of(launch: Launch, run: Run, now: float) -> Progress:
    """Return what there is to tell of a run.

    Args:
        launch: The data directory, on the thread that asks.
        run: The run, as it is now.
        now: Seconds since the epoch.
    """
    wanted = write.telling_metric(launch.db, run.id)
    path = launch.home.metrics(run.id)
    found = Progress()
    if path.exists():
        try:
            with SeriesReader(path) as reader:
                found = _of_metrics(reader, run, wanted, now)
        except LaunchError:
            # Damaged, and to be rebuilt by the agent: the row goes by its summary meanwhile.
            found = Progress()
    if not found.key:
        found = _with_summary(found, run, wanted)
    if run.state is not RunState.RUNNING:
        return replace(found, done=None, ends_at=None)
    return _with_log(found, _log(launch, run), run, now)


def _with_summary(found: Progress, run: Run, wanted: Telling | None) -> Progress:
    telling = find_telling(run.summary, wanted)
    if telling is None:
        return found
    return replace(found, key=telling.key, value=value_of(run.summary, telling.key))


def _of_metrics(reader: SeriesReader, run: Run, wanted: Telling | None, now: float) -> Progress:
    telling = find_telling(run.summary, wanted) or _telling_of(reader, wanted)
    found = Progress()
    if telling is not None:
        curve = reader.chart(telling.key, POINTS)
        last = curve[-1].last if curve else value_of(run.summary, telling.key)
        if run.ended_at is not None:
            # The summary may hold the best value rather than the last.
            last = value_of(run.summary, telling.key) if run.summary else last
        points = tuple(bucket.last for bucket in curve)
        found = Progress(key=telling.key, value=last, curve=points)
    if run.state is not RunState.RUNNING:
        return found
    done, left = _how_far(reader, found.key, wholes(run.config), now)
    return replace(found, done=done, ends_at=None if left is None else now + left)


def _how_far(
    reader: SeriesReader, key: str, whole: Mapping[str, float], now: float
) -> tuple[Done | None, float | None]:
    """Return how much is done and the seconds that are left, as far as the metrics say it."""
    for unit in (STEP, EPOCH):
        if unit in whole:
            found = _counted(reader, unit, whole[unit], now)
            if found[0] is not None:
                return found
    if not key:
        return None, None
    return _by_rows(reader, key, whole, now)


def _telling_of(reader: SeriesReader, wanted: Telling | None) -> Telling | None:
    """Return the telling one of the metrics, while there is no summary yet."""
    every: Sequence[SeriesInfo] = reader.keys()
    return find_telling({info.name: info.last or 0.0 for info in every}, wanted)


def _counted(
    reader: SeriesReader, unit: str, whole: float, now: float
) -> tuple[Done | None, float | None]:
    """Return how far a metric that counts is, and the seconds that are left."""
    for key in COUNTERS[unit]:
        buckets = reader.chart(key, _SAMPLES)
        values = [bucket.last for bucket in buckets if isfinite(bucket.last)]
        if not values or not 0 <= values[-1] <= whole:
            continue
        if unit == STEP:
            done = Done(at=values[-1], of=whole, unit=STEP, share=values[-1] / whole)
            offset = 0.0
        else:
            least = min(bucket.minimum for bucket in buckets if isfinite(bucket.minimum))
            rows = sum(bucket.count for bucket in buckets) / max(values[-1] - least + 1, 1)
            done = epochs_done(values[-1], whole, least=least, rows=rows)
            offset = done.share * whole - values[-1]
        samples = _samples(reader, buckets, offset)
        return done, time_left(samples, whole, now)
    return None, None


def _by_rows(
    reader: SeriesReader, key: str, whole: Mapping[str, float], now: float
) -> tuple[Done | None, float | None]:
    """Return how far a run is that logs no metric which counts, by the steps of its rows.

    A script that leaves the steps to wandb may log any number of rows for an epoch or for a step:
    its rows are taken for epochs only where they come slowly, and foretell nothing of steps.
    """
    curve = reader.chart(key, _SAMPLES)
    if not curve:
        return None, None
    at, rows = curve[-1].last_step + 1, sum(bucket.count for bucket in curve)
    times = reader.axis("_timestamp", [bucket.first_step for bucket in curve])
    samples = [Sample(t, b.first_step + 1) for t, b in zip(times, curve, strict=True)]
    if STEP in whole and at <= whole[STEP]:
        of = whole[STEP]
        left = time_left(samples, of, now) if rows < at else None
        return Done(at=at, of=of, unit=STEP, share=at / of), left
    if EPOCH in whole and rows == at <= whole[EPOCH] and len(samples) > 1:
        of, passed = whole[EPOCH], samples[-1].time - samples[0].time
        if passed >= _SLOW_S * (samples[-1].done - samples[0].done):
            done = Done(at=at, of=of, unit=EPOCH, share=at / of)
            return done, time_left(samples, of, now)
    return None, None


_SLOW_S = 2.0


def _samples(reader: SeriesReader, buckets: Sequence[Bucket], offset: float) -> list[Sample]:
    """Return when how much was done; a value that stays is one observation, its first."""
    times = reader.axis("_timestamp", [bucket.first_step for bucket in buckets])
    samples: list[Sample] = []
    for bucket, time in zip(buckets, times, strict=True):
        done = bucket.minimum + offset
        if isfinite(time) and isfinite(done) and (not samples or done > samples[-1].done):
            samples.append(Sample(time, done))
    return samples


def _with_log(found: Progress, path: Path, run: Run, now: float) -> Progress:
    """Add what the end of the log says, where the metrics do not."""
    tail, written = _tail(path)
    if not tail:
        return found
    bar, epoch = bar_in(tail), epoch_in(tail)
    if found.done is None and epoch is not None:
        found = replace(found, done=epoch)
    if bar is None or bar.share >= 1:
        return found
    started = clock.seconds(run.started_at) if run.started_at else now
    left = bar_left(bar, now - started, now - written)
    if found.done is None and not bar.repeats:
        found = replace(found, done=_done_of(bar))
    if found.ends_at is None and left is not None and _is_of_the_whole(bar, found.done):
        found = replace(found, ends_at=now + left)
    return found


def _done_of(bar: Bar) -> Done:
    unit = EPOCH if "epoch" in bar.about.lower() and bar.of <= _MOST_EPOCHS else STEP
    return Done(at=bar.at, of=bar.of, unit=unit, share=bar.share)


_MOST_EPOCHS = 1000
_ALIKE = 0.1


def _is_of_the_whole(bar: Bar, done: Done | None) -> bool:
    """Say whether a bar counts what the job counts: it is as far as that."""
    return done is None or abs(bar.share - done.share) <= _ALIKE


def _log(launch: Launch, run: Run) -> Path:
    return launch.home.attempt(run.id, run.attempt) / "output.log"


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _tail(path: Path) -> tuple[bytes, float]:
    """Return the end of a file and when it was written; nothing where there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b"", 0.0
    try:
        found = os.fstat(fd)
        return os.pread(fd, _TAIL, max(found.st_size - _TAIL, 0)), found.st_mtime
    finally:
        os.close(fd)
