"""Whether the first in line fits beside what runs: the machine's slots, as the agent counts them.

What a run holds follows from what the store says of it, its GPUs and its configuration, so that
runs of a dead agent hold theirs from the moment they are taken over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.domain.queue import Resource
from launch_tui.domain.slots import Held, HeldGpu, Shortage
from launch_tui.targets.schemas import schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from launch_tui.agent.devices import DeviceWatch
    from launch_tui.agent.engine_watch import EngineWatch
    from launch_tui.domain.run import Run
    from launch_tui.domain.slots import Request
    from launch_tui.domain.spec import RunSpec


def request_of(resource: str, spec: RunSpec) -> Request | None:
    """Return what a run asks for of this machine's slots; None when it asks for none."""
    read = schema_of(Resource(resource)).request if spec.resources else None
    asked = read(spec.resources) if read else None
    return None if asked is None or asked.empty else asked


def held_by(run: Run, spec: RunSpec) -> Held | None:
    """Return what a run that an agent has holds; None when it holds nothing."""
    asked = request_of(run.resource, spec)
    if asked is None:
        return None
    gpus = tuple(HeldGpu(uuid=uuid, memory=asked.share) for uuid in run.gpus)
    return Held(run_id=run.id, gpus=gpus, cpus=asked.cpus, memory=asked.memory)


def admit(
    devices: DeviceWatch,
    engine: EngineWatch,
    resource: str,
    spec: RunSpec,
    held: Iterable[Held | None],
) -> tuple[str, ...] | Shortage:
    """Return the UUIDs of the GPUs that a run gets, or what it lacks.

    Args:
        devices: What there is.
        engine: Whether containers can be started.
        resource: The target resource of its queue.
        spec: Its frozen request.
        held: What each of the runs has that the agent has.
    """
    if resource == Resource.LOCAL_CONTAINER and (lacking := engine.shortage()) is not None:
        return lacking
    asked = request_of(resource, spec)
    if asked is None:
        return ()
    answer = devices.admit(asked, [each for each in held if each is not None])
    return answer if isinstance(answer, Shortage) else tuple(part.uuid for part in answer.gpus)
