from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from launch_tui.domain.attempt import Attempt
from launch_tui.tracking.find import LOG_TAIL, files_named_in_log
from launch_tui.tracking.offline import find_wandb_files

ID = "abc12345"


@pytest.fixture
def attempt(tmp_path):
    directory = tmp_path / "runs" / ID / "1"
    source = directory / "source"
    source.mkdir(parents=True)
    return Attempt(
        run_id=ID,
        number=1,
        directory=directory,
        command=(),
        working_directory=source,
        environment={},
    )


def make(root, stamp="20260101_000000", run_id=ID, suffix="", kind="offline-run", hidden=False):
    folder = root / (".wandb" if hidden else "wandb") / f"{kind}-{stamp}-{run_id}{suffix}"
    folder.mkdir(parents=True)
    path = folder / f"run-{run_id}.wandb"
    path.touch()
    return path


def test_nothing_is_found_where_nothing_is(attempt):
    (attempt.working_directory / "wandb").mkdir()
    assert find_wandb_files(attempt) == []


@pytest.mark.parametrize("kind", ["offline-run", "run"])
def test_every_documented_place_is_looked_at(attempt, kind):
    cwd = attempt.working_directory
    wanted = {
        make(attempt.directory / "wandb", kind=kind),
        make(attempt.directory / "wandb", hidden=True, kind=kind),
        make(attempt.directory / "wandb", run_id="otherone", kind=kind),
        make(cwd, kind=kind),
        make(cwd / "output", kind=kind),
        make(cwd / "lightning_logs" / "version_0", kind=kind),
    }
    make(cwd, run_id="otherone", kind=kind)
    make(cwd / "deep" / "er" / "still", kind=kind)
    assert set(find_wandb_files(attempt)) == wanted


def test_files_come_in_the_order_in_which_their_runs_began(attempt):
    root = attempt.directory / "wandb"
    wanted = [
        make(root, "20260101_000000"),
        *(make(root, "20260101_000000", suffix=f"-{n}") for n in range(1, 12)),
        make(attempt.working_directory, "20260101_000001"),
        make(root, "20260102_000000"),
    ]
    assert find_wandb_files(attempt) == wanted


def test_files_of_an_earlier_attempt_in_the_same_folder_are_not_ours(attempt):
    old = make(attempt.working_directory, "20250101_000000")
    os.utime(old, (1_000_000_000, 1_000_000_000))
    (attempt.directory / "started").touch()
    new = make(attempt.working_directory, "20260101_000000")
    assert find_wandb_files(attempt) == [new]


def test_a_file_that_a_process_has_open_is_found_anywhere(attempt, tmp_path):
    path = make(tmp_path / "somewhere" / "else")
    script = "import sys; file = open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"open\n"
        assert find_wandb_files(attempt, [process.pid, 2**22 + 1]) == [path]
        process.stdin.close()
    assert find_wandb_files(attempt, [process.pid]) == []


def test_wandbs_own_words_in_the_log_lead_to_its_files(attempt, tmp_path):
    far = make(tmp_path / "far")
    near = make(attempt.working_directory / "a" / "b" / "c")
    lines = [
        f"\x1b[34mwandb\x1b[0m: Run data is saved locally in \x1b[35m{far.parent}\x1b[0m",
        "wandb: Find logs at: a/b/c/wandb/offline-run-20260101_000000-abc12345/logs",
        "wandb: wandb sync /nowhere/wandb/offline-run-20260101_000000-otherone",
    ]
    assert files_named_in_log(attempt) == []
    (attempt.directory / "output.log").write_text("\n".join(lines))
    assert files_named_in_log(attempt) == [far, near]


def test_one_long_line_costs_no_more_than_many(attempt):
    near = make(attempt.working_directory / "a")
    tail = f" {near.parent}"
    line = "x" * (LOG_TAIL - len(tail)) + tail
    (attempt.directory / "output.log").write_text(line)
    began = time.process_time()
    assert files_named_in_log(attempt) == [near]
    # From each of its bytes anew it would be minutes.
    assert time.process_time() - began < 20
