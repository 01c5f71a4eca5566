"""What a container costs beside `docker run` itself: `just bench containers`, with a Docker engine.

    IMAGE=python:3.11 just bench containers     another image than the one that the tests make

- start: from before SDK.launch() is called (the run is committed and synced when that returns) to
  the job's own clock at its first instruction, for code that has not changed since its image was
  built, with an agent that has nothing else to do; beside `docker run` of the same image and
  command, from the start of that process to the same clock, alternating. The bar is 1.5 times.
- lines: 20 containers at once that print 10,000 lines a second each, for five seconds. Each log is
  compared with what its job printed, byte by byte. Beside them the first page of the runs is read
  as the UI reads it, ten times a second: how long that took at worst is what a key would wait.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.spine import MS, Row, show
from launch_tui.domain.run import ENDED
from launch_tui.sdk import Launch, LaunchRequest
from launch_tui.sdk.jobs import JobRequest
from launch_tui.tui.rows import RunPages

IMAGE = os.environ.get("IMAGE", "launch-tui-test/python:3.11")
TIMES = 15
CONTAINERS = 20
RATE = 10_000
SECONDS = 5
PAGE_ROWS = 50
PAGES_A_SECOND = 10
DEADLINE_S = 240.0

CLOCK = "import time; print(time.time_ns(), flush=True)\n"
PRINTER = f"""\
import sys, time
name, block = sys.argv[1], {RATE} // 20
begun = time.monotonic()
for number in range({RATE * SECONDS} // block):
    first = number * block
    sys.stdout.write("".join(f"{{name}} line {{n}}\\n" for n in range(first, first + block)))
    sys.stdout.flush()
    time.sleep(max(0.0, begun + (number + 1) / 20 - time.monotonic()))
"""


def main():
    rows = []
    for measure in (measure_start, measure_lines):
        with tempfile.TemporaryDirectory(prefix="launch-tui-bench-") as folder:
            rows += measure(Path(folder))
        print(f"  {measure.__name__.removeprefix('measure_')} measured", file=sys.stderr)
    show(rows)
    return 0 if all(row.ok is not False for row in rows) else 1


def measure_start(folder):
    """Launch unchanged code again and again, each time beside a bare `docker run`."""
    with Agent(folder, CLOCK, max_running=1) as agent:
        first = agent.finish(agent.launch())
        costs, bare = [], []
        for _ in range(TIMES):
            bare.append(bare_start(first.image))
            began = time.time_ns()
            ended = agent.finish(agent.launch())
            costs.append((int(agent.log(ended)) - began) / 1e9)
    cost, floor = statistics.median(costs), statistics.median(bare)
    ratio = cost / floor
    beside = f"{ratio:.2f} x docker run's {floor * MS:.0f} ms"
    figure = f"{cost * MS:.0f} ms (at most {max(costs) * MS:.0f})"
    return [Row("start", "unchanged code", figure, beside, "at most 1.5 x", ratio <= 1.5)]


def bare_start(image):
    """Return the seconds from the start of `docker run` to the job's first instruction."""
    began = time.time_ns()
    done = subprocess.run(
        ("docker", "run", "--rm", image), capture_output=True, text=True, check=True
    )
    return (int(done.stdout) - began) / 1e9


def measure_lines(folder):
    """Have many containers print at once, and read the runs as the UI does meanwhile."""
    with Agent(folder, PRINTER, max_running=CONTAINERS) as agent:
        agent.finish(agent.launch(arguments=("warm",)))
        began = time.perf_counter()
        runs = [agent.launch(arguments=(f"job{n}",)) for n in range(CONTAINERS)]
        worst = agent.read_pages_until_all_ended()
        took = time.perf_counter() - began
        whole = sum(
            hashlib.sha256(agent.log(agent.run(run))).digest() == printed(f"job{n}")
            for n, run in enumerate(runs)
        )
    lines = CONTAINERS * RATE * SECONDS
    told = f"{whole} of {CONTAINERS} logs whole"
    rate = f"{lines / took:,.0f} lines/s with start and end"
    return [
        Row("lines", f"{CONTAINERS} at once", told, rate, "all of them", whole == CONTAINERS),
        Row("", "page of the runs", f"{worst * MS:.0f} ms at worst", "", "100 ms", worst <= 0.1),
    ]


def printed(name):
    text = "".join(f"{name} line {n}\n" for n in range(RATE * SECONDS))
    return hashlib.sha256(text.encode()).digest()


class Agent:
    """A data directory with one code job, a docker queue and an agent that serves it."""

    def __init__(self, folder, script, *, max_running):
        self._home = folder / "home"
        project = folder / "project"
        project.mkdir()
        (project / "train.py").write_text(script)
        self._launch = Launch(self._home)
        self._launch.queues.create(
            "docker",
            "local-container",
            tracking="optional",
            max_running=max_running,
            config={"builder": {"base_image": IMAGE}},
        )
        request = JobRequest(place=str(project), entry_point="python3 train.py")
        self._job = self._launch.jobs.create(request).job.name
        self._log = (folder / "agent.log").open("w")

    def __enter__(self):
        self._agent = subprocess.Popen(
            [sys.executable, "-m", "launch_tui", "--agent-only", "--home", str(self._home)],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        return self

    def __exit__(self, *_):
        self._agent.terminate()
        self._agent.wait()
        self._log.close()
        for image in {run.image for run in self._launch.runs.every()}:
            subprocess.run(("docker", "rmi", "-f", image), check=True, capture_output=True)
        self._launch.close()

    def launch(self, **more):
        return self._launch.launch(LaunchRequest(job=self._job, queue="docker", **more)).id

    def run(self, run):
        return self._launch.runs.get(run)

    def finish(self, run):
        """Wait for a run, which must end well."""
        ended = self._launch.runs.wait(run, timeout=DEADLINE_S)
        assert ended.state == "finished", json.dumps([ended.state, ended.phase, ended.cause])
        return ended

    def log(self, run):
        return Path(run.directory, str(run.attempt), "output.log").read_bytes()

    def read_pages_until_all_ended(self):
        """Return the longest time that the first page took."""
        pages, worst, deadline = RunPages(self._launch), 0.0, time.monotonic() + DEADLINE_S
        while True:
            began = time.perf_counter()
            pages.count()
            found = pages.page(0, PAGE_ROWS)
            worst = max(worst, time.perf_counter() - began)
            if all(run.state in ENDED for run in found):
                return worst
            assert time.monotonic() < deadline, [str(run.state) for run in found]
            time.sleep(1 / PAGES_A_SECOND)


if __name__ == "__main__":
    sys.exit(main())
