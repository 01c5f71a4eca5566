from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest

from launch_tui.errors import StoreError
from launch_tui.sdk import Launch

NOBODY = 65_534
ROOT = Path(__file__).resolve().parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_data_directory_is_made_for_its_owner_alone(private_home):
    with Launch() as launch:
        assert launch.db.repaired == ""
    assert mode(private_home) == 0o700
    assert mode(private_home / "runs") == 0o700


@pytest.mark.parametrize("wide", [0o755, 0o770, 0o701])
def test_one_that_others_may_enter_is_closed_and_that_is_told(private_home, wide):
    Launch().close()
    private_home.chmod(wide)
    with Launch() as launch:
        assert f"was open to others (mode {wide:04o})" in launch.db.repaired
    assert mode(private_home) == 0o700
    with Launch() as launch:
        assert launch.db.repaired == ""


def test_the_command_line_says_that_it_closed_it(private_home, capsys):
    from launch_tui.cli.program import main

    Launch().close()
    private_home.chmod(0o755)
    assert main(["runs"]) == 0
    err = capsys.readouterr().err
    assert err.count("was open to others") == 1


@as_root
@pytest.mark.parametrize("read_only", [False, True])
def test_another_users_directory_is_refused_and_left_as_it_is(private_home, read_only):
    Launch().close()
    os.chown(private_home, NOBODY, NOBODY)
    before = sorted((p, p.stat().st_mtime_ns) for p in private_home.rglob("*"))
    with pytest.raises(StoreError, match="belongs to nobody, and this is root"):
        Launch(read_only=read_only)
    assert sorted((p, p.stat().st_mtime_ns) for p in private_home.rglob("*")) == before


@pytest.fixture(scope="session")
def other_user(tmp_path_factory):
    """Returns ``start(*words, home, …)``: the command line as another user, in a process."""
    if os.geteuid() != 0:
        pytest.skip("only root can be two users")
    place = Path(tempfile.mkdtemp(prefix="launch-tui-nobody-"))
    os.chown(place, NOBODY, NOBODY)
    path = os.pathsep.join([str(ROOT), *(part for part in sys.path if part)])

    def start(*words, home, python, **how):
        return subprocess.Popen(
            [python, *words] if words[0] == "-c" else [python, "-m", "launch_tui", *words],
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            env={
                "PATH": os.defpath,
                "HOME": str(place),
                "LAUNCH_TUI_HOME": str(home or place / "data"),
                "PYTHONPATH": path,
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            cwd=place,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **how,
        )

    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            child = start("-c", "import launch_tui.cli.program", home=None, python=python)
            child.communicate(timeout=30)
            if child.returncode == 0:
                yield partial(start, home=None, python=python)
                shutil.rmtree(place)
                return
    pytest.skip("needs an interpreter that another user may run")


@pytest.mark.parametrize("words", [["--agent-only"], ["runs"], ["launch", "x"]])
def test_an_agent_and_a_command_line_of_another_user_are_refused(other_user, words):
    home = Path(tempfile.mkdtemp(prefix="launch-tui-of-root-"))
    for wide in (0o755, 0o700):
        home.chmod(wide)
        out, err = (child := other_user(*words, home=home)).communicate(timeout=30)
        assert (child.returncode, out) == (1, "")
        assert "belongs to root, and this is nobody" in err
        assert err.count("\n") == 1
        assert list(home.iterdir()) == []
    home.rmdir()


def test_two_users_on_one_machine_do_not_disturb_each_other(other_user, private_home, wait_until):
    """Each has an agent, and each agent runs the run of its own user, at the same time."""
    command = ("--tracking", "optional", "--max-running", "1")
    own = [sys.executable, "-m", "launch_tui"]
    agent = subprocess.Popen([*own, "--agent-only"], stdout=subprocess.DEVNULL)
    theirs = other_user("--agent-only")
    try:
        for call in (
            lambda *words: subprocess.run([*own, *words], check=True, capture_output=True),
            lambda *words: other_user(*words).communicate(timeout=30),
        ):
            call("queue", "create", "q", "-r", "process", *command)
            call("launch", "-q", "q", "--in-place", "--", "sh", "-c", "id -u; sleep 1")

        def state(text):
            runs = json.loads(text)
            return len(runs) == 1 and runs[0]["state"] == "finished"

        wait_until(
            lambda: state(subprocess.run([*own, "runs", "--json"], capture_output=True).stdout),
            what="the end of our run",
        )
        wait_until(
            lambda: state(other_user("runs", "--json").communicate()[0]), what="the end of theirs"
        )
        assert subprocess.run([*own, "logs", "@"], capture_output=True).stdout == b"0\n"
        assert other_user("logs", "@").communicate()[0] == f"{NOBODY}\n"
    finally:
        for child in (agent, theirs):
            child.terminate()
            child.communicate(timeout=20)
