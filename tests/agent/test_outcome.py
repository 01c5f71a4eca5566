from __future__ import annotations

import pytest

from launch_tui.agent.outcome import (
    NEVER_INITIALISED,
    Outcome,
    exit_status,
    judge,
    last_error,
)
from launch_tui.domain.attempt import Ended, EndKind
from launch_tui.domain.failure import FailureKind
from launch_tui.domain.kernel import KernelEvidence, OomKill
from launch_tui.domain.run import Phase, RunState

K = FailureKind
LOST = {"kind": EndKind.LOST, "code": None, "cause": "supervisor killed"}


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


def not_asked():
    raise AssertionError("nothing is to be explained")


def killed(pid):
    kill = OomKill(pid=pid, name="python", resident=0, limited=False, age=0.1)
    return lambda: KernelEvidence(main=7, kills=(kill,), log_complete=True)


def test_a_good_end_needs_no_explanation_whatever_the_log_says():
    tail = "torch.OutOfMemoryError: CUDA out of memory. Tried\n"
    got = outcome(log_tail=tail, evidence=not_asked)
    assert (got.state, got.failure) == (RunState.FINISHED, None)


def test_the_kind_comes_from_the_log_and_from_the_kernel():
    tail = "torch.OutOfMemoryError: CUDA out of memory. Tried\n"
    assert outcome(code=1, log_tail=tail, evidence=not_asked).failure is K.GPU_OOM
    assert outcome(code=-9, evidence=killed(7)).failure is K.OOM
    assert outcome(code=-9, evidence=killed(8)).failure is K.SIGNAL
    assert outcome(code=3).failure is K.ERROR


@pytest.mark.parametrize(
    ("reason", "kind", "step"),
    [
        (None, K.NOT_TRACKED, "call wandb.init"),
        ("wandb is disabled (WANDB_MODE=disabled)", K.WANDB_DISABLED, "remove WANDB_MODE"),
        ("wandb is not installed (No module named 'wandb')", K.NOT_TRACKED, "add wandb to"),
        ("the script sets mode='online' and wandb has no API key (x)", K.NOT_TRACKED, "leave mode"),
    ],
)
def test_what_to_do_about_a_run_that_was_not_tracked(reason, kind, step):
    got = outcome(tracked=False, untracked_reason=reason)
    assert (got.failure, got.phase) == (kind, Phase.TRACKING)
    assert got.next_step.startswith(step)


def test_a_lost_run_that_the_kernel_ended_is_not_lost():
    got = outcome(**LOST, evidence=killed(7))
    assert (got.state, got.failure, got.exit_code) == (RunState.FAILED, K.OOM, 137)
    got = outcome(**LOST, evidence=killed(8))
    assert (got.state, got.failure) == (RunState.LOST, K.LOST)


def test_a_lost_run_with_wandbs_word_for_it_has_the_kind_of_its_log():
    tail = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'einops'\n"
    got = outcome(**LOST, wandb_exit=1, log_tail=tail)
    assert got.failure is K.IMPORT_ERROR
    assert got.cause == "supervisor killed; wandb's exit record says 1"
    assert "einops" in got.next_step


@pytest.mark.parametrize(
    ("cause", "step"),
    [
        ("command not found: trian", "add what has trian"),
        ("permission denied: ./train.py", "chmod +x ./train.py"),
        ("train.py: no such interpreter", "correct the #! line"),
        ("", "check the entry point"),
    ],
)
def test_what_to_do_about_a_command_that_cannot_be_executed(cause, step):
    got = outcome(kind=EndKind.NOT_STARTED, code=None, cause=cause)
    assert got.failure is K.START
    assert got.next_step.startswith(step)


def test_each_bad_outcome_has_a_kind_whoever_makes_it():
    for state in (RunState.FAILED, RunState.LOST, RunState.PREEMPTED):
        for phase in (None, *Phase):
            assert Outcome(state=state, phase=phase).failure is not None
    assert Outcome(state=RunState.STOPPED).failure is None
    assert Outcome(state=RunState.FAILED, failure=K.DEPENDENCY).failure is K.DEPENDENCY
