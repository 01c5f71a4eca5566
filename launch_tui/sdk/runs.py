"""What a person does with runs that exist, and what can be read of them."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.domain.argument_types import check_types
from launch_tui.domain.given import check_tag, check_text
from launch_tui.domain.run import (
    BAD_ENDS,
    ENDED,
    WAITING,
    Run,
    RunState,
    StopMode,
    check_priority,
)
from launch_tui.domain.why import Reason, Situation, explain
from launch_tui.errors import NotFound, UsageError
from launch_tui.store import agents, clock, dependencies, queues, read, waiting, write
from launch_tui.store.paths import DELETED
from launch_tui.store.read import RunQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from launch_tui.domain.metrics import Telling
    from launch_tui.domain.spec import RunSpec
    from launch_tui.store.database import Database
    from launch_tui.store.read import Event
    from launch_tui.store.series import SeriesReader

WAIT_POLL_S = 0.05
"""How often ``wait`` asks the store whether something was committed (4 µs each time)."""


class Runs:
    """The runs of a data directory.

    ``reference`` is an id, a unique prefix, ``@`` for the newest run or ``@~N``.
    """

    def __init__(self, db: Database, edit: Callable[[Run, Mapping[str, Any]], None]) -> None:
        self._db = db
        self._edit = edit

    def resolve(self, reference: str) -> str:
        """Return the full id of a run."""
        return read.resolve(self._db, reference)

    def get(self, reference: str) -> Run:
        """Return one run."""
        return read.run(self._db, self.resolve(reference))

    def spec(self, reference: str) -> RunSpec:
        """Return the frozen request of a run."""
        return read.spec(self._db, self.resolve(reference))

    def given_config(self, reference: str) -> dict[str, Any]:
        """Return the configuration that the launch gave, without what the job added to it."""
        return read.given_config(self._db, self.resolve(reference))

    def list(
        self,
        *,
        queue: str = "",
        states: Sequence[RunState] = (),
        job: str = "",
        group: str = "",
        limit: int = 50,
        offset: int = 0,
        oldest_first: bool = False,
        size: int | None = None,
    ) -> Sequence[Run]:
        """Return runs, newest first.

        Args:
            queue: Only runs of this queue.
            states: Only runs in these states.
            job: Only runs of this job, ``JOB`` or ``JOB:VERSION``.
            group: Only runs of this group.
            limit: How many at most.
            offset: How many are passed over.
            oldest_first: The other way round.
            size: How many there are, where that is known: the last of many are then found sooner.
        """
        if queue:
            queues.get(self._db, queue)
        query = RunQuery(queue=queue, states=tuple(states), job=job, group=group)
        return read.runs(
            self._db, query, limit=limit, offset=offset, oldest_first=oldest_first, size=size
        )

    def every(
        self, *, queue: str = "", states: Sequence[RunState] = (), job: str = ""
    ) -> Iterator[Run]:
        """Yield all runs, newest first, a page at a time."""
        if queue:
            queues.get(self._db, queue)
        return read.every_run(self._db, RunQuery(queue=queue, states=tuple(states), job=job))

    def count(self, *, queue: str = "", states: Sequence[RunState] = (), job: str = "") -> int:
        """Return how many runs there are."""
        return read.count(self._db, RunQuery(queue=queue, states=tuple(states), job=job))

    def events(self, reference: str) -> Sequence[Event]:
        """Return what happened to a run, oldest first."""
        return read.events(self._db, self.resolve(reference))

    def why(self, reference: str) -> Reason:
        """Return the one true reason why a run is where it is."""
        run = self.get(reference)
        waits = run.state is RunState.QUEUED
        return explain(
            Situation(
                run=run,
                queue=queues.get(self._db, run.queue),
                agent=agents.status(self._db),
                now=clock.now(),
                ahead=read.ahead(self._db, run.id) if waits else 0,
                unmet=tuple(dependencies.unmet(self._db, run.id)) if run.after and waits else (),
                progress=read.progress(self._db, run.id),
            )
        )

    def log_path(self, reference: str, *, attempt: int | None = None, build: bool = False) -> Path:
        """Return where the output of a run is, or will be.

        Args:
            reference: The run.
            attempt: Which attempt; None for the newest.
            build: The build's log instead of the job's.

        Raises:
            NotFound: When the run has no such attempt.
        """
        run = self.get(reference)
        number = run.attempt if attempt is None else attempt
        if not 1 <= number <= run.attempt:
            raise NotFound(
                "--attempt", f"{run.id} has no attempt {number}", allowed=f"1 to {run.attempt}"
            )
        name = "build.log" if build else "output.log"
        return self._db.home.attempt(run.id, number) / name

    def series(self, reference: str) -> SeriesReader | None:
        """Return the metrics of a run, None while it has logged none. The caller closes it."""
        from launch_tui.store.series import SeriesReader

        path = self._db.home.metrics(self.resolve(reference))
        return SeriesReader(path) if path.exists() else None

    def telling_metric(self, reference: str) -> Telling | None:
        """Return the metric that a run's job version declares, None when it declares none."""
        return write.telling_metric(self._db, self.resolve(reference))

    def files(self, reference: str) -> Iterator[Path]:
        """Yield the files of a run, as paths relative to its directory.

        The copies that wandb keeps of what was logged as artifacts are listed as their files
        (``outputs.RunFiles``), by the names that the job gave them.
        """
        root = self._db.home.run(self.resolve(reference))
        for folder, names, files in os.walk(root):
            if folder.endswith("/wandb/artifacts"):
                names.clear()
            names.sort()
            for name in sorted(files):
                yield (Path(folder) / name).relative_to(root)

    def stop(self, reference: str, *, now: bool = False) -> RunState:
        """Ask for a run to end and return its state: ``stopped`` when it was still waiting."""
        mode = StopMode.NOW if now else StopMode.GRACEFUL
        return write.request_stop(self._db, self.resolve(reference), mode)

    def cancel(self, reference: str) -> None:
        """Stop a run that still waits.

        Raises:
            UsageError: When it does not wait any more.
        """
        run = self.get(reference)
        if run.state not in WAITING:
            raise UsageError(
                "RUN", f"{run.id} is {run.state}", allowed="a run that still waits; see stop"
            )
        write.request_stop(self._db, run.id, StopMode.GRACEFUL)

    def hold(self, reference: str) -> None:
        """Have a queued run passed over; it keeps its place."""
        waiting.hold(self._db, self.resolve(reference))

    def release(self, reference: str) -> None:
        """Let a held run be taken again."""
        waiting.release(self._db, self.resolve(reference))

    def front(self, reference: str) -> None:
        """Give a waiting run the first place of its queue."""
        waiting.move_to_front(self._db, self.resolve(reference))

    def edit(self, reference: str, changes: Mapping[str, Any]) -> None:
        """Change a run that still waits.

        Args:
            reference: The run.
            changes: Of ``name, project, config, tags, note, resource_args, template_variables,
                priority, after, begin``.

        Raises:
            UsageError: When it does not wait any more, or for a value that is not allowed.
        """
        self._edit(self.get(reference), changes)

    def priority(self, reference: str, level: str) -> None:
        """Give a waiting run another priority level.

        Raises:
            UsageError: For no level, a run that does not wait, a queue without priorities.
        """
        level = check_priority(level, field="LEVEL")
        waiting.set_priority(self._db, self.resolve(reference), level)

    def group(self, group: str, *, bad_only: bool = False) -> Sequence[Run]:
        """Return the runs of a group in the order of their enqueueing.

        Raises:
            NotFound: When no run has that group.
            UsageError: When only bad ends are asked for and there is none.
        """
        found = list(read.every_run(self._db, RunQuery(group=group)))
        if not group or not found:
            raise NotFound("GROUP", f"there is no group {group!r}")
        bad = [run for run in found if run.state in BAD_ENDS]
        if bad_only and not bad:
            raise UsageError("--failed", f"no run of {group} ended badly", allowed="without it")
        return list(reversed(bad if bad_only else found))

    def tag(self, reference: str, tags: Sequence[str]) -> tuple[str, ...]:
        """Add tags (``-T`` takes T away) and return all that the run has now."""
        run = self.get(reference)
        for tag in tags:
            check_tag(tag.removeprefix("-"), field="TAG")
            if f"-{tag}" in tags:
                raise UsageError("TAG", f"{tag!r} is added and taken away", allowed="one of them")
        kept = [t for t in run.tags if f"-{t}" not in tags]
        added = [t for t in tags if not t.startswith("-") and t not in kept]
        write.annotate(self._db, run.id, tags=[*kept, *dict.fromkeys(added)], note=None)
        return self.get(run.id).tags

    def note(self, reference: str, text: str) -> None:
        """Set the note of a run."""
        check_text(text, field="TEXT")
        write.annotate(self._db, self.resolve(reference), tags=None, note=text)

    def delete(self, reference: str) -> None:
        """Forget a run that has ended and remove its directory."""
        run_id = self.resolve(reference)
        directory = self._db.home.run(run_id)
        marker = directory / DELETED
        with contextlib.suppress(OSError):
            marker.touch()
        try:
            write.delete(self._db, run_id)
        except BaseException:
            marker.unlink(missing_ok=True)
            raise
        # The row goes first: a directory without a row is garbage, which a check tells by the mark
        # in it from a run that the store has lost; a row without its directory would be a run that
        # lost its log.
        import shutil

        shutil.rmtree(directory, ignore_errors=True)

    def states(self, run_ids: Sequence[str]) -> dict[str, RunState]:
        """Return the states of runs by their full ids; those that were deleted are left out."""
        return read.states(self._db, run_ids)

    def wait(
        self,
        reference: str,
        *,
        timeout: float | None = None,
        until: frozenset[RunState] = ENDED,
    ) -> Run:
        """Return the run once it has ended.

        Args:
            reference: The run.
            timeout: Seconds to wait; None for ever.
            until: The states to wait for, where it need not have ended.

        Raises:
            NotFound: When there is no such run, also when it is deleted meanwhile.
            TimeoutError: When it has not come to one of them in time.
        """
        run_id = self.resolve(reference)
        self.wait_all([run_id], timeout=timeout, until=until)
        return read.run(self._db, run_id)

    def wait_all(
        self,
        run_ids: Sequence[str],
        *,
        timeout: float | None = None,
        until: frozenset[RunState] = ENDED,
    ) -> None:
        """Return once all of these runs have been seen in one of some states.

        Args:
            run_ids: The runs, by their full ids.
            timeout: Seconds to wait; None for ever.
            until: The states to wait for.

        Raises:
            NotFound: When one of them does not exist, or is deleted meanwhile.
            TimeoutError: When one has not come to one of the states in time.
        """
        check_types({"timeout": timeout})
        deadline = None if timeout is None else time.monotonic() + timeout
        left, version = run_ids, -1
        while True:
            if (now := self._db.data_version()) != version:
                version = now
                left = self._not_yet(left, until)
            if not left:
                return
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(self._still(left, timeout or 0.0))
            time.sleep(WAIT_POLL_S)

    def _not_yet(self, run_ids: Sequence[str], until: frozenset[RunState]) -> Sequence[str]:
        found = self.states(run_ids)
        for run_id in run_ids:
            if run_id not in found:
                raise NotFound("RUN", f"there is no run {run_id!r}")
        return [run_id for run_id in run_ids if found[run_id] not in until]

    def _still(self, run_ids: Sequence[str], timeout: float) -> str:
        run = read.run(self._db, run_ids[0])
        others = f" and {len(run_ids) - 1} more" if len(run_ids) > 1 else ""
        return f"run {run.id}{others} is still {run.state} after {timeout:g} s"
