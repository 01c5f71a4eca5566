"""The cached environments on disk: which are there, which are whole, who is building which.

    <root>/<key>/            the virtual environment
    <root>/<key>/complete    written last, by rename; without it the directory is not used
    <root>/<key>.lock        held by who builds or removes it

The modification time of ``complete`` is the time of last use. A dead process holds no lock, so what
it left behind is simply removed by the next one.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from launch_tui.builders.build_lock import BuildLocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

_MARKER = "complete"
_BEING_REMOVED = "removing"


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedEnvironment:
    """One environment of the cache.

    ``python`` is its version, ``made_from`` the file that asked for the packages, ``wandb`` the
    installed version or empty; ``size`` in bytes, counting files that uv's cache shares by hard
    link as well; times in seconds since the epoch. Of an incomplete one only key, path, size and
    last use are known.
    """

    key: str
    path: Path
    python: str = ""
    made_from: str = ""
    packages: int = 0
    wandb: str = ""
    size: int = 0
    created_at: float = 0.0
    last_used_at: float = 0.0
    complete: bool = False


_RECORDED = tuple(
    field.name
    for field in fields(CachedEnvironment)
    if field.name not in ("key", "path", "last_used_at", "complete")
)


class EnvironmentStore:
    """The directory of cached environments.

    Args:
        root: ``<home>/envs``; made when first needed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.locks = BuildLocks(root)

    def path(self, key: str) -> Path:
        """Return where the environment of this key is or will be."""
        return self.root / key

    def use(self, key: str) -> CachedEnvironment | None:
        """Return the environment if it is whole and its Python still exists, marking its use."""
        path = self.root / key
        marker = path / _MARKER
        try:
            # Its time first: who removes old environments looks at it after taking the marker
            # away, so one that is found here is not removed below its user.
            os.utime(marker)
            os.stat(path / "bin" / "python")  # noqa: PTH116  (follows the link; half the cost)
        except OSError:
            return None
        return _read(key, path, marker)

    def mark(self, environment: CachedEnvironment) -> None:
        """Declare an environment whole."""
        record: dict[str, Any] = {
            name: value for name, value in asdict(environment).items() if name in _RECORDED
        }
        record["files"] = own_files(environment.path)
        temporary = environment.path / f"{_MARKER}.new"
        with temporary.open("w", encoding="utf-8") as stream:
            json.dump(record, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.rename(environment.path / _MARKER)

    def clear(self, key: str) -> None:
        """Remove what an unfinished build left. The caller holds the lock."""
        path = self.root / key
        # The marker first: were this interrupted, a half-removed one must not look whole.
        (path / _MARKER).unlink(missing_ok=True)
        _remove_tree(path)

    def all(self) -> list[CachedEnvironment]:
        """Return all environments, the last used first, incomplete ones too."""
        found = [self._describe(key) for key in self._keys()]
        return sorted(found, key=lambda each: each.last_used_at, reverse=True)

    def prune(
        self, keep_newer_than: float, in_use: AbstractSet[str], *, dry_run: bool = False
    ) -> list[CachedEnvironment]:
        """Remove the environments last used before ``keep_newer_than``, and unfinished ones.

        Args:
            keep_newer_than: Seconds since the epoch.
            in_use: Keys of the environments that runs are using; never removed.
            dry_run: Only tell which would be removed.

        Returns:
            What was removed. One that is being built at this moment is not.
        """
        removed = []
        for environment in self.all():
            old = not environment.complete or environment.last_used_at < keep_newer_than
            if not old or environment.key in in_use:
                continue
            if self.remove(environment.key, keep_newer_than, dry_run=dry_run):
                removed.append(environment)
        return removed

    def remove(self, key: str, keep_newer_than: float, *, dry_run: bool = False) -> bool:
        """Remove one environment unless it is being built, or was used since a time.

        Args:
            key: The environment.
            keep_newer_than: Seconds since the epoch.
            dry_run: Only say whether it would be removed.

        Returns:
            Whether it is gone, or would be.
        """
        lock = self.locks.try_take(key)
        if lock is None:
            return False
        with lock:
            gone = dry_run or self._remove(key, keep_newer_than)
            if not self.path(key).exists():
                lock.remove()
        return gone

    def _remove(self, key: str, keep_newer_than: float) -> bool:
        path = self.root / key
        marker = path / _MARKER
        aside = path / _BEING_REMOVED
        if marker.exists():
            marker.rename(aside)
            if aside.stat().st_mtime >= keep_newer_than:
                aside.rename(marker)
                return False
        _remove_tree(path)
        return True

    def _keys(self) -> Iterator[str]:
        if not self.root.is_dir():
            return
        for path in self.root.iterdir():
            if path.is_dir():
                yield path.name

    def _describe(self, key: str) -> CachedEnvironment:
        path = self.root / key
        whole = _read(key, path, path / _MARKER)
        if whole is not None:
            return whole
        size, changed = measure(path), _changed(path)
        return CachedEnvironment(key=key, path=path, size=size, last_used_at=changed)


def own_files(path: Path) -> dict[str, str]:
    """Return the digests of an environment's files that no package says anything of.

    Among them what each package says of its files.
    """
    import hashlib

    places = [path / "pyvenv.cfg", *sorted((path / "bin").glob("*"))]
    places += sorted(path.glob("lib/python*/site-packages/*.dist-info/RECORD"))
    return {
        str(place.relative_to(path)): hashlib.sha256(place.read_bytes()).hexdigest()
        for place in places
        if place.is_file() and not place.is_symlink()
    }


def recorded_files(path: Path) -> dict[str, str] | None:
    """Return what ``own_files`` was when the environment was made; None where that is not told."""
    try:
        record = json.loads((path / _MARKER).read_bytes())
        return {str(name): str(digest) for name, digest in record["files"].items()}
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def measure(path: Path) -> int:
    """Return the bytes of all files below a directory; what vanishes meanwhile counts nothing."""
    total = 0
    for directory, _, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(directory, name)).st_size  # noqa: PTH118
            except FileNotFoundError:
                continue
    return total


def _remove_tree(path: Path) -> None:
    # Loads bz2 and lzma, which no other part of an agent's start needs.
    import shutil

    if path.exists():
        shutil.rmtree(path)


def _read(key: str, path: Path, marker: Path) -> CachedEnvironment | None:
    try:
        record: dict[str, Any] = json.loads(marker.read_bytes())
        used = marker.stat().st_mtime
    except (OSError, ValueError):
        return None
    known = {name: record[name] for name in _RECORDED if name in record}
    return CachedEnvironment(key=key, path=path, last_used_at=used, complete=True, **known)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()
