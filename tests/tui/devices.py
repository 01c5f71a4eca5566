"""A machine with four GPUs, as an agent would have written it down."""

from __future__ import annotations

from launch_tui.devices import record
from launch_tui.devices.record import Devices, RunUse
from launch_tui.domain.slots import Gpu, Machine, Stranger
from tests.tui.world import NOW

GIB = 1024**3


def gpu(index, **more):
    fields = {"memory_total": 80 * GIB, "utilization": 0, "temperature": 38, **more}
    return Gpu(uuid=f"GPU-{index}aaaaaaa", index=index, name="NVIDIA A100-SXM4-80GB", **fields)


def four_gpus(home, first="run00006", shared=("run00006", "run00007"), **more):
    """Write the record: one run, two runs that share, two strangers, nobody."""
    strangers = (
        Stranger(pid=4711, user="alice", memory=30 * GIB),
        Stranger(pid=0, user="", memory=2 * GIB),
    )
    gpus = (
        gpu(0, memory_used=61 * GIB, utilization=97, temperature=71),
        gpu(1, memory_used=30 * GIB, utilization=60, temperature=64),
        gpu(2, memory_used=32 * GIB, utilization=15, temperature=None, strangers=strangers),
        gpu(3, memory_used=0, utilization=None),
    )
    uses = [RunUse(run_id=first, uuid=gpus[0].uuid, assigned=0, used=60 * GIB)]
    uses += [RunUse(run_id=r, uuid=gpus[1].uuid, assigned=20 * GIB, used=15 * GIB) for r in shared]
    machine = Machine(gpus=gpus, cpus=32, memory=256 * GIB)
    fields = {"sampled_at": NOW - 2, "machine": machine, "runs": tuple(uses), **more}
    record.write(home, Devices(**fields))
    return gpus
