"""The agent's settings: the keys of W&B's ``launch-config.yaml`` under their names, and our own.

A file is checked completely before any of it holds: an unknown key, a wrong type or a value out of
bounds is one line that names the file, the key and what is allowed. What is given on the command
line beats the file. ``docs/agent-configuration.md`` has the table of the keys.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from launch_tui.agent import config_images as images
from launch_tui.agent import config_values as values
from launch_tui.domain.document import read_document
from launch_tui.domain.webhook import read_webhooks
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from launch_tui.agent.config_values import Reader
    from launch_tui.domain.webhook import Webhook
    from launch_tui.store.paths import Home

UNLIMITED = -1
"""What ``max_jobs`` takes for no limit, as W&B's does."""
GRACE_S = 15.0
"""Between SIGINT, SIGTERM and SIGKILL when a run is stopped: wandb writes everything meanwhile."""
MAX_BYTES = 64 * 1024
"""Of a file of settings; anything larger is another file, and takes seconds to read as YAML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """How an agent works.

    Attributes:
        path: The file that the settings are of; None without one.
        queues: The queues to serve; None for all, also those made later.
        max_jobs: How many runs at once; None for no limit.
        entity: What runs without an entity of their own have for one; empty for none.
        secure_mode: Whether a run must start with its job's own entry point.
        verbosity: 0; from 1 on the agent's state is told every 20 seconds as well.
        stopped_run_timeout: Seconds between asking a run to end, insisting, and killing it.
        start_timeout: Seconds that a run may take to start; None for no limit.
        macro_environment: The agent's variables that a resource configuration may refer to.
        gpu_order: GPUs to give first, by index or (the beginning of) UUID.
        gpu_exclude: GPUs never to give.
        gpu_busy_memory: Bytes in use by others above which a GPU is theirs; None for the default.
        cpus: Processors that runs may have; None for those of the machine.
        memory: Bytes that runs may have; None for those of the machine.
        disk_budget: Bytes that working copies and caches may take; None for no limit.
        notify: Whom to tell of the ends of runs.
        builder: W&B's section about building images, checked, with W&B's names of the keys.
        registry: Where they are pushed to, in the older section.
        environment: W&B's section about clouds, checked.
        notes: What a person should know about the file: keys that have no effect.
    """

    path: Path | None = None
    queues: tuple[str, ...] | None = None
    max_jobs: int | None = None
    entity: str = ""
    secure_mode: bool = False
    verbosity: int = 0
    stopped_run_timeout: float = GRACE_S
    start_timeout: float | None = None
    macro_environment: tuple[str, ...] = ()
    gpu_order: tuple[str, ...] = ()
    gpu_exclude: tuple[str, ...] = ()
    gpu_busy_memory: int | None = None
    cpus: float | None = None
    memory: int | None = None
    disk_budget: int | None = None
    notify: tuple[Webhook, ...] = ()
    builder: Mapping[str, Any] = field(default_factory=dict)
    registry: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def overridden(
        self, *, queues: tuple[str, ...] | None = None, max_jobs: int | None = None
    ) -> AgentConfig:
        """Return the settings with what the command line gave.

        Args:
            queues: Its ``-q``; None when it has none.
            max_jobs: Its ``-j``, where -1 stands for no limit; None when it has none.

        Raises:
            UsageError: When neither it nor the file names a queue of an empty list.
        """
        chosen = self.queues if queues is None else queues
        if chosen is not None and not chosen:
            where = f"{self.path}: queues" if self.path else "queues"
            raise UsageError(
                where, "the list is empty", allowed="names of queues; no such key: all queues"
            )
        limit = self.max_jobs
        if max_jobs is not None:
            limit = None if max_jobs == UNLIMITED else max_jobs
        return replace(self, queues=chosen, max_jobs=limit)

    def described(self) -> str:
        """Return what is served, and how much at once, in a few words."""
        served = "all queues" if self.queues is None else "queues " + ", ".join(self.queues)
        limit = "no limit" if self.max_jobs is None else f"at most {self.max_jobs} jobs"
        return f"{served}, {limit}"


def default_path(home: Home) -> Path:
    """Return the file that an agent of this data directory reads where it is not told another."""
    return home.root / "agent.yaml"


def load(path: Path) -> AgentConfig:
    """Return the settings of a file, checked completely.

    Raises:
        UsageError: When the file cannot be read, or one of its keys or values is wrong.
    """
    return config_of(_document(path), path)


def config_of(given: Mapping[str, object], path: Path) -> AgentConfig:
    """Return the settings that the keys of a file give.

    Raises:
        UsageError: When one of the keys or values is wrong.
    """
    found = values.section(given, _READERS, lambda key: f"{path}: {key}")
    notes = images.unknown_of_environment(given.get("environment"))
    if idle := [key for key in _WITHOUT_EFFECT if key in found]:
        notes.insert(0, f"{', '.join(idle)}: no effect here (docs/agent-configuration.md says why)")
    notes += images.notes_of_builder(found.get("builder", {}))
    found.pop("max_schedulers", None)
    if found.get("max_jobs") == UNLIMITED:
        found["max_jobs"] = None
    return AgentConfig(path=path, notes=tuple(notes), **found)


_READERS: dict[str, Reader] = {
    "entity": values.text,
    "queues": values.texts("names of queues"),
    "max_jobs": values.max_jobs,
    "max_schedulers": values.whole(minimum=-1, allowed="0 or more, -1: no limit"),
    "secure_mode": values.flag,
    "verbosity": values.whole(minimum=0, maximum=2, allowed="0, 1, 2"),
    "stopped_run_timeout": values.duration,
    "registry": images.registry,
    "environment": images.environment,
    "builder": images.builder,
    "start_timeout": values.some_duration,
    "macro_environment": values.texts("names of variables", r"[A-Za-z_][A-Za-z0-9_]*"),
    "gpu_order": values.texts("GPUs by index or UUID"),
    "gpu_exclude": values.texts("GPUs by index or UUID"),
    "gpu_busy_memory": values.size,
    "cpus": values.processors,
    "memory": values.some_size,
    "disk_budget": values.size,
    "notify": read_webhooks,
}

_WITHOUT_EFFECT = ("max_schedulers", "environment")


def _document(path: Path) -> Mapping[str, object]:
    """Return the keys of a file; a file with nothing in it has none."""
    where = str(path)
    try:
        found = path.stat()
    except OSError as error:
        raise UsageError(where, f"cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(where, "is no file", allowed="a file of YAML or JSON")
    if found.st_size > MAX_BYTES:
        raise UsageError(where, f"has more than {MAX_BYTES // 1024} KiB", allowed="agent settings")
    return read_document(path, where)
