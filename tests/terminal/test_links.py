"""What the terminal is sent, and what becomes of the agent when it stops taking anything."""

from __future__ import annotations

import re
import sys
import time

from tests.tui.test_app import HOSTILE

HEAVY = {"wandb", "docker", "httpx", "requests", "sqlite_utils", "git", "jsonschema", "yaml",
         "watchfiles", "numpy", "pydantic", "keyring", "email.parser", "http.client",
         "launch_tui.agent.loop", "launch_tui.builders.venv"}  # fmt: skip


def test_a_hung_terminal_does_not_hold_up_the_agent(box):
    box.launch.queues.update("gpu", max_running=20)
    noisy = box.run(f"exec {sys.executable} -c 'while 1: print(\"x\" * 100)'")
    terminal = box.open()
    terminal.wait_until(lambda: box.state(noisy) == "running", what="the run")
    terminal.wait_for("xxxxxxxx")
    terminal.hang()
    hung = time.monotonic()
    while time.monotonic() - hung < 4:
        run_id = box.run("true")
        terminal.wait_until(lambda run_id=run_id: box.state(run_id) == "finished", what="a run")
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


def test_nothing_heavy_is_loaded_before_the_first_paint(box):
    """What the first paint costs is bench/ui.py's; here that nothing crept in before it."""
    terminal = box.open("--read-only", environment={"PYTHONPROFILEIMPORTTIME": "1"})
    terminal.wait_for("Runs")
    before, _, _ = terminal.text.partition("Runs")
    loaded = set(re.findall(r"import time:[ \d]+\|[ \d]+\| +(\S+)", before))
    assert {"textual.app", "launch_tui.tui.app"} <= loaded
    assert not HEAVY & loaded


def test_without_a_terminal_it_says_what_to_use(box):
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "launch_tui"], capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--agent-only" in done.stderr
