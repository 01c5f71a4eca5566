"""Puts contents into the artifact store: under temporary names first, then by their digest.

A batch is written, then synced, then named, then the names are synced. A few blobs are synced one
by one (about 0.3 ms each on an SSD); beyond ``ONE_BY_ONE`` the file system is synced as a whole
(10,000 blobs in 0.3 s, against 4 s), which a small batch must not ask for, because it also waits
for whatever checkpoints other programs are writing to that disk.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from launch_tui import faults
from launch_tui.store.durable import sync_directory, unique_name, write_all

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ONE_BY_ONE = 256
"""Blobs up to which each is synced by itself."""
IN_MEMORY = 4 * 1024 * 1024
"""Bytes up to which a file is read at once."""
CHUNK = 1024 * 1024
FICLONE = 0x40049409
"""The ioctl that shares a file's blocks with another one (``linux/fs.h``)."""
_TRIES = 5


class Stored(NamedTuple):
    """A file that was put into the store.

    ``status`` is its state when it was read; ``stable`` says that it did not change meanwhile.
    """

    digest: str
    size: int
    status: os.stat_result
    stable: bool


class Unreadable(Exception):
    """A file that was to be put into the store cannot be opened; ``gone`` when it is not there."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(f"{path}: {error.strerror}")
        self.gone = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)


def blob_path(root: Path, digest: str) -> Path:
    """Return where the content with this digest lies."""
    return root / "blobs" / digest[:2] / digest[2:]


class BlobWriter:
    """Writes contents below the artifact store ``root``, whose lock the caller holds shared."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pending: dict[str, str] = {}
        self._folder: Path | None = None

    def put_bytes(self, data: bytes) -> str:
        """Add a content and return its digest."""
        import hashlib

        digest = hashlib.sha256(data).hexdigest()
        if not self._known(digest, len(data)):
            temporary = self._temporary(digest)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
            try:
                write_all(descriptor, data)
            finally:
                os.close(descriptor)
            self._pending[digest] = temporary
        return digest

    def put_file(self, path: str) -> Stored:
        """Add the content of a file, reading it again when it changes under the reader.

        A file that never rests is taken as it was read last.

        Raises:
            Unreadable: When it cannot be opened, or is no regular file any more.
            OSError: When the store cannot be written.
        """
        for _ in range(_TRIES):
            stored = self._read(path)
            if stored.stable:
                break
        return stored

    def name_blobs(self) -> None:
        """Sync what was added and give it its names."""
        if not self._pending:
            return
        faults.point("artifact.blobs_written")
        whole = len(self._pending) > ONE_BY_ONE
        _sync_file_system(self._root) if whole else _sync_files(self._pending.values())
        faults.point("artifact.blobs_synced")
        folders = {self._root / "blobs"}
        for digest, temporary in self._pending.items():
            final = blob_path(self._root, digest)
            if final.parent not in folders:
                final.parent.mkdir(parents=True, exist_ok=True)
                folders.add(final.parent)
            os.replace(temporary, final)  # noqa: PTH105  Path objects for 10,000 blobs cost more
        if whole:
            _sync_file_system(self._root)
        else:
            for folder in folders:
                sync_directory(folder)
        self._pending.clear()
        faults.point("artifact.blobs_named")

    def close(self) -> None:
        """Remove what was added and never named."""
        self._pending.clear()
        if self._folder is not None:
            import shutil

            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _read(self, path: str) -> Stored:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(path, flags)
        except OSError as error:
            raise Unreadable(path, error) from error
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise Unreadable(path, FileNotFoundError(errno.ENOENT, "not a file any more"))
            digest, size = self._put_open_file(descriptor, before.st_size)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        stable = size == after.st_size and _moment(before) == _moment(after)
        return Stored(digest, size, after, stable)

    def _put_open_file(self, source: int, expected: int) -> tuple[str, int]:
        if expected <= IN_MEMORY:
            data = _read_up_to(source, IN_MEMORY + 1)
            if len(data) <= IN_MEMORY:
                return self.put_bytes(data), len(data)
            os.lseek(source, 0, os.SEEK_SET)
        return self._put_large(source)

    def _put_large(self, source: int) -> tuple[str, int]:
        """Clone or copy the file first and digest the copy, which cannot change."""
        import hashlib

        temporary = self._temporary(unique_name("large"))
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        target = os.open(temporary, flags, 0o444)
        digest, size = hashlib.sha256(), 0
        try:
            cloned = _clone(source, target)
            while chunk := os.read(target if cloned else source, CHUNK):
                digest.update(chunk)
                size += len(chunk)
                if not cloned:
                    write_all(target, chunk)
        finally:
            os.close(target)
        name = digest.hexdigest()
        if self._known(name, size):
            os.unlink(temporary)  # noqa: PTH108
        else:
            self._pending[name] = temporary
        return name, size

    def _known(self, digest: str, size: int) -> bool:
        if digest in self._pending:
            return True
        try:
            # A blob of the wrong size is damaged: the new one takes its place.
            return os.stat(f"{self._root}/blobs/{digest[:2]}/{digest[2:]}").st_size == size  # noqa: PTH116
        except FileNotFoundError:
            return False

    def _temporary(self, name: str) -> str:
        if self._folder is None:
            folder = self._root / "tmp" / unique_name("put")
            folder.mkdir(parents=True, mode=0o700)
            self._folder = folder
        return f"{self._folder}/{name}"


def _moment(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read_up_to(descriptor: int, limit: int) -> bytes:
    data = os.read(descriptor, limit)
    if not data:
        return data
    parts = [data]
    size = len(data)
    while size < limit and (part := os.read(descriptor, limit - size)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _clone(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError:
        return False
    return True


def _sync_files(paths: Iterable[str]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_file_system(root: Path) -> None:
    import ctypes

    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(root))
    finally:
        os.close(descriptor)
