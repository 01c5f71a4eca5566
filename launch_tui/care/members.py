"""Which files of the data directory belong into a backup, and under which names.

That is what the rows of the store need and cannot be made again: artifacts, repositories that runs
and jobs refer to, what is left of runs, and the settings. Environments, images and untouched
working copies are made again when they are needed; secrets (``secrets/``) stay where they are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from launch_tui.care.copies import SOURCE, walk, written_by_job
from launch_tui.care.repositories import needed_caches
from launch_tui.errors import SourceFailed, UsageError
from launch_tui.store.artifacts import ArtifactStore
from launch_tui.store.blobs import blob_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from launch_tui.store.paths import Home
    from launch_tui.store.retention import Sources

EXCLUDE = "--exclude"
SETTINGS = ("agent.yaml", "ui.yaml")
METRICS = "metrics.db"
_BESIDE_METRICS = (f"{METRICS}-wal", f"{METRICS}-shm", f"{METRICS}-journal")
_NEVER_LEFT_OUT = frozenset({"spec.json", METRICS, "started", "pid", "exit", "output.log"})
_OF_REPOSITORY = ("HEAD", "packed-refs", "shallow")
_IN_REPOSITORY = ("refs", "lfs", "objects")
"""Names before what they name: git adds objects first, and a ref only when all it reaches is there.
"""


def check_patterns(patterns: Sequence[str]) -> None:
    """Refuse a pattern that could leave out nothing at all: whoever gave it meant something.

    Raises:
        UsageError: For what is no pattern, and one of what no path in a run's directory is called.
    """
    for pattern in patterns:
        if not pattern.strip() or "\0" in pattern:
            raise UsageError(EXCLUDE, f"{pattern!r} is no pattern", allowed="such as *.ckpt")
        if _opened(pattern):
            problem = f"{pattern!r} has a [ without its ]"
            raise UsageError(EXCLUDE, problem, allowed="[abc], [!abc], or [[] for a bracket")
        parts = pattern.split("/")
        if pattern.endswith("/"):
            problem = f"{pattern!r} is a folder, and files are left out"
            raise UsageError(EXCLUDE, problem, allowed=f"{pattern}*")
        if "" in parts or "." in parts or ".." in parts:
            problem = f"{pattern!r} is no path in a run's directory"
            raise UsageError(EXCLUDE, problem, allowed="such as shared/*")


def _opened(pattern: str) -> bool:
    """Whether a class of letters begins in a pattern and does not end, as ``fnmatch`` reads it."""
    at = pattern.find("[")
    while at >= 0:
        # A ] that comes first is a letter of the class.
        inside = at + 2 if pattern[at + 1 : at + 2] == "!" else at + 1
        end = pattern.find("]", inside + 1)
        if end < 0:
            return True
        at = pattern.find("[", end)
    return False


class Member(NamedTuple):
    """A file or link: its name in the archive, where it is, and what a link points to."""

    path: str
    source: str
    target: str | None = None


@dataclass
class Listing:
    """Lists what belongs into a backup.

    Args:
        home: The data directory.
        exclude: Patterns of files of runs that are left out.

    Attributes:
        left_out: Links that lead out of the data directory.
        excluded: How many files the patterns left out.
        trouble: What could not be looked at.
    """

    home: Home
    exclude: Sequence[str] = ()
    left_out: list[str] = field(default_factory=list)
    excluded: int = 0
    trouble: list[str] = field(default_factory=list)

    def settings(self) -> Iterator[Member]:
        """Yield the files that a person may have put into the data directory."""
        for name in SETTINGS:
            path = self.home.root / name
            if path.is_file() and not path.is_symlink():
                yield Member(name, str(path))

    def artifacts(self, digests: Sequence[str]) -> Iterator[Member]:
        """Yield the contents of artifacts, each once, and then their manifests."""
        store, seen = ArtifactStore(self.home.artifacts), set[str]()
        for digest in digests:
            try:
                entries = store.manifest(digest).entries.values()
            except SourceFailed as error:
                self.trouble.append(error.cause)
                continue
            for blob in (entry.digest for entry in entries if entry.digest):
                if blob not in seen:
                    seen.add(blob)
                    yield self._named(blob_path(self.home.artifacts, blob))
            yield self._named(self.home.artifacts / "manifests" / digest[:2] / f"{digest[2:]}.json")

    def repository(self, directory: Path) -> Iterator[Member]:
        """Yield what makes a cache of a repository, without its settings and its locks."""
        for name in _OF_REPOSITORY:
            if (directory / name).is_file():
                yield self._named(directory / name)
        for folder in _IN_REPOSITORY:
            for entry in walk(str(directory / folder)):
                busy = entry.name.endswith(".lock") or entry.name.startswith(("tmp_", ".tmp-"))
                alternates = entry.path.endswith("objects/info/alternates")
                if not busy and not alternates and entry.is_file(follow_symlinks=False):
                    yield Member(self._relative(entry.path), entry.path)

    def repositories(self, sources: Sources) -> list[Path]:
        """Return the caches that rows of the store refer to."""
        return needed_caches(self.home.repositories, sources.repositories)

    def run(self, run_id: str) -> Iterator[Member]:
        """Yield the files of a run, and the links in its directory that stay in it."""
        root = self.home.run(run_id)
        try:
            attempts = [path for path in root.iterdir() if path.name.isdecimal() and path.is_dir()]
        except OSError:
            return
        copies = {str(path / SOURCE) for path in attempts}
        for entry in self._outside(str(root), copies):
            yield from self._member(root, entry)
        for attempt in attempts:
            for entry in written_by_job(attempt):
                yield from self._member(root, entry)

    def _outside(self, root: str, copies: set[str]) -> Iterator[os.DirEntry[str]]:
        partial = {f"{os.path.dirname(path)}/.{SOURCE}.partial" for path in copies}
        for entry in walk(root, but=frozenset(copies | partial)):
            if entry.name not in _BESIDE_METRICS:
                yield entry

    def _member(self, root: Path, entry: os.DirEntry[str]) -> Iterator[Member]:
        inside = os.path.relpath(entry.path, root)
        if self._is_excluded(inside):
            self.excluded += 1
        elif entry.is_symlink():
            target = _within(root, entry.path)
            if target is None:
                self.left_out.append(self._relative(entry.path))
            else:
                yield Member(self._relative(entry.path), entry.path, target)
        elif entry.is_file(follow_symlinks=False):
            yield Member(self._relative(entry.path), entry.path)

    def _is_excluded(self, inside: str) -> bool:
        name = os.path.basename(inside)
        if name in _NEVER_LEFT_OUT:
            return False
        return any(fnmatchcase(inside, each) or fnmatchcase(name, each) for each in self.exclude)

    def _named(self, path: Path) -> Member:
        return Member(self._relative(str(path)), str(path))

    def _relative(self, path: str) -> str:
        return os.path.relpath(path, self.home.root)


def _within(root: Path, link: str) -> str | None:
    """Return a link's target relative to the link; None when it leads out of ``root``."""
    try:
        target = os.readlink(link)
    except OSError:
        return None
    folder = os.path.dirname(link)
    place = os.path.normpath(os.path.join(folder, target))
    if place != str(root) and not place.startswith(f"{root}/"):
        return None
    return os.path.relpath(place, folder) if os.path.isabs(target) else target
