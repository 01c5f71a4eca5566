"""What changed between two snapshots of a job, for ``job diff`` and to compare runs."""

from __future__ import annotations

import difflib
import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.store.manifest import EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from launch_tui.domain.job import CodeSource
    from launch_tui.store.artifacts import ArtifactStore
    from launch_tui.store.manifest import Entry, Manifest

REQUIREMENTS = (
    "requirements*.txt", "constraints*.txt", "pyproject.toml", "uv.lock", "setup.py", "setup.cfg",
    "environment.y*ml", "runtime.txt", ".python-version",
)  # fmt: skip
"""Names of files that say what a job needs installed; compared in full."""
MAX_TEXT = 1024 * 1024
"""Bytes beyond which contents are not compared line by line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDiff:
    """Paths that differ between two snapshots, sorted.

    ``requirements`` holds a unified diff for each file that says what to install.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    requirements: dict[str, str]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def diff(old: CodeSource, new: CodeSource, artifacts: ArtifactStore) -> CodeDiff:
    """Return what differs from ``old`` to ``new``.

    Raises:
        SourceFailed: When one of them is missing or damaged.
    """
    before, after = artifacts.manifest(old.digest), artifacts.manifest(new.digest)
    was, now = before.entries, after.entries
    added, removed = sorted(now.keys() - was.keys()), sorted(was.keys() - now.keys())
    changed = sorted(path for path in now.keys() & was.keys() if now[path] != was[path])
    return CodeDiff(
        added=tuple(added),
        removed=tuple(removed),
        changed=tuple(changed),
        requirements={
            path: _text_diff(path, before, after, artifacts)
            for path in sorted([*added, *removed, *changed])
            if any(fnmatch.fnmatch(path.rpartition("/")[2], name) for name in REQUIREMENTS)
        },
    )


def text_diff(path: str, old: CodeSource, new: CodeSource, artifacts: ArtifactStore) -> str:
    """Return the unified diff of one path; a line that says so when it has no lines to compare.

    Raises:
        SourceFailed: When a snapshot or the content is missing or damaged.
    """
    before, after = artifacts.manifest(old.digest), artifacts.manifest(new.digest)
    return _text_diff(path, before, after, artifacts)


def text_diffs(old: CodeSource, new: CodeSource, artifacts: ArtifactStore) -> Iterator[str]:
    """Yield the unified diff of each path that differs, sorted by path.

    Raises:
        SourceFailed: When a snapshot or a content is missing or damaged.
    """
    before, after = artifacts.manifest(old.digest), artifacts.manifest(new.digest)
    was, now = before.entries, after.entries
    for path in sorted(was.keys() | now.keys()):
        if was.get(path) != now.get(path):
            yield _text_diff(path, before, after, artifacts)


def _text_diff(path: str, before: Manifest, after: Manifest, artifacts: ArtifactStore) -> str:
    was, now = before.entries.get(path), after.entries.get(path)
    old, new = _lines(path, was, artifacts), _lines(path, now, artifacts)
    if old is None or new is None:
        return f"{path}: contents differ\n"
    lines = difflib.unified_diff(
        old, new, f"a/{path}" if was else "/dev/null", f"b/{path}" if now else "/dev/null"
    )
    text = "".join(lines)
    return _mode_change(was, now) + text


def _mode_change(was: Entry | None, now: Entry | None) -> str:
    if was is None or now is None or was.executable == now.executable:
        return ""
    return "now executable\n" if now.executable else "no longer executable\n"


def _lines(path: str, entry: Entry | None, artifacts: ArtifactStore) -> list[str] | None:
    """Return a file's lines, None when it is too large or no text."""
    if entry is None:
        return []
    if entry.kind is EntryKind.SYMLINK:
        return [f"link to {entry.target}\n"]
    if entry.size > MAX_TEXT:
        return None
    data = artifacts.read(entry, path)
    if b"\0" in data:
        return None
    # Not ``splitlines``, which also cuts at form feeds and the like.
    *lines, last = data.decode(errors="replace").split("\n")
    ending = [f"{last}\n\\ No newline at end of file\n"] if last else []
    return [f"{line}\n" for line in lines] + ending
