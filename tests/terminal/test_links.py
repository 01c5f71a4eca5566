"""What the terminal is sent, and what becomes of the agent when it stops taking anything."""

from __future__ import annotations

import sys
import time
from datetime import datetime

from tests.tui.test_app import HOSTILE

BARE = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("Runs")

Bare().run()
"""


def claimed_after(box, run_id):
    """Seconds from enqueue to claim."""
    run = box.launch.runs.get(run_id)
    times = [datetime.fromisoformat(text) for text in (run.created_at, run.claimed_at)]
    return (times[1] - times[0]).total_seconds()


def test_a_hung_terminal_does_not_hold_up_the_agent(box):
    box.launch.queues.update("gpu", max_running=20)
    noisy = box.run(f"exec {sys.executable} -c 'while 1: print(\"x\" * 100)'")
    terminal = box.open()
    terminal.wait_until(lambda: box.state(noisy) == "running", what="the run")
    terminal.wait_for("xxxxxxxx")
    terminal.hang()
    hung = time.monotonic()
    delays = []
    while time.monotonic() - hung < 4:
        run_id = box.run("true")
        terminal.wait_until(lambda run_id=run_id: box.state(run_id) == "finished", what="a run")
        delays.append(claimed_after(box, run_id))
    assert len(delays) > 3
    assert max(delays) < 1
    terminal.go_on()
    seen = len(terminal.raw)
    terminal.wait_until(lambda: len(terminal.raw) > seen + 1000, what="the screen going on")
    before = len(terminal.raw)
    terminal.press("2")
    terminal.wait_until(lambda: len(terminal.raw) > before, what="the answer to a key")
    box.launch.runs.stop(noisy, now=True)


def test_an_idle_screen_sends_nothing(box):
    terminal = box.open()
    terminal.wait_for("Runs")
    terminal.wait_until(lambda: box.agent_pid() == terminal.pid, what="the agent")
    quiet_since, size = time.monotonic(), -1
    deadline = quiet_since + 20
    while time.monotonic() - quiet_since < 3:
        assert time.monotonic() < deadline, terminal.raw[-500:]
        if len(terminal.raw) != size:
            quiet_since, size = time.monotonic(), len(terminal.raw)
        time.sleep(0.01)


def test_hostile_names_and_logs_reach_no_terminal(box):
    payloads = (b"\x1b]0;owned", b"\x1b[2Jjob", b"\x9b31m")
    run_id = box.run(f"printf '%s' {HOSTILE!r}; printf '\\033]0;owned\\007'; echo end-of-log",
                     name=HOSTILE, note=HOSTILE, tags=(HOSTILE,))  # fmt: skip
    terminal = box.open()
    terminal.wait_until(lambda: box.state(run_id) == "finished", what="the run")
    terminal.wait_for("end-of-log")
    terminal.press("\r")
    terminal.wait_for("Events")
    for _ in range(5):
        size = len(terminal.raw)
        terminal.press("]")
        terminal.wait_until(lambda size=size: len(terminal.raw) > size, what="the next tab")
    raw = bytes(terminal.raw)
    for payload in payloads:
        assert payload not in raw, payload
    terminal.press("q")
    assert terminal.exit_status() == 0


def test_the_first_paint_comes_soon(box):
    times = {"bare": [], "ours": []}
    for _ in range(3):
        bare = box.open(code=BARE)
        times["bare"].append(bare.wait_for("Runs"))
        bare.end()
        ours = box.open("--read-only")
        times["ours"].append(ours.wait_for("Runs"))
        ours.end()
    # The figure itself is bench/ui.py's; here only that nothing heavy crept in.
    assert min(times["ours"]) < 3 * min(times["bare"]), times


def test_without_a_terminal_it_says_what_to_use(box):
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "launch_tui"], capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--agent-only" in done.stderr
