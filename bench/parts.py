"""Parts whose speed a person feels, each beside its bar: `just bench` runs this after the rest.

A figure that misses its bar is taken twice more and the best one counts, since these machines do
other things too. Exits non-zero when one misses all the same.
"""

from __future__ import annotations

import math
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from launch_tui.agent.evidence import Evidence
from launch_tui.agent.host import COUNTING_S, EVERY_S, HostWatch
from launch_tui.domain.slots import Gpu, Machine
from launch_tui.domain.text import log_line, printable
from launch_tui.sources.code import snapshot
from launch_tui.store.artifacts import ArtifactStore
from launch_tui.store.paths import Home
from launch_tui.store.series import FileOffset, SeriesReader, SeriesWriter
from launch_tui.tracking.wandb_file import WandbFile
from tests.tracking import encoding

TRIES = 3


def read_history(folder):
    """The reader of .wandb files, in history records a second."""
    count = 20_000
    path = folder / "run-abc.wandb"
    records = [
        encoding.history(step, {("loss",): step / 3, ("acc",): step / 7, ("_step",): step})
        for step in range(count)
    ]
    path.write_bytes(encoding.log(records))

    def once():
        reader, seen = WandbFile(path), 0
        while records := reader.read(1 << 22):
            seen += sum(1 for _ in records)
        assert seen == count

    return (
        lambda: seconds(once),
        lambda cost: (f"{count / cost:,.0f} records/s", count / cost >= 40_000),
        "40,000",
    )


def chart_of_a_million(folder):
    """A chart of a key of 1,000,000 points, with the opening of the file."""
    path = folder / "metrics.db"
    writer, randomness = SeriesWriter(path), random.Random(3)
    for begin in range(0, 1_000_000, 20_000):
        for step in range(begin, begin + 20_000):
            writer.append_history([(step, {"loss": randomness.random(), "_step": step})])
        writer.commit({"a": FileOffset(attempt=1, offset=begin + 1)})
    writer.close()

    def once():
        with SeriesReader(path) as reader:
            assert len(reader.chart("loss", 4_096)) == 4_096

    return lambda: seconds(once), lambda cost: (f"{cost * 1000:.0f} ms", cost <= 0.1), "100 ms"


def unchanged_folder(folder):
    """A snapshot of a folder of 10,000 files that has not changed."""
    place = folder / "code"
    for number in range(10_000):
        file = place / f"d{number // 500}" / f"f{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    artifacts = ArtifactStore(folder / "artifacts")

    def once():
        return snapshot(place, artifacts, cache_dir=folder / "cache")

    once()
    time.sleep(0.1)
    once()
    return lambda: seconds(once), lambda cost: (f"{cost * 1000:.0f} ms", cost <= 0.5), "500 ms"


def hostile_line(_folder):
    """One log line of 90,000 control sequences, made harmless."""
    line = "\x1b[1;" * 22_500

    def once():
        log_line(line)
        printable(line)

    return lambda: seconds(once), lambda cost: (f"{cost * 1000:.0f} ms", cost <= 0.1), "100 ms"


def look_at_the_host(folder):
    """The agent's looks at a host of eight GPUs, as a share of a processor."""
    home = Home(folder)
    home.create()
    gpu = Gpu(uuid="GPU-a", index=0, name="A100", memory_total=80 << 30, memory_used=5 << 30,
              utilization=60, temperature=50)  # fmt: skip
    watch = HostWatch(home, lambda: Machine(gpus=(gpu,) * 8))
    looks = 100

    def share():
        began = time.process_time()
        for _ in range(looks):
            watch._look(2.0, 0.5, {"runs": 1})
        # Counting has its share by the clock.
        return (COUNTING_S + (time.process_time() - began) / looks) / EVERY_S

    return share, lambda cost: (f"{cost:.2%}", cost < 0.01), "1 %"


def watch_for_kills(_folder):
    """What it costs a run to begin its watch for the kernel's kills."""

    def once():
        return seconds(lambda: [Evidence(os.getpid()) for _ in range(50)]) / 50

    return once, lambda cost: (f"{cost * 1000:.2f} ms", cost < 0.01), "10 ms"


def seconds(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


PARTS = (
    read_history,
    chart_of_a_million,
    unchanged_folder,
    hostile_line,
    look_at_the_host,
    watch_for_kills,
)


def main():
    missed = 0
    for part in PARTS:
        with tempfile.TemporaryDirectory() as folder:
            measure, judge, bar = part(Path(folder))
            best = math.inf
            for _ in range(TRIES):
                best = min(best, measure())
                figure, holds = judge(best)
                if holds:
                    break
        print(f"{'ok  ' if holds else 'MISS'}  {part.__doc__:<70} {figure:>20}  bar {bar}")
        missed += not holds
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
