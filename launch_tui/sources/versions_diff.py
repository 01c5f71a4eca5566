"""What differs between the sources of two versions of a job, as text of bounded length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.domain.job import CodeSource, GitSource
from launch_tui.errors import LaunchError

if TYPE_CHECKING:
    from pathlib import Path

    from launch_tui.domain.job import Source
    from launch_tui.store.artifacts import ArtifactStore

MOST_LINES = 400
MOST_PATHS = 100
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def describe(old: Source, new: Source, artifacts: ArtifactStore, repositories: Path) -> list[str]:
    """Return the paths that differ and a unified diff, as lines; none when nothing does.

    Nothing is fetched: of commits that are not here it says so.

    Args:
        old: The earlier source.
        new: The later one.
        artifacts: Has the snapshots.
        repositories: Where the caches of repositories are.
    """
    if isinstance(old, CodeSource) and isinstance(new, CodeSource):
        return _of_snapshots(old, new, artifacts)
    if isinstance(old, GitSource) and isinstance(new, GitSource):
        return _of_commits(old, new, repositories)
    return [] if old == new else ["the source is another one altogether"]


def _of_snapshots(old: CodeSource, new: CodeSource, artifacts: ArtifactStore) -> list[str]:
    from launch_tui.sources.code_diff import diff, text_diff

    if old.digest == new.digest:
        return []
    try:
        found = diff(old, new, artifacts)
    except LaunchError as error:
        return [f"the snapshots cannot be compared: {error.cause}"]
    paths = [
        (path, f"{sign} {path}")
        for name, sign in _SIGNS.items()
        for path in getattr(found, name)
    ]  # fmt: skip
    lines = _shortened([line for _, line in paths], MOST_PATHS, "paths")
    changes: list[str] = []
    for path, _ in paths:
        if len(changes) > MOST_LINES:
            break
        try:
            changes += text_diff(path, old, new, artifacts).splitlines()
        except LaunchError as error:
            changes.append(f"{path}: {error.cause}")
    return [*lines, "", *_shortened(changes, MOST_LINES, "lines")]


def _of_commits(old: GitSource, new: GitSource, repositories: Path) -> list[str]:
    from launch_tui.sources.git_cache import cache_for
    from launch_tui.sources.git_failure import GitFailed

    if old.commit == new.commit:
        return []
    between = f"{old.commit[:12]} to {new.commit[:12]}"
    if old.url != new.url:
        return [f"{old.url} became {new.url}", between]
    cache = cache_for(new.url, repositories)
    inside = ["--", f":(top,literal){new.subdirectory}"] if new.subdirectory else []
    try:
        text = cache.git(
            "diff", "--no-color", "--no-ext-diff", "--no-textconv", "--stat", "--patch",
            old.commit, new.commit, *inside,
        )  # fmt: skip
    except (GitFailed, LaunchError, OSError):
        return [between, "both commits are not in the cache: git diff in the repository tells"]
    return [between, *_shortened(text.splitlines(), MOST_LINES, "lines")]


def _shortened(lines: list[str], most: int, what: str) -> list[str]:
    if len(lines) <= most:
        return lines
    return [*lines[:most], f"... and {len(lines) - most:,} more {what}"]
