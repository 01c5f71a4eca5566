"""The tasks of one submitit job (``tasks_per_node``), as the processes of one run.

It is the run's own process: it starts the tasks, hands signals on to all of them, and when one ends
badly it ends the others. Task 0 writes into the run's log, the others into submitit's files.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from submitit.core.job_environment import JobEnvironment
from submitit.core.utils import JobPaths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

GRACE_S = 10.0
"""How long the other tasks may take to end once one has ended badly."""

Task = subprocess.Popen[bytes]


def main(words: Sequence[str]) -> int:
    """Run ``COUNT FOLDER`` and return the exit status of the first task that ended badly."""
    count, folder = int(words[0]), words[1]
    tasks: list[Task] = []

    def hand_on(number: int, _frame: FrameType | None) -> None:
        for task in tasks:
            task.send_signal(number)

    # Before the first task is there: a signal meanwhile would end this process alone.
    for number in (JobEnvironment._usr_sig(), signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hand_on)
    # Each is known to the handler as soon as it is there.
    tasks.extend(_started(rank, count, folder) for rank in range(count))
    return _ended(tasks)


def _started(rank: int, count: int, folder: str) -> Task:
    environ = {
        **os.environ,
        "SUBMITIT_LAUNCH_TUI_NTASKS": str(count),
        "SUBMITIT_LAUNCH_TUI_GLOBALID": str(rank),
        "SUBMITIT_LAUNCH_TUI_LOCALID": str(rank),
    }
    command = [sys.executable, "-u", "-m", "submitit.core._submit", folder]
    if rank == 0:
        return subprocess.Popen(command, env=environ, preexec_fn=_not_yet)
    path = JobPaths(folder, job_id=os.environ["LAUNCH_TUI_RUN_ID"], task_id=rank).stdout
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as output:
        return subprocess.Popen(
            command, env=environ, stdout=output, stderr=subprocess.STDOUT, preexec_fn=_not_yet
        )


def _not_yet() -> None:
    # Until submitit is loaded and listens, being told to checkpoint would kill the task: it is kept
    # until the task's ``_handle_signals`` lets it in.
    signal.pthread_sigmask(signal.SIG_BLOCK, {JobEnvironment._usr_sig()})


def _ended(tasks: Sequence[Task]) -> int:
    """Wait for all; the first bad end ends the rest."""
    left = {task.pid: task for task in tasks}
    status = 0
    while left:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        task = left.pop(found.si_pid, None) if found else None
        if task is None:
            continue
        code = task.wait()
        if code and not status:
            status = code if code > 0 else 128 - code
            _end(list(left.values()))
    return status


def _end(tasks: Sequence[Task]) -> None:
    for task in tasks:
        task.send_signal(signal.SIGINT)
    timer = threading.Timer(GRACE_S, _kill, [tasks])
    timer.daemon = True
    timer.start()


def _kill(tasks: Sequence[Task]) -> None:
    for task in tasks:
        task.kill()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
