"""The artifact store: files by content, and manifests that name them.

``blobs/ab/cdef…`` holds each content once, read-only; ``manifests/ab/cdef….json`` each artifact,
and ``….copy`` the same again.
A blob gets its name only when its bytes are on disk, and a manifest only after its blobs, so that
whoever is killed when leaves complete artifacts and, in ``tmp``, rubbish that the next writer
clears. Writers share a lock that deleting takes alone.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from launch_tui import faults
from launch_tui.errors import SourceFailed, StoreCorrupt
from launch_tui.store.durable import disk_errors, sync_directory, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from launch_tui.store.blobs import BlobWriter, Stored
    from launch_tui.store.manifest import Entry, Manifest

# An unchanged folder needs the lock and one manifest's name: what reads and writes contents is
# imported where it is used.

GRACE = 3600.0
"""Seconds for which an artifact that nothing refers to yet is kept: its job is being created."""


class Deleted(NamedTuple):
    """What ``delete_unreferenced`` removed; ``size`` in bytes."""

    manifests: int
    blobs: int
    size: int


class ArtifactStore:
    """Artifacts below one directory (``Home.artifacts``), which is made when it is first used."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def writer(self) -> Iterator[ArtifactWriter]:
        """Open the store for adding an artifact; nothing is deleted meanwhile.

        Raises:
            DiskFull: When there is no space; what was added in this block is gone.
            StoreReadOnly: When the store cannot be written.
        """
        with disk_errors(self.root), _lock(self.root) as descriptor:
            _clear_rubbish(self.root, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            writer = ArtifactWriter(self)
            try:
                yield writer
            finally:
                writer.close()

    def has(self, digest: str) -> bool:
        """Whether the artifact is here."""
        return self.manifest_path(digest).exists()

    def manifest(self, digest: str) -> Manifest:
        """Return the manifest of an artifact.

        Raises:
            SourceFailed: When it is not here, or damaged.
        """
        import hashlib

        from launch_tui.store.manifest import MEND, decode

        try:
            data = self.manifest_path(digest).read_bytes()
        except OSError as error:
            raise SourceFailed(
                f"artifact {digest[:12]} is not in the artifact store",
                next_step=MEND,
            ) from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise SourceFailed(
                f"the manifest of artifact {digest[:12]} is damaged",
                next_step=MEND,
            )
        return decode(data, digest)

    def read(self, entry: Entry, path: str) -> bytes:
        """Return the content of a file of an artifact.

        Args:
            entry: The file's entry.
            path: Its path, for the message.

        Raises:
            SourceFailed: When the content is missing or has another size than it should.
        """
        from launch_tui.store.blobs import blob_path
        from launch_tui.store.manifest import damaged

        try:
            data = blob_path(self.root, entry.digest).read_bytes()
        except OSError as error:
            raise damaged(path, "is missing from the artifact store") from error
        if len(data) != entry.size:
            raise damaged(path, "is damaged in the artifact store")
        return data

    def checkout(
        self,
        digest: str,
        destination: Path,
        *,
        links: Mapping[str, str] | None = None,
    ) -> Manifest:
        """Make a private working copy of an artifact.

        It appears at ``destination`` by a rename, whole or not at all, and only if every byte of it
        is what the manifest says.

        Args:
            digest: The artifact.
            destination: A directory that does not exist yet or is empty.
            links: Symbolic links that the copy gets besides, path to target.

        Raises:
            SourceFailed: When content is missing or damaged, the destination is in use, or
                a link would take the place of a file.
            DiskFull: When there is no space; the destination is as it was.
        """
        from launch_tui.store.checkout import write_copy
        from launch_tui.store.manifest import with_links

        manifest = self.manifest(digest)
        write_copy(self.root, with_links(manifest, links or {}), destination)
        return manifest

    def delete_unreferenced(
        self,
        keep: Iterable[str] | Callable[[], Iterable[str]],
        *,
        grace: float = GRACE,
        dry_run: bool = False,
    ) -> Deleted:
        """Delete the artifacts that are not in ``keep``, and the blobs that no artifact names.

        Args:
            keep: Digests of the artifacts that jobs refer to; a function is asked when nobody can
                add an artifact any more.
            grace: Seconds for which a new artifact is kept anyway.
            dry_run: Only say what would be deleted.

        Raises:
            StoreCorrupt: When a kept manifest is damaged: nothing is deleted then.
        """
        oldest = time.time() - grace
        with disk_errors(self.root), _lock(self.root) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            wanted = set(keep() if callable(keep) else keep)
            kept: list[tuple[str, Path]] = []
            doomed: list[tuple[str, Path]] = []
            for path in (self.root / "manifests").glob("??/*.json"):
                digest = path.parent.name + path.stem
                young = path.stat().st_mtime > oldest
                (kept if digest in wanted or young else doomed).append((digest, path))
            alive = self._blobs_of(digest for digest, _ in kept)
            # Manifests go first: a blob may be without one, never the other way round.
            if not dry_run:
                for _, path in doomed:
                    path.unlink()
                    second_manifest(path).unlink(missing_ok=True)
                faults.point("prune.manifests")
                _remove_tree(self.root / "tmp")
            blobs, size = self._delete_blobs_but(alive, dry_run=dry_run)
        return Deleted(len(doomed), blobs, size)

    def copy_manifests(self) -> None:
        """Give each manifest its second copy: they came from where there was one copy."""
        for path in (self.root / "manifests").glob("??/*.json"):
            write_atomically(second_manifest(path), path.read_bytes(), mode=0o444, sync=False)

    def _blobs_of(self, digests: Iterable[str]) -> set[str]:
        blobs: set[str] = set()
        for digest in digests:
            try:
                entries = self.manifest(digest).entries.values()
            except SourceFailed as error:
                raise StoreCorrupt(
                    error.cause, next_step="Delete the job that uses it, then prune again."
                ) from error
            blobs.update(entry.digest for entry in entries if entry.digest)
        return blobs

    def _delete_blobs_but(self, alive: set[str], *, dry_run: bool) -> tuple[int, int]:
        count = size = 0
        for path in (self.root / "blobs").glob("??/*"):
            if path.parent.name + path.name not in alive:
                size += path.stat().st_size
                count += 1
                if not dry_run:
                    path.unlink()
        return count, size

    def manifest_path(self, digest: str) -> Path:
        """Return where the manifest of an artifact lies."""
        return self.root / "manifests" / digest[:2] / f"{digest[2:]}.json"


class ArtifactWriter:
    """Adds the files of one artifact, then commits its manifest."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._blobs: BlobWriter | None = None

    def renew(self, digest: str) -> bool:
        """Keep an artifact from being deleted for a while. False when it is not here."""
        try:
            os.utime(self._store.manifest_path(digest))
        except FileNotFoundError:
            return False
        return True

    def put_bytes(self, data: bytes) -> str:
        """Add a content and return its digest."""
        return self._contents().put_bytes(data)

    def put_file(self, path: str) -> Stored:
        """Add the content of a file (see ``BlobWriter.put_file``)."""
        return self._contents().put_file(path)

    def commit(self, entries: Mapping[str, Entry]) -> str:
        """Make an artifact of these paths and return its digest; it is on disk then.

        Raises:
            SourceFailed: When a path would leave a working copy.
        """
        import hashlib

        from launch_tui.store.manifest import encode, require_inside

        data = encode(entries)
        digest = hashlib.sha256(data).hexdigest()
        require_inside(entries, digest)
        self._contents().name_blobs()
        path = self._store.manifest_path(digest)
        if not self.renew(digest):
            made = not path.parent.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data, mode=0o444)
            # Blobs may be had again from where they were taken; what belonged together may not.
            write_atomically(second_manifest(path), data, mode=0o444, sync=False)
            if made:
                sync_directory(path.parent.parent)
        return digest

    def close(self) -> None:
        """Remove what was added and never committed."""
        if self._blobs is not None:
            self._blobs.close()

    def _contents(self) -> BlobWriter:
        if self._blobs is None:
            from launch_tui.store.blobs import BlobWriter

            self._blobs = BlobWriter(self._store.root)
        return self._blobs


def second_manifest(path: Path) -> Path:
    """Return where the second copy of a manifest lies, which ``fsck`` falls back on."""
    return path.with_suffix(".copy")


@contextmanager
def _lock(root: Path) -> Iterator[int]:
    """Open the file that the store's lock is on; it is let go at the end."""
    with suppress(FileExistsError):
        root.mkdir(parents=True, mode=0o700)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(root / "lock", flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _clear_rubbish(root: Path, lock: int) -> None:
    """Remove what killed writers left, unless another one is at work."""
    rubbish = root / "tmp"
    with suppress(FileNotFoundError, BlockingIOError):
        if any(rubbish.iterdir()):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_tree(rubbish)


def _remove_tree(path: Path) -> None:
    import shutil

    shutil.rmtree(path, ignore_errors=True)
