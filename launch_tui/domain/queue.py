"""What a queue is: a FIFO list of runs for exactly one target resource."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_QUEUE = "default"
DEFAULT_MAX_RUNNING = 1
MOST_RUNNING = 1_000_000
MAX_QUEUE_NAME = 64
"""W&B's own limit for a queue's name (``Api.create_run_queue``)."""


class Resource(StrEnum):
    """The kinds of target resource, by the names that output uses."""

    LOCAL_PROCESS = "local-process"
    LOCAL_CONTAINER = "local-container"
    SLURM = "slurm"
    KUBERNETES = "kubernetes"
    SAGEMAKER = "sagemaker"
    VERTEX = "vertex"


AVAILABLE = (Resource.LOCAL_PROCESS, Resource.LOCAL_CONTAINER)
"""The target resources that this version can run on."""


class OnReboot(StrEnum):
    """What becomes of a run whose machine was booted anew."""

    LOST = "lost"
    """It is lost, and a person decides."""
    REQUEUE = "requeue"
    """A new attempt takes its old place in the queue, at most five times."""


_ALIASES = {
    "process": Resource.LOCAL_PROCESS,
    "docker": Resource.LOCAL_CONTAINER,
    "gcp-vertex": Resource.VERTEX,
}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue with its limits and what waits and runs in it.

    ``depth`` counts the runs that wait (queued and held), ``running`` those that are between
    claim and outcome. ``on_reboot`` is what becomes of those that a reboot of the machine ended
    without a trace of their outcome.
    """

    name: str
    resource: Resource
    config: Mapping[str, Any] = field(default_factory=dict)
    template_variables: Mapping[str, Any] = field(default_factory=dict)
    prioritized: bool = False
    paused: bool = False
    max_running: int = DEFAULT_MAX_RUNNING
    tracking: str = "required"
    on_reboot: str = OnReboot.LOST
    depth: int = 0
    running: int = 0
    created_at: str = ""


def parse_resource(text: str, *, field: str = "-r") -> Resource:
    """Return the resource that ``text`` names, by its own name or an accepted alias."""
    lowered = text.strip().lower()
    if lowered in _ALIASES:
        return _ALIASES[lowered]
    try:
        return Resource(lowered)
    except ValueError:
        names = ", ".join([*Resource, *_ALIASES])
        raise UsageError(field, f"no target resource is called {text!r}", allowed=names) from None


def check_queue_name(name: str, *, field: str = "queue name") -> str:
    """Return ``name`` if a queue may be called so."""
    if len(name) > MAX_QUEUE_NAME or not _NAME.match(name):
        allowed = f"1 to {MAX_QUEUE_NAME} of a-z A-Z 0-9 _ . -, beginning with a letter or digit"
        raise UsageError(field, f"{name!r} cannot be a queue's name", allowed=allowed)
    return name


def check_max_running(value: int, *, field: str = "--max-running") -> int:
    """Return ``value`` if a queue can have that many runs at once."""
    if not 1 <= value <= MOST_RUNNING:
        allowed = f"1 to {MOST_RUNNING:,}"
        raise UsageError(field, f"{value} is not a number of runs", allowed=allowed)
    return value


def check_on_reboot(value: str, *, field: str = "--on-reboot") -> OnReboot:
    """Return the policy that ``value`` names."""
    try:
        return OnReboot(value)
    except ValueError:
        raise UsageError(field, f"{value!r} is no policy", allowed=", ".join(OnReboot)) from None
