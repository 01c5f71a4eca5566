"""A walk through a real run's log by its keys: search, filter, wrap, select, save, side by side."""

from __future__ import annotations

import base64
import re

import pytest

ENTER, CLEAR = "\r", "\x15"
LINES = 3_000
SHELL = rf"""
i=0; while [ $i -lt {LINES} ]; do echo "line $i of the job"; i=$((i+1)); done
printf '\033[31mERROR\033[0m worker 7 has died\n'
printf 'long %0200d end\n' 7
printf 'epochs 0'; for n in 1 2 3 4 5 6; do printf '\n\rbatches %s\033[A' $n; done
printf '\n\nready\n'; exec sleep 300
"""


def written(box, run, wait_until):
    """Wait until a run has written all it will."""
    wait_until(lambda: box.state(run) == "running", 30, "the run")
    log = box.launch.runs.log_path(run)
    wait_until(lambda: log.exists() and log.read_bytes().endswith(b"ready\n"), 30, "its log")


def seen(ui, keys, words):
    """Press keys and wait for words that are drawn because of them."""
    since = len(ui.raw)
    ui.press(keys)
    ui.wait_for(words, since=since)


def answered(ui, keys):
    """Press keys and wait until something is drawn."""
    since = len(ui.raw)
    ui.press(keys)
    ui.wait_until(lambda: len(ui.raw) > since, what=repr(keys))


@pytest.mark.slow
def test_a_log_is_searched_filtered_selected_and_saved(box, tmp_path, wait_until):
    run = box.run(SHELL)
    ui = box.open()
    written(box, run, wait_until)
    ui.wait_for("ready")
    seen(ui, ENTER, "Events")
    # Nested bars are one line each, as last drawn.
    assert "batches 6" in ui.text
    seen(ui, "/" + "line 17.. of" + ENTER, "1 of 100")
    seen(ui, "n", "2 of 100")
    seen(ui, "N", "1 of 100")
    seen(ui, "E", "errors 1 of 1")
    seen(ui, "&" + "of the job" + ENTER, f"&of the job {LINES:,} lines")
    # An empty pattern shows all again.
    seen(ui, "&" + ENTER + "G", "ready")
    seen(ui, "w", "7 end")
    ui.press("w")
    seen(ui, "v", "1 line: y")
    seen(ui, "kk", "3 lines: y")
    since = len(ui.raw)
    seen(ui, "y", "copied 3 lines")
    # From the error that was gone to last, which is in view, upwards.
    wanted = "line 2998 of the job\nline 2999 of the job\nERROR worker 7 has died"
    assert copied(ui.raw[since:]) == wanted
    seen(ui, "W", "lines, as they were written")
    target = tmp_path / "saved.log"
    seen(ui, CLEAR, "path of a file")
    ui.press(str(target) + ENTER)
    ui.wait_until(target.exists, 10, "the saved log")
    assert target.read_bytes() == box.launch.runs.log_path(run).read_bytes()


def copied(raw):
    """What the last OSC 52 has put to the clipboard."""
    found = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)", bytes(raw))
    return base64.b64decode(found[-1]).decode()


@pytest.mark.slow
def test_two_logs_stand_side_by_side(box, wait_until):
    first = box.run(SHELL)
    ui = box.open()
    written(box, first, wait_until)
    box.launch.runs.stop(first, now=True)
    second = box.run(SHELL)
    written(box, second, wait_until)
    ui.wait_for(second)
    # The key may come before the second row.
    ui.wait_until(lambda: _pressed(ui, "*"), what="two marks")
    seen(ui, "L", "stopped")
    answered(ui, "\t")
    seen(ui, "/" + "job" + ENTER, f"of {LINES:,}")


def _pressed(ui, key):
    since = len(ui.raw)
    ui.press(key)
    try:
        ui.wait_for("2 marked", timeout=2, since=since)
    except AssertionError:
        return False
    return True


@pytest.mark.slow
def test_what_is_typed_in_one_go_after_a_prompts_key_acts_on_no_run(box, wait_until):
    box.launch.queues.pause("gpu")
    run = box.run(SHELL)
    before = box.launch.runs.get(run)
    ui = box.open()
    ui.wait_for(run)
    seen(ui, "/some-x+D\r", "hides")
    seen(ui, "/\x15other-x\r", "other-x")
    seen(ui, "\x1b", run)
    seen(ui, ":help: keys (this\r", "esc closes")
    after = box.launch.runs.get(run)
    assert (after.priority, after.state) == (before.priority, before.state)
