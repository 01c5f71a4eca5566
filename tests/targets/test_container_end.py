"""What the engine says of a container, and what that means for its attempt."""

from __future__ import annotations

import signal

import pytest

from launch_tui.domain.attempt import EndKind
from launch_tui.targets import container_end
from launch_tui.targets.container_end import (
    BOOT_LABEL,
    end_of,
    end_without,
    exit_code,
    has_begun,
    read_seen,
)
from launch_tui.targets.container_launcher import NOT_STARTED, TAKEN, TOKEN_FOLDER, UNABLE
from launch_tui.targets.processes import boot_id
from launch_tui.targets.records import take_void_token

STARTED, FINISHED = 1_795_895_027.5, 1_795_895_030.25


def inspected(*, status="exited", code=0, boot=None, **state):
    return {
        "Id": "abc",
        "State": {
            "Status": status,
            "Running": status in ("running", "paused"),
            "Pid": 0,
            "ExitCode": code,
            "OOMKilled": False,
            "StartedAt": "2026-11-28T19:43:47.500000000Z",
            "FinishedAt": "2026-11-28T19:43:50.250000000Z",
            **state,
        },
        "HostConfig": {"Init": True},
        "Config": {"Labels": {BOOT_LABEL: boot_id() if boot is None else boot}},
    }


@pytest.fixture
def attempt(tmp_path):
    (tmp_path / TOKEN_FOLDER).mkdir()
    return tmp_path


@pytest.fixture
def taken(attempt):
    (attempt / TOKEN_FOLDER / "started").touch()
    return attempt


def test_what_the_engine_says():
    seen = read_seen(inspected(status="running", Pid=12, FinishedAt="0001-01-01T00:00:00Z"))
    assert (seen.id, seen.running, seen.pid, seen.init) == ("abc", True, 12, True)
    assert (seen.started_at, seen.finished_at) == (STARTED, None)
    assert not seen.never_started
    assert read_seen(inspected()).finished_at == FINISHED


@pytest.mark.parametrize("status", ["running", "paused", "restarting"])
def test_what_counts_as_running(status):
    assert read_seen(inspected(status=status)).running


@pytest.mark.parametrize("status", ["created", "exited", "dead", "removing"])
def test_what_does_not(status):
    assert not read_seen(inspected(status=status)).running


@pytest.mark.parametrize("never", ["0001-01-01T00:00:00Z", "", None, "yesterday"])
def test_a_container_that_was_only_created(never):
    seen = read_seen(inspected(status="created", StartedAt=never, FinishedAt=never))
    assert (seen.never_started, seen.started_at, seen.finished_at) == (True, None, None)


def test_a_job_that_is_over_in_no_time_did_not_begin_after_its_end():
    begun = "2026-11-28T19:43:50.250900000Z"
    assert read_seen(inspected(StartedAt=begun)).started_at == FINISHED


@pytest.mark.parametrize(
    ("told", "code"),
    [(0, 0), (1, 1), (7, 7), (126, 126), (127, 127), (128, 128), (129, -1), (130, -2), (137, -9),
     (139, -11), (143, -15), (255, 255), (200, 200)],
)  # fmt: skip
def test_exit_statuses_and_signals(taken, told, code):
    ended = end_of(read_seen(inspected(code=told)), taken)
    assert (ended.kind, ended.exit_code, ended.ended_at) == (EndKind.EXITED, code, FINISHED)
    assert exit_code(told) == code


def test_every_signal_is_told_as_one():
    for number in signal.valid_signals():
        assert exit_code(128 + number) == -number


def test_the_engines_word_on_memory_is_passed_on(taken):
    ended = end_of(read_seen(inspected(code=137, OOMKilled=True)), taken)
    assert (ended.exit_code, ended.oom) == (-9, True)
    assert not end_of(read_seen(inspected(code=137)), taken).oom


def test_an_attempt_that_was_given_up(attempt):
    take_void_token(attempt / TOKEN_FOLDER)
    for ended in (end_of(read_seen(inspected(code=TAKEN)), attempt), end_without(attempt)):
        assert (ended.kind, ended.cause) == (EndKind.VOID, "given up before it was started")
    assert not has_begun(attempt)


def test_a_command_that_could_not_be_executed(taken):
    (taken / TOKEN_FOLDER / NOT_STARTED).write_text("command not found: x\n")
    for ended in (end_of(read_seen(inspected(code=127)), taken), end_without(taken)):
        assert (ended.kind, ended.cause) == (EndKind.NOT_STARTED, "command not found: x")
        assert ended.exit_code is None
    assert not has_begun(taken)


def test_a_container_that_is_gone(attempt):
    ended = end_without(attempt)
    assert (ended.kind, "before it started" in ended.cause) == (EndKind.VOID, True)
    (attempt / TOKEN_FOLDER / "started").touch()
    ended = end_without(attempt)
    assert (ended.kind, ended.cause) == (EndKind.LOST, "its container was removed")


@pytest.mark.parametrize(
    ("state", "kind", "cause"),
    [
        ({"code": 137}, EndKind.VOID, "its container was ended before it started the job"),
        ({"code": 143}, EndKind.VOID, "its container was ended before it started the job"),
        ({"code": 137, "OOMKilled": True}, EndKind.NOT_STARTED, "the memory limit is too small"),
        ({"code": UNABLE}, EndKind.NOT_STARTED,
         "the container cannot write to the run's directory: no way"),
        ({"code": 2}, EndKind.NOT_STARTED, "the container's shell ended with status 2: no way"),
    ],
)  # fmt: skip
def test_a_container_that_ended_without_taking_the_token(attempt, state, kind, cause):
    ended = end_of(read_seen(inspected(**state)), attempt, "no way")
    assert ended.kind is kind
    assert ended.cause.startswith(cause)


def test_a_status_that_a_second_start_has_overwritten(taken):
    assert end_of(read_seen(inspected(code=TAKEN)), taken).exit_code == TAKEN
    (taken / TOKEN_FOLDER / "again").touch()
    ended = end_of(read_seen(inspected(code=TAKEN)), taken)
    assert (ended.kind, ended.exit_code) == (EndKind.LOST, None)
    assert end_of(read_seen(inspected(code=3)), taken).exit_code == 3


@pytest.mark.parametrize("never", [False, True])
def test_what_a_reboot_ended(taken, monkeypatch, never):
    seen = read_seen(inspected(code=255, boot="another"))
    if never:
        seen = read_seen(inspected(code=255, boot="another", FinishedAt="0001-01-01T00:00:00Z"))
    monkeypatch.setattr(container_end, "boot_time", lambda: FINISHED - 1)
    ended = end_of(seen, taken)
    assert (ended.kind, ended.cause) == (EndKind.REBOOTED, "rebooted")


def test_what_ended_before_the_reboot_ended_by_itself(taken, monkeypatch):
    monkeypatch.setattr(container_end, "boot_time", lambda: FINISHED + 1)
    assert end_of(read_seen(inspected(code=3, boot="another")), taken).exit_code == 3


@pytest.mark.parametrize("boot", [None, ""])
def test_the_same_boot_or_an_unknown_one_is_no_reboot(taken, boot, monkeypatch):
    monkeypatch.setattr(container_end, "boot_time", lambda: FINISHED - 1)
    assert end_of(read_seen(inspected(code=255, boot=boot)), taken).exit_code == 255


def test_an_attempt_whose_token_a_power_failure_took_is_not_begun_again(attempt, monkeypatch):
    monkeypatch.setattr(container_end, "boot_time", lambda: FINISHED - 1)
    ended = end_of(read_seen(inspected(code=255, boot="another")), attempt)
    assert ended.kind is EndKind.REBOOTED
