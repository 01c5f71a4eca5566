"""A job that logs without bound: what is kept of it, and that the rest costs nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from launch_tui.domain.attempt import Attempt
from launch_tui.domain.limits import METRIC_KEY_LENGTH, METRIC_KEYS
from launch_tui.store.series import SeriesReader
from launch_tui.tracking.bounds import MAX_BYTES, Tree, merge_known
from launch_tui.tracking.offline import OfflineTracker
from tests.tracking import encoding

KEYS = 1_000_000
ID = "abc12345"


@pytest.fixture
def attempt(tmp_path):
    directory = tmp_path / "runs" / ID / "1"
    (directory / "wandb" / "wandb" / f"offline-run-20260101_000000-{ID}").mkdir(parents=True)
    return Attempt(
        run_id=ID, number=1, directory=directory, command=(), working_directory=tmp_path,
        environment={},
    )  # fmt: skip


def write(attempt, records):
    (folder,) = (attempt.directory / "wandb" / "wandb").iterdir()
    (folder / f"run-{ID}.wandb").write_bytes(encoding.log(records))


def read(attempt, tracker=None):
    """Read to the end; return what is known then, and the names of all series."""
    path = attempt.directory.parent / "metrics.db"
    tracker = tracker or OfflineTracker(attempt, path)
    while (progress := tracker.poll(256 << 10)).more:
        pass
    tracker.close()
    with SeriesReader(path) as reader:
        return progress, {one.name for one in (*reader.keys(), *reader.stats_keys())}


def a_row_each(count, width):
    return [
        encoding.history(step, {(f"key/{number}",): number for number in range(at, at + width)})
        for step, at in enumerate(range(0, count, width))
    ]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("count", "width"), [(100_000, 1), (KEYS, 1_000), (KEYS, 250_000)])
def test_a_million_keys_are_read_and_the_first_are_kept(count, width, attempt):
    last = encoding.history(KEYS, {("key/0",): 7.5})
    write(attempt, [*a_row_each(count, width), last, encoding.exit_record(0)])
    progress, names = read(attempt)
    assert names == {f"key/{number}" for number in range(METRIC_KEYS)}
    assert (progress.finished, progress.skipped) == (True, 0)
    assert len(progress.last) == METRIC_KEYS
    assert progress.last["key/0"] == 7.5
    assert progress.left_out > 0


@pytest.mark.timeout(120)
def test_it_takes_little_memory(attempt):
    write(attempt, a_row_each(KEYS, 500))
    program = f"""
from pathlib import Path
from launch_tui.domain.attempt import Attempt
from launch_tui.tracking.offline import OfflineTracker
attempt = Attempt(run_id={ID!r}, number=1, directory=Path({str(attempt.directory)!r}), command=(),
    working_directory=Path("/"), environment={{}})
tracker = OfflineTracker(attempt, attempt.directory.parent / "metrics.db")
while tracker.poll(256 << 10).more:
    pass
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert int(done.stdout) < 100 * 1024


def test_a_tracker_that_goes_on_keeps_the_same_keys(attempt):
    path = attempt.directory.parent / "metrics.db"
    write(attempt, a_row_each(METRIC_KEYS + 5_000, 100))
    for _ in range(3):
        tracker = OfflineTracker(attempt, path)
        tracker.poll(256 << 10)
        tracker.close()
    progress, names = read(attempt)
    assert names == set(progress.last) == {f"key/{number}" for number in range(METRIC_KEYS)}


def test_system_metrics_have_room_of_their_own(attempt):
    records = [*a_row_each(METRIC_KEYS, 1_000), encoding.stats(5, {"gpu.0.gpu": 88.0})]
    write(attempt, records)
    _, names = read(attempt)
    assert len(names) == METRIC_KEYS + 1


def test_names_and_values_of_any_kind(attempt):
    deep = "[" * 10_000 + "]" * 10_000
    row = {
        ("a" * (METRIC_KEY_LENGTH + 1),): 1, ("line\nbreak \x1b[2J",): 2, ("",): 3,
        ("nan",): float("nan"), ("inf",): float("-inf"), ("huge",): 10**400, ("t",): "x" * 10**6,
        tuple("abcdefgh" * 100): 4, ("\ud800".encode("utf-16", "surrogatepass").hex(),): 5,
    }  # fmt: skip
    write(attempt, [encoding.history(0, row), encoding.sized(2, encoding.sized(
        1, encoding.item(("deep",), deep.encode())))])  # fmt: skip
    progress, names = read(attempt)
    assert "line\nbreak \x1b[2J" in names
    assert not any(len(name) > METRIC_KEY_LENGTH for name in (*names, *progress.last))
    assert len(json.dumps(progress.last)) < 100_000


@pytest.mark.timeout(120)
def test_a_summary_of_a_hundred_megabytes(attempt):
    records = [encoding.summary({(f"s{n}",): "x" * 900_000}) for n in range(110)]
    write(attempt, [*records, encoding.summary({("s0",): 1}), encoding.config({("lr",): 0.1})])
    progress, _ = read(attempt)
    assert len(json.dumps(progress.summary)) < 2 * MAX_BYTES
    assert progress.summary["s0"] == 1
    assert progress.config == {"lr": 0.1}
    assert progress.left_out > 100


def test_a_tree_counts_what_it_holds():
    tree = Tree({"a": {"b": 1}})
    tree.put(("a", "c"), "x" * (MAX_BYTES - 10))
    tree.put(("d",), "y" * 20)
    assert (set(tree.values["a"]), tree.left_out) == ({"b", "c"}, 1)
    tree.remove(("a", "c"))
    tree.put(("d",), "y" * 20)
    assert tree.values == {"a": {"b": 1}, "d": "y" * 20}
    tree.put(("a",), 5)
    for number in range(2 * METRIC_KEYS):
        tree.put((f"k{number}",), number)
    assert len(tree.values) == METRIC_KEYS
    tree.put(("k0",), -1)
    assert tree.values["k0"] == -1
    again = Tree(tree.values)
    again.put(("one more",), 1)
    assert again.left_out == 1


def test_last_values_of_known_keys_go_on():
    known = {f"k{number}": 0 for number in range(METRIC_KEYS)}
    assert merge_known(known, {"k1": 5, "new": 6}) == 1
    assert (known["k1"], len(known)) == (5, METRIC_KEYS)
