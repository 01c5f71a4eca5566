"""What a job tells through wandb, as typed values.

Nested keys of the history are joined by dots, so ``{"a": {"b": 1}}`` and a literal key ``"a.b"``
become the same series, as in W&B's own charts. The config and the summary keep key paths.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from launch_tui.domain.output import Output

if TYPE_CHECKING:
    from collections.abc import Mapping

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One row of ``wandb.log``; ``step`` None when wandb gave none.

    ``values`` holds numbers, booleans, text, None, lists and media references by joined name,
    wandb's own ``_step``, ``_runtime`` (seconds) and ``_timestamp`` (seconds) among them.
    """

    step: int | None
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A change of the summary: values by key path, and key paths that are gone."""

    update: Mapping[Path, Any]
    removed: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A change of ``wandb.config``: values by key path, and key paths that are gone."""

    update: Mapping[Path, Any]
    removed: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What the run is called and how it began; sent again whenever tags or the name change.

    ``start_time`` is in seconds since the epoch, 0.0 when unknown.
    """

    run_id: str = ""
    project: str = ""
    entity: str = ""
    display_name: str = ""
    notes: str = ""
    group: str = ""
    job_type: str = ""
    sweep_id: str = ""
    tags: tuple[str, ...] = ()
    start_time: float = 0.0
    config: Config = field(default_factory=lambda: Config(update={}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """System metrics at one moment (seconds since the epoch)."""

    timestamp: float
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A ``wandb.define_metric``: ``step_metric`` is the key to chart ``name`` against, or empty."""

    name: str
    step_metric: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """The script ended and wandb saw it; ``runtime`` in seconds."""

    code: int
    runtime: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """The version of wandb that writes this file."""

    wandb: str


Record = History | Summary | Config | RunInfo | Stats | Metric | Exit | Version | Output
