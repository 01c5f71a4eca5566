"""What differs between runs, in configuration, in results and in source: for every front end."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launch_tui.domain.job import CodeSource, GitSource, ImageSource
from launch_tui.domain.words import flattened
from launch_tui.errors import LaunchError, UsageError
from launch_tui.store.artifacts import ArtifactStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.run import Run
    from launch_tui.domain.spec import RunSpec
    from launch_tui.sdk import Launch

FIELDS = ("name", "job", "version", "queue", "state", "cause", "exit_code")
MOST_RUNS = 6
"""Runs that are compared beside each other."""
MOST_LINES = 20_000
"""Lines of a source diff that are made."""

Rows = dict[str, list[Any]]
"""The values of each key, one for each run; None where a run has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What runs have beside each other: of the run itself, its configuration, its results."""

    runs: tuple[Run, ...]
    run: Rows
    config: Rows
    summary: Rows

    @property
    def parts(self) -> dict[str, Rows]:
        """The three parts by their names."""
        return {"run": self.run, "config": self.config, "summary": self.summary}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDiff:
    """What differs between what two runs were made from.

    ``fields`` are ``(name, old, new)``. ``text`` is the unified diff of their files; ``reason``
    says why there is none, where there could be.
    """

    fields: tuple[tuple[str, str, str], ...]
    text: str = ""
    reason: str = ""


def compare(
    runs: Sequence[Run],
    *,
    everything: bool = False,
    more: Sequence[Mapping[str, Any]] = (),
) -> Comparison:
    """Return the values of runs beside each other.

    Args:
        runs: The runs.
        everything: All values, not only those that differ.
        more: What else is to be told of each run, such as how long it took.
    """
    of_run = [{name: getattr(run, name) for name in FIELDS} for run in runs]
    for fields, others in zip(of_run, more, strict=False):
        fields.update(others)
    return Comparison(
        runs=tuple(runs),
        run=differing(of_run, everything=everything),
        config=differing([dict(flattened(run.config)) for run in runs], everything=everything),
        summary=differing([dict(flattened(run.summary)) for run in runs], everything=everything),
    )


def differing(columns: Sequence[Mapping[str, Any]], *, everything: bool = False) -> Rows:
    """Return the values of each key over the columns, of keys whose values differ."""
    keys = dict.fromkeys(key for column in columns for key in column)
    rows = {key: [column.get(key) for column in columns] for key in keys}
    if everything:
        return rows
    return {key: values for key, values in rows.items() if differ(values)}


def differ(values: Sequence[Any]) -> bool:
    """Say whether not all values are the same; NaN is the same as NaN."""
    first = values[0]
    return any(value != first and not (value != value and first != first) for value in values)


def each_once(runs: Sequence[Run]) -> list[Run]:
    """Return the runs to compare, one that was named more than once where it came first.

    Raises:
        UsageError: When fewer than two are left: a run does not differ from itself.
    """
    found = list({run.id: run for run in runs}.values())
    if len(found) < 2:
        problem = f"{found[0].id} is the only run that is named" if found else "no run is named"
        raise UsageError("RUN", problem, allowed="two runs or more")
    return found


def check_number(count: int) -> None:
    """Raise for a number of runs that cannot be compared beside each other.

    Raises:
        UsageError: When it is less than two or more than six.
    """
    if not 2 <= count <= MOST_RUNS:
        problem = f"{count} run{'s' * (count != 1)} cannot be compared"
        raise UsageError("RUN", problem, allowed=f"two to {MOST_RUNS} runs")


def source_diff(launch: Launch, old: str, new: str) -> SourceDiff:
    """Return what differs between what two runs were made from. Reads files: takes its time.

    Args:
        launch: Where the runs are.
        old: A run.
        new: Another one.
    """
    before, after = launch.runs.get(old), launch.runs.get(new)
    specs = launch.runs.spec(before.id), launch.runs.spec(after.id)
    pairs = zip(_described(before, specs[0]), _described(after, specs[1]), strict=True)
    fields = tuple((name, a, b) for (name, a), (_, b) in pairs if a != b)
    try:
        text, reason = _files(launch, *specs)
    except LaunchError as error:
        text, reason = "", error.cause
    return SourceDiff(fields=fields, text=text, reason=reason)


def _files(launch: Launch, old: RunSpec, new: RunSpec) -> tuple[str, str]:
    """Return the diff of the files, or why there is none."""
    before, after = old.source, new.source
    if old.in_place or new.in_place:
        return "", "a run in place has no snapshot of its files"
    if isinstance(before, CodeSource) and isinstance(after, CodeSource):
        return _snapshots(launch, before, after), ""
    if isinstance(before, GitSource) and isinstance(after, GitSource):
        from launch_tui.sources import git

        if before.commit == after.commit and before.url == after.url:
            return "", ""
        return git.diff(before, after, launch.home.repositories), ""
    if isinstance(before, ImageSource) and isinstance(after, ImageSource):
        return "", "files of images are not compared"
    return "", "they come from different kinds of sources"


def _snapshots(launch: Launch, old: CodeSource, new: CodeSource) -> str:
    if old.digest == new.digest:
        return ""
    from launch_tui.sources.code_diff import text_diffs

    texts: list[str] = []
    lines = 0
    for text in text_diffs(old, new, ArtifactStore(launch.home.artifacts)):
        texts.append(text)
        lines += text.count("\n")
        if lines > MOST_LINES:
            texts.append("… more files differ; see job diff\n")
            break
    return "".join(texts)


def _described(run: Run, spec: RunSpec) -> list[tuple[str, str]]:
    source, environment = spec.source, spec.environment
    commit = source.commit if isinstance(source, GitSource) else ""
    return [
        ("job", f"{run.job}:{run.version}" if run.version else run.job),
        ("kind", str(spec.kind)),
        ("source", _place(spec)),
        ("commit", commit),
        ("command", shlex.join(spec.command)),
        ("environment", str(environment.mode)),
        ("python", environment.python_version or environment.interpreter),
        ("tracking", spec.tracking),
        ("links", ", ".join(spec.links)),
    ]


def _place(spec: RunSpec) -> str:
    source = spec.source
    if spec.in_place:
        return f"{spec.in_place}, in place"
    if isinstance(source, CodeSource):
        return source.path
    return source.url if isinstance(source, GitSource) else source.image
