"""Unpacks a backup into a fresh directory, trusting nothing that it says.

Only files and links that a backup can have are made, below the directory and nowhere else: links
come last and stay within their run, so that nothing is ever written through one. Every member is
compared with the manifest at the end. What the archive says of its size is held against the space
that there is, and an archive with far more in it than it says is left at that point.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import tarfile
import zlib
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from launch_tui.care.archive import CHUNK, HEADER, MANIFEST, Header, header_of
from launch_tui.errors import DiskFull, UsageError
from launch_tui.store.database import SCHEMA_VERSION
from launch_tui.store.durable import write_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER_BYTES = 64 * 1024
LINE_BYTES = 32 * 1024
SLACK_BYTES = 1 << 30
"""What may come on top of twice of what an archive says: files grow while they are saved."""
SLACK_FILES = 100_000
SPARE_BYTES = 64 << 20
"""Left free on the disk."""
PATH_BYTES = 4096
NAME_BYTES = 255
READ_BYTES = 8 << 20
"""The most that is read at once: a header of tar is far smaller, whatever it says."""

_ALLOWED = re.compile(
    r"launch\.db|agent\.yaml|ui\.yaml"
    r"|artifacts/manifests/[0-9a-f]{2}/[0-9a-f]{62}\.json"
    r"|artifacts/blobs/[0-9a-f]{2}/[0-9a-f]{62}"
    r"|repos/[^/]+\.git/(HEAD|packed-refs|shallow|(refs|lfs|objects)/.+)"
    r"|runs/[^/.][^/]*/.+",
    re.DOTALL,
)
_LINKS = re.compile(r"(runs/[^/]+)/.+", re.DOTALL)
_ALTERNATES = "objects/info/alternates"
_GZIP = b"\x1f\x8b"


class Unpacked(NamedTuple):
    """What was unpacked; ``bytes`` of all files together."""

    header: Header
    files: int
    bytes: int


def unpack(stream: IO[bytes], into: Path) -> Unpacked:
    """Unpack a backup.

    Args:
        stream: The archive; it is only read forward.
        into: An empty directory that nobody else knows.

    Raises:
        UsageError: When it is no backup, or not a whole one, or has in it what no backup has.
        DiskFull: When there is not enough space.
        StoreError: When something cannot be written.
    """
    try:
        with _plain(stream) as plain:
            return _Unpacker(plain, into).run()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise bad(f"is damaged or ends early ({reason})") from error
    except (UnicodeError, ValueError, OverflowError, RecursionError) as error:
        raise bad("has a header that cannot be read") from error


def bad(problem: str) -> UsageError:
    """Return the error for an archive that is refused."""
    return UsageError("FILE", problem, allowed="a file that launch-tui backup wrote")


class _Unpacker:
    def __init__(self, plain: IO[bytes], into: Path) -> None:
        self._into = into
        self._tar: tarfile.TarFile = tarfile.open(  # noqa: SIM115
            fileobj=cast("IO[bytes]", _Forward(plain)), mode="r:", errorlevel=2
        )
        self._folders: set[str] = set()
        self._links: list[tuple[str, str]] = []
        self._files = 0
        self._bytes = 0
        self._journal = hashlib.sha256()
        self._lines = 0

    def run(self) -> Unpacked:
        """Unpack all of it."""
        header = self._header()
        self._header_fits(header)
        self._most_bytes = 2 * header.size + SLACK_BYTES
        self._most_files = 2 * header.files + SLACK_FILES
        while member := self._next():
            if member.name == MANIFEST:
                self._compare(member)
                break
            self._take(member)
        else:
            raise bad("ends early: it has no manifest")
        self._make_links()
        return Unpacked(header, self._files, self._bytes)

    def _make_links(self) -> None:
        links = {path for path, _ in self._links}
        for path, target in self._links:
            parts = path.split("/")
            if any("/".join(parts[:count]) in links for count in range(1, len(parts))):
                raise bad(f"has {path[:200]!r} below a link")
            try:
                os.symlink(target, self._place(path))
            except FileExistsError:
                raise bad(f"has {path[:200]!r} twice") from None

    def _next(self) -> tarfile.TarInfo | None:
        member = self._tar.next()
        # tarfile keeps every member, about 1 KB of each.
        self._tar.members.clear()  # type: ignore[attr-defined]
        return member

    def _header(self) -> Header:
        member = self._next()
        if member is None or member.name != HEADER or not _is_file(member):
            raise bad("is no backup of launch_tui")
        if member.size > HEADER_BYTES:
            raise bad("has a header that is too long")
        data = self._content(member).read(member.size)
        self._note(HEADER, f"{len(data)}:{hashlib.sha256(data).hexdigest()}")
        return header_of(data)

    def _header_fits(self, header: Header) -> None:
        if header.schema > SCHEMA_VERSION:
            raise UsageError(
                "FILE",
                f"was written by a newer launch_tui (store version {header.schema}, this one reads"
                f" up to {SCHEMA_VERSION})",
                allowed="upgrade launch_tui, then restore",
            )
        self._require_room(header.size, "the backup has")

    def _require_room(self, size: int, what: str) -> None:
        state = os.statvfs(self._into)
        free = state.f_bavail * state.f_frsize
        if size + SPARE_BYTES > free:
            raise DiskFull(
                f"{what} {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free at"
                f" {self._into.parent}",
                next_step="free some space, or restore to a larger disk with --home",
            )

    def _take(self, member: tarfile.TarInfo) -> None:
        path = _checked(member)
        self._files += 1
        if self._files > self._most_files:
            raise bad("has far more files in it than it says")
        if member.issym():
            self._links.append((path, _checked_link(path, member.linkname)))
            self._note(path, f"link:{member.linkname}")
        else:
            self._take_file(member, path)

    def _take_file(self, member: tarfile.TarInfo, path: str) -> None:
        self._bytes += member.size
        if self._bytes > self._most_bytes:
            raise bad("has far more in it than it says")
        self._require_room(member.size, f"{path[:200]} has")
        place = self._place(path)
        digest, left = hashlib.sha256(), member.size
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(place, flags, 0o600)
        except FileExistsError:
            raise bad(f"has {path[:200]!r} twice") from None
        except (NotADirectoryError, IsADirectoryError):
            raise bad(f"has {path[:200]!r} below a file") from None
        try:
            content = self._content(member)
            while data := content.read(min(CHUNK, left)):
                digest.update(data)
                write_all(descriptor, data)
                left -= len(data)
            if left:
                raise bad("ends early")
            os.fchmod(descriptor, (member.mode & 0o755) | 0o400)
            # Metrics and logs are told apart by it, and a person looks at it.
            os.utime(descriptor, (member.mtime, member.mtime))
        finally:
            os.close(descriptor)
        self._note(path, f"{member.size}:{digest.hexdigest()}")

    def _content(self, member: tarfile.TarInfo) -> IO[bytes]:
        content = self._tar.extractfile(member)
        if content is None:
            raise bad(f"has {member.name[:200]!r}, which is no file")
        return content

    def _place(self, path: str) -> str:
        place = f"{self._into}/{path}"
        folder = os.path.dirname(place)
        if folder not in self._folders:
            try:
                os.makedirs(folder, mode=0o700, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                raise bad(f"has {path[:200]!r} below a file") from None
            self._folders.add(folder)
        return place

    def _note(self, path: str, what: str) -> None:
        """Take a member into the digest that the manifest has to lead to as well."""
        self._lines += 1
        self._journal.update(f"{path}\0{what}\n".encode("utf-8", "surrogateescape"))

    def _compare(self, member: tarfile.TarInfo) -> None:
        """Compare all that was unpacked with the manifest, line by line in the same order."""
        if not _is_file(member):
            raise bad("has no manifest")
        content, listed, lines = self._content(member), hashlib.sha256(), 0
        while line := content.readline(LINE_BYTES):
            values = json.loads(line)
            if not isinstance(values, dict):
                raise bad("has a manifest that cannot be read")
            if "members" in values:
                if values["members"] != lines or lines != self._lines:
                    raise bad("lacks some of its files")
                break
            lines += 1
            what = (
                f"link:{values['link']}"
                if "link" in values
                else f"{values.get('size')}:{values.get('sha256')}"
            )
            listed.update(f"{values.get('path')}\0{what}\n".encode("utf-8", "surrogateescape"))
        else:
            raise bad("has a manifest that ends early")
        if listed.digest() != self._journal.digest():
            raise bad("is damaged: its files are not those of its manifest")


class _Forward:
    """A stream for tarfile that is only read forward, and never much at once."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._position = 0

    def read(self, size: int) -> bytes:
        """Return up to so many bytes, fewer only at the end."""
        if not 0 <= size <= READ_BYTES:
            raise bad("has a header that is too long")
        parts: list[bytes] = []
        while size and (data := self._stream.read(size)):
            parts.append(data)
            size -= len(data)
        found = b"".join(parts)
        self._position += len(found)
        return found

    def tell(self) -> int:
        """Return how much was read."""
        return self._position

    def seek(self, position: int) -> int:
        """Read up to a position."""
        if position < self._position:
            raise tarfile.ReadError("its members overlap")
        while position > self._position and self.read(min(CHUNK, position - self._position)):
            pass
        return self._position


@contextlib.contextmanager
def _plain(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """Yield the archive without its compression, which its first bytes tell."""
    buffered = io.BufferedReader(stream, CHUNK)  # type: ignore[type-var]
    try:
        if buffered.peek(2)[:2] != _GZIP:
            yield cast("IO[bytes]", buffered)
            return
        with gzip.GzipFile(fileobj=buffered, mode="rb") as plain:
            yield cast("IO[bytes]", plain)
    finally:
        # Whoever opened the stream closes it.
        buffered.detach()


def _is_file(member: tarfile.TarInfo) -> bool:
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()


def _checked(member: tarfile.TarInfo) -> str:
    """Return the path of a member that a backup can have.

    Raises:
        UsageError: For any other.
    """
    path = member.name
    shown = repr(path[:200])
    longest = max(map(len, os.fsencode(path).split(b"/")))
    if len(os.fsencode(path)) > PATH_BYTES or longest > NAME_BYTES:
        raise bad(f"has a path that is too long: {shown}")
    if any(part in ("", ".", "..") for part in path.split("/")) or "\0" in path:
        raise bad(f"has a path that leads out of it: {shown}")
    if not (_is_file(member) or member.issym()):
        raise bad(f"has {shown}, which is neither a file nor a link")
    if not _ALLOWED.fullmatch(path) or path.endswith(_ALTERNATES):
        raise bad(f"has {shown}, which no backup has")
    if member.size < 0 or member.mtime < 0:
        raise bad(f"has a damaged header at {shown}")
    return path


def _checked_link(path: str, target: str) -> str:
    """Return where a link points to, which must be in the directory of its run.

    Raises:
        UsageError: When it is not.
    """
    run = _LINKS.fullmatch(path)
    place = os.path.normpath(os.path.join(os.path.dirname(path), target))
    if run is None or os.path.isabs(target) or "\0" in target or not target:
        raise bad(f"has a link that leads out of it: {path[:200]!r}")
    if place != run[1] and not place.startswith(f"{run[1]}/"):
        raise bad(f"has a link that leads out of it: {path[:200]!r}")
    return target
