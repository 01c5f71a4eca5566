"""The records of an attempt, as they stand in its directory: ``started``, ``pid`` and ``exit``.

Supervisors write them (their module says in which order and why); this reads them, and takes the
token where an attempt must never start. A record that is missing, cut short by a power failure or
written by hand reads as absent: what is then known of the attempt follows from the others.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launch_tui.domain.attempt import Ended, EndKind
from launch_tui.targets.processes import Process

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "started"
PID = "pid"
EXIT = "exit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Who took the token. Without a ``supervisor`` and not ``void``, nobody knows."""

    supervisor: Process | None
    void: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The job's process and its supervisor; ``started_at`` is seconds since the epoch."""

    job: Process
    supervisor: Process
    started_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How the job ended.

    ``left_processes`` says that parts of its tree outlived its main process. ``user_seconds`` and
    ``system_seconds`` are CPU time, ``max_rss_bytes`` the largest of its processes; None where the
    record does not say.
    """

    ended: Ended
    left_processes: bool
    user_seconds: float | None = None
    system_seconds: float | None = None
    max_rss_bytes: int | None = None


def is_taken(directory: Path) -> bool:
    """Whether the attempt's token has been taken, by whomever."""
    return os.path.lexists(directory / TOKEN)


def read_token(directory: Path) -> Token | None:
    """The token's content, None when it has not been taken."""
    if not is_taken(directory):
        return None
    record = _read(directory / TOKEN)
    return Token(supervisor=_process(record), void=record.get("void") is True)


def read_started(directory: Path) -> Started | None:
    """What ``pid`` tells, None when there is no such record."""
    record = _read(directory / PID)
    job, supervisor = _process(record), _process(record, "supervisor_")
    if job is None or supervisor is None:
        return None
    return Started(job=job, supervisor=supervisor, started_at=record.get("started_at"))


def read_exit(directory: Path) -> Exit | None:
    """What ``exit`` tells, None when there is no such record."""
    record = _read(directory / EXIT)
    try:
        kind = EndKind(record["kind"])
    except (KeyError, ValueError):
        return None
    ended = Ended(
        kind=kind,
        exit_code=record.get("exit_code"),
        cause=record.get("cause", ""),
        ended_at=record.get("ended_at", 0.0),
    )
    return Exit(
        ended=ended,
        left_processes=bool(record.get("left_processes")),
        user_seconds=record.get("user_seconds"),
        system_seconds=record.get("system_seconds"),
        max_rss_bytes=record.get("max_rss_bytes"),
    )


def take_void_token(directory: Path) -> bool:
    """Take the token for nobody, durably; False when it is taken already.

    Raises:
        OSError: The directory cannot be written; the token is not taken then.
    """
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / f".{TOKEN}.void.{threading.get_native_id()}"
    try:
        with temporary.open("w") as file:
            json.dump({"void": True}, file)
            file.flush()
            os.fsync(file.fileno())
        (directory / TOKEN).hardlink_to(temporary)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    _sync(directory)
    return True


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        record = json.loads(path.read_bytes())
        if isinstance(record, dict):
            return record
    return {}


def _process(record: dict[str, Any], prefix: str = "") -> Process | None:
    try:
        return Process(
            pid=int(record[f"{prefix}pid"]),
            start_time=int(record[f"{prefix}start_time"]),
            boot_id=str(record["boot_id"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
