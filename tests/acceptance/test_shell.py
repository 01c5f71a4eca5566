"""``shell RUN``: what somebody has before themselves who wants to look at a run."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from pathlib import Path

import pytest

from tests.acceptance.conftest import COMMAND

WAITS = (
    'touch "$LAUNCH_TUI_RUN_DIR/up"; while [ ! -e "$LAUNCH_TUI_RUN_DIR/go" ]; do sleep 0.05; done'
)
LOOK = 'pwd; echo "$MARK:$LAUNCH_TUI_RUN_ID:$LAUNCH_TUI_HANDLE"; id -u; exit 4\n'


@pytest.fixture
def docker(running, docker_engine):
    running.ok("queue", "create", "docker", "-r", "docker", "--tracking", "optional")
    return running


def up(world, run):
    """Wait until a job that waits has begun, and return the folder it shares."""
    shared = Path(world.show(run)["directory"], "shared")
    world.wait_until(lambda: (shared / "up").exists(), what="the job to begin", timeout=60)
    world.until(run, "running")
    return shared


def test_beside_a_process_it_has_the_jobs_folder_and_variables(running, folder):
    words = ("--setenv", "MARK=a b", "--", "sh", "-c", WAITS)
    run = running.launch(*words)
    shared = up(running, run)
    seen = running.lt("shell", run, stdin=LOOK, env={"SHELL": "/bin/sh", "MARK": "mine"})
    assert seen.status == 4
    source = Path(running.show(run)["directory"], "1", "source")
    assert seen.out.splitlines() == [str(source), f"a b:{run}:", str(os.getuid())]
    assert running.show(run)["state"] == "running"
    (shared / "go").touch()
    assert running.until(run)["state"] == "finished"
    # Afterwards the folder is still there, and what was captured at the launch.
    seen = running.lt("shell", run, stdin=LOOK, env={"SHELL": "/bin/sh", "MARK": "mine"})
    assert seen.out.splitlines()[:2] == [str(source), f"a b:{run}:"]


def test_in_place_it_is_the_folder_itself(running, folder):
    run = running.shell("true")
    running.until(run)
    assert running.lt("shell", run, stdin="pwd\n").out == f"{folder}\n"


def test_there_is_none_for_what_has_not_begun(world, folder):
    run = world.launch("--", "true")
    seen = world.lt("shell", run)
    assert (seen.status, seen.out) == (2, "")
    assert seen.err.startswith(f"launch-tui: RUN: {run} is queued, its folder is not yet there")
    assert world.lt("shell", "@~7").status == 2
    assert world.lt("shell").status == 2


def test_a_shell_that_is_not_there_is_told(running, folder):
    run = running.shell("true")
    running.until(run)
    seen = running.lt("shell", run, env={"SHELL": "/no/such/shell"})
    assert (seen.status, seen.err.count("\n")) == (1, 1)
    assert "/no/such/shell" in seen.err


def in_container(world, image, *words):
    return world.launch(
        "-d", image, "--setenv", "MARK=a b", *words, "--", "sh", "-c", WAITS, queue="docker"
    )


def test_in_a_container_it_is_beside_the_job(docker, base_image):
    run = in_container(docker, base_image)
    shared = up(docker, run)
    seen = docker.lt("shell", run, stdin=LOOK)
    assert seen.status == 4
    inside, marked, user = seen.out.splitlines()
    assert (inside, user) == ("/", str(os.getuid()))
    assert marked.startswith(f"a b:{run}:")
    seen = docker.lt("shell", run, stdin="hostname; tr '\\0' ' ' < /proc/1/cmdline; echo $0\n")
    assert "docker-init" in seen.out
    assert seen.out.splitlines()[-1].endswith("bash")
    (shared / "go").touch()
    assert docker.until(run)["state"] == "finished"


def test_in_an_image_without_a_shell_there_is_the_one_it_was_lent(docker, tiny_image):
    waits = WAITS.replace("touch", "/busybox touch").replace("sleep", "/busybox sleep")
    words = ("-d", tiny_image, "--", "/busybox", "sh", "-c", waits)
    run = docker.launch(*words, queue="docker")
    shared = up(docker, run)
    seen = docker.lt("shell", run, stdin="echo in a shell; exit 3\n")
    assert (seen.status, seen.out) == (3, "in a shell\n")
    (shared / "go").touch()
    assert docker.until(run)["state"] == "finished"


def test_a_container_that_has_ended(docker, base_image):
    gone, kept = in_container(docker, base_image), in_container(docker, base_image, "--keep")
    for run in (gone, kept):
        (up(docker, run) / "go").touch()
        docker.until(run)
    name = f"launch-tui-{gone}.1"
    words = ("docker", "ps", "-aq", "--filter", f"name={name}")
    docker.wait_until(lambda: not subprocess.check_output(words), what="its removal")
    seen = docker.lt("shell", gone)
    assert (seen.status, seen.err.count("\n")) == (2, 1)
    assert f"{gone} is finished, and its container is gone" in seen.err
    assert "--keep" in seen.err
    seen = docker.lt("shell", kept)
    assert f"its container launch-tui-{kept}.1 is kept and does not run" in seen.err
    subprocess.run(("docker", "rm", f"launch-tui-{kept}.1"), check=True, capture_output=True)


def test_a_container_that_is_not_there_yet(docker, base_image):
    run = in_container(docker, base_image, "--begin", "+1h")
    seen = docker.lt("shell", run)
    assert (seen.status, seen.out) == (2, "")
    assert f"{run} is queued (allowed: a run whose container runs)" in seen.err


class Terminal:
    """A command line at a terminal of its own."""

    def __init__(self, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm-test"
            os.execv(COMMAND[0], (*COMMAND, *words))
        self.seen = b""

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, text, seconds=20):
        deadline = time.monotonic() + seconds
        while text not in self.seen.decode(errors="replace"):
            assert time.monotonic() < deadline, self.seen
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.fd, 4096)
                except OSError:
                    raise AssertionError(self.seen) from None

    def status(self):
        while True:
            try:
                if not os.read(self.fd, 4096):
                    break
            except OSError:
                break
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def test_at_a_terminal_it_is_one(docker, base_image):
    run = in_container(docker, base_image)
    shared = up(docker, run)
    terminal = Terminal("--home", str(docker.home), "shell", run)
    terminal.until(f"run {run} (running) in container launch-tui-{run}.1; `exit` leaves")
    terminal.type("tty; echo $TERM; echo be''gun\n")
    terminal.until("begun")
    assert b"/dev/pts/" in terminal.seen
    assert b"xterm-test" in terminal.seen
    terminal.type("echo sle''eping; sleep 600\n")
    terminal.until("sleeping\r\n")
    terminal.type("\x03")
    # What is typed before the answer to that is thrown away by the terminal inside.
    terminal.seen = b""
    terminal.until("# ")
    terminal.type("echo int''errupted; exit 7\n")
    terminal.until("interrupted")
    assert terminal.status() == 7
    assert docker.show(run)["state"] == "running"
    (shared / "go").touch()
    assert docker.until(run)["state"] == "finished"
