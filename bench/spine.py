"""The figures that must hold from `launch` to a settled run, each beside its floor or its peers.

    just bench                 all of them, about two minutes
    just bench drain lines     some of them

How to read the table: every row is measured in this one run, on this machine, so the ratio is what
counts; times alone say as much of the machine. `bar` is what must hold; a row that does not is
marked MISS and makes the exit status 1. Times are medians unless they say otherwise. The data
directories are made in $TMPDIR or /tmp: on a tmpfs syncing is free, and the figures flatter.

What is timed:

- launch: the whole process `launch-tui launch -q default -- python train.py` in a folder of a few
  files that has not changed, without an agent; floor: a Python that imports sqlite3, argparse and
  json, alternating with it.
- start: from the moment SDK.launch() returns (the run is committed and synced before that) to
  `date` in the job, with an agent that has nothing else to do.
- drain: 500 jobs `echo x >> FILE`, two at a time, from before they are enqueued in bulk until the
  last one is settled; beside `xargs -P2` and task-spooler (if installed), until the last line is
  written.
- settle: from `date`, the last thing the job executes, until another process reads the outcome.
- lines: a job that prints a million lines; the log is compared byte by byte.
- depth: one SDK.launch() with 100,000 runs queued and one with an empty queue, alternating.
- untracked: as settle, for a job that exits 0 and has never called wandb.init.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from launch_tui.sdk import Launch, LaunchRequest
from launch_tui.sdk.jobs import JobRequest

LAUNCH_TUI = str(Path(sys.executable).with_name("launch-tui"))
FLOOR = (sys.executable, "-c", "import sqlite3, argparse, json")
DEADLINE_S = 120.0
MS = 1000.0


class Row(NamedTuple):
    """One line of the table. ``ok`` None is for a peer, which has no bar."""

    name: str
    what: str
    figure: str
    beside: str = ""
    bar: str = ""
    ok: bool | None = None


def main(wanted):
    # An installed package has its bytecode; some machines are set up to write none, or to flush
    # every character.
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="launch-tui-bytecode-") as bytecode:
        os.environ["PYTHONPYCACHEPREFIX"] = bytecode
        return measure_all(wanted)


def measure_all(wanted):
    unknown = set(wanted) - set(MEASUREMENTS)
    if unknown:
        print(f"no such figure: {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}")
        return 2
    print(
        f"{os.cpu_count()} processors, Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}, load {os.getloadavg()[0]:.1f}\n"
    )
    rows = []
    for name, measure in MEASUREMENTS.items():
        if not wanted or name in wanted:
            # What a peer's server still writes while it ends must not cost the figures.
            with tempfile.TemporaryDirectory(
                prefix="launch-tui-bench-", ignore_cleanup_errors=True
            ) as folder:
                rows += measure(Path(folder))
            print(f"  {name} measured", file=sys.stderr)
    show(rows)
    return 0 if all(row.ok is not False for row in rows) else 1


def show(rows):
    header = Row("FIGURE", "WHAT", "MEASURED", "BESIDE", "BAR")
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(5)]
    for row in (header, *rows):
        verdict = {None: "", True: "ok", False: "MISS"}[row.ok]
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row[:5], widths, strict=True))
        print(f"{cells}  {verdict}".rstrip())


def measure_launch(folder):
    project = folder / "project"
    project.mkdir()
    for name in ("train.py", "model.py", "data.py", "README.md"):
        (project / name).write_text(f"# {name}\n" * 40)
    command = (LAUNCH_TUI, "launch", "-q", "default", "--", "python", "train.py")
    environment = {**os.environ, "LAUNCH_TUI_HOME": str(folder / "home")}
    launches, floors = [], []
    for _ in range(41):
        launches.append(seconds_of(command, cwd=project, env=environment))
        floors.append(seconds_of(FLOOR, cwd=project, env=environment))
    # The first call makes the store and the job.
    launch, floor = statistics.median(launches[1:]), statistics.median(floors[1:])
    ratio = launch / floor
    return [
        Row(
            "launch",
            "launch call, unchanged small folder",
            f"{launch * MS:.0f} ms",
            f"{ratio:.2f} x floor of {floor * MS:.0f} ms",
            "at most 4 x",
            ratio <= 4,
        )
    ]


def measure_start(folder):
    stamp = folder / "stamp"
    delays = []
    with Launch(folder / "home") as launch, agent(launch):
        request = trivial(launch, folder, ("sh", "-c", f"date +%s%N > {stamp}"))
        for _ in range(41):
            run = launch.launch(request)
            committed = time.time_ns()
            settled(launch, run.id)
            delays.append((int(stamp.read_text()) - committed) / 1e9)
    median = statistics.median(delays[1:])
    return [
        Row(
            "start",
            "enqueue committed to first instruction",
            f"{median * MS:.1f} ms (p95 {p95(delays[1:]) * MS:.1f})",
            "",
            "median at most 40 ms",
            median <= 0.040,
        )
    ]


def measure_drain(folder, jobs=500):
    lines = folder / "lines"
    line = f"echo x >> {lines}"

    def took(work):
        lines.write_text("")
        began = time.perf_counter()
        work()
        elapsed = time.perf_counter() - began
        assert len(lines.read_text()) == 2 * jobs
        return jobs / elapsed

    with Launch(folder / "home") as launch, agent(launch):
        request = trivial(launch, folder, ("sh", "-c", line), max_running=2)

        def ours():
            launch.launch_many([request] * jobs)
            until(lambda: launch.queues.state_counts().get("finished", 0) == jobs, pause=0.005)

        rate = took(ours)

    peers = {"xargs -P2": took(lambda: drain_with_xargs(line, jobs))}
    if tsp := shutil.which("tsp"):
        with task_spooler(tsp, folder) as environment:
            peers["task-spooler"] = took(
                lambda: drain_with_task_spooler(tsp, line, jobs, lines, environment)
            )
    return [
        Row(
            "drain",
            f"{jobs} trivial jobs, 2 at a time",
            f"{rate:.0f} a second",
            "",
            "at least 100",
            rate >= 100,
        ),
        *(
            Row("", f"  {name}", f"{peer:.0f} a second", f"ours: {rate / peer:.2f} x")
            for name, peer in peers.items()
        ),
    ]


def measure_settle(folder):
    delays = settle_delays(folder, "optional", 41)
    median = statistics.median(delays)
    return [
        Row(
            "settle",
            "process exit to settled",
            f"{median * MS:.1f} ms (p95 {p95(delays) * MS:.1f})",
            "",
            "at most 50 ms",
            p95(delays) <= 0.050,
        )
    ]


def measure_untracked(folder):
    delays = settle_delays(folder, "required", 11)
    with Launch(folder / "home") as launch:
        states = {(str(run.state), run.phase, run.exit_code) for run in launch.runs.every()}
    right = states == {("failed", "tracking", 0)}
    return [
        Row(
            "untracked",
            "exit 0 without wandb.init",
            f"{max(delays) * MS:.1f} ms at most" + ("" if right else f", but {states}"),
            "",
            "failed, tracking, 1 s",
            right and max(delays) <= 1,
        )
    ]


def measure_lines(folder, lines=1_000_000):
    with Launch(folder / "home") as launch, agent(launch) as process:
        request = trivial(launch, folder, ("seq", str(lines)))
        idle = peak_memory(process.pid)
        began = time.perf_counter()
        run = launch.launch(request)
        settled(launch, run.id)
        elapsed = time.perf_counter() - began
        peak = peak_memory(process.pid)
        written = launch.runs.log_path(run.id).read_bytes()
    whole = written == b"".join(b"%d\n" % number for number in range(1, lines + 1))
    return [
        Row(
            "lines",
            f"{lines:,} lines of output",
            f"agent at most {peak / 1e6:.0f} MB, log {'whole' if whole else 'NOT WHOLE'}",
            f"{idle / 1e6:.0f} MB before; {lines / elapsed / 1e6:.1f} million a second",
            "below 100 MB, whole",
            whole and peak < 100e6,
        )
    ]


def measure_depth(folder, depth=100_000):
    costs = {"empty": [], "full": []}
    with Launch(folder / "empty") as empty, Launch(folder / "full") as full:
        command = ("true",)
        requests = {name: trivial(s, folder, command) for name, s in (("e", empty), ("f", full))}
        began = time.perf_counter()
        for _ in range(depth // 10_000):
            full.launch_many([requests["f"]] * 10_000)
        bulk = depth / (time.perf_counter() - began)
        for _ in range(201):
            for name, sdk, request in (
                ("empty", empty, requests["e"]),
                ("full", full, requests["f"]),
            ):
                began = time.perf_counter()
                sdk.launch(request)
                costs[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values[1:]) for name, values in costs.items()}
    ratio = medians["full"] / medians["empty"]
    return [
        Row(
            "depth",
            f"enqueue with {depth:,} runs queued",
            f"{medians['full'] * MS:.2f} ms",
            f"{ratio:.2f} x empty queue's {medians['empty'] * MS:.2f} ms; bulk {bulk:,.0f}/s",
            "at most 1.2 x",
            ratio <= 1.2,
        )
    ]


MEASUREMENTS = {
    "launch": measure_launch,
    "start": measure_start,
    "drain": measure_drain,
    "settle": measure_settle,
    "untracked": measure_untracked,
    "lines": measure_lines,
    "depth": measure_depth,
}


@contextlib.contextmanager
def agent(launch):
    """Run an agent on the data directory of ``launch``; it serves from when this is entered."""
    root = launch.home.root
    with (root / "agent.out").open("wb") as out:
        process = subprocess.Popen(
            (LAUNCH_TUI, "--agent-only"),
            env={**os.environ, "LAUNCH_TUI_HOME": str(root)},
            stdout=out,
            stderr=out,
        )
        try:
            until(lambda: (status := launch.agents.status()) and status.state == "active")
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE_S)


def trivial(launch, folder, command, *, tracking="optional", max_running=1):
    """A request for a job of one small file that needs no environment."""
    project = folder / "trivial"
    project.mkdir(exist_ok=True)
    (project / "README.md").write_text("nothing\n")
    launch.queues.create("bench", "local-process", max_running=max_running, tracking=tracking)
    made = launch.jobs.create(
        JobRequest(place=str(project), entry_point=command, venv="none", tracking=tracking)
    )
    return LaunchRequest(job=made.job.name, queue="bench")


def settle_delays(folder, tracking, count):
    """Seconds from the last thing a job executes until this process reads its outcome."""
    stamp = folder / "stamp"
    delays = []
    with Launch(folder / "home") as launch, agent(launch):
        command = ("sh", "-c", f"sleep 0.2; exec date +%s%N > {stamp}")
        request = trivial(launch, folder, command, tracking=tracking)
        for _ in range(count):
            settled(launch, launch.launch(request).id)
            delays.append((time.time_ns() - int(stamp.read_text())) / 1e9)
    return delays[1:]


def settled(launch, run_id):
    """Wait, looking every millisecond, until a run has ended."""
    version = -1

    def ended():
        nonlocal version
        if (now := launch.changed()) == version:
            return False
        version = now
        return launch.runs.get(run_id).ended_at is not None

    until(ended, pause=0.001)


def drain_with_xargs(line, jobs):
    numbers = "\n".join(map(str, range(jobs)))
    command = ("xargs", "-P2", "-I{}", "sh", "-c", line)
    subprocess.run(command, input=numbers, text=True, check=True)


def drain_with_task_spooler(tsp, line, jobs, lines, environment):
    for _ in range(jobs):
        subprocess.run((tsp, "-n", "sh", "-c", line), env=environment, check=True, **QUIET)
    until(lambda: lines.stat().st_size == 2 * jobs, pause=0.001)


@contextlib.contextmanager
def task_spooler(tsp, folder):
    """Run a server of task-spooler of our own, with two slots."""
    environment = {**os.environ, "TS_SOCKET": str(folder / "tsp.socket"), "TMPDIR": str(folder)}
    subprocess.run((tsp, "-S", "2"), env=environment, check=True, **QUIET)
    try:
        yield environment
    finally:
        subprocess.run((tsp, "-K"), env=environment, check=True, **QUIET)


QUIET = {"stdout": subprocess.DEVNULL}


def until(condition, pause=0.01):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {DEADLINE_S:g} s")
        time.sleep(pause)


def seconds_of(command, **options):
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, **options)
    return time.perf_counter() - began


def peak_memory(pid):
    """The most memory a process ever had in RAM, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def p95(values):
    return statistics.quantiles(values, n=20)[-1]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
