"""The record that a run's directory keeps of a run that has ended: ``record.json``.

In it are the run's rows, so that the directory alone brings it back into the store; the content of
the small files that say how it went; and size and digest of each other file, so that damage can be
told from what the job wrote. What launch_tui put into a working copy may go (``again``): it can be
had again, and backups and whoever makes room leave it out. The record has a digest of itself. What
a person does to the files of a run afterwards shows as a change, and is taken as it is by
``fsck --repair``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from typing import TYPE_CHECKING, Any, TypeGuard

from launch_tui.care.copies import SOURCE, put_there
from launch_tui.domain.run import RunState
from launch_tui.store.accounts import record_of
from launch_tui.store.durable import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from launch_tui.store.database import Database
    from launch_tui.store.paths import Home

NAME = "record.json"
METRICS = "metrics.db"
KEPT_BYTES = 4096
"""Files of the attempts up to this size are kept as they are."""
DIGESTED_BYTES = 64 << 20
"""Larger files are known by their size alone: checkpoints are, and would take minutes."""
ALL_DIGESTED_BYTES = 512 << 20
"""Bytes of one run that are digested at most."""
MOST_FILES = 20_000
_KEPT_NAMES = frozenset({"spec.json", "started", "pid", "exit"})
_KEPT_PATH = re.compile(rf"((?!\.\.?/)[^/\0]+/)?({'|'.join(map(re.escape, sorted(_KEPT_NAMES)))})")
_STATES = frozenset(RunState)
_SURROGATES = re.compile("[\ud800-\udfff]")


def gather(db: Database, run_id: str) -> dict[str, Any]:
    """Return what the store knows of a run, to be given to ``write``."""
    return record_of(db, run_id)


def write(
    home: Home, run_id: str, account: dict[str, Any], lost: dict[str, str] | None = None
) -> None:
    """Write the record of a run that has ended, from its rows and from its files as they are.

    Nothing is written where the run has no directory. Reads the files: not for an event loop.

    Args:
        home: The data directory.
        run_id: The run.
        account: What ``gather`` returned.
        lost: What is known to be lost of its files already, path to cause.

    Raises:
        StoreError: When it cannot be written.
    """
    directory = home.run(run_id)
    if not account or not directory.is_dir():
        return
    files: dict[str, list[Any]] = {}
    kept: dict[str, str] = {}
    budget = ALL_DIGESTED_BYTES
    for path, status in _files(directory):
        relative = str(path.relative_to(directory))
        try:
            small = path.name in _KEPT_NAMES and relative.count("/") < 2
            if small and status.st_size <= KEPT_BYTES:
                kept[relative] = path.read_text("utf-8", "surrogateescape")
            budget -= status.st_size
            digested = status.st_size <= DIGESTED_BYTES and budget > 0
            files[relative] = [status.st_size, digest_of(path) if digested else ""]
        except OSError:
            continue
    again = sorted(_again(directory) & files.keys())
    more = {"files": files, "again": again, "kept": kept, "lost": lost or {}}
    _write(home, run_id, {**account, **more})


def _write(home: Home, run_id: str, document: dict[str, Any]) -> None:
    data = json.dumps(document, ensure_ascii=True, sort_keys=True).encode()
    total = hashlib.sha256(data).hexdigest().encode()
    write_atomically(home.run(run_id) / NAME, data + b"\n" + total + b"\n", sync=False)


def refresh(
    home: Home,
    run_id: str,
    account: dict[str, Any],
    before: dict[str, Any],
    lost: dict[str, str],
) -> None:
    """Write a record again; other files that are not as they were stay to be found.

    Args:
        home: The data directory.
        run_id: The run.
        account: What ``gather`` returned.
        before: The record as it was; empty for none.
        lost: What is known to be lost of its files, path to cause.
    """
    write(home, run_id, account, lost)
    fresh = read(home, run_id)
    if fresh is None or not before:
        return
    for kind in ("files", "kept"):
        known = {path: value for path, value in before[kind].items() if path not in lost}
        if kind == "files":
            known.pop(METRICS, None)
        fresh[kind] = {**fresh[kind], **known}
    _write(home, run_id, fresh)


def read(home: Home, run_id: str) -> dict[str, Any] | None:
    """Return the record; None when there is none, or none that is whole.

    A backup, and with it a record, may come from anybody: what is not of the shape that ``write``
    gives it, or names a file outside the run, is not whole.
    """
    try:
        data, _, total = (home.run(run_id) / NAME).read_bytes().rstrip(b"\n").rpartition(b"\n")
        if hashlib.sha256(data).hexdigest().encode() != total:
            return None
        document = json.loads(data)
    except (OSError, ValueError, RecursionError):
        return None
    return document if _is_record(document, run_id) else None


def _is_record(document: object, run_id: str) -> bool:
    if not isinstance(document, dict):
        return False
    row, files, kept = document.get("row"), document.get("files"), document.get("kept")
    return (
        _is_row(row)
        and row.get("id") == run_id
        and row.get("state") in _STATES
        and {"seq", "place"} <= row.keys()
        and _is_row(document.get("queue"))
        and all(_is_row(document.get(name, {})) for name in ("job", "version"))
        and all(_are_rows(document.get(name), run_id) for name in ("events", "dependencies"))
        and isinstance(files, dict)
        and all(_is_inside(path) and _is_file(of) for path, of in files.items())
        and isinstance(again := document.get("again", []), list)
        and all(isinstance(path, str) for path in again)
        and isinstance(kept, dict)
        and all(_KEPT_PATH.fullmatch(path) and _is_text(text) for path, text in kept.items())
        and isinstance(lost := document.get("lost"), dict)
        and all(_is_inside(path) and _is_value(cause) for path, cause in lost.items())
    )


def _are_rows(rows: object, run_id: str) -> bool:
    return isinstance(rows, list) and all(
        _is_row(row) and row.get("run_id") == run_id for row in rows
    )


def _is_row(row: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(row, dict) and all(map(_is_value, row.values()))


def _is_value(value: object) -> bool:
    """Whether SQLite can hold it."""
    if isinstance(value, str):
        return not _SURROGATES.search(value)
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 63
    return value is None or isinstance(value, float)


def _is_text(text: object) -> bool:
    """Whether it is what was read of a small file."""
    try:
        return isinstance(text, str) and len(text.encode("utf-8", "surrogateescape")) <= KEPT_BYTES
    except UnicodeEncodeError:
        return False


def _is_file(of: object) -> bool:
    return isinstance(of, list) and list(map(type, of)) == [int, str]


def _is_inside(path: str) -> bool:
    return not {"", ".", ".."} & set(path.split("/")) and "\0" not in path


def fit_to_copy(home: Home, run_id: str) -> None:
    """Have a record say what is in a copy of its run's directory, which was compared already.

    Who made the copy may have left files out, and has had SQLite copy the metrics, page by page.
    """
    record = read(home, run_id)
    if record is None:
        return
    directory, again = home.run(run_id), set(record.get("again", ()))
    files = {
        path: of
        for path, of in record["files"].items()
        if path in again or (directory / path).exists()
    }
    if METRICS in files:
        path = directory / METRICS
        files[METRICS] = [path.stat().st_size, digest_of(path)]
    if files != record["files"]:
        _write(home, run_id, {**record, "files": files})


def is_there(home: Home, run_id: str) -> bool:
    """Whether there is a record, be it damaged."""
    return (home.run(run_id) / NAME).exists()


def wrong_with(path: Path, size: int, digest: str) -> str:
    """Return in two words what is wrong with a recorded file; empty when it is as it was."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return "is missing"
        if status.st_size != size:
            return "is cut off" if status.st_size < size else "has grown"
        return "is changed" if digest and digest_of(path) != digest else ""
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _again(directory: Path) -> set[str]:
    """Return the files of working copies that an artifact or a repository has as well."""
    return {
        os.path.relpath(entry.path, directory)
        for attempt in directory.iterdir()
        if (attempt / SOURCE).is_dir()
        for entry in put_there(attempt)
    }


def _files(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files of a run in order, but for the record, and for what Python caches."""
    count = 0
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            path = directory / folder / name
            if path == directory / NAME or name.endswith((".tmp", "-wal", "-shm")):
                continue
            try:
                status = path.lstat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                count += 1
                if count > MOST_FILES:
                    return
                yield path, status
