"""``<home>/devices.json``: what the agent last saw of the machine, for everybody who asks.

Written by rename, so that a reader finds the old record or the new one; read without the agent.
The UI, ``why`` and the refusal of what can never fit all look here.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from launch_tui.domain.slots import Gpu, Machine, Stranger
from launch_tui.store.durable import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from launch_tui.devices.owners import Use
    from launch_tui.domain.slots import Held
    from launch_tui.store.paths import Home

NAME = "devices.json"

_MEMORY_STEP = 64 * 1024**2
_PERCENT_STEP = 5
_DEGREE_STEP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUse:
    """What a run has of one GPU.

    ``assigned`` is its share in bytes, 0 for the whole GPU; ``used`` what its processes take there.
    """

    run_id: str
    uuid: str
    assigned: int
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """The record. ``sampled_at`` is seconds since the epoch, of the last look with news.

    ``trouble`` is one line when a driver or a GPU does not answer; what does not is left out.
    """

    sampled_at: float
    machine: Machine
    runs: tuple[RunUse, ...] = ()
    trouble: str = ""


def path_of(home: Home) -> Path:
    """Return where the record is."""
    return home.root / NAME


def compose(
    gpus: Sequence[tuple[Gpu, Sequence[Use]]],
    held: Sequence[Held],
    *,
    limits: Machine,
    trouble: str,
) -> Devices:
    """Return the record of this moment.

    Args:
        gpus: Each GPU with what the runs that hold it take there.
        held: What the runs were assigned.
        limits: The CPUs and the memory that can be given.
        trouble: What is wrong with the drivers.
    """
    assigned = {(run.run_id, part.uuid): part.memory for run in held for part in run.gpus}
    runs = [
        RunUse(
            run_id=use.run_id,
            uuid=gpu.uuid,
            assigned=assigned.get((use.run_id, gpu.uuid), 0),
            used=use.memory,
        )
        for gpu, uses in gpus
        for use in uses
    ]
    machine = replace(limits, gpus=tuple(gpu for gpu, _ in gpus))
    return Devices(sampled_at=time.time(), machine=machine, runs=tuple(runs), trouble=trouble)


def write(home: Home, devices: Devices) -> None:
    """Replace the record.

    Raises:
        StoreError: The disk is full or cannot be written.
    """
    data = json.dumps(asdict(devices), separators=(",", ":")).encode()
    write_atomically(path_of(home), data, sync=False)


def read(home: Home) -> Devices | None:
    """Return the record, None when there is none that can be read."""
    try:
        return _load(json.loads(path_of(home).read_bytes()))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def shown(devices: Devices) -> Devices:
    """Return the record as coarse as a person sees it; equal ones need not be written twice."""
    gpus = tuple(_coarse(gpu) for gpu in devices.machine.gpus)
    runs = tuple(replace(use, used=_step(use.used, _MEMORY_STEP)) for use in devices.runs)
    return replace(devices, sampled_at=0.0, machine=replace(devices.machine, gpus=gpus), runs=runs)


def _coarse(gpu: Gpu) -> Gpu:
    return replace(
        gpu,
        memory_used=_step(gpu.memory_used, _MEMORY_STEP),
        utilization=None if gpu.utilization is None else _step(gpu.utilization, _PERCENT_STEP),
        temperature=None if gpu.temperature is None else _step(gpu.temperature, _DEGREE_STEP),
        strangers=tuple(
            replace(stranger, memory=_step(stranger.memory, _MEMORY_STEP))
            for stranger in gpu.strangers
        ),
    )


def _step(number: int, size: int) -> int:
    return (number + size // 2) // size * size


def _load(values: dict[str, Any]) -> Devices:
    machine = values["machine"]
    gpus = tuple(
        Gpu(**{**gpu, "strangers": tuple(Stranger(**each) for each in gpu["strangers"])})
        for gpu in machine["gpus"]
    )
    return Devices(
        sampled_at=values["sampled_at"],
        machine=Machine(**{**machine, "gpus": gpus}),
        runs=tuple(RunUse(**use) for use in values["runs"]),
        trouble=values["trouble"],
    )
