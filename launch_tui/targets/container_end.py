"""What the engine says of a container, and what its end means for the attempt."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from launch_tui.domain.attempt import Ended, EndKind
from launch_tui.targets.container_launcher import (
    AGAIN,
    TAKEN,
    TOKEN_FOLDER,
    UNABLE,
    why_not_started,
)
from launch_tui.targets.processes import boot_id, boot_time
from launch_tui.targets.records import read_token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BOOT_LABEL = "launch-tui.boot"
VOID = "given up before it was started"
REMOVED = "its container was removed"
REMOVED_BEFORE = "its container was removed before it started the job"
ENDED_BEFORE = "its container was ended before it started the job"
REBOOTED = "rebooted"
OVERWRITTEN = "its container was started a second time, which hid the exit status"
TOO_SMALL = "the memory limit is too small for anything to start"
CANNOT_WRITE = "the container cannot write to the run's directory"

_FIRST_SIGNAL = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A container as the engine has it.

    Times are seconds since the epoch, None where it never came to that. ``pid`` is that of its
    first process on this machine, 0 while there is none; ``init`` says that it is Docker's.
    """

    id: str
    running: bool
    started_at: float | None
    finished_at: float | None
    pid: int
    exit_code: int
    oom: bool
    init: bool
    labels: Mapping[str, str]

    @property
    def never_started(self) -> bool:
        """Whether it was created and nothing else."""
        return self.started_at is None and not self.running

    @property
    def rebooted(self) -> bool:
        """Whether it was running when the machine was booted anew."""
        boot = self.labels.get(BOOT_LABEL, "")
        if not boot or boot == boot_id():
            return False
        return self.finished_at is None or self.finished_at >= boot_time()


def read_seen(inspected: Mapping[str, Any]) -> Seen:
    """Return what the engine's answer to an inspection says."""
    state = inspected.get("State") or {}
    status = str(state.get("Status", ""))
    started, finished = _seconds(state.get("StartedAt")), _seconds(state.get("FinishedAt"))
    # One that is paused lives; so does one that is about to be started again, if it ever is.
    running = bool(state.get("Running")) or status in ("running", "paused", "restarting")
    if started and finished and not running:
        # The engine notes the start of what is over in no time after its end.
        started = min(started, finished)
    return Seen(
        id=str(inspected["Id"]),
        running=running,
        started_at=started,
        finished_at=finished,
        pid=int(state.get("Pid") or 0),
        exit_code=int(state.get("ExitCode") or 0),
        oom=bool(state.get("OOMKilled")),
        init=bool((inspected.get("HostConfig") or {}).get("Init")),
        labels=(inspected.get("Config") or {}).get("Labels") or {},
    )


def end_of(seen: Seen, directory: Path, words: str = "") -> Ended:
    """Return how an attempt ended whose container has.

    Args:
        seen: The container.
        directory: The attempt's.
        words: The last line of the container's own log; only a launcher that never came to the
            job writes there.
    """
    token = read_token(directory / TOKEN_FOLDER)
    at = seen.finished_at or time.time()
    if token is not None and token.void:
        return Ended(kind=EndKind.VOID, cause=VOID, ended_at=at)
    if seen.rebooted:
        return Ended(kind=EndKind.REBOOTED, cause=REBOOTED, ended_at=at)
    if token is None:
        return _before_the_job(seen, words, at)
    if why := why_not_started(directory):
        return Ended(kind=EndKind.NOT_STARTED, cause=why, ended_at=at)
    if seen.exit_code == TAKEN and (directory / TOKEN_FOLDER / AGAIN).exists():
        return Ended(kind=EndKind.LOST, cause=OVERWRITTEN, ended_at=at)
    code = exit_code(seen.exit_code)
    return Ended(kind=EndKind.EXITED, exit_code=code, ended_at=at, oom=seen.oom)


def end_without(directory: Path) -> Ended:
    """Return how an attempt ended whose container is not there."""
    token = read_token(directory / TOKEN_FOLDER)
    if token is not None and token.void:
        return Ended(kind=EndKind.VOID, cause=VOID, ended_at=time.time())
    if why := why_not_started(directory):
        return Ended(kind=EndKind.NOT_STARTED, cause=why, ended_at=time.time())
    if token is None:
        return Ended(kind=EndKind.VOID, cause=REMOVED_BEFORE, ended_at=time.time())
    return Ended(kind=EndKind.LOST, cause=REMOVED, ended_at=time.time())


def exit_code(code: int) -> int:
    """Return an exit status as the kernel has it: ``-N`` where signal N ended the job."""
    number = code - _FIRST_SIGNAL
    return -number if number in signal.valid_signals() else code


def has_begun(directory: Path) -> bool:
    """Say whether the command of an attempt was executed, or is about to be."""
    token = read_token(directory / TOKEN_FOLDER)
    return token is not None and not token.void and not why_not_started(directory)


def _before_the_job(seen: Seen, words: str, at: float) -> Ended:
    """Return the end of a container whose launcher never took the token."""
    told = f": {words}" if words else ""
    if seen.oom:
        return Ended(kind=EndKind.NOT_STARTED, cause=TOO_SMALL, ended_at=at, oom=True)
    if seen.exit_code == UNABLE:
        return Ended(kind=EndKind.NOT_STARTED, cause=CANNOT_WRITE + told, ended_at=at)
    if exit_code(seen.exit_code) < 0:
        return Ended(kind=EndKind.VOID, cause=ENDED_BEFORE, ended_at=at)
    cause = f"the container's shell ended with status {seen.exit_code}{told}"
    return Ended(kind=EndKind.NOT_STARTED, cause=cause, ended_at=at)


def _seconds(text: object) -> float | None:
    """Return a time of the engine's in seconds; None for the one that it writes for never."""
    if not isinstance(text, str) or not text or text.startswith("0001-"):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
