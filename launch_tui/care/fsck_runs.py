"""What ``fsck`` does about runs: their rows, their directories, and what each says of the other.

A run that has ended has a record in its directory (``run_record.py``). What the record keeps is put
back; metrics are read again from what wandb wrote; of the rest it is said that it is lost, beside
the run and in the record, so that the same loss is told once.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any

from launch_tui.care import run_record
from launch_tui.care.findings import Finding
from launch_tui.care.fsck_store import keep_aside
from launch_tui.care.orphans import account_of_directory, is_alive
from launch_tui.domain.attempt import Attempt
from launch_tui.domain.run import ACTIVE, ENDED
from launch_tui.errors import StoreError
from launch_tui.store import inspection
from launch_tui.store.accounts import note_damage, put_record
from launch_tui.store.database import Database
from launch_tui.store.durable import write_atomically
from launch_tui.store.paths import DELETED
from launch_tui.tracking.offline import OfflineTracker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from launch_tui.store.paths import Home

PHASE = "runs"
_RUN_ID = re.compile(r"[a-z][a-z0-9]{7}\Z")


def findings(home: Home, *, agent: bool) -> Iterator[Finding]:
    """Yield what is wrong with runs.

    Args:
        home: The data directory, whose store can be read.
        agent: Whether an agent is at work: what is not in the store yet is its own, then.
    """
    with Database(home, read_only=True) as db:
        rows = list(inspection.known_runs(db))
        unreadable = inspection.unreadable_rows(db)
        miscounted = inspection.wrong_counters(db)
    for run_id, column in unreadable:
        yield _unreadable(home, run_id, column)
    if miscounted and not agent:
        yield Finding(
            phase=PHASE,
            place=home.store.name,
            cause="the counters of the queues are not what is in the queues",
            next_step="count anew",
            mend=lambda: _count(home),
        )
    for run_id, state, attempt, began in rows:
        if state in ENDED:
            yield from _ended(home, run_id, attempt, began)
    yield from _strangers(home, {run_id for run_id, *_ in rows}, agent=agent)


def notes(home: Home, *, agent: bool) -> list[str]:
    """Return which runs wait for an agent to say how they ended."""
    if agent:
        return []
    told = []
    with Database(home, read_only=True) as db:
        for run_id, state, attempt, _ in inspection.known_runs(db):
            if state in ACTIVE and not is_alive(home.attempt(run_id, attempt)):
                told.append(
                    f"run {run_id} is {state} in the store and its process is gone: the next agent"
                    " says how it ended"
                )
            elif state in ACTIVE:
                told.append(f"run {run_id} is {state} without an agent: the next one adopts it")
    return told


def settle(home: Home) -> None:
    """Give the runs that have ended the records that an agent had no time to write."""
    with Database(home, read_only=True) as db:
        missing = [
            (run_id, run_record.gather(db, run_id))
            for run_id, state, _, _ in inspection.known_runs(db)
            if state in ENDED and not run_record.is_there(home, run_id)
        ]
    for run_id, account in missing:
        run_record.write(home, run_id, account)


def _ended(home: Home, run_id: str, attempt: int, began: bool) -> Iterator[Finding]:
    directory = home.run(run_id)
    if not directory.is_dir():
        if began:
            yield Finding(
                phase=PHASE,
                place=f"runs/{run_id}",
                cause="the directory of the run is missing",
                next_step="make an empty one, and say so beside the run",
                lost=f"log, metrics and files of run {run_id}",
                run=run_id,
                mend=lambda: _lose_directory(home, run_id),
            )
        return
    record = run_record.read(home, run_id)
    if record is None:
        if run_record.is_there(home, run_id):
            yield Finding(
                phase=PHASE,
                place=f"runs/{run_id}/{run_record.NAME}",
                cause="the record of the run is damaged",
                next_step="make it anew from the store and the run's files",
                run=run_id,
                mend=lambda: _record(home, run_id),
            )
        return
    again = set(record.get("again", ()))
    for relative, (size, digest) in record["files"].items():
        path = directory / relative
        if relative in record["lost"] or (relative in again and not path.exists()):
            continue
        wrong = run_record.wrong_with(path, size, digest)
        if wrong:
            yield _file(home, run_id, relative, wrong, record, attempt)


def _file(
    home: Home, run_id: str, relative: str, wrong: str, record: dict[str, Any], attempt: int
) -> Finding:
    common: dict[str, Any] = {
        "phase": PHASE,
        "place": f"runs/{run_id}/{relative}",
        "cause": f"the file {wrong}",
        "run": run_id,
    }
    if relative in record["kept"]:
        kept = record["kept"][relative]
        return Finding(
            **common,
            next_step="put it back from the run's record",
            mend=lambda: _put_back(home.run(run_id), relative, kept),
        )
    if relative == run_record.METRICS:
        return Finding(
            **common,
            next_step="read the metrics again from what wandb wrote",
            mend=lambda: _metrics(home, run_id, attempt),
        )
    return Finding(
        **common,
        next_step="keep it as it is, and say so beside the run",
        lost=f"{relative} of run {run_id}, as the run left it",
        mend=lambda: _lose(home, run_id, relative, wrong),
    )


def _strangers(home: Home, known: set[str], *, agent: bool) -> Iterator[Finding]:
    """Yield what is in the directory of runs and belongs to no run."""
    if agent or not home.runs.is_dir():
        return
    for path in sorted(home.runs.iterdir()):
        place = f"runs/{path.name}"
        if path.name in known and path.is_dir():
            continue
        if (path / DELETED).exists():
            yield Finding(
                phase=PHASE,
                place=place,
                cause="this run was deleted, and its directory only in part",
                next_step="remove it",
                mend=partial(remove, path),
            )
            continue
        account = account_of_directory(home, path.name) if _RUN_ID.match(path.name) else None
        if account is not None:
            alive = account["row"]["state"] in ACTIVE
            yield Finding(
                phase=PHASE,
                place=place,
                cause="a job runs here that the store does not know"
                if alive
                else "the store does not know this run",
                next_step="put it into the store as its directory tells it",
                run=path.name,
                mend=partial(_adopt, home, account),
            )
        else:
            yield Finding(
                phase=PHASE,
                place=place,
                cause="this is no run, or what was left of one",
                next_step="move it to where damaged things are kept",
                mend=partial(keep_aside, home, path, move=True),
            )


def _unreadable(home: Home, run_id: str, column: str) -> Finding:
    return Finding(
        phase=PHASE,
        place=home.store.name,
        cause=f"the {column} of run {run_id} cannot be read",
        next_step="put it back from the run's record, else make it empty",
        run=run_id,
        mend=lambda: _rewrite(home, run_id, column),
    )


def _count(home: Home) -> None:
    with Database(home) as db:
        inspection.count_anew(db)


def _rewrite(home: Home, run_id: str, column: str) -> str:
    record = run_record.read(home, run_id)
    value = record["row"][column] if record else None
    empty = "[]" if column in ("tags", "gpus") else "{}"
    with Database(home) as db:
        inspection.replace_column(db, run_id, column, value or empty)
        if value is None:
            note_damage(db, run_id, f"lost: {column}")
    return "" if value is not None else f"{column} of run {run_id}"


def _lose_directory(home: Home, run_id: str) -> None:
    with Database(home) as db:
        note_damage(db, run_id, "lost: the directory of the run, with its log, metrics and files")
    home.shared(run_id).mkdir(parents=True, exist_ok=True)
    _record(home, run_id)


def _lose(home: Home, run_id: str, relative: str, wrong: str) -> None:
    with Database(home) as db:
        note_damage(db, run_id, f"lost: {relative} {wrong}")
    _record(home, run_id, {relative: wrong})


def _record(home: Home, run_id: str, lost: dict[str, str] | None = None) -> None:
    """Write a run's record anew; what was lost before stays lost."""
    before = run_record.read(home, run_id) or {}
    with Database(home, read_only=True) as db:
        account = run_record.gather(db, run_id)
    record_lost = {**before.get("lost", {}), **(lost or {})}
    run_record.refresh(home, run_id, account, before, record_lost)


def _put_back(directory: Path, relative: str, text: str) -> None:
    path = directory / relative
    if path.parent.is_symlink():
        # Whatever it leads to is no part of the run's record.
        raise StoreError(f"{path.parent} is a link now", next_step="remove the link")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode("utf-8", "surrogateescape"))


def _metrics(home: Home, run_id: str, attempts: int) -> str:
    """Make the metrics anew; say what is lost where the job's own files are not there."""
    path = home.metrics(run_id)
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).unlink()
    tracked = False
    for number in range(1, attempts + 1):
        directory = home.attempt(run_id, number)
        if not directory.is_dir():
            continue
        attempt = Attempt(
            run_id=run_id,
            number=number,
            directory=directory,
            command=(),
            working_directory=directory / "source",
            environment={},
        )
        tracker = OfflineTracker(attempt, path)
        try:
            progress = tracker.poll()
            while progress.more:
                progress = tracker.poll()
            tracked |= progress.tracked
        finally:
            tracker.close()
    wrong = "" if tracked and path.exists() else "is damaged"
    if wrong:
        with Database(home) as db:
            note_damage(db, run_id, f"lost: {run_record.METRICS}")
    _record(home, run_id, {run_record.METRICS: wrong} if wrong else None)
    return f"the metrics of run {run_id}" if wrong else ""


def _adopt(home: Home, account: dict[str, Any]) -> None:
    with Database(home) as db:
        put_record(db, account)
    with contextlib.suppress(json.JSONDecodeError):
        if account["row"]["state"] in ENDED and not run_record.is_there(home, account["row"]["id"]):
            _record(home, account["row"]["id"])


def remove(path: Path) -> None:
    """Remove a file or a directory, whatever it is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
