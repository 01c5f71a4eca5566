"""The program as a person has it: its command line, a real agent, real jobs. Nothing is imported.

Tests are marked by what they need; jobs without wandb run on queues with ``--tracking optional``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from typing import NamedTuple

import pytest

from tests.simulated_nvml.nvml_fixture import SimulatedNvml

ENDED = {"finished", "failed", "stopped", "preempted", "lost"}
GIB = 1024**3
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

    def why(self, run="@"):
        """Return why a run is where it is: the kind and the reason."""
        found = self.ok("why", run, "--json").json
        return found["kind"], found["reason"]

    def until_why(self, run, kind):
        """Wait until a run waits for something of a kind, and return the reason."""

        def there():
            found, reason = self.why(run)
            return reason if found == kind else None

        return self.wait_until(there, what=f"{run} to wait for {kind}")

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
def machine(tmp_path, monkeypatch):
    """Simulated GPUs for every process of the product: ``machine(4)`` sets them, 24 GiB each."""
    simulated = SimulatedNvml(tmp_path / "nvml.json")
    for name, value in simulated.environment.items():
        monkeypatch.setenv(name, value)

    def tell(count, changes=None):
        simulated.tell(
            gpus=[
                {
                    "uuid": f"GPU-{n}-simulated",
                    "memory_total": 24 * GIB,
                    "processes": [],
                    **(changes or {}).get(n, {}),
                }
                for n in range(count)
            ]
        )

    return tell


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """Returns ``editor(old, new)``: an $EDITOR that replaces text, which must be there."""

    def make(old, new):
        script = tmp_path / "editor.py"
        script.write_text(
            "import pathlib, sys\n"
            "path = pathlib.Path(sys.argv[1])\n"
            "text = path.read_text()\n"
            f"assert {old!r} in text, text\n"
            f"path.write_text(text.replace({old!r}, {new!r}))\n"
        )
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", shlex.join([sys.executable, str(script)]))

    return make


@pytest.fixture
def seconds():
    """Returns ``seconds(iso)``: a time of the JSON as seconds since the epoch."""
    from datetime import datetime

    return lambda text: datetime.fromisoformat(text).timestamp()
