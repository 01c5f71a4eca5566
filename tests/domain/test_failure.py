from __future__ import annotations

import pytest

from launch_tui.domain.failure import (
    RETRY_WORDS,
    FailureKind,
    kind_of,
    next_step_of,
    parse_retry_on,
    retry_matches,
)
from launch_tui.domain.run import Phase, RunState
from launch_tui.errors import UsageError

K = FailureKind


def test_each_kind_has_a_next_step_of_its_own():
    steps = {next_step_of(kind) for kind in K}
    assert len(steps) == len(K)
    assert all("\n" not in step for step in steps)


@pytest.mark.parametrize(
    ("state", "phase", "cause", "kind"),
    [
        (RunState.FAILED, Phase.SOURCE, "no such commit", K.SOURCE),
        (RunState.FAILED, Phase.BUILD, "torhc: there is no such package", K.BUILD),
        (RunState.FAILED, Phase.BUILD, "No space left on the disk while installing x", K.DISK_FULL),
        (RunState.FAILED, Phase.START, None, K.START),
        (RunState.FAILED, Phase.TRACKING, None, K.NOT_TRACKED),
        (RunState.FAILED, Phase.RUN, "it printed no space left", K.ERROR),
        (RunState.FAILED, None, None, K.ERROR),
        (RunState.LOST, Phase.RUN, "supervisor killed", K.LOST),
        (RunState.PREEMPTED, None, None, K.PREEMPTED),
        (RunState.STOPPED, None, "stopped by the user", None),
        (RunState.FINISHED, None, None, None),
    ],
)
def test_what_is_known_without_the_log(state, phase, cause, kind):
    assert kind_of(state, phase, cause) is kind


def test_words_are_read_from_texts_and_lists_each_once():
    assert parse_retry_on("failed, OOM,,lost") == ("failed", "oom", "lost")
    assert parse_retry_on(["oom,timeout", "oom"]) == ("oom", "timeout")
    assert parse_retry_on("") == ()
    assert all(parse_retry_on(word) == (word,) for word in RETRY_WORDS)


def test_an_unknown_word_names_the_field_and_the_nearest_word():
    with pytest.raises(UsageError) as caught:
        parse_retry_on("failed,timeuot", "retry_on")
    assert caught.value.field == "retry_on"
    assert "did you mean 'timeout'?" in caught.value.problem
    with pytest.raises(UsageError):
        parse_retry_on("dependency")


@pytest.mark.parametrize(
    ("words", "state", "kind", "retried"),
    [
        (("failed",), RunState.FAILED, K.ERROR, True),
        (("failed",), RunState.FAILED, K.BUILD, True),
        (("failed",), RunState.FAILED, K.GPU_OOM, True),
        (("failed",), RunState.FAILED, K.TIMEOUT, True),
        (("failed",), RunState.FAILED, None, True),
        (("failed",), RunState.FAILED, K.NOT_TRACKED, False),
        (("failed",), RunState.FAILED, K.WANDB_DISABLED, False),
        (("failed",), RunState.FAILED, K.DEPENDENCY, False),
        (("failed",), RunState.LOST, K.LOST, False),
        (("failed",), RunState.PREEMPTED, K.PREEMPTED, False),
        (("lost", "preempted"), RunState.LOST, K.LOST, True),
        (("lost", "preempted"), RunState.PREEMPTED, K.PREEMPTED, True),
        (("lost",), RunState.FAILED, K.ERROR, False),
        (("oom",), RunState.FAILED, K.OOM, True),
        (("oom",), RunState.FAILED, K.GPU_OOM, True),
        (("gpu-oom",), RunState.FAILED, K.OOM, False),
        (("gpu-oom",), RunState.FAILED, K.GPU_OOM, True),
        (("timeout",), RunState.FAILED, K.START_TIMEOUT, True),
        (("start-timeout",), RunState.FAILED, K.TIMEOUT, False),
        (("not-tracked",), RunState.FAILED, K.NOT_TRACKED, True),
        (("oom", "timeout"), RunState.FAILED, K.ERROR, False),
        (("oom",), RunState.FAILED, None, False),
        ((), RunState.FAILED, K.ERROR, False),
    ],
)
def test_what_a_retry_is_for(words, state, kind, retried):
    assert retry_matches(words, state, kind) is retried


@pytest.mark.parametrize("state", [RunState.STOPPED, RunState.FINISHED, RunState.RUNNING])
@pytest.mark.parametrize("kind", [None, *K])
def test_what_was_stopped_or_finished_is_never_retried(state, kind):
    assert not retry_matches((*RETRY_WORDS, str(state)), state, kind)
