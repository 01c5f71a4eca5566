"""A data directory under fire: real agents, callers, builds and jobs, killed as a seed has it.

`Arena` starts the processes and kills them; `violations` looks at what is left from the outside:
what the jobs themselves wrote, the process table, and the store's rows. Nothing that a process of
launch_tui said about itself counts. Kept apart from `soak.py`, which says what is to happen.

To have one more kind of process killed, add how it is found to `VICTIMS`.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from launch_tui.domain.dependency import Condition, is_met  # noqa: E402
from launch_tui.domain.failure import retry_matches  # noqa: E402
from launch_tui.domain.run import ENDED, TRANSITIONS, RunState  # noqa: E402
from launch_tui.domain.spec import load_spec  # noqa: E402
from launch_tui.sdk import Launch  # noqa: E402
from launch_tui.store.series import SeriesReader  # noqa: E402
from launch_tui.targets import records  # noqa: E402
from launch_tui.targets.processes import send  # noqa: E402
from tests.tracking import encoding  # noqa: E402

if TYPE_CHECKING:
    import random

FOLDERS = 4
"""Folders of code, each with an environment of its own to build."""
GPUS = ("GPU-a", "GPU-b", "GPU-c")
"""What the simulated NVML says that the machine has."""
GPU_BYTES = 24 * 1024**3
KILLED_CODE = 128 + signal.SIGKILL
LOST = "supervisor killed"

JOB = """\
import json, os, sys, time
began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
import encoding
run, attempt = os.environ["LAUNCH_TUI_RUN_ID"], os.environ["LAUNCH_TUI_ATTEMPT"]
plan = json.loads(os.environ["PLAN"])
marks = open(os.path.join(os.environ["MARKS"], run), "a+", buffering=1)
marks.seek(0)
starts = 1 + sum("began" in line for line in marks)
code = plan["codes"][min(starts, len(plan["codes"])) - 1]
gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "") if plan["gpus"] else ""
print(json.dumps({"attempt": attempt, "gpus": gpus, "began": began}), file=marks)
file, written = None, bytearray(encoding.MAGIC)

def tell(record):
    before = len(written)
    encoding.append(written, record)
    file.write(written[before:])

if plan["tracked"]:
    folder = os.path.join(os.environ["WANDB_DIR"], "wandb", "offline-run-20260101_000000-" + run)
    os.makedirs(folder)
    file = open(os.path.join(folder, f"run-{run}.wandb"), "wb", buffering=0)
    file.write(written)
    tell(encoding.run(run))
for number in range(plan["lines"]):
    print(f"{run} line {number}", flush=True)
    if file:
        tell(encoding.history(number, {"loss": 1 / (number + 1)}))
    time.sleep(plan["pause"])
if file:
    tell(encoding.exit_record(code))
ended = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
print(json.dumps({"attempt": attempt, "ended": ended, "code": code}), file=marks)
os._exit(code)
"""

CALLER = """\
import json, os, sys
from launch_tui.errors import UsageError
from launch_tui.sdk import Launch, LaunchRequest
from launch_tui.sdk.jobs import JobRequest
ids = []
with Launch() as launch:
    for request in json.load(open(sys.argv[1])):
        behind = [(back, how) for back, how in request.pop("behind", ()) if back <= len(ids)]
        request["after"] = tuple(f"{ids[-back]}:{how}" for back, how in behind)
        if place := request.pop("place", None):
            words = ("python", "job.py")
            made = launch.jobs.create(JobRequest(place=place, entry_point=words))
            request["job"] = f"{made.job.name}:{made.job.version}"
        try:
            made = launch.launch_many([LaunchRequest(**request)])
        except UsageError:
            # What it was to wait for has ended otherwise already.
            if not behind:
                raise
            continue
        ids += [each.id for each in made]
        print("\\n".join(each.id for each in made), flush=True)
"""


def boot_time():
    """Nanoseconds since the boot: one clock for all processes, that nobody sets."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass
class Limit:
    """A queue, how many of its runs may run at once, and whether they have priorities."""

    queue: str
    at_once: int
    prioritized: bool = False


@dataclass
class Arena:
    """One data directory, its processes, and all that was done to them."""

    root: Path
    random: random.Random
    limits: tuple[Limit, ...]
    max_jobs: int = 0
    agents: list[subprocess.Popen[bytes]] = field(default_factory=list)
    callers: list[tuple[subprocess.Popen[bytes], Path]] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    jobs_killed: dict[tuple[str, str], int] = field(default_factory=dict)
    supervisors_killed: set[tuple[str, str]] = field(default_factory=set)
    checked: set[str] = field(default_factory=set)
    counted: Counter[str] = field(default_factory=Counter)
    screens: set[int] = field(default_factory=set)
    kept: bool = False

    def __post_init__(self):
        self.home, self.marks = self.root / "home", self.root / "marks"
        self.asked = self.root / "asked"
        for place in (self.marks, self.asked):
            place.mkdir(parents=True)
        self.folders = [self.root / f"folder{number}" for number in range(FOLDERS)]
        for folder in self.folders:
            folder.mkdir()
            (folder / "job.py").write_text(JOB)
            shutil.copy(encoding.__file__, folder)
            (folder / "requirements.txt").write_text(f"# nothing is needed by {folder.name}\n")
        with Launch(self.home) as launch:
            for limit in self.limits:
                launch.queues.create(
                    limit.queue,
                    "local-process",
                    max_running=limit.at_once,
                    tracking="optional",
                    prioritized=limit.prioritized,
                )
        gpus = [{"uuid": uuid, "memory_total": GPU_BYTES} for uuid in GPUS]
        (self.root / "nvml.json").write_text(json.dumps({"gpus": gpus}))

    def environment(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LAUNCH_TUI_", "WANDB_"))}
        return kept | {
            "LAUNCH_TUI_HOME": str(self.home),
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'tests/simulated_nvml'}",
            "SIMULATED_NVML": str(self.root / "nvml.json"),
        }

    # -- what is asked for

    def plan(self, *, codes=(0,), tracked=True, lines=20, pause=0.005, gpus=0, group=1):
        """How the starts of a job end, the last code for all that follow, and what it does."""
        return {"codes": list(codes), "tracked": tracked, "lines": lines, "pause": pause,
                "gpus": gpus, "group": group}  # fmt: skip

    def request(self, queue, plan, *, folder=None, **wanted):
        """What a caller launches: a snapshot to build of ``folder``, or in place without one.

        ``wanted`` is what else ``LaunchRequest`` has; ``behind`` names runs that the same caller
        has launched before, by how far back, and the condition.
        """
        setenv = {"MARKS": str(self.marks), "PLAN": json.dumps(plan)}
        wanted = {"queue": queue, "setenv": setenv, **wanted}
        if plan["gpus"]:
            wanted["resource_args"] = {"gpus": plan["gpus"]}
        if plan["group"] > 1:
            wanted["params"] = {"seed": list(range(plan["group"]))}
        if folder is not None:
            return wanted | {"place": str(folder)}
        command = [sys.executable, "-S", "job.py"]
        return wanted | {"in_place": str(self.folders[0]), "entry_point": command}

    def call(self, requests):
        """Start a caller that launches one after the other through the SDK."""
        number = len(self.callers)
        wanted = self.asked / f"{number}.json"
        wanted.write_text(json.dumps(requests))
        self._start_caller([sys.executable, "-c", CALLER, str(wanted)], number)

    def call_by_command(self, request):
        """Start ``launch-tui launch --json`` for one in-place request."""
        words = [f"--setenv={name}={value}" for name, value in request["setenv"].items()]
        command = [sys.executable, "-m", "launch_tui", "launch", "--json", "--in-place"]
        command += ["-q", request["queue"], *words, "--", *request["entry_point"]]
        self._start_caller(command, len(self.callers))

    def _start_caller(self, command, number):
        told = self.asked / f"{number}.told"
        with told.open("wb") as output, (self.root / "callers.err").open("ab") as errors:
            caller = subprocess.Popen(
                command,
                cwd=self.folders[0],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )
        self.callers.append((caller, told))

    def acknowledged(self):
        """The ids that callers were told, also those that were killed afterwards."""
        ids = []
        for _, told in self.callers:
            for line in told.read_bytes().split(b"\n")[:-1]:
                text = line.decode()
                ids.append(json.loads(text)["id"] if text.startswith("{") else text)
        return ids

    # -- who carries it out

    def start_agent(self):
        words = ["-j", str(self.max_jobs)] if self.max_jobs else []
        with (self.root / "agent.out").open("ab") as output:
            agent = subprocess.Popen(
                [sys.executable, "-m", "launch_tui", "--agent-only", *words],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.agents.append(agent)
        return agent

    def start_ui(self):
        """Start the screens, with the agent in them, on a terminal that somebody reads."""
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        try:
            agent = subprocess.Popen(
                [sys.executable, "-m", "launch_tui"],
                env=self.environment() | {"TERM": "xterm-256color"},
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
            )
        finally:
            os.close(slave)
        threading.Thread(target=read_to_the_end, args=(master,), daemon=True).start()
        self.agents.append(agent)
        self.screens.add(agent.pid)
        return agent

    def living_agents(self):
        return [agent for agent in self.agents if agent.poll() is None]

    # -- who is killed

    def kill(self, kind):
        """Kill one process of a kind, by its pid, if there is one now; say whether."""
        found = VICTIMS[kind](self)
        if found:
            self.kills[kind] += 1
        return found

    def kill_agent(self):
        living = self.living_agents()
        if not living:
            return False
        agent = self.random.choice(living)
        if agent.pid in self.screens:
            self.counted["of the agents, in a UI"] += 1
        agent.kill()
        agent.wait()
        return True

    def kill_caller(self):
        living = [caller for caller, _ in self.callers if caller.poll() is None]
        if not living:
            return False
        caller = self.random.choice(living)
        caller.kill()
        caller.wait()
        return True

    def kill_supervisor(self):
        for run, directory in self._attempts():
            token = records.read_token(directory)
            attempt = (run, directory.name)
            if token is None or token.supervisor is None or attempt in self.supervisors_killed:
                continue
            # Noted first: it may write its last word while it is being killed.
            self.supervisors_killed.add(attempt)
            if send(token.supervisor, signal.SIGKILL):
                return True
            self.supervisors_killed.discard(attempt)
        return False

    def kill_job(self):
        for run, directory in self._attempts():
            started = records.read_started(directory)
            attempt = (run, directory.name)
            if started is None or attempt in self.jobs_killed:
                continue
            # Taken before, so that nothing can begin in its place while it still counts here.
            moment = boot_time()
            if send(started.job, signal.SIGKILL):
                self.jobs_killed[attempt] = moment
                return True
        return False

    def kill_build(self):
        for agent in self.living_agents():
            for watcher in children(agent.pid):
                for uv in children(watcher):
                    if Path(executable(uv)).name == "uv" and kill_child_of(watcher, uv):
                        return True
        return False

    def kill_fork_server(self):
        for agent in self.living_agents():
            for child in children(agent.pid):
                if "supervisor.py" in command_line(child) and kill_child_of(agent.pid, child):
                    return True
        return False

    def _attempts(self):
        """The directories of attempts that may be under way, in an order of the seed's."""
        wanted = [row for row in self.rows().values() if row["state"] in ("starting", "running")]
        self.random.shuffle(wanted)
        for row in wanted:
            yield row["id"], self.home / "runs" / row["id"] / str(row["attempt"])

    # -- what is left

    def rows(self):
        with self._reading() as db:
            return {row["id"]: dict(row) for row in db.execute("SELECT * FROM runs ORDER BY seq")}

    def _reading(self):
        path = f"{(self.home / 'launch.db').as_uri()}?mode=ro"
        db = sqlite3.connect(path, uri=True, timeout=60)
        db.row_factory = sqlite3.Row
        return contextlib.closing(db)

    def all_ended(self):
        with self._reading() as db:
            words = ", ".join(f"'{state}'" for state in sorted(ENDED))
            return not db.execute(
                f"SELECT 1 FROM runs WHERE state NOT IN ({words}) LIMIT 1"
            ).fetchone()

    def wait_for_callers(self, seconds=120.0):
        for caller, _ in self.callers:
            caller.wait(seconds)

    def settle(self, seconds=240.0):
        """Have one agent work in peace until every run has ended; say what does not come."""
        if not self.living_agents():
            self.start_agent()
        deadline = time.monotonic() + seconds
        while not self.all_ended():
            if time.monotonic() > deadline:
                stuck = {r["id"]: r["state"] for r in self.rows().values() if not r["ended_at"]}
                return [f"not settled within {seconds:g} s: {stuck}"]
            if not self.living_agents():
                return ["an agent left by itself: see agent.out"]
            time.sleep(0.05)
        return []

    def marks_of(self, run):
        path = self.marks / run
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def processes(self):
        """The pids of what belongs to a run here: jobs and what they started."""
        mark = f"MARKS={self.marks}".encode()
        return [pid for pid in pids() if mark in environment_of(pid)]

    def violations(self):
        """Whatever is not as it was promised, in words; empty when all is well."""
        rows = self.rows()
        found = [f"{run} was acknowledged and is lost" for run in self.acknowledged()
                 if run not in rows]  # fmt: skip
        for run in [run for run in rows if run not in self.checked]:
            found += [f"{run}: {what}" for what in self._wrong(rows[run])]
            self.checked.add(run)
        found += self._limits_broken(rows)
        found += self._gpus_given_twice(rows)
        found += self._dependencies_broken(rows)
        found += self._groups_broken(rows)
        found += self._out_of_order(rows)
        found += self._store_broken(rows)
        if left := self.processes():
            found.append(f"processes of jobs are left: {left}")
        if zombies := [pid for pid in children(os.getpid()) if state_of(pid) == "Z"]:
            found.append(f"zombies: {zombies}")
        return found

    def _wrong(self, row):
        """What of one run is not the truth."""
        run, starts = row["id"], self._starts(row["id"])
        spec = load_spec(row["spec"])
        plan = json.loads(spec.setenv["PLAN"])
        self.counted[row["state"]] += 1
        self.counted["attempts tried again"] += row["retried"]
        if row["started_at"] and row["ended_at"] < row["started_at"]:
            yield "ended before it started"
        yield from self._wrong_events(run)
        yield from self._wrong_attempts(row, spec, starts)
        last = starts[-1] if starts else None
        if last is None or last["attempt"] != str(row["attempt"]):
            yield from self._wrong_unstarted(row)
            return
        yield from self._wrong_outcome(row, plan, last)
        yield from self._wrong_output(row, plan, starts)

    def _starts(self, run):
        """Each start of a job, as it wrote it down, and how that ended if it came so far."""
        starts = {}
        for mark in self.marks_of(run):
            starts.setdefault(mark["attempt"], []).append(mark)
        # Two beginnings of one attempt stay two starts.
        return [
            begin | (marks[-1] if "ended" in marks[-1] else {})
            for marks in starts.values()
            for begin in marks
            if "began" in begin
        ]

    def _wrong_attempts(self, row, spec, starts):
        """Whether it was tried once too often, too seldom, or without a reason."""
        attempts = [int(start["attempt"]) for start in starts]
        if attempts != sorted(set(attempts)):
            yield f"started as the attempts {attempts}"
        if len(starts) > row["retried"] + 1 or row["retried"] > spec.retries:
            yield f"started {len(starts)} times, {row['retried']} of {spec.retries} retries"
        state, failure = RunState(row["state"]), row["failure"] or None
        if row["retried"] < spec.retries and retry_matches(spec.retry_on, state, failure):
            yield f"is {state} ({failure}) after {row['retried']} of {spec.retries} retries"
        gpus = json.loads(spec.setenv["PLAN"])["gpus"]
        for start in starts:
            killed = self._was_killed(row["id"], start["attempt"])
            if start is not starts[-1] and not start.get("code") and not killed:
                yield f"its attempt {start['attempt']} ended well and was not the last"
            if start["gpus"].count("GPU") != gpus:
                yield f"its attempt {start['attempt']} was given {start['gpus'] or 'no GPU'}"

    def _was_killed(self, run, attempt):
        return (run, attempt) in self.jobs_killed or (run, attempt) in self.supervisors_killed

    def _wrong_unstarted(self, row):
        """Why its last attempt never came to the job's first line."""
        outcome = (row["state"], row["cause"])
        attempt = (row["id"], str(row["attempt"]))
        if row["state"] == "stopped" and row["failure"] == "dependency":
            self.counted["ended for want of another"] += 1
            return
        if attempt in self.jobs_killed and row["state"] in ("failed", "lost"):
            return
        if attempt in self.supervisors_killed and outcome == ("lost", LOST):
            return
        if row["state"] == "failed" and row["phase"] == "build" and self.kills["build"]:
            self.counted["failed by a killed build"] += 1
            return
        yield f"never ran, and is {outcome}"

    def _wrong_outcome(self, row, plan, last):
        attempt, told = (row["id"], last["attempt"]), (row["state"], row["exit_code"])
        right = {outcome_of(last["code"])} if "ended" in last else set()
        if attempt in self.jobs_killed:
            right.add(("failed", KILLED_CODE))
        if attempt in self.supervisors_killed:
            if row["state"] == "lost" and row["cause"] == LOST:
                self.counted["settled as lost"] += 1
                right.add(told)
            elif "exit record" in (row["cause"] or ""):
                self.counted["settled by wandb's record"] += 1
                # The record is the job's own word, written before its last mark.
                right |= {outcome_of(code) for code in plan["codes"]}
        if told not in right:
            yield f"is {told} ({row['cause']}), and the truth is {right or 'that it vanished'}"

    def _wrong_output(self, row, plan, starts):
        run, whole = row["id"], "ended" in starts[-1]
        log = (self.home / "runs" / run / str(row["attempt"]) / "output.log").read_bytes()
        everything = b"".join(b"%s line %d\n" % (run.encode(), n) for n in range(plan["lines"]))
        if log != everything if whole else not everything.startswith(log):
            yield f"its log has {len(log)} bytes of {len(everything)}"
        if not plan["tracked"]:
            return
        # Each attempt's rows come behind those of the one before it.
        steps, full = self._steps(run), list(range(plan["lines"]))
        parts = [list(range(length)) for length in lengths_from_zero(steps)]
        if steps != [step for part in parts for step in part] or len(parts) > len(starts):
            yield f"its metrics are {steps} after {len(starts)} starts"
        if sum(part == full for part in parts) < sum("ended" in start for start in starts):
            yield f"its metrics have {[len(part) for part in parts]} rows of {len(full)}"

    def _steps(self, run):
        path = self.home / "runs" / run / "metrics.db"
        if not path.exists():
            return []
        with SeriesReader(path) as series:
            return [step for step, _ in series.points("loss")]

    def _wrong_events(self, run):
        with self._reading() as db:
            told = db.execute(
                "SELECT state FROM events WHERE run_id = ? AND state IS NOT NULL ORDER BY id",
                (run,),
            )
            states = [RunState(row["state"]) for row in told]
        if not states or states[0] is not RunState.QUEUED:
            yield "half a row: it has no event of its enqueueing"
        for before, after in itertools.pairwise(states):
            if after not in TRANSITIONS[before]:
                yield f"went from {before} to {after}"

    def _spans(self, rows):
        """When each job ran, as it and whoever killed it wrote down: queue, GPUs, from, to."""
        for run, row in rows.items():
            for start in self._starts(run):
                killed = self.jobs_killed.get((run, start["attempt"]), 0)
                yield row["queue_id"], start["gpus"], start["began"], start.get("ended", killed)

    def _gpus_given_twice(self, rows):
        spans = list(self._spans(rows))
        for uuid in GPUS:
            most = most_at_once([(a, b) for _, gpus, a, b in spans if uuid in gpus])
            if most > 1:
                yield f"{most} jobs at once had {uuid}"

    def _dependencies_broken(self, rows):
        """Each one that waited has run after what it waited for, or ended for want of it."""
        with self._reading() as db:
            links = [tuple(link) for link in db.execute(
                "SELECT run_id, on_run, condition FROM dependencies")]  # fmt: skip
        waited = {}
        for run, on, how in links:
            state = RunState(rows[on]["state"])
            waited.setdefault(run, []).append((on, is_met(Condition(how), state)))
        for run, on in waited.items():
            began = [start["began"] for start in self._starts(run)]
            wanting = rows[run]["failure"] == "dependency"
            if wanting is all(met for _, met in on) or (wanting and began):
                yield f"{run} is {rows[run]['state']}, and what it waited for came: {on}"
            ends = [start["ended"] for other, _ in on for start in self._starts(other)
                    if "ended" in start]  # fmt: skip
            if began and ends and min(began) < max(ends):
                yield f"{run} began before what it waited for had ended"
        self.counted["waited for others"] = len(waited)

    def _groups_broken(self, rows):
        """A group is enqueued as one."""
        groups = Counter(row["group_id"] for row in rows.values() if row["group_id"])
        for row in rows.values():
            wanted = json.loads(load_spec(row["spec"]).setenv["PLAN"])["group"]
            there = groups[row["group_id"]] if row["group_id"] else 1
            if there != wanted:
                yield f"{row['id']} is one of a group of {there} that should be {wanted}"
        self.counted["groups"] = len(groups)

    def _limits_broken(self, rows):
        spans = list(self._spans(rows))
        allowed = {number: limit.at_once for number, limit in enumerate(self.limits, 1)}
        for queue, at_once in allowed.items():
            most = most_at_once([(a, b) for q, _, a, b in spans if q == queue])
            if most > at_once:
                yield f"{most} runs of queue {queue} at once, {at_once} allowed"
        most = most_at_once([(a, b) for _, _, a, b in spans])
        if self.max_jobs and most > self.max_jobs:
            yield f"{most} runs at once, {self.max_jobs} allowed"

    def _out_of_order(self, rows):
        """Go through the history as it was committed: each claim took the first in line.

        What waits for other runs, or for its back-off, may be passed by.
        """
        with self._reading() as db:
            history = [tuple(event) for event in db.execute(
                "SELECT run_id, state FROM events WHERE state IN ('queued', 'claimed', 'stopped')"
                " ORDER BY id")]  # fmt: skip
            passed_by = {row[0] for row in db.execute("SELECT run_id FROM dependencies")}
        passed_by |= {run for run, row in rows.items() if load_spec(row["spec"]).backoff}
        waiting = {}
        for run, state in history:
            row = rows[run]
            line = waiting.setdefault(row["queue_id"], {})
            if state == "queued":
                line[run] = (row["rank"], row["place"])
                continue
            before = [other for other, rank in line.items()
                      if rank < line[run] and other not in passed_by]  # fmt: skip
            if before and state == "claimed":
                yield f"{run} was claimed before {before[0]}, which stood before it"
            del line[run]

    def _store_broken(self, rows):
        with self._reading() as db:
            if (told := db.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
                yield f"the store is damaged: {told}"
            counted = {
                (row["queue_id"], row["state"]): row["runs"]
                for row in db.execute("SELECT * FROM queue_counts WHERE runs <> 0")
            }
        there = Counter((row["queue_id"], row["state"]) for row in rows.values())
        if counted != there:
            yield f"the queues count {counted}, and there are {dict(there)}"

    def close(self):
        """End what was started here and nothing else."""
        for agent in self.living_agents():
            agent.kill()
            agent.wait()
        for caller, _ in self.callers:
            if caller.poll() is None:
                caller.kill()
                caller.wait()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


VICTIMS = {
    "agent": Arena.kill_agent,
    "caller": Arena.kill_caller,
    "supervisor": Arena.kill_supervisor,
    "job": Arena.kill_job,
    "build": Arena.kill_build,
    "fork server": Arena.kill_fork_server,
}
"""What may be killed -> who does it; each says whether there was one."""


def outcome_of(code):
    """The state and the exit code of a job that ended so."""
    return ("failed", code) if code else ("finished", 0)


def lengths_from_zero(steps):
    """How long each part of a list is that begins with 0."""
    begins = [place for place, step in enumerate(steps) if step == 0]
    return [after - begin for begin, after in itertools.pairwise([*begins, len(steps)])]


def most_at_once(spans):
    """How many of the spans overlap at most; one that ends as another begins does not count."""
    edges = sorted(edge for begin, end in spans for edge in ((begin, 1), (end, -1)))
    now = most = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def pids():
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def read_to_the_end(terminal):
    """Take what a program shows, until it has gone."""
    with contextlib.suppress(OSError):
        while os.read(terminal, 65536):
            pass
    os.close(terminal)


def children(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in task.read_text().split()]
    return found


def kill_child_of(parent, pid):
    """SIGKILL a process that surely still is a child of another one."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if pid not in children(parent):
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def executable(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def command_line(pid):
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        return ""


def environment_of(pid):
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def state_of(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[0]
    except OSError:
        return ""
