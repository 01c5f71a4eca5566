"""Sends one run to a W&B server, by the ``wandb sync`` of the environment that it ran in.

The child is a process of its own that outlives whoever started it. It holds the run's lock until it
has written down how it ended, so a run is never sent twice at once: an agent that takes over waits
for the lock and then reads what there is to read. ``wandb sync`` ends with status 0 also where it
could send nothing (0.30, 0.31: measured), so what counts is the mark that it leaves beside each
file that was sent. Without bounds it tries a server that is down for days; those are set here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.domain.sync import address_in
from launch_tui.domain.text import printable
from launch_tui.errors import StoreError
from launch_tui.store.series_read import SeriesReader
from launch_tui.tracking.find import order
from launch_tui.tracking.outputs import keep_staged
from launch_tui.tracking.variables import STRIPPED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PYTHON = "python"
"""In an attempt's directory: the path of the interpreter that its job was started with."""
LONGEST_S = 2 * 3600.0
"""A sync that takes longer is ended, and tried again."""
PROBE_S = 30.0
LOG_TAIL = 64 * 1024
_BOUNDS = {
    "WANDB_X_GRAPHQL_RETRY_MAX": "3",
    "WANDB_X_GRAPHQL_RETRY_WAIT_MAX_SECONDS": "10",
    "WANDB_X_GRAPHQL_TIMEOUT_SECONDS": "30",
    "WANDB_X_FILE_STREAM_RETRY_MAX": "5",
    "WANDB_X_FILE_STREAM_RETRY_WAIT_MAX_SECONDS": "10",
    "WANDB_X_FILE_TRANSFER_RETRY_MAX": "5",
    "WANDB_SILENT": "false",
    "WANDB_QUIET": "false",
}
_PROBE = "import importlib.util, sys; sys.exit(importlib.util.find_spec('wandb') is None)"
# The outcome is in place before the lock goes: it is held by this shell.
_WRAPPER = '"$@"; echo "$?" > exit.new && mv exit.new exit'


@dataclass(frozen=True, slots=True)
class Sent:
    """What a sync came to: ``cause`` is empty when all was sent; ``final`` says not to try again.

    ``url`` is where the run is to be seen, empty where wandb did not say.
    """

    url: str = ""
    cause: str = ""
    next_step: str = ""
    final: bool = False


class Busy(Exception):
    """Another process is sending this run."""


class RunSync:
    """The sending of one run; holds the run's lock from ``__enter__`` on.

    Args:
        run_directory: The run's.
        attempts: How many attempts it had.

    Raises:
        Busy: On entering, when another process is sending it.
    """

    def __init__(self, run_directory: Path, attempts: int) -> None:
        self._root = run_directory
        self._attempts = attempts
        self._folder = run_directory / "sync"
        self._lock = -1
        self._child: subprocess.Popen[bytes] | None = None
        self._began = 0.0

    def __enter__(self) -> RunSync:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise Busy from None
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def left(self) -> Sent | None:
        """Return what a sync came to whose agent has died, None when nothing is left of one."""
        return self._outcome() if (self._folder / "exit").exists() else None

    def clear(self) -> None:
        """Forget how an earlier sync has ended."""
        for name in ("exit", "exit.new"):
            (self._folder / name).unlink(missing_ok=True)

    def start(
        self,
        python: Sequence[str],
        files: Sequence[Path],
        environ: Mapping[str, str],
        account: Mapping[str, str],
    ) -> None:
        """Start ``wandb sync``.

        Args:
            python: The words that start a Python with wandb (``python_with_wandb``).
            files: What to send (``files_to_send``); what is marked as sent is left out.
            environ: The environment around it.
            account: The variables that say where to, and with which key.
        """
        for number in range(1, self._attempts + 1):
            keep_staged(self._root / str(number))
        (self._folder / "files").write_text("".join(f"{file}\n" for file in files))
        command = [*python, "-m", "wandb", "sync", "--include-online"]
        command += [str(file.parent) for file in files if not _mark_of(file).exists()]
        own = {name: value for name, value in environ.items() if name not in STRIPPED}
        with (self._folder / "log").open("wb") as log:
            self._child = subprocess.Popen(
                ["/bin/sh", "-c", _WRAPPER, "sync", *command],
                cwd=self._folder,
                env={**own, **_BOUNDS, "WANDB_DIR": str(self._folder), **account},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(self._lock,),
            )
        self._began = time.monotonic()

    def ended(self) -> Sent | None:
        """Return what it came to, None while it goes on."""
        if self._child is None:
            return None
        if self._child.poll() is None:
            if time.monotonic() - self._began < LONGEST_S:
                return None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
            return Sent(cause=f"it was not sent within {LONGEST_S / 3600:g} h")
        return self._outcome()

    def _outcome(self) -> Sent:
        text = self._log()
        url = address_in(text)
        names = (self._folder / "files").read_text().splitlines()
        unsent = [name for name in names if not _mark_of(Path(name)).exists()]
        if names and not unsent:
            return Sent(url=url)
        return _failure(text)

    def _log(self) -> str:
        try:
            with (self._folder / "log").open("rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - LOG_TAIL))
                return log.read(LOG_TAIL).decode("utf-8", "replace")
        except OSError:
            return ""


def files_to_send(run_directory: Path, attempts: int) -> list[Path]:
    """Return the files of a run in the order in which they were begun.

    Those that were sent as they were written are left out where there are others.

    Args:
        run_directory: The run's.
        attempts: How many attempts it had.
    """
    places = {
        (number, file)
        for number in range(1, attempts + 1)
        for folder in _run_folders(run_directory / str(number) / "wandb" / "wandb")
        for file in folder.glob("run-*.wandb")
    }
    # Where a script has another folder written, tracking knows it.
    with contextlib.suppress(StoreError), SeriesReader(run_directory / "metrics.db") as reader:
        places |= {(number, run_directory / name) for number, name in reader.files()}
    found = sorted((number, order(file), file) for number, file in places if file.is_file())
    files = [file for _, _, file in found]
    offline = [file for file in files if file.parent.name.startswith("offline-")]
    return offline or files


def forget_sent(run_directory: Path, attempts: int) -> None:
    """Take away the marks of what was sent, so that it is sent again."""
    for file in files_to_send(run_directory, attempts):
        _mark_of(file).unlink(missing_ok=True)


def python_with_wandb(run_directory: Path, attempt: int, uv: str = "") -> tuple[str, ...]:
    """Return what starts a Python that has wandb: the run's own, else one that can stand in.

    A container's is not on this machine, and an environment may be gone: then it is the one that
    launch_tui runs in, the first on PATH, or one that ``uv`` makes from the package index.

    Args:
        run_directory: The run's.
        attempt: The newest attempt.
        uv: The path of uv, where it may be used.
    """
    recorded = run_directory / str(attempt) / PYTHON
    candidates: list[str] = []
    with contextlib.suppress(OSError, UnicodeDecodeError):
        candidates.append(recorded.read_text("utf-8").strip())
    candidates += [sys.executable, *(shutil.which(name) or "" for name in ("python3", "python"))]
    for python in dict.fromkeys(filter(None, candidates)):
        if _has_wandb(python):
            return (python,)
    return (uv, "run", "--no-project", "--quiet", "--with", "wandb", "python") if uv else ()


def _has_wandb(python: str) -> bool:
    try:
        done = subprocess.run(
            [python, "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _run_folders(place: Path) -> Iterator[Path]:
    try:
        entries = list(os.scandir(place))
    except OSError:
        return
    for entry in entries:
        named = entry.name.startswith(("offline-run-", "run-"))
        if named and entry.is_dir(follow_symlinks=False):
            yield place / entry.name


def _mark_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.synced")


def _failure(text: str) -> Sent:
    """Return why a sync failed, from wandb's own words."""
    lines = [printable(line).strip() for line in text.splitlines()]
    telling = [line for line in lines if "error" in line.lower()] or [x for x in lines if x]
    cause = telling[-1] if telling else "wandb sync ended without a word"
    for noise in ("wandb: ", "ERROR "):
        cause = cause.removeprefix(noise)
    if any(sign in text for sign in ("401", "403", "permission denied", "invalid API key")):
        return Sent(
            cause=f"the W&B server refuses the key: {cause}",
            next_step="correct WANDB_API_KEY (wandb login), then launch-tui sync RUN",
            final=True,
        )
    return Sent(cause=cause)
