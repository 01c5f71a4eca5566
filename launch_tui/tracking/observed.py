"""What a run's records come to: the config, the summary, the last values, what it is called.

Built up record by record, and kept as JSON beside the rows, so that a tracker can go on in the
middle of a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from launch_tui.tracking.bounds import Tree, merge_known
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
    left_out: int = 0
    """Values that were not kept: of keys beyond the bound, or too large."""
    _trees: dict[str, Tree] = field(default_factory=dict, repr=False)

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Observed:
        """Return what ``state`` gave; nothing observed when it is empty."""
        return cls(**{**state, "tags": tuple(state.get("tags", ()))})

    def state(self) -> dict[str, Any]:
        """Return this as JSON values, which later records may still change."""
        return {part.name: getattr(self, part.name) for part in fields(self) if part.name[0] != "_"}

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
                self.left_out += merge_known(self.last, record.values)
            elif isinstance(record, Summary):
                self._change("summary", record)
            elif isinstance(record, Config):
                self._change("config", record)
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
            self.left_out += merge_known(self.step_metrics, {record.name: record.step_metric})

    def _take_run(self, run: RunInfo) -> None:
        self._change("config", run.config)
        self.display_name = run.display_name or self.display_name
        self.project = run.project or self.project
        self.notes = run.notes or self.notes
        self.tags = run.tags or self.tags

    def _change(self, name: str, change: Summary | Config) -> None:
        tree = self._trees.get(name)
        if tree is None:
            tree = self._trees[name] = Tree(getattr(self, name))
        before = tree.left_out
        for path, value in change.update.items():
            if path:
                tree.put(_shallow(path), value)
        for path in change.removed:
            if path:
                tree.remove(path)
        self.left_out += tree.left_out - before


def _shallow(path: tuple[str, ...]) -> tuple[str, ...]:
    if len(path) <= MAX_DEPTH:
        return path
    return (*path[: MAX_DEPTH - 1], ".".join(path[MAX_DEPTH - 1 :]))


def _without_own(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(value) for key, value in tree.items() if key != "_wandb"}


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return value
