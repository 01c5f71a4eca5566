"""From a run's frozen request to a working directory: blocking, meant for a thread."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from typing import TYPE_CHECKING

from launch_tui.domain.job import CodeSource, GitSource, ImageSource
from launch_tui.domain.spec import dump_spec
from launch_tui.errors import SourceFailed
from launch_tui.store.artifacts import ArtifactStore
from launch_tui.store.durable import write_atomically
from launch_tui.tracking.declared import install

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from launch_tui.domain.run import Run
    from launch_tui.domain.spec import RunSpec
    from launch_tui.store.paths import Home


_OUTCOME = frozenset(
    {"phase", "cause", "next_step", "exit_code", "summary", "state", "tracked", "sync"}
)
"""What a run is only told at its end, and its directory by other files."""


def bring_source(
    run: Run,
    spec: RunSpec,
    home: Home,
    *,
    report: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> Path:
    """Make the attempt's directory with the job's files in it and return where the job starts.

    Raises:
        SourceFailed: When the files cannot be had.

    A job that is an image brings its files itself: the attempt's directory is returned.
    """
    from pathlib import Path

    try:
        attempt = home.attempt(run.id, run.attempt)
        attempt.mkdir(parents=True, exist_ok=True)
        home.shared(run.id).mkdir(exist_ok=True)
        (attempt / "wandb").mkdir(exist_ok=True)
        install(attempt / "wandb")
        _write_spec(run, spec, home)
        if spec.in_place:
            return Path(spec.in_place)
        if isinstance(spec.source, ImageSource):
            return attempt
        destination = attempt / "source"
        # What an agent that died here left behind is not trusted.
        if destination.exists():
            shutil.rmtree(destination)
        return _fetch(spec, home, destination, report=report, cancelled=cancelled)
    except OSError as error:
        raise SourceFailed(
            f"cannot write {error.filename or home.root}: {error.strerror}",
            next_step="free space on, or repair, the disk of the data directory; then rerun",
        ) from error


def _fetch(
    spec: RunSpec,
    home: Home,
    destination: Path,
    *,
    report: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> Path:
    if isinstance(spec.source, CodeSource):
        from launch_tui.sources.code import materialise

        materialise(
            spec.source,
            ArtifactStore(home.artifacts),
            destination,
            links=spec.links,
        )
        return destination
    if isinstance(spec.source, GitSource):
        from launch_tui.sources import git

        copy = git.materialise(
            spec.source, home.repositories, destination, report=report, cancelled=cancelled
        )
        for warning in copy.warnings:
            report(warning)
        return copy.directory
    raise TypeError(f"{spec.kind} jobs have no files")


def _write_spec(run: Run, spec: RunSpec, home: Home) -> None:
    """Write what was asked for beside the run, so that its directory explains itself."""
    request = {f.name: getattr(run, f.name) for f in fields(run) if f.name not in _OUTCOME}
    head = json.dumps(request, ensure_ascii=False).removesuffix("}")
    text = f'{head}, "spec": {dump_spec(spec)}}}'
    # Not synced: the store has all of it, and a reader only ever sees a whole file.
    write_atomically(home.spec(run.id), text.encode("utf-8", "surrogateescape"), sync=False)
