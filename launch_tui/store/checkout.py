"""Makes a private working copy of an artifact: shared blocks where the file system can.

The copy is built beside its destination and renamed onto it, so that an attempt never starts in
half a tree. What a killed checkout left is cleared by the next one for the same destination. Every
byte is compared with its digest on the way, so that a job never starts from damaged code: SHA-256
runs at the speed at which the copy is read.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from hashlib import sha256
from typing import TYPE_CHECKING

from launch_tui.errors import SourceFailed
from launch_tui.store.blobs import CHUNK, FICLONE
from launch_tui.store.durable import disk_errors, write_all
from launch_tui.store.manifest import EntryKind, damaged

if TYPE_CHECKING:
    from pathlib import Path

    from launch_tui.store.manifest import Entry, Manifest

SMALL = 256 * 1024
"""Bytes up to which reading and writing costs less than asking the kernel to share blocks."""
_NO_CLONES = frozenset(
    {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM}
)


def write_copy(root: Path, manifest: Manifest, destination: Path) -> None:
    """Write the files of ``manifest``, whose blobs lie below ``root``, as ``destination``.

    Raises:
        SourceFailed: When content is missing or damaged, or the destination is in use.
        DiskFull: When there is no space; the destination is as it was.
    """
    if destination.is_symlink() or (destination.exists() and any(destination.iterdir())):
        raise SourceFailed(f"the working copy {destination} exists already")
    partial = destination.with_name(f".{destination.name}.partial")
    with disk_errors(destination):
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(parents=True)
            _Copier(str(root), str(partial)).write(manifest)
            partial.rename(destination)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


class _Copier:
    def __init__(self, root: str, destination: str) -> None:
        self._root = root
        self._destination = destination
        self._clones = True
        self._made = {""}

    def write(self, manifest: Manifest) -> None:
        for path, entry in manifest.entries.items():
            self._make_parent(path.rpartition("/")[0])
            target = f"{self._destination}/{path}"
            if entry.kind is EntryKind.SYMLINK:
                os.symlink(entry.target, target)  # noqa: PTH211
            else:
                self._write_file(path, entry, target)

    def _make_parent(self, parent: str) -> None:
        if parent not in self._made:
            os.makedirs(f"{self._destination}/{parent}", exist_ok=True)  # noqa: PTH103
            self._made.add(parent)

    def _write_file(self, path: str, entry: Entry, target: str) -> None:
        digest = entry.digest
        try:
            source = os.open(
                f"{self._root}/blobs/{digest[:2]}/{digest[2:]}", os.O_RDONLY | os.O_CLOEXEC
            )
        except FileNotFoundError:
            raise damaged(path, "is missing from the artifact store") from None
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            copy = os.open(target, flags, 0o777 if entry.executable else 0o666)
            try:
                found = self._copy(source, copy, entry.size)
            finally:
                os.close(copy)
        finally:
            os.close(source)
        if found != digest:
            raise damaged(path, "is damaged in the artifact store")

    def _copy(self, source: int, copy: int, size: int) -> str:
        """Copy and return the digest of what was copied."""
        if size <= SMALL:
            data = os.read(source, SMALL + 1)
            write_all(copy, data)
            return sha256(data).hexdigest()
        cloned = self._clones and self._clone(source, copy)
        digest = sha256()
        while data := os.read(copy if cloned else source, CHUNK):
            digest.update(data)
            if not cloned:
                write_all(copy, data)
        return digest.hexdigest()

    def _clone(self, source: int, copy: int) -> bool:
        try:
            fcntl.ioctl(copy, FICLONE, source)
        except OSError as error:
            if error.errno not in _NO_CLONES:
                raise
            self._clones = False
            return False
        return True
