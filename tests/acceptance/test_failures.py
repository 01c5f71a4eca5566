"""What went wrong is told with a next step, and tried again where that was asked for."""

from __future__ import annotations

import json
import sys

import pytest

from tests.wandb_envs import wandb_python

OF_TORCH = """
print("Traceback (most recent call last):")
print('  File "train.py", line 3, in <module>')
print("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB.")
raise SystemExit(1)
"""
DISK = "import os; raise OSError(28, os.strerror(28))"

FAILURES = [
    (("python", "-c", OF_TORCH), "gpu-oom", "out of GPU memory", "smaller batch"),
    (("python", "-c", "raise MemoryError()"), "oom", "MemoryError", "--memory"),
    (("sh", "-c", "kill -9 $$"), "signal", "killed by SIGKILL", "killed it"),
    (("sh", "-c", "kill -SEGV $$"), "signal", "killed by SIGSEGV", "PYTHONFAULTHANDLER"),
    (("python", "-c", "import no_such"), "import-error", "named 'no_such'", "requirements"),
    (("python", "-c", DISK), "disk-full", "No space left on device", "free some space"),
    (("sh", "-c", "echo last words; exit 3"), "error", "exit status 3", "read the log"),
    (("./no-such-command",), "start", "no-such-command", "entry point"),
]

SLOW_BACKEND = """
[build-system]
requires = []
build-backend = "slow"
backend-path = ["."]
"""


def test_each_cause_has_its_kind_and_its_next_step(running, folder):
    runs = []
    for command, *_ in FAILURES:
        words = [sys.executable if word == "python" else word for word in command]
        runs.append(running.launch("--in-place", "--", *words))
    runs.append(running.shell("true", "-R", '{"setup": ["echo one", "false"]}'))
    runs.append(running.shell("true", "-R", '{"env_file": "missing.env"}'))
    runs.append(running.shell("sleep 60", "--timeout", "1s"))
    expected = [
        *[each[1:] for each in FAILURES],
        ("start", "setup line 2 failed (exit status 1): false", "`setup`"),
        ("start", "missing.env: No such file or directory", "`env_file`"),
        ("timeout", "ran longer than its time limit of 1s", "--timeout"),
    ]
    for run, (kind, cause, step) in zip(runs, expected, strict=True):
        found = running.until(run)
        assert (found["state"], found["failure"]) == ("failed", kind), found
        assert cause in found["cause"]
        assert step in found["next_step"]
    found = running.show(runs[-1])
    assert found["cause"] in running.ok("show", runs[-1]).out


@pytest.mark.wandb
@pytest.mark.timeout(300)
def test_wandb_that_is_switched_off_is_not_wandb_that_was_forgotten(running, folder):
    python = wandb_python("newest")
    running.ok("queue", "create", "strict", "-r", "process", "--max-running", "2")
    script = "import wandb; run = wandb.init(); run.log({'a': 1}); run.finish()"
    off = running.launch("--setenv", "WANDB_MODE=disabled", "--in-place", "--", python, "-c",
                         script, queue="strict")  # fmt: skip
    forgotten = running.launch("--in-place", "--", python, "-c", "1", queue="strict")
    found = running.until(off, timeout=60)
    assert (found["phase"], found["failure"]) == ("tracking", "wandb-disabled")
    assert "WANDB_MODE=disabled" in found["next_step"]
    assert running.until(forgotten)["failure"] == "not-tracked"


TRIES = 'cd "$LAUNCH_TUI_RUN_DIR" && echo "$WANDB_RESUME" >> tries && [ $(wc -l < tries) -ge 3 ]'


def test_a_run_is_tried_again_with_its_source_and_its_folder(running, folder):
    run = running.launch("--retries", "3", "--retry-on", "failed", "--backoff", "1s",
                         "--", "sh", "-c", TRIES)  # fmt: skip
    (folder / "train.py").write_text("print('changed since')\n")
    assert running.until_why(run, "backoff").startswith("back-off before attempt ")
    ended = running.until(run)
    assert (ended["state"], ended["attempt"], ended["retried"]) == ("finished", 3, 2)
    assert ended["version"] == "v0"
    tries = running.home / "runs" / run / "shared" / "tries"
    assert tries.read_text().split("\n") == ["", "allow", "allow", ""]
    assert running.lt("logs", run, "--attempt", "1").status == 0
    assert running.lt("logs", run, "--attempt", "4").status == 2


def test_only_what_was_named_is_tried_again_and_not_for_ever(running, folder):
    stopped = running.shell("echo $$ > pid; sleep 60", "--retries", "5")
    always = running.shell("exit 3", "--retries", "2", "--retry-on", "failed")
    other = running.shell("exit 3", "--retries", "2", "--retry-on", "oom,timeout")
    memory = running.launch("--retries", "1", "--retry-on", "oom", "--in-place", "--",
                            sys.executable, "-c", "raise MemoryError()")  # fmt: skip
    limited = running.shell("sleep 60", "--timeout", "1s", "--retries", "1", "--retry-on",
                            "timeout")  # fmt: skip
    running.wait_until((folder / "pid").exists)
    running.ok("stop", "--now", stopped)
    for run, state, attempts in (
        (always, "failed", 3), (other, "failed", 1), (memory, "failed", 2), (limited, "failed", 2),
        (stopped, "stopped", 1),
    ):  # fmt: skip
        found = running.until(run)
        assert (found["state"], found["attempt"]) == (state, attempts)
    wrong = running.lt("launch", "-q", "q", "--retries", "1", "--retry-on", "failled",
                       "--in-place", "--", "true")  # fmt: skip
    assert wrong.status == 2
    assert "failed" in wrong.err


def test_a_start_that_takes_too_long_is_given_up(running, folder):
    own = json.dumps({"start_timeout": "1s"})
    running.ok("queue", "create", "s", "-r", "process", "-c", own, "--tracking", "optional")
    slow = folder / "slow"
    slow.mkdir()
    (folder / "requirements.txt").write_text("./slow\n")
    (slow / "pyproject.toml").write_text(SLOW_BACKEND)
    (slow / "slow.py").write_text("import time\ntime.sleep(60)\n")
    found = running.until(running.launch("--", "true", queue="s"))
    assert (found["state"], found["phase"]) == ("failed", "start"), found
    assert found["failure"] == "start-timeout"
    assert found["cause"] == "was not running within its start limit of 1s"
