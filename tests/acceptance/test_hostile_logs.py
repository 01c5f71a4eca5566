"""What a job may print: no end of it, no line end, noise, a flood, and whatever a terminal obeys.

Real jobs under a real agent. ``HOSTILE_LOG_MB=1024`` makes each of them print a gigabyte.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import COMMAND
from tests.terminal.terminals import Terminal

SIZE = int(os.environ.get("HOSTILE_LOG_MB", "24")) << 20
LONG = 60 + SIZE / (8 << 20)
"""Seconds until the slowest machine has printed and read that."""
MEMORY_MB = 100

PRINTERS = {
    "usual lines": "block = b''.join(b'step %9d loss=0.%09d\\n' % (i, i) for i in range(30000))",
    "one line without an end": "block = b'x' * (1 << 20)",
    "a bar drawn over itself": "block = b''.join(b'\\r%3d%%|##|' % (i % 100) for i in range(9999))",
    "noise": "block = os.urandom(1 << 20)",
    "empty lines": "block = b'\\n' * (1 << 20)",
    "line numbers": "block = b''.join(b'%d\\n' % i for i in range(150000))",
}
PRINTER = """
import hashlib, os, sys
{block}
left, digest = {size}, hashlib.sha256()
while left > 0:
    part = block[:left]
    os.write(1, part) == len(part) or sys.exit(9)
    digest.update(part)
    left -= len(part)
open(os.environ["LAUNCH_TUI_RUN_DIR"] + "/digest", "w").write(digest.hexdigest())
sys.exit(3)
"""
HOSTILE = [
    b"\x1b]0;OWNED-title\x07", b"\x1b]2;OWNED-title\x1b\\", b"\x1b]52;c;T1dORUQ=\x07",
    b"\x1b]8;;file:///OWNED\x07link\x1b]8;;\x07", b"\x1b]1337;File=inline=1:T1dORUQ=\x07",
    b"\x1b]10;?\x07\x1b]11;?\x07\x1b]4;1;?\x07", b"\x1b]777;notify;OWNED;x\x07",
    b"\x1b]9;OWNED\x07",
    b"\x1b[c\x1b[>c\x1b[=c\x1b[5n\x1b[6n\x1b[?6n\x1b[>q\x1b[14t\x1b[18t\x1b[21t\x1bZ\x05",
    b"\x1bP+q544e\x1b\\\x1bP$qm\x1b\\\x1bP1000p\x1b\\", b"\x1bPq#0;2;0;0;0#0!9~\x1b\\",
    b"\x1b_Gf=24,s=1,v=1;T1dORUQ=\x1b\\", b"\x1b^OWNED\x1b\\\x1bXOWNED\x1b\\\x1bkOWNED\x1b\\",
    b"\x1b[?1049l\x1b[?1049h\x1b[?47h\x1b[?1000h\x1b[?2004h\x1b[?25l\x1b[?5h\x1b[?3h\x1b[?9001h",
    b"\x1b[2J\x1b[3J\x1b[H\x1b[9;9H\x1b[1;2r\x1b[99A\x1b[4h\x1b[20h\x1b[!p\x1bc\x1b#8",
    b"\x1b[8;1;1t\x1b[3;0;0t\x1b[2t\x1b[5i\x1b[4i",
    b"\x0e\x1b(0lqqk\x1b)B\x1bN\x1bO\x1b7\x1b8\x1bD\x1bM",
    b"\a" * 2000, b"\b" * 2000, b"\0" * 2000, b"\v\f\x7f\x1a\x18\x04\x11\x13",
    "\x9b6n\x9d0;OWNED\x9c\x90q\x9c\x85\x84\x8d\x8e".encode(), bytes(range(0x80, 0xA0)) * 8,
    b"\x9b6n\x9d0;OWNED\x07", b"\xff\xfe\xc0\xaf\xed\xa0\x80\xf5\x80\x80\x80\xe2\x82",
    "\u202eOWNED\u202c \u2066x\u2069 \u200f\u061c\u2028\u2029".encode(),
    "\U000e0041\U000e0042\ufff9a\ufffab\ufffb".encode(),
    b"a" + "\u0301\u0334\u0489".encode() * 4000,
    "日本語👩‍👩‍👧‍👦🏳️‍🌈".encode() * 500, ("\u200d" * 3000).encode(), b"\x1b[" + b"9" * 70_000 + b"m",
    b"\x1b[" + b"1;" * 40_000 + b"m", b"\x1b[38;2;1m\x1b[48;5m\x1b[38:2::9999:1:1mcolour\x1b[m",
    b"\x1b[8mhidden\x1b[0m", b"\x1b]0;never ended " + b"z" * 9000, b"\x1bPnever ended either",
    b"ordinary last words", b"\x1b]0;OWNED", b"\x1b[", b"\x1b",
]  # fmt: skip

_OBEYED = re.compile(
    r"\x1b(?:\[(?P<csi>[0-?]*[ -/]*[@-~])|(?P<string>[\]P^_Xk][^\x07\x1b]*)|(?P<other>[ -/]*[0-~]))"
)
_ACTS = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f]"
)


def memory_mb(pid):
    (line,) = re.findall(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(line) / 1024


def printed(*words):
    """Run ``logs`` into a pipe and return how many bytes come out of it."""
    count = 0
    with subprocess.Popen([*COMMAND, "logs", *words], stdout=subprocess.PIPE) as child:
        while part := child.stdout.read(1 << 20):
            count += len(part)
    return count


@contextlib.contextmanager
def screen(world, **how):
    """The UI in a terminal of its own, which attaches to the agent that runs."""
    terminal = Terminal(home=world.home, **how)
    try:
        yield terminal
    finally:
        terminal.end()


def opened(world, last_words):
    """Look at a run's preview, its log to both ends, and search it; return all that was written."""
    with screen(world) as ui:
        ui.wait_for(last_words, LONG)
        seen = len(ui.raw)
        ui.press("\r")
        ui.wait_for("exit status 3", LONG, since=seen)
        drawn = len(ui.raw)
        for key in "gGwgGw/":
            ui.press(key)
        # What is typed before the prompt is open would be keys of the screen.
        ui.wait_for("/█", LONG, since=drawn)
        ui.press("nowhere\r")
        ui.wait_for("no match", LONG)
        peak = memory_mb(ui.pid)
        ui.press("\x11")
        assert ui.exit_status() == 0
        return bytes(ui.raw), peak


def obeyed(raw):
    """The kinds of sequences in what was written, the characters that act, and what is left."""
    text = raw.decode("utf-8", "surrogateescape")
    kinds = set()
    for match in _OBEYED.finditer(text):
        csi, string, other = match["csi"], match["string"], match["other"]
        if csi:
            private = csi[0] if csi[0] in "?<=>" else ""
            # Which mode is set matters, where the cursor goes does not.
            kinds.add(f"CSI {csi if private else csi[-1]}")
        elif string and string.startswith("]2;launch"):
            kinds.add("our title")
        else:
            kinds.add(f"string {string}" if string else f"ESC {other}")
    return kinds, set(_ACTS.findall(_OBEYED.sub("", text).replace("\a", "")))


@pytest.mark.timeout(20 * LONG)
@pytest.mark.parametrize("kind", PRINTERS)
def test_what_a_job_prints_is_kept_whole_in_bounded_memory(kind, running, folder):
    agent = running.agent_pid()
    (folder / "job.py").write_text(PRINTER.format(block=PRINTERS[kind], size=SIZE))
    run = running.launch("--in-place", "--", sys.executable, "job.py")
    assert printed("-f", run) == SIZE
    found = running.until(run, timeout=LONG)
    assert (found["state"], found["exit_code"]) == ("failed", 3)
    log = Path(found["directory"], "1", "output.log")
    with log.open("rb") as file:
        kept = hashlib.file_digest(file, "sha256").hexdigest()
    assert kept == Path(found["directory"], "shared", "digest").read_text()
    assert log.stat().st_size == printed(run) == SIZE
    assert len(found["cause"]) < 400
    told = running.ok("show", run).out + running.ok("report", run, timeout=LONG).out
    assert len(told) < 1 << 20
    assert not _ACTS.search(told)
    assert memory_mb(agent) < MEMORY_MB
    _, peak = opened(running, "exit status 3")
    assert peak < 2 * MEMORY_MB


@pytest.mark.timeout(240)
def test_nothing_that_a_terminal_obeys_gets_through(running, folder):
    (folder / "harmless").write_bytes(b"ordinary words\n" * 60)
    (folder / "hostile").write_bytes(b"\n".join([*HOSTILE, *HOSTILE]))
    harmless = running.shell("cat harmless; exit 3", "--note", "x")
    running.until(harmless)
    ours, _ = opened(running, "exit status 3")
    hostile = running.shell("cat hostile; exit 3", "--note", "\x1b]0;OWNED\x07\u202e")
    running.until(hostile)
    log = Path(running.show(hostile)["directory"], "1", "output.log")
    assert log.read_bytes() == (folder / "hostile").read_bytes()
    theirs, _ = opened(running, "exit status 3")
    assert obeyed(theirs) == obeyed(ours)
    for words in (
        ("logs", hostile), ("logs", hostile, "-f"), ("logs", hostile, "-n", "40"),
        ("show", hostile), ("report", hostile), ("runs",), ("events", hostile), ("why", hostile),
    ):  # fmt: skip
        terminal = Terminal(*words, home=running.home)
        try:
            assert terminal.exit_status() == 0
            terminal.wait_until(lambda t=terminal: t.drained, what="its last words")
        finally:
            terminal.end()
        assert obeyed(bytes(terminal.raw)) in ((set(), set()), ({"CSI m"}, set())), words


@pytest.mark.timeout(120)
def test_a_line_that_never_ends_is_told_in_the_failure(running, folder):
    said = "b'x' * (4 << 20) + b'ValueError: no \\x1b]0;OWNED\\x07 end'"
    script = f"import os; os.write(1, {said}); os._exit(1)"
    (folder / "job.py").write_text(script)
    run = running.launch("--in-place", "--", sys.executable, "job.py")
    found = running.until(run)
    assert "\x1b" not in running.ok("show", run).out
    assert len(found["cause"]) < 400
