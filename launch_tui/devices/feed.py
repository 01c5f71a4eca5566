"""One source of GPUs as the agent follows it: when to ask next, what was said last, what is wrong.

A source that never had a device is not asked again. One whose driver is in trouble is asked on, and
whatever its library does, nobody else is held up by it.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from launch_tui.devices import DriverGone, NoDevices

if TYPE_CHECKING:
    from launch_tui.devices import GpuSource, Seen

SILENT_S = 30.0
"""A driver that has been asked for longer than this is said not to answer."""
REST_S = 30.0
"""How often a driver is asked that has never shown a GPU."""

log = logging.getLogger(__name__)


class Feed:
    """A source with its last answer.

    ``there`` until it is known to have no devices; ``due`` is when to ask next, by the steady
    clock; ``seen`` is set by who follows it.
    """

    def __init__(self, source: GpuSource) -> None:
        self.source = source
        self.seen: tuple[Seen, ...] = ()
        self.there = True
        self.due = 0.0
        self._ever = False
        self._note = ""
        self._asked_at: float | None = None

    @property
    def trouble(self) -> str:
        """What is wrong with it, one line; empty when nothing is."""
        return self.silence or self._note

    @property
    def silence(self) -> str:
        """That it has been asked for long and does not answer; empty when it does."""
        asked_at = self._asked_at
        waited = 0.0 if asked_at is None else time.monotonic() - asked_at
        return f"the driver has not answered for {waited:.0f} s" if waited > SILENT_S else ""

    def ask(self) -> tuple[Seen, ...]:
        """Ask it now; may take as long as the driver does."""
        self._asked_at = now = time.monotonic()
        # Before it is asked: who wants a newer answer meanwhile sets it back.
        self.due = now + (self.source.every if self._ever else REST_S)
        seen: tuple[Seen, ...] = ()
        try:
            sample = self.source.sample()
            seen, self._note = sample.seen, sample.note
        except NoDevices:
            self._note = ""
        except DriverGone as error:
            self._note = error.cause
        except Exception as error:
            log.exception("asking for GPUs failed")
            self._note = f"asking for GPUs failed: {type(error).__name__}: {error}"
        finally:
            self._asked_at = None
        self._judge(now, seen)
        return seen

    def _judge(self, asked_at: float, seen: tuple[Seen, ...]) -> None:
        if seen and not self._ever:
            self._ever = True
            self.due = min(self.due, asked_at + self.source.every)
        if not seen and not self._note:
            self.there = self._ever
            self._note = "the GPUs that were there are gone" if self._ever else ""
