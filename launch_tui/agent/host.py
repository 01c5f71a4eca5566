"""Keeps an eye on the machine for whoever looks at the screen: one line every five seconds.

A thread of its own, so that a slow disk or a driver in trouble holds up nothing. Nothing is decided
by what it sees. It costs some thousandths of a processor, most of it for counting files.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from launch_tui.devices import host
from launch_tui.devices.folders import Count
from launch_tui.devices.history import GpuLook, HistoryWriter, HostLook
from launch_tui.errors import LaunchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from launch_tui.domain.slots import Machine
    from launch_tui.store.paths import Home

EVERY_S = 5.0
FIRST_S = 1.0
"""When the first look is: who opens the screens wants to see something."""
COUNTING_S = 0.02
"""How long files are counted for at each look: four thousandths of a processor."""
REST_S = 600.0
"""How long the sizes stand before they are counted anew."""
CLOSE_S = 2.0


class HostWatch:
    """Looks at the machine and writes down how it stands.

    Args:
        home: The data directory.
        machine: Returns the GPUs as they were last seen; asks no driver.
        polled: Returns when the queues were last asked for work, None when they were not yet.
        every: Seconds between two looks.
    """

    def __init__(
        self,
        home: Home,
        machine: Callable[[], Machine],
        *,
        polled: Callable[[], float | None] = lambda: None,
        every: float = EVERY_S,
    ) -> None:
        self._home = home
        self._machine = machine
        self._polled = polled
        self._every = every
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._work, name="host", daemon=True)

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking. A disk that does not answer is not waited for."""
        self._leave.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _work(self) -> None:
        home = self._home
        places = {"runs": home.runs, "artifacts": home.artifacts, "envs": home.environments}
        count = Count(places, rest_s=REST_S)
        writer = HistoryWriter(home)
        last = writer.last
        folders = last.folders if last is not None else None
        before, since = host.cpu_time(), time.monotonic()
        pause = min(FIRST_S, self._every)
        while not self._leave.wait(pause):
            pause = self._every
            # A disk in trouble is told by who claims runs; the next look tries again.
            with contextlib.suppress(LaunchError, OSError):
                if count.go_on(COUNTING_S) and count.sizes is not None:
                    folders = count.sizes.bytes
                now, at = host.cpu_time(), time.monotonic()
                cpu = now.part_since(before, at - since)
                before, since = now, at
                writer.add(self._look(now.cpus, cpu, folders))

    def _look(self, cpus: float, cpu: float, folders: Mapping[str, int] | None) -> HostLook:
        memory, disk = host.memory(), host.disk(self._home.root)
        polled = self._polled()
        return HostLook(
            at=round(time.time(), 3),
            cpu=round(cpu, 4),
            cpus=cpus,
            load=host.load(),
            memory_used=memory.used,
            memory_total=memory.total,
            disk_free=disk.total - disk.used,
            disk_total=disk.total,
            gpus={
                gpu.uuid: GpuLook(
                    busy=gpu.utilization, memory=gpu.memory_used, temperature=gpu.temperature
                )
                for gpu in self._machine().gpus
            },
            folders=folders,
            polled_at=None if polled is None else round(polled, 3),
        )
