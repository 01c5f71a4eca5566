"""What is known here of the images that were built: which, from which bases, when last used.

    <root>/<key>.json        written when an image was built or found; its time is that of last use
    <root>/<key>.lock        held by who builds or removes it
    <root>/<key>.context/    the Dockerfile that was written for it, while it is being built

The engine has the images; a record without its image is only a note. Records tell nothing that an
image could lie about: they name it by the engine's own id, which is a digest of all of it.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from launch_tui.builders.build_lock import BuildLocks
from launch_tui.store.durable import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

KEY_LABEL = "launch-tui.key"
JOB_LABEL = "launch-tui.job"
HOME_LABEL = "launch-tui.home"
STAGE_LABEL = "launch-tui.stage"
"""On what the classic builder leaves of a first stage: the data directory it was built for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """One image that was built or found: its id, its bases' digests, where it was pushed to."""

    key: str
    id: str
    bases: Mapping[str, str] = field(default_factory=dict)
    pushed: tuple[str, ...] = ()
    created_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedImage:
    """One image on the engine that was built here.

    ``references`` are the names that were given to it here, ``digests`` those that registries know
    it by; ``size`` in bytes, with the layers that
    it shares with others; times in seconds since the epoch.
    """

    key: str
    id: str
    references: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    job: str = ""
    size: int = 0
    created_at: float = 0.0
    last_used_at: float = 0.0


class ImageRecords:
    """The directory of records.

    Args:
        root: ``<home>/images``; made when first needed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.locks = BuildLocks(root)

    def use(self, key: str) -> ImageRecord | None:
        """Return the record, marking its use; None when there is none that can be read."""
        try:
            os.utime(self._path(key))
        except OSError:
            return None
        return self.read(key)

    def read(self, key: str) -> ImageRecord | None:
        """Return the record; None when there is none that can be read."""
        try:
            values = json.loads(self._path(key).read_bytes())
            return ImageRecord(**{**values, "pushed": tuple(values["pushed"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, record: ImageRecord) -> None:
        """Write a record; whoever reads sees the old one or the new one."""
        self.root.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path(record.key), json.dumps(asdict(record)).encode(), sync=False)

    def last_used(self, key: str) -> float:
        """Return when the image was last used, 0.0 when nothing is known of it."""
        try:
            return self._path(key).stat().st_mtime
        except OSError:
            return 0.0

    def forget(self, key: str) -> None:
        """Remove the record, and what a build left. The caller holds the lock."""
        self._path(key).unlink(missing_ok=True)
        self.clear_context(key)

    def keys(self) -> Iterator[str]:
        """Yield the keys of all records."""
        yield from self._keys(".json")

    def orphans(self, keys: AbstractSet[str], older_than: float) -> Iterator[str]:
        """Yield other keys that something is left of, and that were last used before a time."""
        for key in {*self._keys(".json"), *self._keys(".lock"), *self._keys(".context")} - keys:
            times = [path.stat().st_mtime for path in self.root.glob(f"{key}.*")]
            if max(times, default=0.0) < older_than:
                yield key

    def base_digest(self, reference: str) -> str:
        """Return the digest that this base had when an image was last built from it, or empty."""
        for key in sorted(self.keys(), key=self.last_used, reverse=True):
            record = self.read(key)
            if record is not None and reference in record.bases:
                return record.bases[reference]
        return ""

    def fresh_context(self, key: str) -> Path:
        """Return an empty directory for what is written for a build. The caller holds the lock."""
        self.clear_context(key)
        path = self._context(key)
        path.mkdir(parents=True, mode=0o700)
        return path

    def clear_context(self, key: str) -> None:
        """Remove what was written for a build, also by one that was killed."""
        # Loads bz2 and lzma, which no other part of an agent's start needs.
        import shutil

        shutil.rmtree(self._context(key), ignore_errors=True)

    def _keys(self, suffix: str) -> Iterator[str]:
        if self.root.is_dir():
            yield from (path.stem for path in sorted(self.root.glob(f"*{suffix}")))

    def _path(self, key: str) -> Path:
        return self.root / f"{key}.json"

    def _context(self, key: str) -> Path:
        return self.root / f"{key}.context"
