"""The resource configuration of local-process: its keys, and what a checked one means.

Everything that a queue's owner or a launch can say about the process that a job becomes on this
machine, apart from the job itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from launch_tui.domain.config_keys import Key, Kind, Schema, unknown_key, wrong
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
    from collections.abc import Mapping

    from launch_tui.domain.limits import GpuIdleStop
    from launch_tui.domain.slots import Request

_OCTAL = re.compile(r"(?:0o)?0*([0-7]{1,3})\Z")
_PYTHON = re.compile(r"3\.\d{1,2}(\.\d{1,2})?\Z|[~/].*\Z", re.ASCII)
_MEANT_AS_OCTAL = (22, 27, 77)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalProcessConfig:
    """How the process of a run is started and what it may use.

    Sizes are bytes (``gpu_memory`` for each GPU), times seconds; 0 and None are "not said".
    ``setup`` are shell lines to run before the job, ``ulimit`` soft and hard limits by the names of
    ``machine_keys.LIMITS``, ``UNLIMITED`` for none. ``python`` is a version or the path of an
    interpreter.
    """

    env: dict[str, str] = field(default_factory=dict)
    env_file: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    nice: int | None = None
    cpus: float = 0.0
    memory: int = 0
    gpus: int = 0
    gpu_memory: int = 0
    umask: int | None = None
    ulimit: dict[str, tuple[int, int]] = field(default_factory=dict)
    timeout: float | None = None
    start_timeout: float | None = None
    python: str = ""
    gpu_sharing: bool = False
    gpu_idle_stop: GpuIdleStop | None = None
    wandb: str = ""
    sync: str = ""


def read(config: Mapping[str, Any]) -> LocalProcessConfig:
    """Return what a resource configuration of local-process means.

    Args:
        config: Merged, filled and checked; macros expanded or not.

    Raises:
        UsageError: For a key or value that the schema does not have.
    """
    values: dict[str, Any] = {}
    for name, value in config.items():
        if value is None or name in SCHEMA.kept:
            continue
        key = SCHEMA.find(name)
        if key is None:
            raise unknown_key(name, name, SCHEMA.keys, f"a key of {SCHEMA.resource}")
        values[name] = key.read(value, name)
    return LocalProcessConfig(**values)


def request(config: Mapping[str, Any]) -> Request:
    """Return what a checked configuration asks for of the machine's slots."""
    # Not at the top: a launch checks its configuration and assigns nothing, and must be quick.
    from launch_tui.domain.slots import Request

    asked = read({name: config.get(name) for name in _SLOTS})
    return Request(
        gpus=asked.gpus,
        gpu_memory=asked.gpu_memory,
        cpus=asked.cpus,
        memory=asked.memory,
        sharing=asked.gpu_sharing,
    )


def _umask(value: Any, field: str) -> int:  # noqa: ANN401
    allowed = 'octal digits as text, such as "027"'
    if isinstance(value, str):
        match = _OCTAL.match(value.strip())
        if match is None:
            raise wrong(field, value, allowed)
        return int(match[1], 8)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 0o777:
        raise wrong(field, value, allowed)
    if value in _MEANT_AS_OCTAL:
        # As a number 22 is 0o26, which nobody means; YAML's 022 and 0o22 arrive as 18.
        raise UsageError(field, f"{value} could be 0{value} or 0{value:o}", allowed=allowed)
    return value


def _python(value: str, field: str) -> str:
    if not _PYTHON.match(value):
        allowed = 'a version such as "3.11", or the path of an interpreter'
        raise wrong(field, value, allowed)
    return value


_SLOTS = ("gpus", "gpu_memory", "cpus", "memory", "gpu_sharing")

SCHEMA = Schema(
    resource=Resource.LOCAL_PROCESS,
    request=request,
    # What builds of images are told, in W&B; a local process has no image.
    kept=("builder",),
    keys=(
        Key(
            name="env",
            kind=Kind.NAMES,
            help="environment variables of the job",
            also=("e", "environment", "envs", "variables", "setenv"),
        ),
        Key(
            name="env_file",
            kind=Kind.LINES,
            parse=env_file,
            help="files of NAME=value lines, read when the job starts",
            also=("envfile", "dotenv"),
        ),
        Key(
            name="setup",
            kind=Kind.LINES,
            help="shell lines to run before the job, in its environment",
            also=("prolog", "before", "pre", "commands", "init", "modules"),
        ),
        Key(
            name="nice",
            kind=Kind.WHOLE,
            minimum=-20,
            maximum=19,
            help="the scheduling priority; 19 gives way to everything else",
            also=("niceness", "priority"),
        ),
        Key(
            name="cpus",
            kind=Kind.NUMBER,
            minimum=0,
            maximum=MAX_CPUS,
            help="CPUs the run takes",
            also=("cpu", "cores", "num_cpus", "cpus_per_task", "ncpus"),
        ),
        Key(
            name="memory",
            kind=Kind.SIZE,
            help="memory the run takes",
            also=("m", "mem", "ram", "memory_limit"),
        ),
        Key(
            name="gpus",
            kind=Kind.WHOLE,
            minimum=0,
            maximum=MAX_GPUS,
            help="GPUs the run takes",
            also=("gpu", "num_gpus", "gres", "ngpus", "devices"),
        ),
        GPU_MEMORY,
        Key(
            name="umask",
            kind=Kind.ANY,
            parse=_umask,
            help="permissions that new files do not get, in octal",
        ),
        ULIMIT,
        TIMEOUT,
        START_TIMEOUT,
        Key(
            name="python",
            kind=Kind.TEXT,
            parse=_python,
            help="the Python of the job: a version, or the path of an interpreter",
            also=("python_version", "interpreter", "runtime"),
        ),
        GPU_SHARING,
        GPU_IDLE_STOP,
        WANDB,
        SYNC,
    ),
)
