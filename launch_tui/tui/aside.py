"""Standing aside for another program: it has the terminal, and all that is typed, until it ends."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from launch_tui.tui.app import LaunchApp


@contextmanager
def standing_aside(app: LaunchApp) -> Iterator[None]:
    """Leave the terminal to a program that is run within.

    The terminal sends an interrupt to the UI as well, which is in the same group of processes: it
    is the program's alone. It is not ignored but let pass: what is ignored here would be ignored
    by the program, too.
    """
    with app.suspend():
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
