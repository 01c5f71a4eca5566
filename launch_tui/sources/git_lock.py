"""Kernel locks beside the caches, and what a killed fetch leaves behind a lock that it lost."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from launch_tui.errors import Stale
from launch_tui.sources.git_command import GRACE_SECONDS, TICK_SECONDS, TRANSFER_SECONDS, Watch
from launch_tui.sources.git_failure import GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def locked(path: Path, watch: Watch, *, exclusive: bool) -> Iterator[None]:
    """Hold a kernel lock on ``path``, alone or shared; a dead process cannot hold it.

    Raises:
        GitFailed: Others held it for longer than a transfer may take.
        Stale: The caller cancelled while it waited.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        _acquire(file, watch, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield


def _acquire(file: IO[bytes], watch: Watch, kind: int) -> None:
    deadline = time.monotonic() + TRANSFER_SECONDS
    told = False
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            return
        if not told:
            told = True
            watch.report("waiting for another fetch of this repository")
        if watch.cancelled():
            raise Stale("cancelled while another fetch was waited for")
        if time.monotonic() > deadline:
            raise GitFailed(f"fatal: waiting took longer than {TRANSFER_SECONDS:g} s")
        time.sleep(TICK_SECONDS / 2)


def clear_leftovers(directory: Path) -> None:
    """Remove what a killed fetch left, in a cache whose lock this process holds.

    Its git may live on without it: whoever still fetches into this cache is an orphan and is ended
    first, so that no lock file of a living git is removed.
    """
    objects = directory / "objects"
    rests = [
        *directory.glob("*.lock"),
        *(directory / "refs").rglob("*.lock"),
        *objects.glob("*.lock"),
        *(objects / "info").rglob("*.lock"),
        *(objects / "pack").glob("tmp_*"),
        *(objects / "pack").glob(".tmp-*"),
    ]
    if not rests:
        return
    _end_orphans(directory)
    for rest in rests:
        rest.unlink(missing_ok=True)


def _end_orphans(directory: Path) -> None:
    mark = f"--git-dir={directory}".encode()
    writers = {b"fetch", b"repack", b"update-ref"}
    orphans = [pid for pid in _processes() if _is(pid, mark) and writers & set(_argv(pid))]
    for pid in orphans:
        with contextlib.suppress(ProcessLookupError):
            # `run` makes each git the leader of a group, in which its own children are.
            os.killpg(pid, signal.SIGKILL)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(_is(pid, mark) for pid in orphans) and time.monotonic() < deadline:
        time.sleep(TICK_SECONDS / 10)


def _processes() -> list[int]:
    proc = Path("/proc")
    names = [entry.name for entry in proc.iterdir()] if proc.is_dir() else []
    return [int(name) for name in names if name.isdigit()]


def _is(pid: int, mark: bytes) -> bool:
    return mark in _argv(pid)


def _argv(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
