"""``<home>/host.jsonl``: how the machine has stood in the last half hour, one line for each look.

Written by the agent alone; whoever shows it reads what has been added. A line that a dying agent
has torn is passed over. The file is bounded: at twice what is kept, the older half is dropped by a
rename, so that a reader sees the old file or the new one.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from launch_tui.store.durable import disk_errors, write_all, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from launch_tui.store.paths import Home

NAME = "host.jsonl"
KEPT = 360
"""Looks that are kept at least: half an hour of one every five seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuLook:
    """How one GPU stood; ``busy`` in percent, None where the driver does not tell."""

    busy: int | None
    memory: int
    temperature: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLook:
    """How the machine stood at one moment.

    ``at`` is seconds since the epoch, ``cpu`` a part of all processors from 0 to 1, sizes are
    bytes. ``folders`` are the sizes of the parts of the data directory as they were last counted;
    None before the first count has come to its end. ``polled_at`` is when the agent had last asked
    its queues for work, in seconds since the epoch; None when it had not yet.
    """

    at: float
    cpu: float
    cpus: float
    load: float
    memory_used: int
    memory_total: int
    disk_free: int
    disk_total: int
    gpus: Mapping[str, GpuLook] = field(default_factory=dict)
    folders: Mapping[str, int] | None = None
    polled_at: float | None = None


_FIELDS = frozenset(field.name for field in fields(HostLook))


def path_of(home: Home) -> Path:
    """Return where the looks are."""
    return home.root / NAME


class HistoryWriter:
    """Adds looks, and keeps the file bounded.

    Args:
        home: The data directory.
        kept: How many looks are kept at least.
    """

    def __init__(self, home: Home, *, kept: int = KEPT) -> None:
        self._path = path_of(home)
        self._kept = kept
        self._lines = _whole_lines(self._path)[-2 * kept :]
        self._whole = False

    @property
    def last(self) -> HostLook | None:
        """The last look of all; None when there is none that can be read."""
        return parse(self._lines[-1]) if self._lines else None

    def add(self, look: HostLook) -> None:
        """Add a look.

        Raises:
            StoreError: The disk is full or cannot be written.
        """
        line = dump(look)
        self._lines.append(line)
        if len(self._lines) > 2 * self._kept or not self._whole:
            # Also at first: what an agent before this one left may end in half a line.
            del self._lines[: -self._kept]
            write_atomically(self._path, b"".join(self._lines), sync=False, mode=0o600)
            self._whole = True
            return
        with disk_errors(self._path):
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o600)
            try:
                self._whole = False
                write_all(descriptor, line)
                self._whole = True
            finally:
                os.close(descriptor)


def dump(look: HostLook) -> bytes:
    """Return a look as one line."""
    return json.dumps(asdict(look), separators=(",", ":")).encode() + b"\n"


def parse(line: bytes) -> HostLook | None:
    """Return the look of a line, None when it cannot be read.

    What another version of the agent has noted besides is passed over.
    """
    try:
        values: dict[str, Any] = json.loads(line)
        gpus = {uuid: GpuLook(**each) for uuid, each in values["gpus"].items()}
        known = {name: value for name, value in values.items() if name in _FIELDS}
        return HostLook(**{**known, "gpus": gpus})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def parse_all(lines: Sequence[bytes]) -> list[HostLook]:
    """Return the looks of lines, without those that cannot be read."""
    return [look for line in lines if (look := parse(line)) is not None]


def _whole_lines(path: Path) -> list[bytes]:
    try:
        data = path.read_bytes()
    except OSError:
        return []
    return [line for line in data.splitlines(keepends=True) if line.endswith(b"\n")]
