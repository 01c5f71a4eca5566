"""The figures of the whole UI on real terminals of 120x40, each with its bar.

`python bench/ui.py [--quick]` prints one line a figure and exits non-zero when a bar is missed. The
widgets alone are measured by bench/widgets.py.

- first paint: from the start of the process to the first run's id on the terminal, 10,000 runs in
  the store, the agent inside; beside a bare Textual app that shows one word, alternating with it.
- 100,000 and 1,000,000 runs: from a key to the first byte that answers it. `s` asks for another
  first page, `G` for the last one, `j` moves the cursor.
- filters over 1,000,000 runs: from enter to the first run that is found, and the cursor's key while
  the rest is looked through; how long that takes is told without a bar.
- stalls: the longest time that a 20 ms ticker on the agent's own loop is late while a job writes
  its log as fast as it can, beside the UI's loop, on a terminal that takes everything, one that
  takes nothing for 4 s, and one that takes 12 KB/s.
- idle: bytes to the terminal and the share of a core without a live run, the agent inside, once the
  agent has begun; what the first ten seconds take is told without a bar.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch_tui.domain.filter import Filter
from launch_tui.domain.job import CodeSource, Environment, JobKind, VenvMode
from launch_tui.domain.spec import RunSpec
from launch_tui.sdk import Launch, LaunchRequest
from launch_tui.sdk.search import matching
from launch_tui.store import enqueuing
from launch_tui.store.enqueuing import NewRun
from tests.terminal.terminals import Terminal

MS = 1000
PAINT_RATIO = 2.0
STARTING_S = 10
PAGE_MS = 100
ECHO_MS = 50
STALL_MS = 100
IDLE_CPU = 1.0
HUNG_S = 4.0
SLOW_BYTES = 12_000

BARE = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("Painted")

Bare().run()
"""

TICKING = """
import asyncio, json, os, sys, time
from pathlib import Path
from launch_tui.agent.thread import AgentThread
from launch_tui.cli.ui import EmbeddedAgent
from launch_tui.tui.app import LaunchApp

out = Path(sys.argv[1])
late = {"agent": [], "ui": []}

async def tick(whose):
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.02)
        late[whose].append((time.time(), time.perf_counter() - began - 0.02))
        if whose == "ui" and len(late["ui"]) % 25 == 0:
            new = out.with_suffix(".new")
            new.write_text(json.dumps(late))
            new.rename(out)

run = AgentThread._run

async def ticking(self):
    task = asyncio.create_task(tick("agent"))
    try:
        await run(self)
    finally:
        task.cancel()

AgentThread._run = ticking

app = LaunchApp(make_agent=EmbeddedAgent().made)
app.call_later(lambda: app.run_worker(tick("ui")))
app.run()
os._exit(0)
"""


class Bars:
    """Prints figures and remembers whether one missed its bar."""

    def __init__(self):
        self.missed = False

    def check(self, what, value, bar, unit, beside=""):
        ok = value <= bar
        self.missed |= not ok
        mark = "ok" if ok else "MISS"
        print(f"{what:<52}{value:>10.2f} {unit:<7}bar {bar:<8g}{mark:<6}{beside}", flush=True)

    def tell(self, what, value, unit):
        print(f"{what:<52}{value:>10.2f} {unit}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--paint", action="store_true", help="only the first paint")
    parser.add_argument("--many", action="store_true", help="only the million runs")
    options = parser.parse_args()
    quick = options.quick
    bars = Bars()
    with tempfile.TemporaryDirectory(prefix="launch-tui-ui-", ignore_cleanup_errors=True) as folder:
        if options.many:
            million_runs(bars, Path(folder, "million"), 10 if quick else 40)
            return int(bars.missed)
        first_paint(bars, Path(folder, "ten"), 3 if quick else 9)
        if options.paint:
            return int(bars.missed)
        many_runs(bars, Path(folder, "hundred"), 10 if quick else 40)
        million_runs(bars, Path(folder, "million"), 10 if quick else 40)
        for name in ("fast", "hung", "slow"):
            stalls(bars, Path(folder, name), name)
        idle(bars, Path(folder, "idle"), 5 if quick else 15)
    return int(bars.missed)


def first_paint(bars, home, times):
    with Launch(home) as launch:
        newest = seed(launch, 10_000)
    bare, ours = [], []
    # As installed programs have it: compiled once, not at each start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(home / "compiled")
    painted(home, "Painted", code=BARE)
    painted(home, newest)
    for _ in range(times):
        bare.append(painted(home, "Painted", code=BARE))
        ours.append(painted(home, newest))
    ratio = statistics.median(ours) / statistics.median(bare)
    beside = f"{statistics.median(ours) * MS:.0f} ms beside {statistics.median(bare) * MS:.0f} ms"
    bars.check("first paint, 10,000 runs / a bare app", ratio, PAINT_RATIO, "times", beside)


def painted(home, words, **settings):
    terminal = Terminal(home=home, columns=120, lines=40, **settings)
    try:
        return terminal.wait_for(words)
    finally:
        terminal.end()


def many_runs(bars, home, times):
    with Launch(home) as launch:
        newest = seed(launch, 100_000)
    terminal = Terminal(home=home, columns=120, lines=40)
    try:
        terminal.wait_for(newest)
        keys(bars, terminal, "100,000 runs", times)
    finally:
        terminal.end()


def million_runs(bars, home, times):
    with Launch(home) as launch:
        newest = seed_in_bulk(launch, 1_000_000)
    terminal = Terminal(home=home, columns=120, lines=40)
    try:
        terminal.wait_for(newest)
        keys(bars, terminal, "1,000,000 runs", times)
        for text in ("loss<0.0005", "lr>=0.02 state:failed -tag:debug"):
            filtered(bars, home, terminal, text)
    finally:
        terminal.end()


def keys(bars, terminal, what, times):
    quiet(terminal)
    pages = [answer(terminal, "s") for _ in range(times)]
    bars.check(f"{what}: another first page, median", statistics.median(pages) * MS, PAGE_MS, "ms")
    bars.tell(f"{what}: another first page, worst", max(pages) * MS, "ms")
    ends = [answer(terminal, key) for _ in range(times // 2) for key in "Gg"]
    bars.check(f"{what}: to the end and back, median", statistics.median(ends) * MS, PAGE_MS, "ms")
    moves = sorted(answer(terminal, "j") for _ in range(times * 2))
    bars.check(f"{what}: cursor key, median", statistics.median(moves) * MS, ECHO_MS, "ms")
    bars.tell(f"{what}: cursor key, worst", moves[-1] * MS, "ms")


def filtered(bars, home, terminal, text):
    """A filter that no index answers: its first page, and keys while the rest is looked through."""
    with Launch(home, read_only=True) as launch:
        ids = [run.id for run in islice(matching(launch, Filter(text), time.time()), 30)]
    terminal.press("/")
    quiet(terminal, 0.5)
    terminal.press(text)
    # Typed, and not yet long enough ago to be filtered by without enter.
    quiet(terminal, 0.1)
    size, began = len(terminal.raw), time.perf_counter()
    terminal.press("\r")
    bars.check(f"1,000,000 runs: {text}: first page", shown(terminal, ids[0], size, began) * MS,
               PAGE_MS, "ms")  # fmt: skip
    moves = []
    while len(moves) + 2 < len(ids):
        before = len(terminal.raw)
        time.sleep(0.3)
        if b"filtering" not in terminal.raw[before:]:
            break
        size, pressed = len(terminal.raw), time.perf_counter()
        terminal.press("j")
        moves.append(shown(terminal, ids[len(moves) + 1], size, pressed))
    quiet(terminal, 1.0)
    bars.tell(f"1,000,000 runs: {text}: all", time.perf_counter() - began - 1.0, "s")
    if moves:
        worst = f"worst {max(moves) * MS:.0f}"
        bars.check(f"1,000,000 runs: {text}: cursor key meanwhile",
                   statistics.median(moves) * MS, ECHO_MS, "ms", worst)  # fmt: skip
    terminal.press("\x1b")
    quiet(terminal)


def shown(terminal, words, size, since):
    """Seconds from a moment until words are drawn."""
    wanted = words.encode()
    while wanted not in terminal.raw[size:]:
        time.sleep(0.0005)
        if time.perf_counter() - since > 30:
            raise AssertionError(f"{words!r} was not drawn")
    return time.perf_counter() - since


def stalls(bars, home, link):
    out = home.with_suffix(".json")
    folder = home.with_suffix(".jobs")
    folder.mkdir()
    shell = f"exec {sys.executable} -c 'while 1: print(\"x\" * 100)'"
    with Launch(home) as launch:
        launch.queues.create("q", "process", tracking="optional")
        run_id = launch.launch(
            LaunchRequest(queue="q", in_place=str(folder), entry_point=["sh", "-c", shell])
        ).id
        terminal = Terminal(out, home=home, columns=120, lines=40, code=TICKING)
        try:
            terminal.wait_for("xxxxxxxx")
            time.sleep(1)
            since = time.time()
            if link == "hung":
                terminal.hang()
            elif link == "slow":
                terminal.slow(SLOW_BYTES)
            time.sleep(HUNG_S)
            until = time.time()
            terminal.slow(0)
            terminal.go_on()
            wanted = until + 1
            terminal.wait_until(lambda: out.exists() and last(out) > wanted, 30, "the figures")
            late = json.loads(out.read_text())
        finally:
            launch.runs.stop(run_id, now=True)
            terminal.wait_until(lambda: launch.runs.get(run_id).ended_at, 20, "the end of the job")
            terminal.end()
    worst = {w: max(x for at, x in late[w] if since <= at <= until + 1) * MS for w in late}
    bars.check(f"{link} terminal: agent's longest stall", worst["agent"], STALL_MS, "ms")
    bars.tell(f"{link} terminal: UI's longest stall", worst["ui"], "ms")


def last(out):
    return json.loads(out.read_text())["ui"][-1][0]


def idle(bars, home, seconds):
    with Launch(home) as launch:
        newest = seed(launch, 100, ended=True)
    terminal = Terminal(home=home, columns=120, lines=40)
    try:
        terminal.wait_for(newest)
        quiet(terminal)
        size, cpu = len(terminal.raw), used(terminal.pid)
        # The agent first loads and counts what it looks at from then on: that comes once.
        time.sleep(STARTING_S)
        first = (used(terminal.pid) - cpu) * MS
        bars.tell(f"idle: the first {STARTING_S} s, of a core", first, "ms")
        cpu, began = used(terminal.pid), time.monotonic()
        time.sleep(seconds)
        share = (used(terminal.pid) - cpu) / (time.monotonic() - began) * 100
        passed = time.monotonic() - began + STARTING_S
        bars.check("idle: bytes/s to the terminal", (len(terminal.raw) - size) / passed, 0, "B/s")
        bars.check("idle: share of a core, agent inside", share, IDLE_CPU, "%")
    finally:
        terminal.end()


def answer(terminal, key):
    """Seconds from a key to the first byte that answers it."""
    quiet(terminal, 0.3)
    size, began = len(terminal.raw), time.perf_counter()
    terminal.press(key)
    while len(terminal.raw) == size:
        select.select([], [], [], 0.0005)
        if time.perf_counter() - began > 5:
            raise AssertionError(f"no answer to {key!r}")
    return time.perf_counter() - began


def quiet(terminal, seconds=1.5):
    """Wait until nothing has come for a while."""
    since, size = time.monotonic(), len(terminal.raw)
    while time.monotonic() - since < seconds:
        if len(terminal.raw) != size:
            since, size = time.monotonic(), len(terminal.raw)
        time.sleep(0.005)


def used(pid):
    """Seconds of processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


SPEC = RunSpec(
    kind=JobKind.CODE, source=CodeSource(digest="0" * 64, path="/home/me/train"),
    command=("python", "train.py"), environment=Environment(mode=VenvMode.NONE),
)  # fmt: skip
NEW = NewRun(queue="gpu", job="train", version="v0", name="train", project="train", spec=SPEC,
             config={"lr": 0.001, "batch": 64, "model": {"depth": 18}})  # fmt: skip
WAITING = 5
_N = "(seq + :have)"
DIFFERING = {
    "seq": "",
    "id": f"printf('r%07d', {_N})",
    "place": _N,
    "name": f"'train-' || ({_N} * 7919 % 5000)",
    "state": f"CASE {_N} % 20 WHEN 0 THEN 'failed' ELSE 'finished' END",
    "tags": f"""CASE {_N} % 7 WHEN 0 THEN '["debug"]' ELSE '[]' END""",
    "config": f"""printf('{{"lr": %.4f, "batch": 64, "model": {{"depth": 18}}}}',
        ({_N} * 31 % 400) / 10000.0)""",
    "summary": f"""printf('{{"loss": %.6f, "acc": 0.9}}', ({_N} * 7919 % 100003) / 100003.0)""",
    "metric": f"({_N} * 7919 % 100003) / 100003.0",
    "metric_key": "'loss'",
}
"""The columns in which the runs differ, each as SQL of the run that it is copied from."""


def seed(launch, count, *, ended=False):
    """Fill a store with runs that have ended, paused ones on top; return an id that is in view."""
    launch.queues.create("gpu", "process")
    launch.queues.pause("gpu")
    for _ in range(0, count, 1000):
        made = enqueuing.enqueue(launch.db, [NEW] * min(1000, count))
    waiting = 0 if ended else WAITING
    launch.db.execute(
        "UPDATE runs SET state = 'finished', started_at = created_at, ended_at = created_at,"
        """ summary = '{"loss": 0.3, "acc": 0.9}' WHERE seq <= (SELECT max(seq) FROM runs) - ?""",
        (waiting,),
    )
    return made[-1].id


def seed_in_bulk(launch, count):
    """Fill a store as ``seed`` does, a hundred times as fast; the runs differ from each other."""
    seed(launch, 1000, ended=True)
    db = launch.db
    columns = [row["name"] for row in db.all("PRAGMA table_info(runs)")]
    columns = [name for name in columns if name != "seq"]
    values = [DIFFERING.get(name, name) for name in columns]
    db.execute("PRAGMA synchronous = OFF")
    have = 1000
    while have < count - WAITING:
        more = min(have, count - WAITING - have)
        db.execute(
            f"INSERT INTO runs ({', '.join(columns)}) SELECT {', '.join(values)} FROM runs"
            " WHERE seq <= :more",
            {"have": have, "more": more},
        )
        have += more
    return enqueuing.enqueue(db, [NEW] * WAITING)[-1].id


if __name__ == "__main__":
    sys.exit(main())
