"""Keys that the resource configurations of all targets on this machine have, with one meaning.

They say what the machine is asked for, for how long, and the limits that ``setrlimit`` knows: the
same of a process and of a container.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from launch_tui.domain.config_keys import Key, Kind, did_you_mean, wrong
from launch_tui.domain.limits import GpuIdleStop
from launch_tui.domain.quantities import MAX_DURATION
from launch_tui.domain.sync import SyncRule, WandbMode
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

UNLIMITED = -1
"""A limit of ``ulimit`` that is none (``resource.RLIM_INFINITY``)."""

LIMITS = (
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
    "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip
"""Names of ``ulimit``, as Docker has them: those of ``resource.RLIMIT_*``."""

MAX_GPUS = 1024
MAX_CPUS = 65_536

_LIMIT = re.compile(r"(?P<soft>unlimited|-1|\d{1,18})(?::(?P<hard>unlimited|-1|\d{1,18}))?\Z")


def env_file(value: tuple[str, ...], field: str) -> tuple[str, ...]:
    """Read paths of files with variables."""
    return tuple(line.strip() for line in value if line.strip())


def ulimit(value: Mapping[str, str], field: str) -> dict[str, tuple[int, int]]:
    """Read limits: soft and hard by name, ``UNLIMITED`` for none."""
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


def _gpu_idle_stop(value: Mapping[str, Any], field: str) -> GpuIdleStop:
    for name in ("below", "for"):
        if name not in value:
            raise UsageError(field, f"{name} is missing", allowed="{below: PERCENT, for: DURATION}")
    return GpuIdleStop(below=value["below"], seconds=value["for"])


GPU_MEMORY = Key(
    name="gpu_memory",
    kind=Kind.SIZE,
    help="memory the run takes of each of its GPUs; alone it asks for one GPU",
    also=("gpu_mem", "vram", "gpumem"),
)
ULIMIT = Key(
    name="ulimit",
    kind=Kind.NAMES,
    parse=ulimit,
    help="limits of the process: nofile=1024:2048",
    also=("ulimits", "limits", "rlimit"),
)
TIMEOUT = Key(
    name="timeout",
    kind=Kind.DURATION,
    minimum=1,
    maximum=MAX_DURATION,
    help="how long the job may run",
    also=("time", "time_limit", "max_runtime", "walltime", "run_timeout"),
)
START_TIMEOUT = Key(
    name="start_timeout",
    kind=Kind.DURATION,
    minimum=1,
    maximum=MAX_DURATION,
    help="how long a run may take from its claim to the start of the job",
    also=("startup_timeout", "build_timeout"),
)
GPU_SHARING = Key(
    name="gpu_sharing",
    kind=Kind.FLAG,
    owner_only=True,
    help="whether runs that ask by gpu_memory may share a GPU",
    also=("sharing", "share_gpus", "shared"),
)
GPU_IDLE_STOP = Key(
    name="gpu_idle_stop",
    kind=Kind.OBJECT,
    owner_only=True,
    parse=_gpu_idle_stop,
    help="stops a run whose GPUs are used less than a percentage for a time",
    also=("idle_stop", "idle_timeout", "gpu_idle"),
    keys=(
        Key(name="below", kind=Kind.NUMBER, minimum=0, maximum=100, help="percent of use"),
        Key(
            name="for", kind=Kind.DURATION, minimum=1, maximum=MAX_DURATION, help="how long on end"
        ),
    ),
)
WANDB = Key(
    name="wandb",
    kind=Kind.TEXT,
    choices=tuple(WandbMode),
    help="whether the job's wandb sends to your W&B server as it runs",
    also=("wandb_mode", "mode", "online", "tracking"),
)
SYNC = Key(
    name="sync",
    kind=Kind.TEXT,
    choices=tuple(SyncRule),
    help="whether the agent sends a run to your W&B server at its end",
    also=("wandb_sync", "auto_sync", "upload"),
)
