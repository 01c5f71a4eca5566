"""What a run's records come to: the config, the summary, the last values, what it is called.

Built up record by record, and kept as JSON beside the rows, so that a tracker can go on in the
middle of a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from launch_tui.tracking.records import Config, Exit, History, Metric, RunInfo, Summary, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from launch_tui.tracking.records import Record

MAX_DEPTH = 32
"""Levels of nesting that are kept; deeper key paths are joined by dots below."""


@dataclass(slots=True, kw_only=True)
class Observed:
    """What has been read of an attempt so far; ``exits`` has the exit codes by file."""

    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)
    display_name: str = ""
    project: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    version: str = ""
    exits: dict[str, int] = field(default_factory=dict)
    step_metrics: dict[str, str] = field(default_factory=dict)

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Observed:
        """Return what ``state`` gave; nothing observed when it is empty."""
        return cls(**{**state, "tags": tuple(state.get("tags", ()))})

    def state(self) -> dict[str, Any]:
        """Return this as JSON values, which later records may still change."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    def config_now(self) -> dict[str, Any]:
        """Return a copy of the config without wandb's own part."""
        return _without_own(self.config)

    def summary_now(self) -> dict[str, Any]:
        """Return a copy of the summary without wandb's own part."""
        return _without_own(self.summary)

    def take(self, name: str, records: Iterable[Record]) -> None:
        """Add the records of a file."""
        for record in records:
            if isinstance(record, History):
                self.last.update(record.values)
            elif isinstance(record, Summary):
                _change(self.summary, record)
            elif isinstance(record, Config):
                _change(self.config, record)
            else:
                self._take_rare(name, record)

    def _take_rare(self, name: str, record: Record) -> None:
        if isinstance(record, RunInfo):
            self._take_run(record)
        elif isinstance(record, Version):
            self.version = record.wandb
        elif isinstance(record, Exit):
            self.exits[name] = record.code
        elif isinstance(record, Metric) and record.step_metric:
            self.step_metrics[record.name] = record.step_metric

    def _take_run(self, run: RunInfo) -> None:
        _change(self.config, run.config)
        self.display_name = run.display_name or self.display_name
        self.project = run.project or self.project
        self.notes = run.notes or self.notes
        self.tags = run.tags or self.tags


def _without_own(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(value) for key, value in tree.items() if key != "_wandb"}


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return value


def _change(tree: dict[str, Any], change: Summary | Config) -> None:
    for path, value in change.update.items():
        if path:
            _put(tree, path, value)
    for path in change.removed:
        if path:
            _remove(tree, path)


def _put(tree: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    if len(path) > MAX_DEPTH:
        path = (*path[: MAX_DEPTH - 1], ".".join(path[MAX_DEPTH - 1 :]))
    for key in path[:-1]:
        inner = tree.get(key)
        if not isinstance(inner, dict):
            inner = tree[key] = {}
        tree = inner
    tree[path[-1]] = value


def _remove(tree: dict[str, Any], path: tuple[str, ...]) -> None:
    for key in path[:-1]:
        inner = tree.get(key)
        if not isinstance(inner, dict):
            return
        tree = inner
    tree.pop(path[-1], None)
