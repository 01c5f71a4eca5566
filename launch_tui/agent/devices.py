"""The agent's view of the machine's devices: what is free, who is on it, who gets what.

A thread of its own asks the drivers, because a driver in trouble answers after minutes or never;
the agent's loop reads the last answer and waits for nothing. Without GPUs the thread ends after
its first look. A driver that goes away makes runs that ask for GPUs wait, with that as the reason.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from launch_tui.devices import GpuSource, Seen, record
from launch_tui.devices.amd import AmdGpus
from launch_tui.devices.feed import Feed
from launch_tui.devices.idleness import Idleness
from launch_tui.devices.machine import usable_cpus, usable_memory
from launch_tui.devices.nvidia import NvidiaGpus
from launch_tui.devices.owners import Owner, attribute, owner_of
from launch_tui.devices.visible import seen_by
from launch_tui.domain.slots import Gpu, Machine, Policy, Shortage, assign, never_fits
from launch_tui.errors import LaunchError
from launch_tui.targets.local_process import HANDLE_VARIABLE
from launch_tui.targets.records import read_started

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from launch_tui.domain.slots import Assignment, Held, Request
    from launch_tui.store.paths import Home

CLOSE_S = 2.0
"""How long leaving waits for a driver's answer."""

_MEMORY_STEP = 64 * 1024**2


class DeviceWatch:
    """Samples the devices and answers who may have which.

    Args:
        home: The data directory; its ``devices.json`` is kept up to date.
        changed: Called on the watch's thread whenever what can be assigned may have changed.
        policy: How to choose among GPUs.
        cpus: How many CPUs there are to give; None for all that this process may use.
        memory: How many bytes of main memory, likewise.
        sources: Who is asked for GPUs; NVIDIA's and AMD's drivers unless given.
        environment: Whose ``CUDA_VISIBLE_DEVICES`` limits the GPUs, this process's unless given.
    """

    def __init__(
        self,
        home: Home,
        *,
        changed: Callable[[], None],
        policy: Policy | None = None,
        cpus: float | None = None,
        memory: int | None = None,
        sources: Sequence[GpuSource] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._home = home
        self._changed = changed
        self._environment = os.environ if environment is None else environment
        sources = [NvidiaGpus(), AmdGpus()] if sources is None else sources
        self._feeds = [Feed(source) for source in sources]
        self._lock = threading.Lock()
        self._known: dict[str, Gpu] = {}
        self._idleness: dict[str, Idleness] = {}
        self._owners: dict[int, Owner] = {}
        self._held: tuple[Held, ...] = ()
        self._ready = not self._feeds
        self._written: record.Devices | None = None
        self._fingerprint: object = None
        self._leaving = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._work, name="devices", daemon=True)
        self.configure(policy=policy, cpus=cpus, memory=memory)

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking. A driver that does not answer is not waited for."""
        self._leaving = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def configure(
        self,
        *,
        policy: Policy | None = None,
        cpus: float | None = None,
        memory: int | None = None,
    ) -> None:
        """Take new limits and a new policy; None is the default of each."""
        self._policy = policy or Policy()
        self._cpus = usable_cpus() if cpus is None else cpus
        self._memory = usable_memory() if memory is None else memory
        self._wake.set()

    def holding(self, held: Sequence[Held]) -> None:
        """Say what the runs hold now; costs nothing when it is what it was."""
        held = tuple(held)
        if held == self._held:
            return
        before = {(run.run_id, part.uuid) for run in self._held for part in run.gpus}
        after = {(run.run_id, part.uuid) for run in held for part in run.gpus}
        with self._lock:
            self._held = held
            for _, uuid in after - before:
                self._idleness[uuid] = Idleness(time.monotonic())
        if before != after:
            for feed in self._feeds:
                feed.due = 0.0
            self._wake.set()

    @property
    def ready(self) -> bool:
        """Whether all drivers have been asked once."""
        return self._ready

    @property
    def trouble(self) -> str:
        """What is wrong with the drivers, one line; empty when all answer."""
        return ", ".join(trouble for feed in self._feeds if (trouble := feed.trouble))

    def machine(self, held: Sequence[Held] | None = None) -> Machine:
        """Return the machine as it was last seen, with strangers as of what is held now."""
        held = self._held if held is None else held
        with self._lock:
            seen, owners = self._seen(), dict(self._owners)
        gpus = tuple(attribute(each, owners, held)[0] for each in seen)
        return Machine(gpus=gpus, cpus=self._cpus, memory=self._memory)

    def admit(self, request: Request, held: Sequence[Held]) -> Assignment | Shortage:
        """Return the devices for a request, or why there are none now. Reads memory only.

        Args:
            request: What a run asks for.
            held: What all other runs hold.
        """
        if request.gpu_count and not self._ready:
            return Shortage(kind="gpu", text="waits for GPU: the driver has not answered yet")
        if request.every_gpu and (trouble := self.trouble):
            # All that answer are not all.
            return Shortage(kind="gpu", text=f"waits for GPU: {trouble}")
        answer = assign(self.machine(held), request, held, self._policy)
        if isinstance(answer, Shortage) and answer.kind == "never":
            # GPUs that were there and do not answer may come back.
            if not self.can_ever_fit(request):
                return Shortage(kind="gpu", text=f"waits for GPU: {self.trouble or 'one is gone'}")
            return answer
        if request.gpu_count and (trouble := self._silence()):
            return Shortage(kind="gpu", text=f"waits for GPU: {trouble}")
        return answer

    def can_ever_fit(self, request: Request) -> str:
        """Return why a request can never be met here; empty when it can, or nobody knows yet."""
        if not self._ready or self.trouble:
            request = request.without_gpus()
        with self._lock:
            gpus = tuple(self._known.values())
        machine = Machine(gpus=gpus, cpus=self._cpus, memory=self._memory)
        return never_fits(machine, request, self._policy)

    def idle_for(
        self, gpus: Sequence[str], below: float, *, running_for: float = math.inf
    ) -> float:
        """Return for how many seconds all of a run's GPUs have been below a utilisation.

        Args:
            gpus: Their UUIDs. A run without any is never idle.
            below: In percent.
            running_for: For how long the run's job has run: setting up is not idleness.
        """
        now = time.monotonic()
        with self._lock:
            histories = [self._idleness.get(uuid) for uuid in gpus]
            each = [history.seconds_below(below, now) if history else 0.0 for history in histories]
        return min([*each, running_for]) if each else 0.0

    def _silence(self) -> str:
        return ", ".join(silence for feed in self._feeds if (silence := feed.silence))

    def _seen(self) -> list[Seen]:
        return [each for feed in self._feeds for each in feed.seen]

    def _work(self) -> None:
        try:
            while not self._leaving:
                self._wake.clear()
                self._sample()
                self._publish()
                waits = [feed.due - time.monotonic() for feed in self._feeds if feed.there]
                self._wake.wait(max(min(waits), 0.0) if waits else None)
        finally:
            for feed in self._feeds:
                feed.source.close()

    def _sample(self) -> None:
        for feed in self._feeds:
            if feed.there and feed.due <= time.monotonic():
                seen = feed.ask()
                self._take(feed, [each for each in seen if seen_by(each.gpu, self._environment)])
        self._ready = True

    def _take(self, feed: Feed, seen: list[Seen]) -> None:
        supervisors = self._supervisors() if any(each.processes for each in seen) else {}
        owners = {
            process.pid: _supervised(owner_of(process.pid, HANDLE_VARIABLE), supervisors)
            for each in seen
            for process in each.processes
        }
        now = time.monotonic()
        with self._lock:
            silent = {each.gpu.uuid for each in feed.seen} - {each.gpu.uuid for each in seen}
            feed.seen = tuple(seen)
            self._owners = {**self._owners, **owners}
            present = {process.pid for each in self._seen() for process in each.processes}
            self._owners = {pid: owner for pid, owner in self._owners.items() if pid in present}
            for each in seen:
                self._known[each.gpu.uuid] = each.gpu
                history = self._idleness.setdefault(each.gpu.uuid, Idleness(now))
                history.add(now, each.gpu.utilization)
            for uuid in silent:
                # Nobody knows what it does now, so nothing may be stopped for it.
                self._idleness.pop(uuid, None)

    def _publish(self) -> None:
        """Write the record and call back, each only when there is news for it."""
        held = self._held
        with self._lock:
            seen, owners = self._seen(), dict(self._owners)
        devices = record.compose(
            [attribute(each, owners, held) for each in seen],
            held,
            limits=Machine(cpus=self._cpus, memory=self._memory),
            trouble=self.trouble,
        )
        self._write(devices)
        fingerprint = (_assignable(devices.machine), self._policy, devices.trouble)
        if fingerprint != self._fingerprint and not self._leaving:
            self._fingerprint = fingerprint
            self._changed()

    def _write(self, devices: record.Devices) -> None:
        shown = record.shown(devices)
        if shown == self._written:
            return
        # A full disk is told by who claims runs; here the next sample tries again.
        with contextlib.suppress(LaunchError):
            record.write(self._home, devices)
            self._written = shown

    def _supervisors(self) -> dict[tuple[int, int], str]:
        """The supervisors of the runs that hold something, with the handle of each."""
        found = {}
        for run in self._held:
            attempts = [int(path.name) for path in self._attempts(run.run_id)]
            if attempts and (
                started := read_started(self._home.attempt(run.run_id, max(attempts)))
            ):
                process = started.supervisor
                found[process.pid, process.start_time] = f"{run.run_id}.{max(attempts)}"
        return found

    def _attempts(self, run_id: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._home.run(run_id)) as entries:
                return [entry for entry in entries if entry.name.isdigit()]
        except OSError:
            return []


def _supervised(owner: Owner, supervisors: Mapping[tuple[int, int], str]) -> Owner:
    if owner.handle:
        return owner
    handles = (supervisors[each] for each in owner.lineage if each in supervisors)
    return replace(owner, handle=next(handles, ""))


def _assignable(machine: Machine) -> object:
    """What decides who can be given what, without what changes all the time."""
    return (
        machine.cpus,
        machine.memory,
        [
            (
                gpu.uuid,
                [(each.pid, each.run_id, each.memory // _MEMORY_STEP) for each in gpu.strangers],
            )
            for gpu in machine.gpus
        ],
    )
