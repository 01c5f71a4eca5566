"""What the files of an attempt are taken to mean."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from launch_tui.domain.attempt import Ended, EndKind
from launch_tui.targets import records
from launch_tui.targets.processes import Process


def test_an_empty_directory_says_nothing(tmp_path):
    assert not records.is_taken(tmp_path)
    assert records.read_token(tmp_path) is None
    assert records.read_started(tmp_path) is None
    assert records.read_exit(tmp_path) is None


def test_fields_of_later_versions_are_passed_over(tmp_path):
    record = {"kind": "exited", "exit_code": 1, "ended_at": 5.0, "from_the_future": {}}
    (tmp_path / "exit").write_text(json.dumps(record))
    assert records.read_exit(tmp_path) == records.Exit(
        ended=Ended(kind=EndKind.EXITED, exit_code=1, ended_at=5.0), left_processes=False
    )


@pytest.mark.parametrize("content", ["", "\0" * 64, "{", "3", '{"kind": "unheard-of"}'])
def test_a_damaged_exit_record_reads_as_absent(tmp_path, content):
    (tmp_path / "exit").write_text(content)
    assert records.read_exit(tmp_path) is None


def test_the_pid_record_names_both_processes(tmp_path):
    record = {
        "pid": 7, "start_time": 70, "boot_id": "b", "supervisor_pid": 6,
        "supervisor_start_time": 60, "started_at": 1.5,
    }  # fmt: skip
    (tmp_path / "pid").write_text(json.dumps(record))
    assert records.read_started(tmp_path) == records.Started(
        job=Process(pid=7, start_time=70, boot_id="b"),
        supervisor=Process(pid=6, start_time=60, boot_id="b"),
        started_at=1.5,
    )


def test_a_token_is_taken_once(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        attempts = [tmp_path / str(n // 8) for n in range(160)]
        taken = list(pool.map(records.take_void_token, attempts))
    assert taken.count(True) == 20
    assert records.read_token(attempts[0]) == records.Token(supervisor=None, void=True)
    assert [path.name for path in attempts[0].iterdir()] == ["started"]
