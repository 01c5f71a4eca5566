from __future__ import annotations

import os

from launch_tui.sdk import Launch
from tests.terminal.terminals import Terminal


def test_a_damaged_store_is_told_in_one_line_before_any_screen(private_home):
    with Launch(private_home) as launch:
        launch.queues.create("gpu", "local-process")
    store = launch.home.store
    os.truncate(store, store.stat().st_size // 2)
    terminal = Terminal(home=private_home)
    try:
        assert terminal.exit_status() == 1
        said = terminal.text.replace("\r", "").split("\n")
        assert [line for line in said if "damaged: it is cut off" in line]
        assert "fsck --repair" in " ".join(said)
        assert "Traceback" not in terminal.text
    finally:
        terminal.end()
