"""Which runs the table shows and in which order, and what a typed filter makes of that."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from launch_tui.domain.filter import Filter
from launch_tui.domain.run import ACTIVE, WAITING
from launch_tui.domain.sorting import Sort
from launch_tui.sdk.listing import BY_INDEX
from launch_tui.sdk.search import narrowed
from launch_tui.tui.glance import FAILED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.domain.run import RunState

LIVE = tuple(sorted(ACTIVE | WAITING))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which runs are shown, and in which order.

    ``text`` is the filter as it was typed; ``rest`` says that it means more than the queue, the job
    and the states say.
    """

    queue: str = ""
    job: str = ""
    states: tuple[RunState, ...] = ()
    sort: Sort = Sort.STATE
    backwards: bool = False
    text: str = ""
    rest: bool = False

    @property
    def in_force(self) -> str:
        """What is restricted, in few words; empty when nothing is."""
        parts = []
        if not _names(self.text, "s", "state"):
            if set(self.states) == set(LIVE):
                parts.append("active")
            elif set(self.states) == set(FAILED):
                parts.append("failures")
            elif self.states:
                parts.append("/".join(self.states))
        parts += [f"q:{self.queue}"] if self.queue and not _names(self.text, "q", "queue") else []
        parts += [f"job:{self.job}"] if self.job and not _names(self.text, "j", "job") else []
        return " ".join([*parts, *([self.text] if self.text else [])])

    @property
    def order(self) -> str:
        """The order in few words; empty for that which the table has by itself."""
        if self.sort is Sort.STATE:
            return "reversed" if self.backwards else ""
        if self.sort is Sort.AGE:
            return "oldest first" if self.backwards else "newest first"
        return f"by {self.sort}{' reversed' if self.backwards else ''}"

    @property
    def is_searched(self) -> bool:
        """Whether a thread has to look for the runs: no index has just these in this order."""
        if self.rest:
            return True
        if self.sort in BY_INDEX:
            return bool(self.queue or self.job or self.states)
        return self.sort is Sort.QUEUE and bool(self.job)

    def unfiltered(self) -> Wanted:
        """Return the same without a restriction: the order stays."""
        return Wanted(sort=self.sort, backwards=self.backwards)


def understand(wanted: Wanted, text: str, queues: Sequence[str], jobs: Sequence[str]) -> Wanted:
    """Return what is wanted once a person has typed ``text``.

    Args:
        wanted: What was wanted before: its order stays.
        text: The filter, in the language of ``runs --filter``.
        queues: The queues that there are.
        jobs: The jobs that there are.

    Raises:
        UsageError: When it is not in the language.
    """
    by_index = narrowed(Filter(text, field="filter"), queues, jobs)
    return replace(
        wanted.unfiltered(),
        text=text.strip(),
        queue=by_index.queue,
        job=by_index.job,
        states=by_index.states,
        rest=by_index.rest,
    )


def _names(text: str, *fields: str) -> bool:
    return re.search(rf"(?<![\w.])(?:{'|'.join(fields)})[:=]", text) is not None
