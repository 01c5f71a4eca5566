"""The orders that a list of runs can be in."""

from __future__ import annotations

from enum import StrEnum


class Sort(StrEnum):
    """What a list of runs is sorted by. What is the same by it comes newest first."""

    STATE = "state"
    """What is at work, then what waits in the order of its queue, then what is over."""
    AGE = "age"
    """The newest first."""
    QUEUE = "queue"
    """By the queue's name."""
    NAME = "name"
    """By the run's name, capitals or not."""
    METRIC = "metric"
    """By the most telling metric, the best first: the least loss, the most accuracy. Runs without
    one come last, whichever way round."""

    @property
    def next(self) -> Sort:
        """The order after this one."""
        every = list(Sort)
        return every[(every.index(self) + 1) % len(every)]
