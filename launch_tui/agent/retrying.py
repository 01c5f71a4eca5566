"""What the agent's durable queues of work (webhooks, syncs) have in common: when to try again.

What is owed is in the store with the time of its next try; whoever works it off sleeps until then
or until there is news, and says once, not at every try, that the store cannot be used.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from launch_tui.store.clock import seconds

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_DOUBLINGS = 20
"""More make no difference to any pause, and in the end no float."""


def doubled(first: float, times: int, longest: float) -> float:
    """Return ``first`` seconds doubled so many times, at most ``longest`` seconds."""
    return float(min(first * 2 ** min(max(times, 0), MOST_DOUBLINGS), longest))


def pause_until(due: str | None, longest: float) -> float | None:
    """Return for how long nothing is to be done.

    Args:
        due: When the next try is, as the store has it; empty for at once, None for never.
        longest: Seconds after which to look in any case, for the wall clock may be set.

    Returns:
        Seconds; None to wait for news only.
    """
    if due is None:
        return None
    return min(max(seconds(due) - time.time(), 0.0), longest) if due else 0.0


class Complaint:
    """Says what is in the way of one piece of work: once, and again when it comes back.

    Args:
        report: Called with what is in the way, one line.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._said = ""

    def say(self, text: str) -> None:
        """Say it, unless it was the last thing said and nothing has worked since."""
        if text != self._said:
            self._said = text
            self._report(text)

    def over(self) -> None:
        """Hear that it works again."""
        self._said = ""
