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
from launch_tui.sdk import Launch, LaunchRequest
from launch_tui.store.clock import iso
from launch_tui.store.series import SeriesReader
from launch_tui.targets.processes import alive, identify
from tests.tracking import encoding

SIMULATED_NVML = Path(__file__).resolve().parent.parent / "simulated_nvml"
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
    codes = os.environ.get("CODE", "0").split(",")
    with open(f"{{marks}}/{{run}}.started") as file_of_starts:
        starts = len(file_of_starts.read().split())
    code = int(codes[min(starts, len(codes)) - 1])
    tell(encoding.exit_record(code))
with open(f"{{marks}}/{{run}}.ended", "a") as file:
    file.write(attempt + "\\n")
sys.exit(code)
"""

PROBE = """\
import json, os, sys, time

began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
run, attempt = os.environ["LAUNCH_TUI_RUN_ID"], int(os.environ["LAUNCH_TUI_ATTEMPT"])
path = os.path.join(os.environ["MARKS"], run + ".probe")
starts = 1
if os.path.exists(path):
    starts += sum("began" in line for line in open(path))

def mark(**what):
    with open(path, "a") as file:
        file.write(json.dumps({"attempt": attempt, **what}) + "\\n")

checkpoint = os.path.join(os.environ["LAUNCH_TUI_RUN_DIR"], "checkpoint")
kept = open(checkpoint).read().split() if os.path.exists(checkpoint) else []
mark(
    began=began,
    pid=os.getpid(),
    gpus=os.environ.get("CUDA_VISIBLE_DEVICES", ""),
    run_id=os.environ["WANDB_RUN_ID"],
    resume=os.environ.get("WANDB_RESUME", ""),
    kept=kept,
)
with open(checkpoint, "a") as file:
    file.write(f"{attempt} ")
while os.environ.get("GATE") and not os.path.exists(os.environ["GATE"]):
    time.sleep(0.01)
time.sleep(float(os.environ["HOLD"]))
codes = os.environ["CODES"].split(",")
code = int(codes[min(starts, len(codes)) - 1])
mark(ended=time.clock_gettime_ns(time.CLOCK_BOOTTIME), code=code)
sys.exit(code)
"""
"""A job that writes down what it was given and when it ran, and ends as it was told to."""

CALLER = """\
import json, sys
from launch_tui.sdk import Launch, LaunchRequest
request = LaunchRequest(**json.loads(sys.argv[1]))
with Launch() as launch:
    print(*(made.id for made in launch.launch_many([request] * int(sys.argv[2]))))
"""
"""Launches in a process of its own, which sees the simulated GPUs."""


@dataclass
class Ran:
    """One start of a probe, as the job itself wrote it down; ``ended`` is None when it was killed.

    Times are seconds since the boot.
    """

    attempt: int
    began: float
    pid: int
    gpus: str
    run_id: str
    resume: str
    kept: list[str]
    ended: float | None = None
    code: int | None = None


@dataclass
class World:
    """One data directory with its marks, and the processes started on it."""

    root: Path
    agents: list[subprocess.Popen[bytes]] = field(default_factory=list)
    killed: int = 0
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.home = self.root / "home"
        self.marks = self.root / "marks"
        self.folder = self.root / "folder"
        self.repository = self.root / "repository"
        self.marks.mkdir()
        for place in (self.folder, self.repository):
            place.mkdir()
            (place / "job.py").write_text(JOB)
            (place / "probe.py").write_text(PROBE)
            shutil.copy(encoding.__file__, place)
            (place / "requirements.txt").write_text(f"# nothing is needed by {place.name}\n")
        self._git("init", "-q", "-b", "main")
        self._git("add", ".")
        self._git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "first")

    def environment(self, fault=""):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LAUNCH_TUI_", "WANDB_"))}
        kept |= {"LAUNCH_TUI_HOME": str(self.home), "PYTHONUNBUFFERED": "1"}
        kept |= self.variables
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

    def probe(self, queue, codes="0", hold=0.0, gate="", **wanted):
        """Launch a job that writes down what it was given; return the run's id.

        Args:
            queue: Where.
            codes: How each start ends; the last one is for all that follow.
            hold: Seconds that it takes.
            gate: A file that it waits for before that.
            **wanted: What else ``LaunchRequest`` has.
        """
        (run,) = self.probes(queue, 1, codes=codes, hold=hold, gate=gate, **wanted)
        return run

    def probes(self, queue, count, *, codes="0", hold=0.0, gate="", **wanted):
        """Launch so many of them at once; return their ids."""
        given = {"MARKS": self.marks, "CODES": codes, "HOLD": hold, "GATE": gate}
        request = {
            "in_place": str(self.folder),
            "entry_point": [sys.executable, "-S", "probe.py"],
            "queue": queue,
            "setenv": {name: str(value) for name, value in given.items()},
            **wanted,
        }
        if not self.variables:
            with Launch(self.home) as launch:
                return [m.id for m in launch.launch_many([LaunchRequest(**request)] * count)]
        done = subprocess.run(
            [sys.executable, "-c", CALLER, json.dumps(request), str(count)],
            env=self.environment(),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().split()

    def ran(self, run):
        """Return the starts of a probe, in order."""
        path = self.marks / f"{run}.probe"
        found = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            told = json.loads(line)
            for moment in ("began", "ended"):
                if moment in told:
                    told[moment] /= 1e9
            if "began" in told:
                assert told["attempt"] not in found, f"attempt {told['attempt']} ran twice"
                found[told["attempt"]] = Ran(**told)
            else:
                found[told["attempt"]].ended = told["ended"]
                found[told["attempt"]].code = told["code"]
        return list(found.values())

    def limit_agent(self, **settings):
        """Write the agent's settings, read when it starts and when they change."""
        self.home.mkdir(exist_ok=True)
        fresh = self.home / "agent.yaml.new"
        fresh.write_text(json.dumps(settings))
        fresh.replace(self.home / "agent.yaml")

    def install_gpus(self, *gpus):
        """Have agents that start from now on find these GPUs; replaces what there was."""
        path = self.root / "nvml.json"
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"gpus": list(gpus)}))
        fresh.replace(path)
        paths = [str(SIMULATED_NVML), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.variables |= {"SIMULATED_NVML": str(path), "PYTHONPATH": os.pathsep.join(paths)}

    def events(self, run):
        """Return the states that a run went through."""
        told = f"SELECT state FROM events WHERE run_id = '{run}' AND state IS NOT NULL ORDER BY id"
        return [row["state"] for row in self.select(told)]

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

    def reboot(self, agent, run, number):
        """Leave what the loss of power leaves: records of another boot, and no process."""
        self.kill(agent)
        attempt = self.attempt(run, number)
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self.kill_supervisor(run, number)
        (attempt / "exit").unlink(missing_ok=True)
        for name in ("started", "pid"):
            text = json.loads((attempt / name).read_text()) | {"boot_id": "an-earlier-boot"}
            (attempt / name).write_text(json.dumps(text))

    def come(self, run):
        """Have the time come before which a run may not begin, and return it."""
        due = time.time()
        db = sqlite3.connect(self.home / "launch.db", timeout=20)
        with db:
            db.execute("UPDATE runs SET not_before = ? WHERE id = ?", (iso(due), run))
        db.close()
        return due

    def kill_supervisor(self, run, number=1):
        """SIGKILL the supervisor of an attempt, if it still is that process, and see it gone."""
        record = json.loads((self.attempt(run, number) / "pid").read_text())
        supervisor = identify(record["supervisor_pid"])
        if supervisor is not None and supervisor.start_time == record["supervisor_start_time"]:
            os.kill(supervisor.pid, signal.SIGKILL)
            wait_until(lambda: not alive(supervisor), "the supervisor is gone")

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
