"""A data directory, the jobs in it, and processes of launch_tui that may be killed.

Everything is checked from the outside: files that the jobs wrote, the process table, exit codes and
the store's own rows, never what a process of ours said about itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from launch_tui import faults
from launch_tui.store.series import SeriesReader
from tests.tracking import encoding

KILLED = -signal.SIGKILL
ENDED = {"finished", "failed", "stopped", "preempted", "lost"}
LINES = 40

JOB = f"""\
import os, sys, time
from pathlib import Path
import encoding

run, attempt = os.environ["LAUNCH_TUI_RUN_ID"], os.environ["LAUNCH_TUI_ATTEMPT"]
marks = os.environ["MARKS"]
with open(f"{{marks}}/{{run}}.started", "a") as file:
    file.write(attempt + "\\n")

tracked = Path(os.environ["WANDB_DIR"], "wandb", f"offline-run-20260101_000000-{{run}}")
tracked.mkdir(parents=True)
written = bytearray(encoding.MAGIC)
with open(tracked / f"run-{{run}}.wandb", "wb", buffering=0) as file:
    file.write(written)

    def tell(record):
        before = len(written)
        encoding.append(written, record)
        file.write(written[before:])

    tell(encoding.run(run))
    for number in range({LINES}):
        print(f"line {{number}}", flush=True)
        tell(encoding.history(number, {{"loss": 1 / (number + 1)}}))
        time.sleep(0.005)
    code = int(os.environ.get("CODE", "0"))
    tell(encoding.exit_record(code))
with open(f"{{marks}}/{{run}}.ended", "a") as file:
    file.write(attempt + "\\n")
sys.exit(code)
"""


@dataclass
class World:
    """One data directory with its marks, and the processes started on it."""

    root: Path
    agents: list[subprocess.Popen[bytes]] = field(default_factory=list)
    killed: int = 0

    def __post_init__(self):
        self.home = self.root / "home"
        self.marks = self.root / "marks"
        self.folder = self.root / "folder"
        self.repository = self.root / "repository"
        self.marks.mkdir()
        for place in (self.folder, self.repository):
            place.mkdir()
            (place / "job.py").write_text(JOB)
            shutil.copy(encoding.__file__, place)
            (place / "requirements.txt").write_text(f"# nothing is needed by {place.name}\n")
        self._git("init", "-q", "-b", "main")
        self._git("add", ".")
        self._git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "first")

    def environment(self, fault=""):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LAUNCH_TUI_", "WANDB_"))}
        kept |= {"LAUNCH_TUI_HOME": str(self.home), "PYTHONUNBUFFERED": "1"}
        return kept | ({faults.VARIABLE: fault} if fault else {})

    def cli(self, *words, fault="", cwd=None, timeout=60):
        """Run one command; count it when a fault point killed it."""
        done = subprocess.run(
            [sys.executable, "-m", "launch_tui", *map(str, words)],
            env=self.environment(fault),
            cwd=cwd or self.folder,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode == KILLED:
            self.killed += 1
        return done

    def launch(self, *words, fault="", cwd=None):
        """Launch and return the acknowledged id; None when the caller was killed before that."""
        done = self.cli("launch", "--json", *words, fault=fault, cwd=cwd)
        if done.returncode == KILLED:
            return None
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)["id"]

    def queue(self, name, *flags):
        """Make a queue whose jobs need not call wandb.init."""
        words = ("queue", "create", name, "-r", "local-process", "--tracking", "optional")
        done = self.cli(*words, *flags)
        assert done.returncode == 0, done.stderr.decode()

    def launch_here(self, queue, *command):
        """Launch a command in place, without a snapshot or an environment; return its id."""
        marks = f"MARKS={self.marks}"
        return self.launch("--in-place", "-q", queue, "--setenv", marks, "--", *command)

    def start_agent(self, fault="", *words, stdout=None):
        """Start a headless agent in a session of its own."""
        with (self.root / "agent.out").open("ab") as output:
            agent = subprocess.Popen(
                [sys.executable, "-m", "launch_tui", "--agent-only", *words],
                env=self.environment(fault),
                stdin=subprocess.DEVNULL,
                stdout=output if stdout is None else stdout,
                stderr=output,
                start_new_session=True,
            )
        self.agents.append(agent)
        return agent

    def agent_is_active(self, agent):
        """Say whether it is this agent that the store knows as the one at work."""
        found = self.select("SELECT pid FROM agents WHERE ended_at IS NULL")
        return [row["pid"] for row in found] == [agent.pid]

    def wait_for_state(self, run, state):
        wait_until(lambda: self.rows()[run]["state"] == state, f"{run} is {state}")

    def attempt(self, run, number=1):
        return self.home / "runs" / run / str(number)

    def said(self):
        """What the agents printed so far."""
        return (self.root / "agent.out").read_text()

    def kill(self, agent):
        """SIGKILL one agent, by its pid."""
        if agent.poll() is None:
            agent.kill()
        agent.wait()

    def rows(self):
        """Return all runs as the store has them, by id."""
        return {row["id"]: row for row in self.select("SELECT * FROM runs ORDER BY seq")}

    def select(self, sql):
        """Return what a query of the store gives; nothing while there is no store."""
        if not (self.home / "launch.db").exists():
            return []
        db = sqlite3.connect(f"{(self.home / 'launch.db').as_uri()}?mode=ro", uri=True, timeout=20)
        db.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in db.execute(sql)]
        except sqlite3.OperationalError:
            return []
        finally:
            db.close()

    def all_ended(self):
        rows = self.rows()
        return bool(rows) and all(row["state"] in ENDED for row in rows.values())

    def started(self, run):
        """Return the attempts that the job itself says it has started, in order."""
        return self._mark(run, "started")

    def ended(self, run):
        return self._mark(run, "ended")

    def log(self, run, attempt):
        return (self.home / "runs" / run / str(attempt) / "output.log").read_bytes()

    def steps(self, run):
        """Return the steps of the metric that the run's jobs logged, as they were stored."""
        path = self.home / "runs" / run / "metrics.db"
        if not path.exists():
            return []
        with SeriesReader(path) as series:
            return [step for step, _ in series.points("loss")]

    def processes(self):
        """Return the pids of all processes that belong to a run of this data directory."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    environ = (entry / "environ").read_bytes()
                except OSError:
                    continue
                if f"MARKS={self.marks}".encode() in environ.split(b"\0"):
                    found.append(int(entry.name))
        return found

    def close(self):
        """End what was started here and nothing else."""
        for agent in self.agents:
            self.kill(agent)
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _mark(self, run, kind):
        path = self.marks / f"{run}.{kind}"
        return path.read_text().split() if path.exists() else []

    def _git(self, *words):
        subprocess.run(["git", *words], cwd=self.repository, check=True, capture_output=True)


def wait_until(condition, what, seconds=40.0):
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
