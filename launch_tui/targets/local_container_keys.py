"""The resource configuration of local-container: the options of ``docker run``, and our own.

Each key is checked when it is entered, by its own rule. What gives a job more of the machine than
its container is only the queue's owner to give. Docker's short names stand for the long ones. A
launch loads this table and must be quick: how a value is read is loaded with the first that is.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from launch_tui.domain.config_keys import Key, Kind, Schema, unknown_key, wrong
from launch_tui.domain.quantities import MAX_SIZE
from launch_tui.domain.queue import Resource
from launch_tui.errors import UsageError
from launch_tui.targets.machine_keys import (
    GPU_IDLE_STOP,
    GPU_MEMORY,
    GPU_SHARING,
    MAX_CPUS,
    MAX_GPUS,
    START_TIMEOUT,
    SYNC,
    TIMEOUT,
    ULIMIT,
    WANDB,
    env_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from launch_tui.domain.slots import Request
    from launch_tui.targets.container_config import BuilderConfig as BuilderConfig
    from launch_tui.targets.container_config import ContainerConfig as ContainerConfig

ALL = "all"
"""Every GPU that the machine has to give."""
NO_LIMIT = "-1"
LEAST_MEMORY = 6 * 1024**2
"""Bytes; the engine refuses less."""
PRIVATE_LABELS = "launch-tui."
"""How the labels begin by which containers are found again."""


def read(config: Mapping[str, Any]) -> ContainerConfig:
    """Return what a resource configuration of local-container means.

    Args:
        config: Merged, filled and checked; macros expanded or not.

    Raises:
        UsageError: For a key or value that the schema does not have.
    """
    from launch_tui.targets.container_config import ContainerConfig

    found: dict[str, Any] = {}
    for name, value in config.items():
        if value is None:
            continue
        key = SCHEMA.find(name)
        if key is None:
            raise unknown_key(name, name, SCHEMA.keys, f"a key of {SCHEMA.resource}")
        found[key.name.replace("-", "_")] = key.read(value, name)
    if found.get("gpus") == ALL:
        found |= {"gpus": 0, "every_gpu": True}
    return ContainerConfig(**found)


def request(config: Mapping[str, Any]) -> Request:
    """Return what a checked configuration asks for of the machine's slots."""
    # Not at the top: a launch checks its configuration and assigns nothing, and must be quick.
    from launch_tui.domain.slots import Request

    keys = {key.name: key for key in (*_RESOURCES, GPU_SHARING)}
    asked = {
        name: keys[name].read(config[name], name) for name in _SLOTS if config.get(name) is not None
    }
    gpus = asked.get("gpus", 0)
    return Request(
        gpus=0 if gpus == ALL else gpus,
        gpu_memory=asked.get("gpu_memory", 0),
        cpus=asked.get("cpus", 0.0),
        memory=asked.get("memory", 0),
        sharing=asked.get("gpu_sharing", False),
        every_gpu=gpus == ALL,
    )


def _agree(read: Mapping[str, Any], field: str) -> None:
    """Refuse values that the engine would refuse together, or that say two things."""
    if read.get("cpus") and (read.get("cpu-quota") or read.get("cpu-period")):
        raise UsageError(f"{field} cpus", "says the same as cpu-quota", allowed="one of them")
    _agree_on_memory(read, field)
    if _joins_another(network := read.get("network") or ""):
        others = ("publish",) if network == "host" else ("publish", "hostname", "add-host", "dns")
        for name in others:
            if read.get(name):
                raise UsageError(f"{field} {name}", f"has no effect with network {network}")
    sources = (*(read.get("volume") or ()), *(read.get("mount") or ()))
    _check_places(field, [*(each.target for each in sources), *(read.get("tmpfs") or ())])


def _agree_on_memory(read: Mapping[str, Any], field: str) -> None:
    memory = read.get("memory") or MAX_SIZE
    swap = read.get("memory-swap") or 0
    if (read.get("memory-reservation") or 0) > memory:
        raise UsageError(f"{field} memory-reservation", "is above memory", allowed="less than it")
    if swap > 0 and read.get("memory", 0) == 0:
        problem = "is for memory and swap together, and memory is not said"
        raise UsageError(f"{field} memory-swap", problem, allowed="memory as well")
    if 0 < swap < memory < MAX_SIZE:
        raise UsageError(f"{field} memory-swap", "is below memory", allowed="more, or -1")


def _check_places(field: str, places: list[str]) -> None:
    for at, place in enumerate(places):
        if place in places[:at]:
            raise UsageError(field, f"{place} is given twice", allowed="one thing at a place")


def _late(module: str, name: str) -> Callable[[Any, str], Any]:
    """Return a reader of values whose module is loaded when the first is read."""

    def read(value: Any, field: str) -> Any:  # noqa: ANN401
        from importlib import import_module

        return getattr(import_module(f"launch_tui.targets.{module}"), name)(value, field)

    return read


def _value(name: str) -> Callable[[Any, str], Any]:
    return _late("container_values", name)


def _place(name: str) -> Callable[[Any, str], Any]:
    return _late("container_mounts", name)


def _joins_another(mode: str) -> bool:
    """Say whether a network or ipc mode is the machine's or another container's."""
    return mode == "host" or mode.startswith("container:")


def _is_more_than_own(user: str) -> bool:
    """Say whether a user has rights in what is mounted that the agent's own has not."""
    return user.partition(":")[0] in ("root", "0") and os.getuid() != 0


def _label(name: str, field: str) -> None:
    if name.startswith(PRIVATE_LABELS):
        raise UsageError(field, f"{name!r} is one of launch_tui's own", allowed="other names")
    if not name.strip() or not name.isprintable():
        raise UsageError(field, f"{name!r} cannot be a label's name", allowed="NAME=value")


def _memory(value: int, field: str) -> int:
    if 0 < value < LEAST_MEMORY:
        raise wrong(field, value, "6M or more, such as 20G")
    return value


def _limit(value: Any, field: str) -> int:  # noqa: ANN401
    return int(value)


def _workdir(value: str, field: str) -> str:
    if not value.startswith("/"):
        raise wrong(field, value, "an absolute path in the container")
    return value


def _builder(value: Mapping[str, Any], field: str) -> BuilderConfig:
    from launch_tui.targets.container_config import BuilderConfig

    accelerator = value.get("accelerator") or {}
    return BuilderConfig(
        base_image=value.get("base_image", ""),
        accelerator=accelerator.get("base_image", ""),
        build_args=value.get("build_args", {}),
        secrets=value.get("secrets", ()),
    )


_SLOTS = ("gpus", "gpu_memory", "cpus", "memory", "gpu_sharing")

_RESOURCES = (
    Key(name="cpus", kind=Kind.NUMBER, minimum=0, maximum=MAX_CPUS, help="CPUs the run takes",
        also=("cpu", "cores", "num_cpus", "ncpus")),
    Key(name="cpuset-cpus", kind=Kind.ANY, parse=_value("cpuset"), form="CPUs, such as 0-3,8",
        help="the CPUs it may run on"),
    Key(name="cpuset-mems", kind=Kind.ANY, parse=_value("cpuset"), form="nodes, such as 0-1",
        help="the memory nodes it may use"),
    Key(name="cpu-shares", kind=Kind.WHOLE, minimum=0, maximum=262_144, aliases=("c",),
        help="its weight where CPUs are short; 1024 is usual"),
    Key(name="cpu-period", kind=Kind.WHOLE, minimum=1000, maximum=1_000_000,
        help="microseconds in which cpu-quota holds"),
    Key(name="cpu-quota", kind=Kind.WHOLE, minimum=1000, maximum=10**12, words=(NO_LIMIT,),
        parse=_limit, help="microseconds of CPU time in each period"),
    Key(name="memory", kind=Kind.SIZE, aliases=("m",), parse=_memory, help="memory the run takes",
        also=("mem", "ram", "memory_limit")),
    Key(name="memory-reservation", kind=Kind.SIZE, parse=_memory,
        help="memory it is held to where memory is short"),
    Key(name="memory-swap", kind=Kind.SIZE, words=(NO_LIMIT,), parse=_limit,
        help="memory and swap together"),
    Key(name="shm-size", kind=Kind.SIZE, help="size of /dev/shm, which data loaders fill",
        also=("shm", "shared_memory")),
    Key(name="pids-limit", kind=Kind.WHOLE, minimum=1, maximum=2**22, words=(NO_LIMIT,),
        parse=_limit, help="how many processes and threads it may have"),
    ULIMIT,
    Key(name="gpus", kind=Kind.WHOLE, minimum=0, maximum=MAX_GPUS, words=(ALL,),
        help="GPUs the run takes; which ones, the agent says",
        also=("gpu", "num_gpus", "gres", "ngpus", "devices")),
    GPU_MEMORY,
    GPU_SHARING,
)  # fmt: skip

_FILES = (
    Key(name="device", kind=Kind.LINES, owner_only=True, parse=_place("device"),
        form="PATH[:PATH][:rwm], one or a list", help="devices of this machine it may use"),
    Key(name="volume", kind=Kind.LINES, owner_only=True, aliases=("v",), parse=_place("volume"),
        form="PATH:PATH[:ro] or VOLUME:PATH[:ro], one or a list",
        help="files of this machine, or volumes, that it sees", also=("volumes", "bind")),
    Key(name="mount", kind=Kind.LINES, owner_only=True, parse=_place("mount"),
        form="type=bind,source=PATH,target=PATH[,readonly], one or a list",
        help="the same in the other notation of Docker's", also=("mounts",)),
    Key(name="tmpfs", kind=Kind.LINES, parse=_place("tmpfs"), form="PATH[:size=1g], one or a list",
        help="file systems in memory"),
)  # fmt: skip

_NETWORK = (
    Key(name="network", kind=Kind.TEXT, aliases=("net",), owner_only=_joins_another,
        parse=_value("network"), form="bridge, none, the name of a network, or by the owner host",
        help="which network it is on", also=("network_mode", "networks")),
    Key(name="add-host", kind=Kind.LINES, parse=_value("add_host"), form="HOST:IP, one or a list",
        help="names of other machines", also=("extra_hosts", "hosts")),
    Key(name="dns", kind=Kind.LINES, parse=_value("dns"), form="an IP address, or a list",
        help="name servers"),
    Key(name="publish", kind=Kind.ANY, owner_only=True, aliases=("p",), parse=_value("publish"),
        form="[[IP:]PORT:]PORT[/udp], one or a list", help="ports that the machine has too",
        also=("ports", "port")),
    Key(name="hostname", kind=Kind.TEXT, aliases=("h",), parse=_value("hostname"),
        help="its own name for itself"),
)  # fmt: skip

_PROCESS = (
    Key(name="env", kind=Kind.NAMES, aliases=("e",), help="environment variables of the job",
        also=("environment", "envs", "variables", "setenv")),
    Key(name="env-file", kind=Kind.LINES, owner_only=True, parse=env_file,
        help="files of NAME=value lines on this machine, read when the job starts",
        also=("envfile", "dotenv")),
    Key(name="user", kind=Kind.ANY, aliases=("u",), owner_only=_is_more_than_own,
        parse=_value("user"), form="USER or USER:GROUP, or by the owner root",
        help="who it runs as; else as the agent's own user"),
    Key(name="group-add", kind=Kind.ANY, parse=_value("group_add"), form="a group, or a list",
        help="groups it has beside its own", also=("groups",)),
    Key(name="workdir", kind=Kind.TEXT, aliases=("w",), parse=_workdir,
        form="an absolute path in the container", help="where the command starts",
        also=("working_dir", "working_directory", "cwd")),
    Key(name="entrypoint", kind=Kind.ANY, parse=_value("entrypoint"),
        form="a command, as a text or a list of words", help="what is run in place of the image's",
        also=("entry_point", "command")),
    Key(name="label", kind=Kind.NAMES, aliases=("l",), check_name=_label,
        help="labels of the container", also=("labels",)),
    Key(name="init", kind=Kind.FLAG, help="a small init that hands on signals; on if not said"),
)  # fmt: skip

_RIGHTS = (
    Key(name="ipc", kind=Kind.TEXT, owner_only=_joins_another, parse=_value("ipc"),
        form="private, shareable, none, or by the owner host",
        help="whose shared memory it has"),
    Key(name="pid", kind=Kind.TEXT, owner_only=True, parse=_value("pid"),
        form="host or container:NAME", help="whose processes it sees"),
    Key(name="cap-add", kind=Kind.LINES, owner_only=True, parse=_value("capabilities"),
        form="a capability such as SYS_PTRACE, or a list", help="rights it has beside the usual"),
    Key(name="cap-drop", kind=Kind.LINES, parse=_value("capabilities"),
        form="a capability such as NET_RAW, or a list", help="usual rights that it has not"),
    Key(name="security-opt", kind=Kind.LINES, owner_only=True, parse=_value("security_opt"),
        form="NAME=value, one or a list", help="seccomp, AppArmor and SELinux"),
    Key(name="privileged", kind=Kind.FLAG, owner_only=True, help="all rights on this machine"),
)  # fmt: skip

_BASE_IMAGE = Key(
    name="base_image",
    kind=Kind.TEXT,
    parse=_value("image"),
    form="the name of an image",
    help="what it begins with",
)

_IMAGE = (
    Key(name="platform", kind=Kind.TEXT, parse=_value("platform"), form="such as linux/amd64",
        help="the platform of the image"),
    Key(name="pull", kind=Kind.TEXT, choices=("always", "missing", "never"),
        help="when to pull the image"),
    Key(name="rm", kind=Kind.FLAG, help="whether the container goes after its end; it does"),
    Key(name="builder", kind=Kind.OBJECT, parse=_builder, help="how the job's image is built",
        keys=(
            _BASE_IMAGE,
            Key(name="accelerator", kind=Kind.OBJECT, aliases=("cuda",), keys=(_BASE_IMAGE,),
                help="what it begins with where it needs the libraries of a GPU"),
            Key(name="build_args", kind=Kind.NAMES, help="arguments of the Dockerfile"),
            Key(name="secrets", kind=Kind.LINES, parse=_value("secrets"),
                help="names of secrets that the build may read"),
        )),
)  # fmt: skip

SCHEMA = Schema(
    resource=Resource.LOCAL_CONTAINER,
    request=request,
    agree=_agree,
    refused={
        "name": "the container is named after its run",
        "restart": "a run is tried again by --retries, as a new attempt",
        "command": "the job says what is run; entrypoint replaces the image's",
        "detach": "the agent watches the container",
        "interactive": "a job has no terminal; `launch-tui shell RUN` opens one beside it",
        "tty": "a job has no terminal; `launch-tui shell RUN` opens one beside it",
        "log-driver": "the output goes into the run's own log",
        "log-opt": "the output goes into the run's own log",
        "runtime": "GPUs are given by `gpus`",
    },
    keys=(*_RESOURCES, *_FILES, *_NETWORK, *_PROCESS, *_RIGHTS, *_IMAGE,
          TIMEOUT, START_TIMEOUT, GPU_IDLE_STOP, WANDB, SYNC),
)  # fmt: skip
