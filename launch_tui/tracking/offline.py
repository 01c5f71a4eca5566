"""Follows what a job writes through ``wandb`` in offline mode, into the run's metrics.

``OfflineTracker`` is synchronous and meant for a worker thread: each ``poll`` does a bounded amount
of work. How far files have been read, the rows from there and what is known of the run are
committed together, so a tracker made after a crash goes on without losing or doubling a row.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from launch_tui.domain.config_secrets import hide
from launch_tui.domain.output import Output
from launch_tui.errors import StoreCorrupt
from launch_tui.store.durable import disk_errors
from launch_tui.store.series import FileOffset, SeriesWriter, move_aside
from launch_tui.tracking.find import (
    files_named_in_log,
    find_wandb_files,
    order,
    other_files,
    own_files,
)
from launch_tui.tracking.observed import Observed
from launch_tui.tracking.outputs import note
from launch_tui.tracking.records import History, Stats
from launch_tui.tracking.variables import STRIPPED, job_environment, why_untracked
from launch_tui.tracking.wandb_file import DEFAULT_BUDGET, WandbFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from launch_tui.domain.attempt import Attempt
    from launch_tui.tracking.records import Record

__all__ = [
    "STRIPPED",
    "OfflineTracker",
    "Progress",
    "find_wandb_files",
    "job_environment",
    "why_untracked",
]

FIRST_LOOK_S = 0.5
"""Pause between two looks outside the attempt's own directory; it doubles up to the longest."""
LONGEST_PAUSE_S = 8.0

_NOBODY = (list, tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is known of an attempt's tracking.

    Attributes:
        tracked: ``wandb.init`` was called: a file exists, be it empty.
        config: ``wandb.config``, without wandb's own part.
        summary: The summary, nested as the script nested it, without wandb's own part.
        last: The last value of each key of the history, by joined name.
        display_name: What the run is called now; empty until wandb says so. Likewise
            ``project``, ``notes`` and ``tags``.
        exit_code: The code of the last exit record, None when there is none (killed, or alive).
        finished: Every file that was begun has its exit record.
        wandb_version: Empty until known.
        step_metrics: The key to chart a key against, from ``define_metric``.
        left_out: Values that were not kept, of keys beyond the bound or too large.
        skipped: Places in the files that could not be read and were stepped over.
        torn: A file ends in the middle of a record: it is being written, or its writer was killed.
        more: More bytes wait than this poll was allowed to read.
    """

    tracked: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    last: Mapping[str, Any] = field(default_factory=dict)
    display_name: str = ""
    project: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    exit_code: int | None = None
    finished: bool = False
    wandb_version: str = ""
    step_metrics: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0
    skipped: int = 0
    torn: bool = False
    more: bool = False


class OfflineTracker:
    """Reads the ``.wandb`` files of one attempt into the metrics of its run.

    Args:
        attempt: The attempt; its directory and working directory say where to look.
        series_path: The run's file of metrics. It is made when there is something to put in, and
            shared by the attempts of a run one after the other.
        secrets: Paths in the config whose values are secrets, and the references that are kept in
            their place.
        clock: Seconds that never go back; only the pauses between two looks depend on it.
    """

    def __init__(
        self,
        attempt: Attempt,
        series_path: Path,
        *,
        secrets: Mapping[tuple[str, ...], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._attempt = attempt
        self._series_path = series_path
        self._secrets = secrets or {}
        self._clock = clock
        self._writer: SeriesWriter | None = None
        self._files: dict[str, WandbFile] = {}
        self._observed = Observed()
        self._foreign: set[str] = set()
        self._pause = FIRST_LOOK_S
        self._next_look = clock()
        self._loaded = False

    def poll(
        self, max_bytes: int = DEFAULT_BUDGET, *, pids: Callable[[], Iterable[int]] = tuple
    ) -> Progress:
        """Read what has come since the last poll, about ``max_bytes`` at most.

        Args:
            max_bytes: How much of the files to read.
            pids: Returns the processes of the job; asked only when there is reason to look at
                their open files. No process at all means that the job has ended, and then
                every place is looked at.

        Raises:
            StoreError: When the metrics cannot be written (a full disk); nothing is lost, and a
                later poll goes on where the last one that succeeded ended.
            OSError: When a file exists and cannot be read.
        """
        try:
            return self._poll(max_bytes, pids)
        except StoreCorrupt:
            # All of it can be read again from the job's own files.
            move_aside(self._series_path)
            return self._poll(max_bytes, pids)

    def close(self) -> None:
        """Let go of the metrics; a later poll opens them again."""
        self._forget()

    def _poll(self, max_bytes: int, pids: Callable[[], Iterable[int]]) -> Progress:
        try:
            if not self._loaded:
                self._load()
            self._look(pids)
            more = self._read(max_bytes)
        except BaseException:
            # Rows that were read and not committed would otherwise be left out.
            self._forget()
            raise
        return self._progress(more=more)

    def _load(self) -> None:
        """Go on where an earlier tracker of this run ended."""
        self._loaded = True
        if not self._series_path.exists():
            return
        self._writer = SeriesWriter(self._series_path)
        self._observed = Observed.restored(self._writer.state(self._attempt.number))
        for name, saved in self._writer.offsets().items():
            if saved.attempt == self._attempt.number:
                path = self._attempt.directory.parent / name
                self._files[name] = WandbFile(path, offset=saved.offset, skipped=saved.skipped)
            else:
                self._foreign.add(name)

    def _forget(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None
        self._files = {}
        self._observed = Observed()
        self._loaded = False

    def _look(self, pids: Callable[[], Iterable[int]]) -> None:
        self._meet(own_files(self._attempt))
        now = self._clock()
        if now < self._next_look and pids not in _NOBODY:
            return
        running = list(pids())
        self._meet(other_files(self._attempt, running))
        if not running and not self._files:
            self._meet(files_named_in_log(self._attempt))
        self._next_look = now + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_S)

    def _meet(self, paths: Iterable[Path]) -> None:
        for path in paths:
            name = self._name(path)
            if name in self._files or name in self._foreign:
                continue
            # The same file may be met by a second name, through a link to a folder above it.
            identity = _identity(path)
            if identity not in {_identity(file.path) for file in self._files.values()}:
                self._files[name] = WandbFile(path)

    def _name(self, path: Path) -> str:
        """Return what a file is called in the metrics: a data directory may be moved."""
        run_directory = self._attempt.directory.parent
        if path.is_relative_to(run_directory):
            return str(path.relative_to(run_directory))
        return str(path)

    def _read(self, budget: int) -> bool:
        """Read files in the order in which their runs began; say whether more is waiting."""
        offsets: dict[str, FileOffset] = {}
        more = False
        for name, file in sorted(self._files.items(), key=lambda item: order(item[1].path)):
            before = (file.offset, file.skipped)
            records = file.read(budget)
            budget -= file.offset - before[0]
            if (file.offset, file.skipped) != before:
                self._take(name, records)
                offsets[name] = FileOffset(
                    attempt=self._attempt.number, offset=file.offset, skipped=file.skipped
                )
            more = more or file.more
            if more:
                break
        if offsets:
            self._series().commit(
                offsets, attempt=self._attempt.number, state=self._observed.state()
            )
        return more

    def _take(self, name: str, records: list[Record]) -> None:
        writer = self._series()
        history = [record for record in records if isinstance(record, History)]
        writer.append_history((record.step, record.values) for record in history)
        writer.append_stats((r.timestamp, r.values) for r in records if isinstance(r, Stats))
        self._observed.take(name, records)
        hide(self._observed.config, self._secrets)
        outputs = [record for record in records if isinstance(record, Output)]
        directory, here = self._attempt.directory, self._attempt.working_directory
        with disk_errors(directory):
            note(directory, outputs, working_directory=here)

    def _series(self) -> SeriesWriter:
        if self._writer is None:
            self._writer = SeriesWriter(self._series_path)
        return self._writer

    def _progress(self, *, more: bool) -> Progress:
        seen = self._observed
        files = self._files
        last = max(files, key=lambda name: order(files[name].path), default="")
        return Progress(
            tracked=bool(files),
            config=seen.config_now(),
            summary=seen.summary_now(),
            last=dict(seen.last),
            display_name=seen.display_name,
            project=seen.project,
            notes=seen.notes,
            tags=seen.tags,
            exit_code=seen.exits.get(last),
            finished=bool(files) and all(name in seen.exits for name in files),
            wandb_version=seen.version,
            step_metrics=dict(seen.step_metrics),
            left_out=seen.left_out,
            skipped=sum(file.skipped for file in files.values()),
            torn=any(file.torn for file in files.values()),
            more=more,
        )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
