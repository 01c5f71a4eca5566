"""The only timer of the UI: says when the store has changed and when to draw a frame.

Whatever is live on the screen follows one of the three signals here, so that an idle screen costs a
few system calls a second and sends nothing. A terminal that does not keep up skips frames instead
of stalling the UI: Textual's writer blocks once thirty writes wait, and one frame can be many.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from textual.signal import Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App
    from textual.timer import Timer

FRAMES_PER_SECOND = 10.0

_WRITES_WAITING = 3
_REMEMBERED = 20
_NOTICEABLE = 3


class Changes(Protocol):
    """What the pulse asks of the store."""

    def changed(self) -> bool:
        """Whether anything was committed since the last call."""
        ...


class Pulse:
    """Publishes ``store_changed``, ``frame`` and ``minute``, never faster than the terminal.

    Args:
        app: The application whose terminal is drawn to.
        store: Says when something was committed.
        fps: Ticks in a second.
        live: Whether a run is live; ages are drawn anew each minute only then.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        app: App[Any],
        store: Changes,
        *,
        fps: float = FRAMES_PER_SECOND,
        live: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store_changed: Signal[None] = Signal(app, "store_changed")
        """Something was committed: visible panes ask again."""
        self.frame: Signal[None] = Signal(app, "frame")
        """Logs look at their file, charts draw if there is something new."""
        self.minute: Signal[None] = Signal(app, "minute")
        """A minute has passed with a live run: ages are drawn anew."""
        self.skipped = 0
        """Frames that the terminal was too slow for."""
        self._app = app
        self._store = store
        self._fps = fps
        self._live = live
        self._clock = clock
        self._minute = clock() // 60
        self._sent: deque[bool] = deque(maxlen=_REMEMBERED)
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin to tick on the application's loop, once the screen stands."""
        if self._timer is None:
            # What was imported and built until now lives as long as the program, and a full
            # collection that walks it all stops the UI for 50 ms and more.
            gc.freeze()
            self._timer = self._app.set_interval(1 / self._fps, self.tick, name="pulse")

    def stop(self) -> None:
        """End the ticking."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def tick(self) -> None:
        """Publish what is due, or nothing while the terminal is behind."""
        open_gate = self._writes_waiting() <= _WRITES_WAITING
        self._sent.append(open_gate)
        if not open_gate:
            # Nothing is marked as seen: the next tick that gets through finds it all.
            self.skipped += 1
            return
        if self._store.changed():
            self.store_changed.publish(None)
        minute = self._clock() // 60
        if minute != self._minute:
            self._minute = minute
            if self._live():
                self.minute.publish(None)
        self.frame.publish(None)

    @property
    def slow_link(self) -> str:
        """``slow link 3 fps`` while the terminal keeps missing frames, else empty."""
        missed = self._sent.count(False)
        if missed < _NOTICEABLE:
            return ""
        rate = self._fps * (len(self._sent) - missed) / len(self._sent)
        return f"slow link {rate:.0f} fps"

    def _writes_waiting(self) -> int:
        # Private to Textual 8 and absent in a headless driver; tests/tui/test_pulse.py notices
        # when a new Textual moves it.
        writer = getattr(self._app._driver, "_writer_thread", None)
        queue = getattr(writer, "_queue", None)
        return queue.qsize() if queue is not None else 0
