"""What a long queue costs: `just bench order`. Each row is beside the same with a short queue.

100,000 runs wait in a plain queue, in one with priorities, and in one with priorities where half of
them may not start yet, for they wait for a time or for another run. The short queue, in a data
directory of its own, has one run. Both do each thing in turn, so the ratio is of one machine at one
time; times are medians.

- enqueue: one run, committed and synced; with priorities the last level, behind all others.
- why: `why RUN` for the last in line.
- page: the first page of the runs in the UI, with the reason of each row.
- claim: what an agent does for its next run, committed and synced.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.spine import MS, Row, show
from launch_tui.domain.dependency import Condition, Dependency
from launch_tui.domain.job import CodeSource, Environment, JobKind, VenvMode
from launch_tui.domain.run import Priority
from launch_tui.domain.spec import RunSpec
from launch_tui.sdk import Launch
from launch_tui.sdk.standing import reasons
from launch_tui.store import claiming, enqueuing
from launch_tui.store.enqueuing import NewRun
from launch_tui.tui.rows import RunPages

DEPTH = 100_000
BULK = 10_000
TIMES = 101
PAGE_ROWS = 50
FAR_OFF = "9999-01-01T00:00:00.000000Z"
SPEC = RunSpec(
    kind=JobKind.CODE,
    source=CodeSource(digest="0" * 64, path="/home/me/train"),
    command=("python", "train.py"),
    environment=Environment(mode=VenvMode.NONE),
)
LINES = {
    "plain": (False, False),
    "prioritised": (True, False),
    "prioritised, half deferred": (True, True),
}


def main():
    rows = []
    for name, (prioritized, deferred) in LINES.items():
        with tempfile.TemporaryDirectory(prefix="launch-tui-bench-") as folder:
            place = Path(folder)
            with Launch(place / "short") as short, Launch(place / "long") as long:
                for launch in (short, long):
                    launch.queues.create(
                        "q", "local-process", max_running=DEPTH, prioritized=prioritized
                    )
                first = put(short, 0)
                rate = fill(long, deferred=deferred)
                rows += measured(f"{name}, {rate:,.0f}/s in bulk", short, long, first)
        print(f"  {name} measured", file=sys.stderr)
    show(rows)
    return 0 if all(row.ok for row in rows) else 1


def measured(name, short, long, first):
    last = {short: first, long: put(long, -1)}
    acts = {
        "enqueue": (lambda launch: put(launch, -1), "at most 1.2 x", lambda _, ratio: ratio <= 1.2),
        "why": (lambda launch: launch.runs.why(last[launch]), "below 100 ms", quick),
        "page": (page, "below 100 ms", quick),
        "claim": (take, "below 5 ms", lambda cost, _: cost < 0.005),
    }
    for what, (act, bar, holds) in acts.items():
        costs = {short: [], long: []}
        for launch in itertools.islice(itertools.cycle((short, long)), 2 * TIMES):
            began = time.perf_counter()
            act(launch)
            costs[launch].append(time.perf_counter() - began)
        floor, cost = (statistics.median(costs[launch][1:]) for launch in (short, long))
        ratio = cost / floor
        beside = f"{ratio:.2f} x short queue's {floor * MS:.2f} ms"
        yield Row(what, name, f"{cost * MS:.2f} ms", beside, bar, holds(cost, ratio))
        name = ""


def quick(cost, _ratio):
    return cost < 0.1


def put(launch, number, **more):
    return enqueuing.enqueue(launch.db, [new_run(number, **more)])[0].id


def take(launch):
    assert claiming.claim(launch.db, "here:1:bench", queues=None)


def page(launch):
    pages = RunPages(launch)
    pages.count()
    runs = pages.page(0, PAGE_ROWS)
    assert runs
    reasons(launch, runs, launch.queues.list(), launch.agents.status())


def fill(launch, *, deferred):
    """Have so many runs wait, and return how many were enqueued in a second."""
    first = put(launch, 0)
    waits = ({"not_before": FAR_OFF}, {}, {"after": (Dependency(first, Condition.ANY),)}, {})
    began = time.perf_counter()
    for start in range(0, DEPTH, BULK):
        numbers = range(start, start + BULK)
        news = [new_run(n // 2, **(waits[n % 4] if deferred else {})) for n in numbers]
        enqueuing.enqueue(launch.db, news)
    return DEPTH / (time.perf_counter() - began)


def new_run(number, **more):
    return NewRun(
        queue="q",
        job="train",
        version="v0",
        name="train",
        project="train",
        spec=SPEC,
        config={"lr": 0.001, "batch": 64},
        priority=list(Priority)[number % len(Priority)],
        **more,
    )


if __name__ == "__main__":
    sys.exit(main())
