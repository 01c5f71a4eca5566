from __future__ import annotations

import pytest

from launch_tui.agent.outcome import NEVER_INITIALISED, exit_status, judge, last_error
from launch_tui.domain.attempt import Ended, EndKind
from launch_tui.domain.run import Phase, RunState


def outcome(kind=EndKind.EXITED, code=0, cause="", **changes):
    values = {
        "stopped": False,
        "tracked": True,
        "tracking_required": True,
        "wandb_exit": None,
        "untracked_reason": None,
        "log_tail": "",
        **changes,
    }
    return judge(Ended(kind=kind, exit_code=code, cause=cause), **values)


def test_exit_0_with_wandb_init_is_finished():
    assert outcome().state is RunState.FINISHED
    assert outcome().exit_code == 0


def test_exit_0_without_wandb_init_is_failed_in_tracking():
    got = outcome(tracked=False)
    assert (got.state, got.phase, got.cause) == (
        RunState.FAILED,
        Phase.TRACKING,
        NEVER_INITIALISED,
    )
    assert got.exit_code == 0


def test_the_tracking_rule_can_be_turned_off():
    assert outcome(tracked=False, tracking_required=False).state is RunState.FINISHED


def test_why_it_was_not_tracked_is_told():
    got = outcome(tracked=False, untracked_reason="wandb is disabled (WANDB_MODE=disabled)")
    assert got.cause.endswith("wandb is disabled (WANDB_MODE=disabled)")


@pytest.mark.parametrize("tracked", [True, False])
def test_a_bad_exit_status_is_failed_in_run_whatever_tracking_saw(tracked):
    got = outcome(code=3, tracked=tracked)
    assert (got.state, got.phase, got.exit_code) == (RunState.FAILED, Phase.RUN, 3)
    assert got.next_step


def test_the_cause_names_the_last_python_error():
    tail = (
        "Traceback (most recent call last):\n  File x\nModuleNotFoundError: No module named 'foo'\n"
    )
    assert outcome(code=1, log_tail=tail).cause == (
        "exit status 1: ModuleNotFoundError: No module named 'foo'"
    )


def test_errors_of_libraries_keep_their_module():
    assert last_error("x\ntorch.cuda.OutOfMemoryError: CUDA out of memory. Tried\nbye") == (
        "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried"
    )
    assert last_error("Everything is fine\n") == ""


def test_a_signal_is_told_as_shells_tell_it():
    got = outcome(code=-9)
    assert got.exit_code == 137
    assert got.cause == "killed by SIGKILL (exit status 137)"
    assert exit_status(-15) == 143
    assert exit_status(None) is None


def test_a_stop_wins_over_the_exit_status():
    got = outcome(code=-2, stopped=True)
    assert (got.state, got.exit_code) == (RunState.STOPPED, 130)


def test_a_command_that_cannot_be_executed_fails_in_start():
    got = outcome(kind=EndKind.NOT_STARTED, code=None, cause="command not found: trian")
    assert (got.state, got.phase, got.cause) == (
        RunState.FAILED,
        Phase.START,
        "command not found: trian",
    )


def test_without_an_exit_status_wandbs_exit_record_decides():
    lost = {"kind": EndKind.LOST, "code": None, "cause": "supervisor killed"}
    assert outcome(**lost).state is RunState.LOST
    assert outcome(**lost).cause == "supervisor killed"
    assert outcome(**lost, wandb_exit=0).state is RunState.FINISHED
    failed = outcome(**lost, wandb_exit=1)
    assert (failed.state, failed.exit_code) == (RunState.FAILED, 1)
    assert outcome(**lost, stopped=True).state is RunState.STOPPED
