"""A job that logs a million keys: the agent goes on with others, and what is shown stays quick."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from launch_tui.domain.limits import METRIC_KEYS
from tests.terminal.terminals import Terminal
from tests.tracking import encoding

KEYS = 1_000_000
WIDTH = 1_000
MEMORY_MB = 160
COPIES = """
folder="$WANDB_DIR/wandb/offline-run-20260101_000000-abc12345"
mkdir -p "$folder" && cp "$1" "$folder/run-abc12345.wandb"
"""


@pytest.mark.timeout(180)
def test_a_million_keys_cost_the_others_nothing(running, folder):
    rows = (
        encoding.history(
            step, {(f"layer.{at}/\x1b]0;x\x07",): at for at in range(low, low + WIDTH)}
        )
        for step, low in enumerate(range(0, KEYS, WIDTH))
    )
    (folder / "much.wandb").write_bytes(encoding.log([*rows, encoding.exit_record(0)]))
    agent = running.agent_pid()
    much = running.launch("--in-place", "--", "sh", "-c", COPIES, "job", str(folder / "much.wandb"))
    other = running.shell("true")
    assert running.until(other, timeout=30)["state"] == "finished"
    assert running.until(much, timeout=90)["state"] == "finished"
    status = Path(f"/proc/{agent}/status").read_text()
    assert int(re.search(r"VmHWM:\s*(\d+)", status)[1]) < MEMORY_MB * 1024
    events = running.ok("events", much).out
    assert events.count("logs more than is kept") == 1
    assert len(running.ok("metrics", much).out.splitlines()) == METRIC_KEYS + 1
    ((_, points),) = running.ok("metrics", much, "layer.0/*", "--json").json.items()
    assert points == [[0, 0.0]]
    assert running.show(much)["tracked"]
    ui = Terminal(home=running.home)
    try:
        ui.wait_for("finished", 60)
        ui.press("j")
        ui.press("\r")
        seen = len(ui.raw)
        # Through the tabs, until the charts are there.
        for _ in range(4):
            ui.press("]")
            with contextlib.suppress(AssertionError):
                ui.wait_for("layer.0/", 8, since=seen)
                break
        ui.wait_for("layer.0/", 1, since=seen)
        ui.press("\x11")
        assert ui.exit_status(30) == 0
        assert b"\x1b]0;x" not in ui.raw
    finally:
        ui.end()
