"""``<home>/disk.json``: what working copies and caches take on the disk, for everybody who asks.

The agent measures and writes it, by rename; how much is free is asked of the disk when it is read.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from launch_tui.domain.quantities import write_size
from launch_tui.store.durable import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.store.paths import Home

NAME = "disk.json"
NEARLY_FULL_PART = 0.05
NEARLY_FULL_BYTES = 20 << 30
"""A disk is nearly full below both: of a large one a twentieth is plenty."""
LOW_BYTES = 1 << 30
"""And below this in any case: a run's log alone can take as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the agent measured.

    ``kinds`` is bytes by kind; ``budget`` what they may take together, None for no limit; ``freed``
    the bytes that were removed at the last look; ``at`` is seconds since the epoch.
    """

    at: float
    kinds: Mapping[str, int] = field(default_factory=dict)
    budget: int | None = None
    freed: int = 0

    @property
    def used(self) -> int:
        """Bytes of all kinds together."""
        return sum(self.kinds.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The disk of the data directory, in bytes; ``record`` is None when no agent has looked yet."""

    free: int
    total: int
    record: Record | None = None

    @property
    def nearly_full(self) -> bool:
        """Whether somebody should make room now."""
        little = self.free < NEARLY_FULL_BYTES and self.free < NEARLY_FULL_PART * self.total
        return little or self.free < LOW_BYTES

    @property
    def over_budget(self) -> bool:
        """Whether working copies and caches take more than they may."""
        record = self.record
        return record is not None and record.budget is not None and record.used > record.budget

    @property
    def next_step(self) -> str:
        """What a person can do about a disk that is nearly full, empty when it is not."""
        return "launch-tui prune --dry-run says what can go" if self.nearly_full else ""

    def told(self) -> str:
        """Return how the disk stands, in a few words."""
        return f"{write_size(self.free)} of {write_size(self.total)} free"

    def caches_told(self) -> str:
        """Return what working copies and caches take, empty while nobody has measured it."""
        if self.record is None:
            return ""
        budget = self.record.budget
        limit = "no disk_budget" if budget is None else f"of {_size(budget)}"
        over = ", all of it needed" if self.over_budget else ""
        return f"{_size(self.record.used)} {limit}{over}"


def write(home: Home, record: Record) -> None:
    """Write down what was measured."""
    write_atomically(home.root / NAME, json.dumps(asdict(record)).encode(), sync=False)


def read(home: Home) -> Disk:
    """Return how the disk of a data directory stands.

    Raises:
        OSError: When the directory is not there.
    """
    state = os.statvfs(home.root)
    return Disk(
        free=state.f_bavail * state.f_frsize,
        total=state.f_blocks * state.f_frsize,
        record=measured(home),
    )


def measured(home: Home) -> Record | None:
    """Return what an agent measured last, None when none has or it cannot be read."""
    try:
        values = json.loads((home.root / NAME).read_bytes())
        kinds = {str(kind): int(size) for kind, size in values["kinds"].items()}
        budget = values["budget"]
        return Record(
            at=float(values["at"]),
            kinds=kinds,
            budget=None if budget is None else int(budget),
            freed=int(values["freed"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _size(size: int) -> str:
    return write_size(size) if size else "0"
