"""What a container of an attempt is made from: values that cross from the agent to the target."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An image that is on the engine, with what its configuration says.

    ``reference`` is the name people know it by, ``id`` the engine's own (``sha256:…``), by which it
    is run, and ``digest`` what is recorded: the registry's digest where the image has one, else the
    id. ``variables`` are those of the image, ``user`` its own user (empty: root).
    """

    reference: str
    id: str
    digest: str
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_directory: str = ""
    user: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A directory or file of this machine that the container sees at ``target``."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRequest:
    """How the container of an attempt is made.

    ``options`` is the run's resource configuration, checked and with its macros expanded.
    ``mounts`` are ours: what the job shares with its run directory. ``working_directory`` is where
    the command starts inside; empty for the image's own. ``gpus`` are the UUIDs of the GPUs that
    were assigned. ``labels`` are put on it beside those that it is found by. ``keep`` leaves it
    after its end.
    """

    image: BuiltImage
    options: Mapping[str, Any] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    working_directory: str = ""
    gpus: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    keep: bool = False
