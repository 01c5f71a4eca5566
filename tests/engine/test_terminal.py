"""Commands in containers at a terminal or a pipe, without the ``docker`` command."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time

import pytest

from launch_tui.engine.terminal import run_in_container
from launch_tui.errors import EngineError

PROGRAM = """
import sys
from launch_tui.engine.client import Engine
from launch_tui.engine.terminal import run_in_container
engine = Engine()
sys.exit(run_in_container(engine, sys.argv[1], sys.argv[2:], {"TERM": "xterm-test", "A": "b c"}))
"""


@pytest.fixture
def container(docker_engine, base_image):
    made = docker_engine.ask_blocking(
        lambda api: api.create_container(base_image, ["sleep", "600"])
    )["Id"]
    docker_engine.ask_blocking(lambda api: api.start(made))
    yield made
    docker_engine.ask_blocking(lambda api: api.remove_container(made, force=True))


def piped(container, *command, given=b""):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, container, *command],
        input=given,
        capture_output=True,
        timeout=50,
    )


def test_a_pipe_keeps_both_outputs_apart_and_the_status(container):
    done = piped(container, "sh", "-c", 'echo out; echo err >&2; echo "$A"; exit 5')
    assert (done.returncode, done.stdout, done.stderr) == (5, b"out\nb c\n", b"err\n")


def test_what_is_given_arrives_whole_and_ends(container):
    given = os.urandom(300_000)
    done = piped(container, "cat", given=given)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == given


def test_much_output_is_whole(container):
    code = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 8000)"
    assert piped(container, "python3", "-c", code).stdout == bytes(range(256)) * 8000


def test_a_command_that_is_not_there(container):
    done = piped(container, "no-such-command")
    assert done.returncode in (126, 127)


def test_a_container_that_is_not_there(docker_engine):
    with pytest.raises(EngineError) as error:
        run_in_container(docker_engine, "no-such-container", ["true"], {})
    assert error.value.status == 404


class Terminal:
    def __init__(self, container, *command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, "-c", PROGRAM, container, *command])
        self.seen = ""

    def size(self, lines, columns):
        packed = b"".join(n.to_bytes(2, "little") for n in (lines, columns, 0, 0))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, packed)

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, text, seconds=20):
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.fd], [], [], 0.1)[0]:
                self.seen += os.read(self.fd, 4096).decode(errors="replace")

    def end(self):
        while True:
            try:
                if not os.read(self.fd, 4096):
                    break
            except OSError:
                break
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def test_at_a_terminal_keys_size_and_interruption_go_through(container):
    terminal = Terminal(container, "sh")
    terminal.type("tty; echo $TERM; echo be''gun\n")
    terminal.until("begun\r\n")
    assert "/dev/pts/" in terminal.seen
    assert "xterm-test" in terminal.seen
    terminal.size(33, 111)
    terminal.type("stty size; echo si''zed\n")
    terminal.until("sized\r\n")
    assert "33 111" in terminal.seen
    terminal.type("echo sle''eping; sleep 600; echo not''reached\n")
    terminal.until("sleeping\r\n")
    terminal.type("\x03")
    # What is typed before the answer to that is thrown away by the terminal inside.
    terminal.until("^C\r\n# ")
    terminal.type("echo af''ter; exit 7\n")
    terminal.until("after\r\n")
    assert terminal.end() == 7
    assert "notreached" not in terminal.seen
