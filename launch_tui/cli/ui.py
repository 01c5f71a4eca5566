"""``launch-tui``: the screens with the agent inside, and who goes on when the person leaves.

The agent gets its thread after the first paint. Leaving with work queued or running starts an agent
without a screen first, which stands by on the kernel lock, and only then ends the one in here: the
queue stands still for the moment that taking the lock takes.
"""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from launch_tui.cli.output import line, say, speaks_utf8
from launch_tui.domain.run import ACTIVE, WAITING
from launch_tui.errors import LaunchError, UsageError
from launch_tui.sdk.care import check_briefly
from launch_tui.store.paths import default_home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from launch_tui.agent.report import AgentEvent
    from launch_tui.agent.thread import AgentThread
    from launch_tui.sdk import Launch
    from launch_tui.store.paths import Home

SUCCESSOR_S = 15.0
"""How long the agent that takes over may take to hold the lock."""
STANDING_BY_S = 5.0
"""How long it may take to start: the agent in here works on meanwhile."""
_POLL_S = 0.02
_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def open_ui(home: str | None, *, read_only: bool, ascii_only: bool, demo: bool = False) -> int:
    """Show the screens until the person leaves, and return the exit status.

    ``demo`` launches the demo's training job as soon as there is something to see.
    """
    in_browser = os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")
    if in_browser:
        _end_with_the_server()
    elif not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "launch-tui", "the UI needs a terminal", allowed="launch-tui --agent-only, or a verb"
        )
    check_briefly(default_home(home))
    # Nothing that is made until the first paint is garbage; the application turns it on again.
    gc.disable()
    from launch_tui.tui.app import LaunchApp
    from launch_tui.tui.fitting import Fitting, fitting
    from launch_tui.tui.leaving import Leave

    inside = EmbeddedAgent()
    encoding = "utf-8" if speaks_utf8() else "ascii"
    app = LaunchApp(
        home,
        read_only=read_only,
        ascii_only=ascii_only,
        fits=Fitting(motion=False) if in_browser else fitting(os.environ, encoding),
        make_agent=inside.made,
        demo=demo,
    )
    decision = app.run()
    if app.hung_up:
        _write_nowhere()
    _end(app.home, inside, stop_all=decision is Leave.STOP_ALL)
    return app.return_code or 0


class EmbeddedAgent:
    """The agent in this process, which may be told to leave before it has even begun."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._lock = threading.Lock()
        self._over = False
        self._home: Home | None = None
        self._say: Callable[[str], None] = lambda _: None
        self._thread: AgentThread | None = None

    def made(self, home: Home, hear: Callable[[str], None]) -> EmbeddedAgent:
        """Return this agent, for a data directory and an ear for what it says."""
        self._home, self._say = home, hear
        return self

    def start(self) -> None:
        """Begin to work, or to stand by, unless it was told to leave already."""
        from launch_tui.agent.thread import AgentThread

        assert self._home is not None
        with self._lock:
            if self._over:
                return
            self._thread = AgentThread(self._home, report=lambda event: self._say(spoken(event)))
            self._thread.start()

    def leave(self) -> None:
        """Leave at once; runs go on."""
        with self._lock:
            self._over = True
            if self._thread is not None:
                self._thread.leave()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has left."""
        if self._thread is not None:
            self._thread.join(timeout)
            self.error = self._thread.error

    def is_alive(self) -> bool:
        """Say whether it works or stands by."""
        if self._thread is None:
            return False
        self.error = self._thread.error
        return self._thread.is_alive()


def spoken(event: AgentEvent) -> str:
    """Return an event of the agent as one line, with the run that it is about."""
    return f"{event.run_id}  {event.text}" if event.run_id else event.text


def _end(home: Home, inside: EmbeddedAgent, *, stop_all: bool) -> None:
    """Carry out what was decided about the work that goes on."""
    from launch_tui.sdk import Launch

    if not inside.is_alive():
        inside.leave()
        inside.join()
        if inside.error is not None:
            say(f"the agent of this screen ended: {inside.error}")
        return
    with Launch(home.root) as launch:
        ours = _holds_the_lock(launch)
        if stop_all:
            _stop_all(launch, inside, drain=ours)
        elif ours and _has_work(launch):
            _hand_over(home, launch, inside)
        inside.leave()
        inside.join()


def _hand_over(home: Home, launch: Launch, inside: EmbeddedAgent) -> None:
    said = _size(log_path(home))
    try:
        successor = start_headless(home)
    except OSError as error:
        say(f"the queue stands still: no agent could be started ({error}); launch-tui --agent-only")
        return
    # Its first words are that it stands by: leaving any earlier would leave the queue alone for as
    # long as Python takes to start.
    _wait(lambda: _size(log_path(home)) > said or successor.poll() is not None, STANDING_BY_S)
    inside.leave()
    inside.join()
    _wait(lambda: _other_agent(launch) or successor.poll() is not None, SUCCESSOR_S)
    if pid := _other_agent(launch):
        line(f"the queue goes on without a screen: agent {pid}; launch-tui shows it")
    else:
        say(f"the queue stands still: no agent took over, see {log_path(home)}")


def start_headless(home: Home) -> subprocess.Popen[bytes]:
    """Start an agent without a screen, in a session of its own; it stands by on the lock."""
    with log_path(home).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "launch_tui", "--agent-only", "--home", str(home.root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home.root,
            start_new_session=True,
        )


def log_path(home: Home) -> Path:
    """Return where an agent that was started without a screen writes what it does."""
    return home.root / "agent.log"


def _stop_all(launch: Launch, inside: EmbeddedAgent, *, drain: bool) -> None:
    """Stop what runs and wait for it; what waits stays in its queue."""
    if drain:
        launch.agents.drain()
    active = [run.id for run in launch.runs.every(states=tuple(ACTIVE))]
    for run_id in active:
        # It may have ended by itself a moment ago.
        with contextlib.suppress(UsageError):
            launch.runs.stop(run_id)
    if waiting := launch.runs.count(states=tuple(WAITING)):
        line(f"{waiting} runs stay queued until launch-tui or launch-tui --agent-only runs again")
    if not active:
        return
    line(f"stopping {len(active)} runs; ctrl-c leaves them to the next agent")
    try:
        while inside.is_alive() and (drain or _still_active(launch, active)):
            inside.join(_POLL_S)
    except KeyboardInterrupt:
        say("left; what is still being stopped is up to the next agent")


def _still_active(launch: Launch, runs: list[str]) -> bool:
    return any(launch.runs.get(run).state in ACTIVE for run in runs)


def _holds_the_lock(launch: Launch) -> bool:
    status = launch.agents.status()
    return status is not None and status.running and status.pid == os.getpid()


def _other_agent(launch: Launch) -> int:
    """Return the pid of an agent in another process, 0 when there is none."""
    status = launch.agents.status()
    other = status is not None and status.running and status.pid != os.getpid()
    return status.pid if status is not None and other else 0


def _wait(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _has_work(launch: Launch) -> bool:
    try:
        return launch.runs.count(states=(*ACTIVE, *WAITING)) > 0
    except LaunchError:
        # An agent too many leaves by itself; work that nobody carries out does not come back.
        return True


def _end_with_the_server() -> None:
    """Have the kernel end this view, which holds nothing, when the server behind it is killed."""
    import ctypes
    import signal

    server = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os.kill(os.getpid(), signal.SIGKILL)


def _write_nowhere() -> None:
    """Have what is printed after the terminal was closed go nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)
