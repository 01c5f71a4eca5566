"""What a job's source holds, asked while the job is defined: entry point, requirements."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from launch_tui.domain.job import CodeSource, GitSource
    from launch_tui.store.artifacts import ArtifactStore
    from launch_tui.store.manifest import Entry


class SourceFiles(Protocol):
    """The files of a source, by path relative to it."""

    def has(self, path: str) -> bool:
        """Say whether a run will have this file."""
        ...

    def has_folder(self, path: str) -> bool:
        """Say whether a run will have this folder, as far as it can be told here."""
        ...

    def read(self, path: str) -> str | None:
        """Return a file's text, None when there is no such file."""
        ...

    def is_executable(self, path: str) -> bool:
        """Say whether the file has its executable bit."""
        ...

    def in_root(self) -> Iterable[str]:
        """Return the names of the source's top folder."""
        ...


class SnapshotFiles:
    """The files of a snapshot; the folder itself may hold more, which a run will not have."""

    def __init__(self, source: CodeSource, folder: Path, artifacts: ArtifactStore) -> None:
        self._source = source
        self._folder = folder
        self._artifacts = artifacts

    def has(self, path: str) -> bool:
        """Say whether the snapshot holds this path."""
        return path in self._entries

    def has_folder(self, path: str) -> bool:
        """Say whether the snapshot holds anything below this path."""
        return any(name.startswith(f"{path}/") for name in self._entries)

    def read(self, path: str) -> str | None:
        """Return the text of a file of the folder that was snapshotted a moment ago."""
        try:
            return (self._folder / path).read_text("utf-8", "replace")
        except OSError:
            return None

    def is_executable(self, path: str) -> bool:
        """Say whether the snapshot keeps the file as executable."""
        entry = self._entries.get(path)
        return entry is not None and entry.executable

    def in_root(self) -> Iterable[str]:
        """Return the names of the snapshot's top folder."""
        return sorted({path.split("/", 1)[0] for path in self._entries})

    @cached_property
    def _entries(self) -> Mapping[str, Entry]:
        return self._artifacts.manifest(self._source.digest).entries


class RepositoryFiles:
    """The files of a pinned commit; git does not tell a script's bit more cheaply than it runs."""

    def __init__(self, source: GitSource, repositories: Path) -> None:
        self._source = source
        self._repositories = repositories
        self._read: dict[str, str | None] = {}

    def has(self, path: str) -> bool:
        """Say whether the commit has this file."""
        return self.read(path) is not None

    def has_folder(self, path: str) -> bool:
        """Say that a file is none; whether there is such a folder is seen when it is built."""
        return not self.has(path)

    def read(self, path: str) -> str | None:
        """Return the file's text at the commit."""
        if path not in self._read:
            from launch_tui.sources import git

            self._read[path] = git.read_file(self._source, path, self._repositories)
        return self._read[path]

    def is_executable(self, path: str) -> bool:
        """Take a script with a ``#!`` line to be one: git jobs are run by name, not by bit."""
        return (self.read(path) or "").startswith("#!")

    def in_root(self) -> Iterable[str]:
        """Return no names: they would only decorate a refusal."""
        return ()
