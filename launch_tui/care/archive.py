"""The archive that a backup is: one stream, every member with its digest, nothing of it in memory.

    launch-tui-backup.json   first: which version wrote it, when, of what, how much is to come
    artifacts/ repos/ runs/  what the rows of the store need
    launch.db                the store
    manifest.jsonl           last: path, size and SHA-256 of every member, then how many there are

It is a tar archive (POSIX pax), compressed by gzip. An archive that ends early has no manifest and
is no backup.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, Any

from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

FORMAT = 1
HEADER = "launch-tui-backup.json"
MANIFEST = "manifest.jsonl"
CHUNK = 1 << 20
LEVEL = 1
"""Of gzip: logs and metrics shrink to a tenth by it; more effort saves little and costs hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What an archive says of itself before anything else.

    ``size`` (bytes) and ``files`` are how much there was when the backup began; what is written
    meanwhile comes on top.
    """

    format: int
    taken_at: str
    program: str
    schema: int
    host: str
    home: str
    runs: int
    files: int
    size: int

    def encoded(self) -> bytes:
        """Return the header as it is written."""
        return json.dumps(asdict(self)).encode()


def header_of(data: bytes) -> Header:
    """Return the header in ``data``.

    Raises:
        UsageError: When it is none that this version reads.
    """
    try:
        values = json.loads(data)
        if values["format"] > FORMAT:
            raise UsageError(
                "FILE", f"was written by a newer launch_tui ({values['program']})",
                allowed="upgrade launch_tui, then restore",
            )  # fmt: skip
        header = Header(**{name: values[name] for name in Header.__slots__})
        numbers = (header.format, header.schema, header.runs, header.files, header.size)
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError("numbers")
        if not all(type(getattr(header, name)) is str for name in ("taken_at", "program", "host")):
            raise ValueError("text")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError("FILE", "is no backup of launch_tui: its header is damaged") from error
    return header


class ArchiveWriter:
    """Writes an archive member by member.

    Args:
        out: Where it goes; it is not closed.
        spool: An empty file that can be written and read back, for the manifest.
        compress: Whether gzip is used.

    Attributes:
        files: How many members there are by now.
        bytes: How many bytes they have, before compression.
        short: Members that became shorter while they were read, and end in zeros.
    """

    def __init__(self, out: IO[bytes], spool: IO[bytes], *, compress: bool) -> None:
        self._gzip = (
            gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=LEVEL, mtime=0)
            if compress
            else None
        )
        self._tar = tarfile.open(  # noqa: SIM115
            fileobj=self._gzip or out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK
        )
        self._spool = spool
        self.files = 0
        self.bytes = 0
        self.short: list[str] = []

    def add_bytes(self, path: str, data: bytes) -> None:
        """Add a member with this content."""
        self._add(_file(path, len(data), 0o600, 0.0), io.BytesIO(data))

    def add_file(self, path: str, source: Path, *, mode: int | None = None) -> bool:
        """Add a file as it is now, up to the length that it has when it is opened.

        Args:
            path: Its name in the archive.
            source: The file.
            mode: The permission bits; its own if left out.

        Returns:
            False when it is gone, or is no file any more.

        Raises:
            OSError: When it cannot be read.
        """
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(source, flags)
        except FileNotFoundError:
            return False
        with open(descriptor, "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return False
            bits = stat.S_IMODE(found.st_mode) & 0o777 if mode is None else mode
            self._add(_file(path, found.st_size, bits, found.st_mtime), file)
        return True

    def add_link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        info = tarfile.TarInfo(path)
        info.type, info.linkname = tarfile.SYMTYPE, target
        self._tar.addfile(info)
        self._forget_members()
        self._note({"path": path, "link": target})

    def finish(self) -> None:
        """Write the manifest and the archive's end."""
        self._spool.write(_line({"members": self.files}))
        size = self._spool.tell()
        self._spool.seek(0)
        self._tar.addfile(_file(MANIFEST, size, 0o600, 0.0), self._spool)
        self._tar.close()
        if self._gzip is not None:
            self._gzip.close()

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()

    def _add(self, info: tarfile.TarInfo, file: IO[bytes] | io.RawIOBase) -> None:
        content = _Exactly(file, info.size)
        self._tar.addfile(info, content)  # type: ignore[arg-type]
        self._forget_members()
        if content.missing:
            self.short.append(info.name)
        self.bytes += info.size
        self._note({"path": info.name, "size": info.size, "sha256": content.digest.hexdigest()})

    def _note(self, line: dict[str, Any]) -> None:
        self.files += 1
        self._spool.write(_line(line))

    def _forget_members(self) -> None:
        # tarfile keeps every member, about 1 KB of each, for lookups that nobody makes here.
        self._tar.members.clear()  # type: ignore[attr-defined]


class _Exactly:
    """Reads exactly so many bytes of a file, digesting them; zeros where it has become shorter."""

    def __init__(self, file: IO[bytes] | io.RawIOBase, size: int) -> None:
        self._file = file
        self._left = size
        self.missing = 0
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer only at the end."""
        parts: list[bytes] = []
        wanted = min(size, self._left)
        while wanted:
            data = b"" if self.missing else (self._file.read(wanted) or b"")
            if not data:
                self.missing += wanted
                data = bytes(wanted)
            parts.append(data)
            wanted -= len(data)
        found = b"".join(parts)
        self._left -= len(found)
        self.digest.update(found)
        return found


def _file(path: str, size: int, mode: int, mtime: float) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.size, info.mode, info.mtime = size, mode, mtime
    return info


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode("ascii") + b"\n"
