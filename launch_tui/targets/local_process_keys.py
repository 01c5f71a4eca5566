"""The resource configuration of local-process: its keys, and what a checked one means.

Everything that a queue's owner or a launch can say about the process that a job becomes on this
machine, apart from the job itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from launch_tui.domain.config_keys import Key, Kind, Schema, did_you_mean, unknown_key, wrong
from launch_tui.domain.quantities import MAX_DURATION
from launch_tui.domain.queue import Resource
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.domain.slots import Request

UNLIMITED = -1
"""A limit of ``ulimit`` that is none (``resource.RLIM_INFINITY``)."""

LIMITS = (
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
    "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip
"""Names of ``ulimit``, as Docker has them: those of ``resource.RLIMIT_*``."""

_LIMIT = re.compile(r"(?P<soft>unlimited|-1|\d{1,18})(?::(?P<hard>unlimited|-1|\d{1,18}))?\Z")
_OCTAL = re.compile(r"(?:0o)?0*([0-7]{1,3})\Z")
_PYTHON = re.compile(r"3\.\d{1,2}(\.\d{1,2})?\Z|[~/].*\Z", re.ASCII)
_MEANT_AS_OCTAL = (22, 27, 77)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuIdleStop:
    """Stops a run whose GPUs are used less than ``below`` percent for ``seconds`` on end."""

    below: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalProcessConfig:
    """How the process of a run is started and what it may use.

    Sizes are bytes (``gpu_memory`` for each GPU), times seconds; 0 and None are "not said".
    ``setup`` are shell lines to run before the job, ``ulimit`` soft and hard limits by the names of
    ``LIMITS``, ``UNLIMITED`` for none. ``python`` is a version or the path of an interpreter.
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


def _env_file(value: tuple[str, ...], field: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in value if line.strip())


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


def _ulimit(value: Mapping[str, str], field: str) -> dict[str, tuple[int, int]]:
    return {name: _limit(name, text, f"{field}.{name}") for name, text in value.items()}


def _limit(name: str, text: str, field: str) -> tuple[int, int]:
    if name not in LIMITS:
        problem = f"is not a limit{did_you_mean(name, LIMITS)}"
        raise UsageError(field, problem, allowed=", ".join(LIMITS))
    match = _LIMIT.match(text.strip())
    if match is None:
        raise wrong(field, text, "SOFT or SOFT:HARD, each a whole number, -1 or unlimited")
    soft = _limit_number(match["soft"])
    hard = soft if match["hard"] is None else _limit_number(match["hard"])
    if hard != UNLIMITED and (soft == UNLIMITED or soft > hard):
        raise UsageError(field, f"the soft limit of {text!r} is above the hard one")
    return soft, hard


def _limit_number(text: str) -> int:
    return UNLIMITED if text in ("unlimited", "-1") else int(text)


def _python(value: str, field: str) -> str:
    if not _PYTHON.match(value):
        allowed = 'a version such as "3.11", or the path of an interpreter'
        raise wrong(field, value, allowed)
    return value


def _gpu_idle_stop(value: Mapping[str, Any], field: str) -> GpuIdleStop:
    for name in ("below", "for"):
        if name not in value:
            raise UsageError(field, f"{name} is missing", allowed="{below: PERCENT, for: DURATION}")
    return GpuIdleStop(below=value["below"], seconds=value["for"])


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
            parse=_env_file,
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
            maximum=65_536,
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
            maximum=1024,
            help="GPUs the run takes",
            also=("gpu", "num_gpus", "gres", "ngpus", "devices"),
        ),
        Key(
            name="gpu_memory",
            kind=Kind.SIZE,
            help="memory the run takes of each of its GPUs; alone it asks for one GPU",
            also=("gpu_mem", "vram", "gpumem"),
        ),
        Key(
            name="umask",
            kind=Kind.ANY,
            parse=_umask,
            help="permissions that new files do not get, in octal",
        ),
        Key(
            name="ulimit",
            kind=Kind.NAMES,
            parse=_ulimit,
            help="limits of the process: nofile=1024:2048",
            also=("ulimits", "limits", "rlimit"),
        ),
        Key(
            name="timeout",
            kind=Kind.DURATION,
            minimum=1,
            maximum=MAX_DURATION,
            help="how long the job may run",
            also=("time", "time_limit", "max_runtime", "walltime", "run_timeout"),
        ),
        Key(
            name="start_timeout",
            kind=Kind.DURATION,
            minimum=1,
            maximum=MAX_DURATION,
            help="how long a run may take from its claim to the start of the job",
            also=("startup_timeout", "build_timeout"),
        ),
        Key(
            name="python",
            kind=Kind.TEXT,
            parse=_python,
            help="the Python of the job: a version, or the path of an interpreter",
            also=("python_version", "interpreter", "runtime"),
        ),
        Key(
            name="gpu_sharing",
            kind=Kind.FLAG,
            owner_only=True,
            help="whether runs that ask by gpu_memory may share a GPU",
            also=("sharing", "share_gpus", "shared"),
        ),
        Key(
            name="gpu_idle_stop",
            kind=Kind.OBJECT,
            owner_only=True,
            parse=_gpu_idle_stop,
            help="stops a run whose GPUs are used less than a percentage for a time",
            also=("idle_stop", "idle_timeout", "gpu_idle"),
            keys=(
                Key(name="below", kind=Kind.NUMBER, minimum=0, maximum=100, help="percent of use"),
                Key(
                    name="for",
                    kind=Kind.DURATION,
                    minimum=1,
                    maximum=MAX_DURATION,
                    help="how long on end",
                ),
            ),
        ),
    ),
)
