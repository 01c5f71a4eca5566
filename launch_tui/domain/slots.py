"""Which GPUs, CPUs and memory a run gets on a machine, or the one reason why it gets none yet.

Pure: the machine as it was last seen, what is held already and the agent's policy go in, concrete
devices or a shortage come out. Runs hold what they were assigned until they are settled, whatever
their processes show, so that a device is never given twice. A GPU that somebody else's processes
occupy is never given at all. Sizes are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BUSY_MEMORY = 512 * 1024**2
"""What strangers may use of a GPU before it counts as occupied: a desktop's few windows may."""

SHOWN_OCCUPANTS = 3
"""How many GPUs a shortage explains; on a machine of 16 the rest is a number."""

_CPU_GRAIN = 1e-6
_UNITS = ((1024**4, "T"), (1024**3, "G"), (1024**2, "M"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A process on a GPU that no run was given: ``pid`` is 0 and ``user`` empty where hidden.

    ``run_id`` names the run that it belongs to all the same: one that asked for no GPU and uses it.
    """

    pid: int
    user: str
    memory: int
    run_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU, or one MIG device, as it was last seen.

    ``utilization`` is in percent and ``temperature`` in degrees Celsius, None where the driver does
    not tell.
    """

    uuid: str
    index: int
    name: str
    memory_total: int
    memory_used: int = 0
    utilization: int | None = None
    temperature: int | None = None
    strangers: tuple[Stranger, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is to be assigned; ``cpus`` and ``memory`` are 0 where they are not known."""

    gpus: tuple[Gpu, ...] = ()
    cpus: float = 0.0
    memory: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a run asks for; 0 is nothing.

    ``gpu_memory`` is for each GPU and alone asks for one. With ``sharing`` the run takes just that
    much of it, else the whole GPU. ``every_gpu`` asks for all that the machine has to give.
    """

    gpus: int = 0
    gpu_memory: int = 0
    cpus: float = 0.0
    memory: int = 0
    sharing: bool = False
    every_gpu: bool = False

    @property
    def gpu_count(self) -> int:
        """How many GPUs are asked for; of all of them, at least how many."""
        return max(self.gpus, 1 if self.gpu_memory or self.every_gpu else 0)

    @property
    def share(self) -> int:
        """What is taken of each GPU; 0 for the whole."""
        return self.gpu_memory if self.sharing else 0

    @property
    def empty(self) -> bool:
        """Whether it fits everywhere because it asks for nothing."""
        return not (self.gpu_count or self.cpus or self.memory)

    def without_gpus(self) -> Request:
        """Return what is asked for beside GPUs."""
        return replace(self, gpus=0, gpu_memory=0, every_gpu=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldGpu:
    """A GPU in a run's hands; ``memory`` is what it may use there, 0 for the whole GPU."""

    uuid: str
    memory: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one run holds, from its claim until it is settled."""

    run_id: str
    gpus: tuple[HeldGpu, ...] = ()
    cpus: float = 0.0
    memory: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the agent is told to choose.

    ``order`` and ``exclude`` name GPUs by index, UUID or the beginning of a UUID.
    """

    order: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    busy_memory: int = BUSY_MEMORY


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a run was given: concrete devices, each by its UUID, in the order preferred."""

    gpus: tuple[HeldGpu, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Why a run must wait.

    ``kind`` is ``gpu``, ``cpu`` or ``memory``, and ``never`` when waiting is of no use. ``text`` is
    one line for people.
    """

    kind: str
    text: str


def assign(
    machine: Machine, request: Request, held: Sequence[Held], policy: Policy
) -> Assignment | Shortage:
    """Return the devices for a request, or the one reason why there are none now.

    Whole GPUs go by the preferred order; of those with the same rank the smallest that has the
    memory asked for is taken. Shares of GPUs go by best fit, so that whole ones stay free.

    Args:
        machine: What there is.
        request: What is asked for.
        held: What all other runs hold, the ones without an agent too.
        policy: How to choose.
    """
    if problem := never_fits(machine, request, policy):
        return Shortage(kind="never", text=f"can never start here: {problem}")
    request = _counted(request, _usable(machine, policy))
    views = [_view(gpu, held, policy) for gpu in _usable(machine, policy)]
    fitting = [view for view in views if _fits(view, request)]
    if len(fitting) < request.gpu_count:
        return Shortage(kind="gpu", text=_gpu_text(views, len(fitting), request))
    if shortage := _slot_shortage(machine, request, held):
        return shortage
    fitting.sort(key=lambda view: _preference(view, request, policy))
    return Assignment(
        gpus=tuple(
            HeldGpu(uuid=view.gpu.uuid, memory=request.share)
            for view in fitting[: request.gpu_count]
        )
    )


def never_fits(machine: Machine, request: Request, policy: Policy) -> str:
    """Return why a request could not be met even if all others were gone; empty when it could."""
    return _gpus_never_fit(machine, request, policy) or _slots_never_fit(machine, request)


def _counted(request: Request, gpus: Sequence[Gpu]) -> Request:
    """Return a request for a number of GPUs where it asks for all of these."""
    return replace(request, gpus=max(len(gpus), 1)) if request.every_gpu else request


def named(gpu: Gpu, names: Sequence[str]) -> int | None:
    """Return the place of a GPU in a list of indices and UUIDs, None when it is not there."""
    for place, name in enumerate(names):
        if name == str(gpu.index) or (len(name) > 4 and gpu.uuid.startswith(name)):
            return place
    return None


@dataclass(frozen=True, slots=True)
class _View:
    """A GPU with all that decides whether a run can have it."""

    gpu: Gpu
    whole_of: str
    sharers: tuple[str, ...]
    free: int
    occupied: bool


def _view(gpu: Gpu, held: Iterable[Held], policy: Policy) -> _View:
    holds = [(run.run_id, part) for run in held for part in run.gpus if part.uuid == gpu.uuid]
    strange = sum(stranger.memory for stranger in gpu.strangers)
    return _View(
        gpu=gpu,
        whole_of=next((run_id for run_id, part in holds if not part.memory), ""),
        sharers=tuple(run_id for run_id, part in holds if part.memory),
        free=gpu.memory_total - strange - sum(part.memory for _, part in holds),
        occupied=strange > policy.busy_memory,
    )


def _fits(view: _View, request: Request) -> bool:
    if view.occupied or view.whole_of or (view.sharers and not request.share):
        return False
    return not request.gpu_memory or view.free >= request.gpu_memory


def _preference(view: _View, request: Request, policy: Policy) -> tuple[int, int, int]:
    place = named(view.gpu, policy.order)
    rank = len(policy.order) if place is None else place
    if request.share:
        return view.free, rank, view.gpu.index
    return rank, view.gpu.memory_total if request.gpu_memory else 0, view.gpu.index


def _usable(machine: Machine, policy: Policy) -> list[Gpu]:
    return [gpu for gpu in machine.gpus if named(gpu, policy.exclude) is None]


def _slot_shortage(machine: Machine, request: Request, held: Sequence[Held]) -> Shortage | None:
    free_cpus = machine.cpus - sum(run.cpus for run in held)
    if machine.cpus and request.cpus > free_cpus + _CPU_GRAIN:
        free = f"{max(free_cpus, 0):g} free of {machine.cpus:g}"
        text = f"waits for CPUs: {free}, needs {request.cpus:g}{_holders(held, 'cpus')}"
        return Shortage(kind="cpu", text=text)
    free_memory = machine.memory - sum(run.memory for run in held)
    if machine.memory and request.memory > free_memory:
        free = f"{_size(max(free_memory, 0))} free of {_size(machine.memory)}"
        text = f"waits for memory: {free}, needs {_size(request.memory)}"
        return Shortage(kind="memory", text=text + _holders(held, "memory"))
    return None


def _holders(held: Sequence[Held], what: str) -> str:
    runs = [run.run_id for run in held if getattr(run, what)]
    return f", held by {_runs(runs)}" if runs else ""


def _gpu_text(views: Sequence[_View], free: int, request: Request) -> str:
    size = f" with {_size(request.gpu_memory)}" if request.gpu_memory else ""
    text = f"waits for GPU: {free} free of {len(views)}{size}, needs {request.gpu_count}"
    # Strangers first: what one's own queue does is no surprise.
    missing = sorted(
        (view for view in views if not _fits(view, request)), key=lambda view: not view.occupied
    )
    for view in missing[:SHOWN_OCCUPANTS]:
        text += f", GPU {view.gpu.index} {_occupation(view)}"
    more = len(missing) - SHOWN_OCCUPANTS
    return f"{text} and {more} more" if more > 0 else text


def _occupation(view: _View) -> str:
    if view.occupied:
        return "used by " + _strangers(view.gpu.strangers)
    if view.whole_of:
        return f"held by run {view.whole_of}"
    if view.sharers:
        return f"has {_size(max(view.free, 0))} left beside {_runs(view.sharers)}"
    if view.gpu.strangers:
        return f"has {_size(max(view.free, 0))} left beside {_strangers(view.gpu.strangers)}"
    return f"has {_size(view.gpu.memory_total)}"


def _strangers(strangers: Sequence[Stranger]) -> str:
    largest = max(strangers, key=lambda stranger: stranger.memory)
    if largest.run_id:
        text = f"run {largest.run_id}, which was not given it"
    elif largest.pid:
        text = f"pid {largest.pid} of {largest.user or 'another user'}"
    else:
        text = "a process that cannot be seen from here"
    return text + (f" (+{len(strangers) - 1})" if len(strangers) > 1 else "")


def _runs(runs: Sequence[str]) -> str:
    shown = ", ".join(runs[:SHOWN_OCCUPANTS])
    more = len(runs) - SHOWN_OCCUPANTS
    word = "run" if len(runs) == 1 else "runs"
    return f"{word} {shown}" + (f" and {more} more" if more > 0 else "")


def _gpus_never_fit(machine: Machine, request: Request, policy: Policy) -> str:
    gpus = _usable(machine, policy)
    count = _counted(request, gpus).gpu_count
    if not count:
        return ""
    if len(gpus) < count:
        asked = "all GPUs" if request.every_gpu else _gpus(count)
        return f"it asks for {asked}, {_have(len(machine.gpus), len(gpus))}"
    large = [gpu for gpu in gpus if gpu.memory_total >= request.gpu_memory]
    if len(large) >= count:
        return ""
    asked = f"it asks for {_gpus(count)} with {_size(request.gpu_memory)}"
    largest = _size(max(gpu.memory_total for gpu in gpus))
    return f"{asked}, {len(large)} of {len(gpus)} have that much (the largest has {largest})"


def _have(there: int, usable: int) -> str:
    if not there:
        return "this machine has none"
    excluded = there - usable
    beside = f", {excluded} of them excluded by the agent's configuration" if excluded else ""
    return f"this machine has {there}{beside}"


def _gpus(count: int) -> str:
    return "1 GPU" if count == 1 else f"{count} GPUs"


def _slots_never_fit(machine: Machine, request: Request) -> str:
    if machine.cpus and request.cpus > machine.cpus + _CPU_GRAIN:
        unit = "CPU" if request.cpus == 1 else "CPUs"
        return f"it asks for {request.cpus:g} {unit}, there are {machine.cpus:g}"
    if machine.memory and request.memory > machine.memory:
        return f"it asks for {_size(request.memory)} of memory, there are {_size(machine.memory)}"
    return ""


def _size(number: int) -> str:
    for factor, unit in _UNITS:
        if number >= factor:
            return f"{number / factor:.1f}".removesuffix(".0") + unit
    return f"{number}B"
