"""The launcher of containers, in the shells of this machine: token, log, and what cannot be run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import pytest

from launch_tui.targets.container_launcher import (
    GROUP_VARIABLE,
    SCRIPT,
    TAKEN,
    UNABLE,
    why_not_started,
)
from launch_tui.targets.container_mounts import INSIDE

SHELLS = [("sh",), ("dash",), ("bash", "--posix"), ("bash",), ("busybox", "sh")]


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request):
    if shutil.which(request.param[0]) is None:
        pytest.skip(f"needs {request.param[0]}")
    return request.param


@pytest.fixture
def place(tmp_path):
    """The folder that stands for the one that a container has."""
    (tmp_path / "token").mkdir()
    return tmp_path


def launch(place, shell, *command, **how):
    script = SCRIPT.replace(INSIDE, str(place))
    words = [shutil.which(shell[0]), *shell[1:], "-c", script, "launch-tui", *command]
    return subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, **how)


def log(place):
    return (place / "output.log").read_bytes()


def script(path, text, mode=0o755):
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_the_command_gets_its_words_as_they_are_and_all_output_is_in_the_log(place, shell):
    words = ["", "a b", "*", "$HOME", "`id`", "'\"\\", "-n", "\n"]
    show = 'printf "<%s>" "$@"; printf err >&2; printf "no end"'
    done = launch(place, shell, "sh", "-c", show, "x", *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert log(place) == "".join(f"<{word}>" for word in words).encode() + b"errno end"
    assert why_not_started(place) == ""


def test_the_log_is_added_to(place, shell):
    (place / "output.log").write_bytes(b"before\n")
    launch(place, shell, "echo", "after")
    assert log(place) == b"before\nafter\n"


def test_the_environment_is_the_given_one(place, shell):
    given = {"PATH": os.environ["PATH"], "IFS": ":", "A": "x  y\n", GROUP_VARIABLE: "1"}
    done = launch(place, shell, "env", "-0", env=given)
    assert done.returncode == 0
    found = dict(pair.split("=", 1) for pair in log(place).decode().split("\0") if pair)
    # Each shell has some of its own.
    for name in ("PWD", "SHLVL", "_", "OLDPWD", "IFS"):
        found.pop(name, None)
    assert found == {"PATH": os.environ["PATH"], "A": "x  y\n"}


@pytest.mark.parametrize(("code", "status"), [("exit 7", 7), ("kill -TERM $$", -signal.SIGTERM)])
def test_the_end_is_the_commands_own(place, shell, code, status):
    assert launch(place, shell, "sh", "-c", code).returncode == status


def test_the_command_is_the_same_process(place, shell):
    script = SCRIPT.replace(INSIDE, str(place))
    words = [shutil.which(shell[0]), *shell[1:], "-c", script, "launch-tui", "sh", "-c", "echo $$"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        process.communicate()
    assert log(place) == f"{process.pid}\n".encode()


def test_only_the_first_starts_anything(place, shell):
    assert launch(place, shell, "echo", "once").returncode == 0
    done = launch(place, shell, "echo", "twice")
    assert (done.returncode, done.stdout) == (TAKEN, b"")
    assert log(place) == b"once\n"
    assert (place / "token" / "again").exists()


def test_of_many_at_once_one_starts(place, shell):
    script = SCRIPT.replace(INSIDE, str(place))
    words = [shutil.which(shell[0]), *shell[1:], "-c", script, "launch-tui", "echo", "once"]
    started = [subprocess.Popen(words) for _ in range(12)]
    assert sorted(each.wait() for each in started) == [0] + [TAKEN] * 11
    assert log(place) == b"once\n"


@pytest.mark.parametrize(
    ("program", "status", "why"),
    [
        ("no-such-program", 127, "command not found: no-such-program"),
        ("./no-such-program", 127, "command not found: ./no-such-program"),
        ("", 127, "command not found: "),
        ("{place}/plain", 126, "permission denied: {place}/plain"),
        ("{place}", 126, "permission denied: {place}"),
        ("plain", 126, "permission denied: plain"),
        ("{place}/script", 127, "{place}/script: no such interpreter"),
    ],
)
def test_what_cannot_be_run_is_told_as_of_a_process(place, shell, program, status, why):
    script(place / "plain", "x", 0o644)
    script(place / "script", "#!/no/such/interpreter\n")
    program, why = program.format(place=place), why.format(place=place)
    path = f"{os.environ['PATH']}:{place}"
    done = launch(place, shell, program, env={"PATH": path}, cwd=place)
    assert done.returncode == status
    assert log(place).splitlines()[-1] == f"launch_tui: {why}".encode()
    assert why_not_started(place) == why.strip()


def test_what_is_no_program_at_all(place, shell):
    if shell[0] == "busybox":
        pytest.skip("its exec runs every file as a script")
    garbage = script(place / "garbage", "\x7fELF\x00\x01 nothing")
    assert launch(place, shell, garbage).returncode == 126
    assert why_not_started(place) == f"cannot execute {garbage}"


def test_a_program_further_along_the_path_is_found(place, shell):
    for folder in ("one", "two"):
        (place / folder).mkdir()
    script(place / "one" / "job", "x", 0o644)
    script(place / "two" / "job", "#!/bin/sh\necho second\n")
    path = f"{place / 'one'}::{place / 'two'}:{os.environ['PATH']}"
    assert launch(place, shell, "job", env={"PATH": path}).returncode == 0
    assert log(place) == b"second\n"


@pytest.mark.parametrize("what", ["token", "output.log"])
def test_where_there_is_nothing_to_write_to_nothing_is_started(place, shell, what):
    if what == "token":
        (place / "token").rmdir()
    else:
        (place / "output.log").mkdir()
    done = launch(place, shell, "touch", place / "never")
    assert done.returncode == UNABLE
    assert done.stderr
    assert not (place / "never").exists()


def test_a_note_that_a_full_disk_left_empty(place):
    (place / "token" / "not_started").touch()
    assert why_not_started(place) == "the command could not be executed"


def test_a_note_is_read_in_one_line_and_not_without_end(place):
    (place / "token" / "not_started").write_bytes(b"a\nb \xff\n" + b"x" * 100_000)
    why = why_not_started(place)
    assert why.startswith("a b \N{REPLACEMENT CHARACTER} x")
    assert len(why) < 5000


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"LAUNCH_TUI_HOOK": "/h", "LAUNCH_TUI_INPUTS": "/i"}, "/h"),
        ({"LAUNCH_TUI_HOOK": "/h", "LAUNCH_TUI_INPUTS": "/i", "PYTHONPATH": "/a b"}, "/h:/a b"),
        ({"LAUNCH_TUI_HOOK": "/h", "LAUNCH_TUI_INPUTS": "", "PYTHONPATH": "/a"}, "/a"),
        ({}, "none"),
    ],
)  # fmt: skip
def test_what_listens_goes_before_the_images_own_modules(place, shell, given, path):
    show = 'echo "${PYTHONPATH-none} ${LAUNCH_TUI_HOOK-gone}"'
    done = launch(place, shell, "sh", "-c", show, env={"PATH": os.environ["PATH"], **given})
    assert (done.returncode, log(place)) == (0, f"{path} gone\n".encode())
