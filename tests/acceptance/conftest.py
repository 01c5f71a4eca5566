"""The program as a person has it: its command line, a real agent, real jobs. Nothing is imported.

Tests are marked by what they need; jobs without wandb run on queues with ``--tracking optional``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import NamedTuple

import pytest

ENDED = {"finished", "failed", "stopped", "preempted", "lost"}
COMMAND = (sys.executable, "-m", "launch_tui")


class Result(NamedTuple):
    """What one command line did."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


class World:
    """A data directory and the command line over it."""

    def __init__(self, home, tmp_path, wait_until):
        self.home = home
        self.tmp_path = tmp_path
        self.wait_until = wait_until
        self.children = []

    def lt(self, *words, cwd=None, env=None, timeout=40, stdin=""):
        """Run one command line to its end."""
        done = subprocess.run(
            [*COMMAND, *map(str, words)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def ok(self, *words, **how):
        """Run one command line, which must do what it was asked for."""
        result = self.lt(*words, **how)
        assert result.status == 0, result
        return result

    def start(self, *words, cwd=None, env=None):
        """Start a command line that goes on, with its output in pipes."""
        child = subprocess.Popen(
            [*COMMAND, *map(str, words)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.children.append(child)
        return child

    def agent(self, *words):
        """Start an agent and wait until it is there."""
        child = self.spawn_agent(*words)
        self.wait_until(lambda: self.agent_pid() == child.pid, what="the agent's start")
        return child

    def spawn_agent(self, *words):
        """Start an agent, which may have to stand by."""
        log = self.tmp_path / f"agent-{len(self.children)}.log"
        with log.open("w") as output:
            child = subprocess.Popen(
                [*COMMAND, "--agent-only", *map(str, words)],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child.log = log
        self.children.append(child)
        return child

    def agent_pid(self):
        return self.ok("agent", "status", "--json").json["pid"]

    def launch(self, *words, queue="q", **how):
        """Enqueue a run and return its id."""
        # Flags before the command: what follows `--` is the job's.
        return self.ok("launch", "-q", queue, "--json", *words, **how).json["id"]

    def shell(self, script, *words, queue="q", **how):
        """Enqueue a shell script to run in the folder itself and return the run's id."""
        return self.launch(*words, "--in-place", "--", "sh", "-c", script, queue=queue, **how)

    def show(self, run="@"):
        return self.ok("show", run, "--json").json

    def until(self, run, *states, timeout=30):
        """Wait until a run is in one of some states and return it."""
        states = states or tuple(ENDED)

        def there():
            found = self.show(run)
            return found if found["state"] in states else None

        return self.wait_until(there, timeout=timeout, what=f"{run} to be {states}")

    def log(self, run="@"):
        return self.ok("logs", run).out

    def end(self):
        """End what runs, then every process that was started here."""
        with contextlib.suppress(Exception):
            active = [r["id"] for r in self.lt("runs", "--json").json if r["state"] not in ENDED]
            if active:
                self.lt("stop", "--now", *active)
                self.until(active[0], timeout=5)
        for child in self.children:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
            try:
                child.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.communicate()


@pytest.fixture(autouse=True)
def kept_bytecode(tmp_path_factory, monkeypatch):
    """The many processes of these tests compile the package once, wherever it may be written."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.getbasetemp() / "bytecode"))


@pytest.fixture
def world(private_home, tmp_path, wait_until):
    """A data directory with a queue ``q`` on which tracking is optional; no agent yet."""
    made = World(private_home, tmp_path, wait_until)
    made.ok("queue", "create", "q", "-r", "process", "--tracking", "optional", "--max-running", "4")
    yield made
    made.end()


@pytest.fixture
def running(world):
    """The same, with an agent that serves all queues."""
    world.agent()
    return world


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder named ``proj`` with a script, which is the working directory."""
    path = tmp_path / "proj"
    path.mkdir()
    (path / "train.py").write_text("import sys\nprint('trained', *sys.argv[1:])\n")
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def seconds():
    """Returns ``seconds(iso)``: a time of the JSON as seconds since the epoch."""
    from datetime import datetime

    return lambda text: datetime.fromisoformat(text).timestamp()
