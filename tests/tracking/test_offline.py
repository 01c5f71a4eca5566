from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest

from launch_tui.domain.attempt import Attempt
from launch_tui.errors import StoreError
from launch_tui.store.series import SeriesReader
from launch_tui.tracking.offline import OfflineTracker
from tests.tracking import encoding

ID = "abc12345"


class World:
    """A run's directory in which a test plays the part of wandb."""

    def __init__(self, root):
        self.run = root / "runs" / ID
        self.series = self.run / "metrics.db"
        self.source = root / "source"
        self.source.mkdir()
        self.now = 0.0

    def attempt(self, number=1):
        directory = self.run / str(number)
        (directory / "wandb").mkdir(parents=True, exist_ok=True)
        return Attempt(
            run_id=ID,
            number=number,
            directory=directory,
            command=(),
            working_directory=self.source,
            environment={},
        )

    def tracker(self, number=1):
        return OfflineTracker(self.attempt(number), self.series, clock=lambda: self.now)

    def file(self, number=1, *, stamp="20260101_000000", root=None):
        root = root or self.attempt(number).directory / "wandb"
        folder = root / "wandb" / f"offline-run-{stamp}-{ID}"
        folder.mkdir(parents=True)
        return folder / f"run-{ID}.wandb"

    def points(self, key="loss"):
        with SeriesReader(self.series) as reader:
            return reader.points(key)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def rows(*steps):
    return [encoding.history(step, {("loss",): step / 2}) for step in steps]


def test_a_job_without_wandb_is_not_tracked_and_leaves_no_metrics(world):
    progress = world.tracker().poll(pids=list)
    assert (progress.tracked, progress.finished, progress.exit_code) == (False, False, None)
    assert not world.series.exists()


def test_a_file_that_is_still_empty_means_tracked(world):
    world.file().touch()
    assert world.tracker().poll().tracked
    assert not world.series.exists()


def test_a_whole_run(world):
    world.file().write_bytes(
        encoding.log(
            [
                encoding.header("0.31.0+abc"),
                encoding.run(
                    config={"lr": 0.5, "opt": {"value": 3}, "_wandb": {"x": 1}},
                    name="nice",
                    tags=("a", "b"),
                ),
                encoding.history(0, {("loss",): 1.0, ("val", "acc"): 0.5, ("note",): "hi"}),
                encoding.stats(1_700_000_000, {"cpu": 3.5}),
                encoding.config({("late", "k"): 1, "gone": 2}),
                encoding.config({}, removed=["gone"]),
                encoding.summary({("best", "max"): 3, ("_wandb", "runtime"): 1, "x": 1}),
                encoding.summary({("best", "min"): 1}, removed=[("x",)]),
                encoding.exit_record(0),
            ]
        )
    )
    tracker = world.tracker()
    progress = tracker.poll()
    assert progress.tracked
    assert progress.config == {"lr": 0.5, "opt": {"value": 3}, "late": {"k": 1}}
    assert progress.summary == {"best": {"max": 3, "min": 1}}
    assert progress.last == {"loss": 1.0, "val.acc": 0.5, "note": "hi"}
    assert (progress.display_name, progress.project, progress.tags) == ("nice", "p", ("a", "b"))
    assert (progress.exit_code, progress.finished, progress.wandb_version) == (0, True, "0.31.0")
    assert (progress.skipped, progress.torn, progress.more) == (0, False, False)
    assert world.points("val.acc") == [(0, 0.5)]
    with SeriesReader(world.series) as reader:
        assert reader.stats_points("cpu") == [(1_700_000_000.0, 3.5)]
        assert reader.others("note") == [(0, "hi")]
    again = world.tracker().poll()
    assert again == progress
    assert world.points() == [(0, 1.0)]


def test_what_a_poll_returned_does_not_change_later(world):
    path = world.file()
    records = [encoding.summary({("best", "max"): 1})]
    path.write_bytes(encoding.log(records))
    tracker = world.tracker()
    first = tracker.poll()
    path.write_bytes(encoding.log([*records, encoding.summary({("best", "max"): 2})]))
    assert tracker.poll().summary == {"best": {"max": 2}}
    assert first.summary == {"best": {"max": 1}}


def test_bounded_polls_say_that_more_is_waiting(world):
    world.file().write_bytes(encoding.log(rows(*range(20_000))))
    tracker = world.tracker()
    polls = 1
    while tracker.poll(70_000).more:
        polls += 1
    assert polls > 5
    assert world.points() == [(s, s / 2) for s in range(20_000)]


def test_two_inits_in_a_script_follow_each_other(world):
    second = world.file(stamp="20260101_000009")
    second.write_bytes(
        encoding.log([encoding.run(config={"b": 2}), *rows(0), encoding.exit_record(1)])
    )
    first = world.file(stamp="20260101_000001")
    first.write_bytes(
        encoding.log([encoding.run(config={"a": 1}), *rows(0, 1), encoding.exit_record(0)])
    )
    progress = world.tracker().poll()
    assert world.points() == [(0, 0), (1, 0.5), (0, 0)]
    assert (progress.config, progress.exit_code, progress.finished) == ({"a": 1, "b": 2}, 1, True)


def test_the_exit_code_is_that_of_the_run_that_is_going_on(world):
    world.file().write_bytes(encoding.log([*rows(0), encoding.exit_record(0)]))
    tracker = world.tracker()
    assert tracker.poll().finished
    world.file(stamp="20260101_000001").write_bytes(encoding.log(rows(0)))
    progress = tracker.poll()
    assert (progress.exit_code, progress.finished) == (None, False)


def test_attempts_share_the_metrics_and_not_what_was_observed(world):
    world.file(1).write_bytes(encoding.log([encoding.run(config={"a": 1}), *rows(0)]))
    assert world.tracker(1).poll().tracked
    second = world.tracker(2)
    assert not second.poll(pids=list).tracked
    world.file(2).write_bytes(encoding.log([encoding.run(config={"b": 1}), *rows(7)]))
    assert second.poll().config == {"b": 1}
    assert world.points() == [(0, 0), (7, 3.5)]


def test_a_file_of_an_earlier_attempt_in_a_shared_folder_is_read_once(world):
    world.file(root=world.source).write_bytes(encoding.log(rows(0)))
    assert world.tracker(1).poll().tracked
    assert not world.tracker(2).poll(pids=list).tracked
    assert world.points() == [(0, 0)]


def test_a_file_with_two_names_is_read_once(world, tmp_path):
    path = world.file(root=world.source)
    path.write_bytes(encoding.log(rows(0)))
    linked = tmp_path / "linked"
    linked.symlink_to(world.source)
    tracker = world.tracker()
    with (linked / path.relative_to(world.source)).open() as _held:
        tracker.poll(pids=list)
        world.now += 100
        tracker.poll(pids=lambda: [__import__("os").getpid()])
    assert world.points() == [(0, 0)]


def test_looking_around_grows_rare_while_the_job_runs_and_is_whole_at_its_end(world):
    asked = []

    def pids():
        asked.append(world.now)
        return [1]

    tracker = world.tracker()
    while world.now < 100:
        tracker.poll(pids=pids)
        world.now += 0.5
    assert 10 < len(asked) < 25
    world.file(root=world.source).touch()
    assert tracker.poll(pids=list).tracked


def test_a_short_job_with_a_folder_of_its_own_is_found_by_wandbs_words(world, tmp_path):
    path = world.file(root=tmp_path / "far" / "away")
    path.write_bytes(encoding.log(rows(0)))
    log = world.attempt().directory / "output.log"
    log.write_text(f"wandb: Run data is saved locally in {path.parent}\n")
    assert world.tracker().poll(pids=list).tracked
    assert world.points() == [(0, 0)]


def test_a_moved_data_directory_is_gone_on_with(world, tmp_path):
    path = world.file()
    path.write_bytes(encoding.log(rows(0)))
    world.tracker().poll()
    (tmp_path / "runs").rename(tmp_path / "moved")
    world.run = tmp_path / "moved" / ID
    world.series = world.run / "metrics.db"
    world.tracker().poll()
    assert world.points() == [(0, 0)]


def test_damaged_metrics_are_made_again_from_the_files(world):
    path = world.file()
    path.write_bytes(encoding.log(rows(0, 1)))
    tracker = world.tracker()
    tracker.poll()
    tracker.close()
    world.series.write_bytes(b"damage" * 1_000)
    progress = tracker.poll()
    assert progress.last == {"loss": 0.5}
    assert world.points() == [(0, 0), (1, 0.5)]


def test_damage_that_shows_while_writing_is_made_good(world):
    path = world.file()
    path.write_bytes(encoding.log(rows(*range(30_000))))
    tracker = world.tracker()
    tracker.poll()
    tracker.close()
    data = bytearray(world.series.read_bytes())
    data[4_096:] = random.Random(1).randbytes(len(data) - 4_096)
    world.series.write_bytes(data)
    path.write_bytes(encoding.log(rows(*range(31_000))))
    tracker.poll()
    assert world.points() == [(s, s / 2) for s in range(31_000)]


def test_metrics_that_cannot_be_written_lose_nothing(world, monkeypatch):
    path = world.file()
    path.write_bytes(encoding.log(rows(0)))
    tracker = world.tracker()
    tracker.poll()
    path.write_bytes(encoding.log(rows(0, 1)))
    limit = world.series.stat().st_size
    full = tracker._series()._connection
    full.execute(f"PRAGMA max_page_count = {limit // 4096}")
    path.write_bytes(encoding.log(rows(*range(3_000))))
    with pytest.raises(StoreError, match="no space"):
        tracker.poll()
    tracker.poll()
    assert world.points() == [(s, s / 2) for s in range(3_000)]


def test_an_unreadable_second_file_does_not_double_the_first(world):
    world.file().write_bytes(encoding.log(rows(0)))
    bad = world.file(stamp="20260101_000005")
    bad.mkdir()
    tracker = world.tracker()
    with pytest.raises(OSError, match="directory"):
        tracker.poll()
    bad.rmdir()
    bad.write_bytes(encoding.log(rows(1)))
    assert tracker.poll().tracked
    assert world.points() == [(0, 0), (1, 0.5)]


TRACKING = """
import sys
from pathlib import Path
from launch_tui.domain.attempt import Attempt
from launch_tui.tracking.offline import OfflineTracker

run = Path(sys.argv[1])
attempt = Attempt(run_id=run.name, number=1, directory=run / "1", command=(),
                  working_directory=run, environment={})
tracker = OfflineTracker(attempt, run / "metrics.db")
print("ready", flush=True)
while True:
    tracker.poll(70_000)
"""


def test_sigkill_of_the_tracker_neither_loses_nor_doubles_a_row(world):
    count, killed = 60_000, 0
    data = encoding.log(rows(*range(count)))
    path = world.file()
    path.touch()
    randomness = random.Random(4)
    with path.open("ab", buffering=0) as file:
        for share in range(1, 7):
            process = subprocess.Popen(
                [sys.executable, "-c", TRACKING, str(world.run)], stdout=subprocess.PIPE
            )
            assert process.stdout.readline() == b"ready\n"
            file.write(data[file.tell() : len(data) * share // 6])
            # Killed at a random moment once it has got anywhere, which may be in any commit.
            before, deadline = len(world.points()), time.monotonic() + 20
            while len(world.points()) == before and before < count:
                assert time.monotonic() < deadline
            for _ in range(randomness.randrange(8)):
                world.points()
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
            got = world.points()
            assert got == [(s, s / 2) for s in range(len(got))]
            killed += 0 < len(got) < count
    assert killed
    world.tracker().poll(1 << 30)
    assert world.points() == [(s, s / 2) for s in range(count)]
