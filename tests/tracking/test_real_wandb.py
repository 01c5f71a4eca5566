"""What unmodified scripts tell with real wandb, from the oldest supported version to the newest."""

from __future__ import annotations

import math
import os
import signal

import pytest

from launch_tui.store.series import SeriesReader
from tests.wandb_envs import wandb_python

# The first test that needs an environment builds it.
pytestmark = [pytest.mark.wandb, pytest.mark.timeout(600)]

WHOLE = """
import math
import wandb

run = wandb.init(config={"lr": 0.1, "bs": 8, "nested": {"a": 1, "b": 2}, "opt": {"value": 3}})
run.config.update({"late": {"k": 1}})
for step in range(50):
    wandb.log({"loss": 1 / (step + 1), "val": {"acc": {"top1": step / 50}}, "dot.ted": step})
wandb.log({"bad": math.nan, "up": math.inf, "down": -math.inf, "flag": True, "word": "text"})
wandb.log({"page": wandb.Html("<b>x</b>"), "in": {"table": wandb.Table(["a"], data=[[1]])}})
run.summary["best"] = 0.5
run.tags = (*run.tags, "added")
print(dict(run.config), run.name, run.project)
wandb.finish()
"""


def test_a_whole_run(job, version):
    status, progress = job.run(
        WHOLE,
        config={"lr": 0.5, "nested": {"a": 7}, "extra": {"z": [1, None]}},
        project="proj",
        name="my name",
        tags=("one", "two"),
        notes="a note",
        queue="q",
    )
    assert status == 0, job.output()
    assert progress.tracked
    assert progress.config == {
        "lr": 0.5,
        "bs": 8,
        "nested": {"a": 7, "b": 2},
        # wandb 0.19 itself takes the dict apart when there is a launch config.
        "opt": 3 if version == "0.19.11" else {"value": 3},
        "extra": {"z": [1, None]},
        "late": {"k": 1},
    }
    assert (progress.display_name, progress.project, progress.notes) == (
        "my name",
        "proj",
        "a note",
    )
    assert set(progress.tags) == {"one", "two", "added"}
    assert (progress.exit_code, progress.finished, progress.torn) == (0, True, False)
    assert progress.skipped == 0
    assert version in (progress.wandb_version, "newest")
    assert progress.summary["best"] == 0.5
    assert progress.summary["loss"] == 1 / 50
    assert "_wandb" not in progress.summary
    assert job.points("loss") == [(step, 1 / (step + 1)) for step in range(50)]
    assert job.points("val.acc.top1") == [(step, step / 50) for step in range(50)]
    assert job.points("dot.ted") == [(step, step) for step in range(50)]
    assert job.points("flag") == [(50, 1.0)]
    assert (job.points("up"), job.points("down")) == ([(50, math.inf)], [(50, -math.inf)])
    ((step, bad),) = job.points("bad")
    assert step == 50
    assert math.isnan(bad)
    with SeriesReader(job.series) as reader:
        assert reader.others("word") == [(50, "text")]
        ((_, page),) = reader.others("page")
        ((_, table),) = reader.others("in.table")
        times = reader.axis("_timestamp", range(50))
    assert (page["_type"], table["_type"]) == ("html-file", "table-file")
    assert page["path"].endswith(".html")
    assert times == sorted(times)
    assert progress.last["in.table"] == table


TWICE = """
import time, wandb
for n in range(2):
    # wandb 0.19 overwrites its own file when a second run begins within the same second.
    began = int(time.time())
    wandb.init(config={f"k{n}": n})
    wandb.log({"loss": n})
    wandb.finish()
    while int(time.time()) == began:
        time.sleep(0.01)
"""


def test_two_inits_in_one_script(job):
    status, progress = job.run(TWICE)
    assert status == 0, job.output()
    assert progress.config == {"k0": 0, "k1": 1}
    assert job.points("loss") == [(0, 0), (0, 1)]
    assert progress.finished


ELSEWHERE = """
import os, sys, wandb
wandb.init(dir=sys.stdin.readline().strip())
wandb.log({"loss": 1})
wandb.finish()
"""


def test_a_folder_of_the_scripts_own_as_lightning_gives_it(job):
    job.start(ELSEWHERE)
    job.process.communicate(b".\n", timeout=60)
    assert job.finish().tracked, job.output()
    assert job.points("loss") == [(0, 1)]


def test_a_folder_anywhere_is_found_after_the_job_has_ended(job, tmp_path):
    far = tmp_path / "far" / "away"
    far.mkdir(parents=True)
    job.start(ELSEWHERE)
    job.process.communicate(f"{far}\n".encode(), timeout=60)
    assert job.finish().tracked, job.output()
    assert job.points("loss") == [(0, 1)]


CRASH = """
import wandb
wandb.init()
wandb.log({"loss": 1})
raise ValueError("broken")
"""


def test_an_exception(job):
    status, progress = job.run(CRASH)
    assert status == 1
    assert progress.exit_code == 1
    assert job.points("loss") == [(0, 1)]


WAITING = """
import sys, wandb
wandb.init()
wandb.log({"loss": 0})
wandb.log({"loss": 1}, commit=True)
print("logged", flush=True)
sys.stdin.read()
"""


def test_called_is_known_while_the_job_runs(job):
    job.start(WAITING)
    progress = job.until(lambda progress: progress.tracked)
    assert not progress.finished
    job.until(lambda _: "logged" in job.output())
    job.process.send_signal(signal.SIGINT)
    assert job.process.wait(60) != 0
    assert job.finish().exit_code == 255
    assert job.points("loss") == [(0, 0), (1, 1)]


NEVER = """
import wandb
run = wandb.init(mode="disabled")
wandb.log({"loss": 1})
"""


def test_disabled_is_not_tracked(job):
    status, progress = job.run(NEVER)
    assert status == 0, job.output()
    assert not progress.tracked


STREAM = """
import time, wandb
wandb.init()
for step in range(100_000):
    wandb.log({"loss": step / 2})
    time.sleep(0.005)
"""


@pytest.mark.parametrize("version", ["newest"])
def test_sigkill_in_the_middle_keeps_what_was_flushed(job):
    job.start(STREAM)
    progress = job.until(lambda progress: len(progress.last) and progress.last["_step"] > 100)
    os.killpg(job.process.pid, signal.SIGKILL)
    job.process.wait()
    progress = job.finish()
    assert (progress.exit_code, progress.finished) == (None, False)
    points = job.points("loss")
    assert len(points) > 100
    assert points == [(step, step / 2) for step in range(len(points))]


MEASURED = """
import os, sys
os.environ["WANDB_X_STATS_SAMPLING_INTERVAL"] = "0.1"
import wandb
wandb.init()
sys.stdin.read()
"""


@pytest.mark.parametrize("version", ["newest"])
def test_system_metrics(job):
    job.start(MEASURED)

    def seen(_):
        with SeriesReader(job.series) as reader:
            return any(info.count > 2 for info in reader.stats_keys())

    job.until(seen)
    job.process.stdin.close()
    assert job.process.wait(60) == 0, job.output()
    job.finish()
    with SeriesReader(job.series) as reader:
        (memory,) = (info for info in reader.stats_keys() if info.name == "proc.memory.rssMB")
        points = reader.stats_points("proc.memory.rssMB")
    assert memory.count == len(points) > 2
    assert memory.minimum > 1
    assert points == sorted(points, key=lambda point: point[0])


AT_ONCE = """
import wandb
wandb.init()
for step in range(5_000):
    wandb.log({"loss": step / 3, "acc": -step})
"""


@pytest.mark.slow
@pytest.mark.parametrize("version", ["newest"])
def test_a_tight_loop_loses_nothing(job):
    job.start(AT_ONCE)
    job.until(lambda progress: progress.last.get("_step", 0) > 1_000)
    assert job.process.wait(60) == 0, job.output()
    job.finish()
    assert job.points("loss") == [(step, step / 3) for step in range(5_000)]
    assert job.points("acc") == [(step, -step) for step in range(5_000)]


def test_an_environment_is_built_once():
    python = wandb_python("newest")
    made = python.parent.stat().st_mtime_ns
    assert wandb_python("newest") == python
    assert python.parent.stat().st_mtime_ns == made
