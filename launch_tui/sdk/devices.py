"""What the agent last saw of the machine's GPUs, and what the runs hold of its CPUs and memory.

The agent writes the record, here it is only read: it is there without an agent too, as old as it
says.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.devices import history, record
from launch_tui.devices.history import HostLook
from launch_tui.devices.record import Devices, RunUse
from launch_tui.domain.queue import Resource
from launch_tui.domain.run import ACTIVE
from launch_tui.errors import LaunchError
from launch_tui.targets.schemas import schema_of

if TYPE_CHECKING:
    from launch_tui.sdk import Launch
    from launch_tui.store.paths import Home

__all__ = ["Devices", "DevicesFile", "HostFile", "HostLook", "RunUse", "Slots", "slots_held"]


class DevicesFile:
    """The record, read again only when it has been replaced.

    Args:
        home: The data directory.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._path = record.path_of(home)
        self._stamp: tuple[int, int, int] | None = None
        self.devices: Devices | None = None
        """What the record said last; None when there is none."""

    def look(self) -> bool:
        """Read the record if it is another one; say whether it was (a few µs when not)."""
        try:
            status = self._path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        except OSError:
            stamp = None
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self.devices = None if stamp is None else record.read(self._home)
        return True


class HostFile:
    """How the machine has stood in the last half hour, read as it grows.

    Args:
        home: The data directory.
    """

    def __init__(self, home: Home) -> None:
        self._path = history.path_of(home)
        self._file: tuple[int, int] | None = None
        self._size = 0
        self.looks: deque[HostLook] = deque(maxlen=history.KEPT)
        """The looks, the newest last."""

    @property
    def last(self) -> HostLook | None:
        """The newest look; None when there is none."""
        return self.looks[-1] if self.looks else None

    def look(self) -> bool:
        """Read what was added; say whether there was something (a few µs when not)."""
        try:
            status = self._path.stat()
        except OSError:
            gone = self._file is not None
            self._file, self._size = None, 0
            self.looks.clear()
            return gone
        file = (status.st_dev, status.st_ino)
        if file != self._file or status.st_size < self._size:
            self._file, self._size = file, 0
            self.looks.clear()
        elif status.st_size == self._size:
            return False
        return self._read()

    def _read(self) -> bool:
        try:
            with self._path.open("rb") as file:
                file.seek(self._size)
                added, _, _ = file.read().rpartition(b"\n")
        except OSError:
            return False
        if added:
            self._size += len(added) + 1
            self.looks.extend(history.parse_all(added.split(b"\n")))
        return bool(added)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """What the active runs hold together; ``memory`` in bytes."""

    cpus: float = 0.0
    memory: int = 0


def slots_held(launch: Launch) -> Slots:
    """Return the CPUs and the memory that the active runs were given."""
    cpus, memory = 0.0, 0
    for run in launch.runs.every(states=sorted(ACTIVE)):
        request = schema_of(Resource(run.resource)).request
        if request is None:
            continue
        try:
            wanted = request(launch.runs.spec(run.id).resources)
        except LaunchError:
            # Deleted since, or of a version that knew other keys.
            continue
        cpus, memory = cpus + wanted.cpus, memory + wanted.memory
    return Slots(cpus=cpus, memory=memory)
