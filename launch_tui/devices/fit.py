"""Whether this machine can ever give what a launch asks for, told when it is entered.

What a living agent last wrote down counts, because its settings may give less than the machine has.
Without one the drivers are asked here and now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.devices import DriverGone, NoDevices, record
from launch_tui.domain.slots import Gpu, Machine, Policy, never_fits

if TYPE_CHECKING:
    from launch_tui.devices import GpuSource
    from launch_tui.domain.slots import Request
    from launch_tui.store.paths import Home


def why_never_fits(home: Home, request: Request, *, agent_lives: bool) -> str:
    """Return why a request can never be met here; empty when it can, or when nobody knows.

    Args:
        home: The data directory.
        request: What is asked for.
        agent_lives: Whether an agent works on it now.
    """
    known = record.read(home) if agent_lives else None
    if known is not None:
        # GPUs that do not answer may come back, and asking here could hang as it does there.
        asked = request.without_gpus() if known.trouble else request
        return never_fits(known.machine, asked, Policy())
    machine = look(gpus=bool(request.gpu_count))
    return never_fits(machine, request, Policy()) if machine is not None else ""


def look(*, gpus: bool) -> Machine | None:
    """Return this machine as it is now; None when a driver or one of its GPUs does not answer.

    Args:
        gpus: Whether GPUs matter: asking for them loads their drivers' libraries.
    """
    from launch_tui.devices.amd import AmdGpus
    from launch_tui.devices.machine import usable_cpus, usable_memory
    from launch_tui.devices.nvidia import NvidiaGpus

    found: list[Gpu] = []
    sources: list[GpuSource] = [NvidiaGpus(), AmdGpus()] if gpus else []
    for source in sources:
        try:
            sample = source.sample()
            if sample.note:
                return None
            found += [seen.gpu for seen in sample.seen]
        except NoDevices:
            continue
        except DriverGone:
            return None
        finally:
            source.close()
    return Machine(gpus=tuple(found), cpus=usable_cpus(), memory=usable_memory())
