"""What the last snapshot of a folder saw, so that the next one need not read it again.

A file's content is taken as known when size, times and inode are what they were. A file that
changed so shortly before it was seen that a second change could carry the same time is written
down as unknown (git calls such entries racy). What was ignored is kept, too, with the rules that
said so, so that an unchanged folder needs no rule at all. Losing a cache costs time, nothing else.
"""

from __future__ import annotations

import json
import os
from binascii import crc32
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from launch_tui.store.durable import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 2
FINE = 20_000_000
"""Nanoseconds within which two changes may get the same time on a common file system."""
COARSE = 2_000_000_000
"""The same where times are whole seconds."""

State = list[int]
"""Executable (0 or 1), size, mtime_ns, ctime_ns, inode."""
_UNKNOWN: State = [0, -1, 0, 0, 0]


@dataclass(slots=True)
class FolderRules:
    """Which rules a folder has of its own, and which of its names were ignored.

    Texts are decoded as Latin-1. Names of directories end with ``/``. ``partly`` says that git
    ignores the folder and it is here for the files in it that git tracks all the same.
    """

    gitignore: str = ""
    launchignore: str = ""
    partly: bool = False
    ignored: list[str] = field(default_factory=list)


@dataclass(slots=True)
class StatCache:
    """One folder's cache. Paths are relative to it; ``""`` is the folder itself.

    ``mentions`` says which of the ignored folders in ``asked_for`` a file mentions;
    ``accepted`` are the bytes and files that a person took in spite of the limits.
    """

    folder: str
    digest: str = ""
    files: dict[str, State] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    folders: dict[str, FolderRules] = field(default_factory=dict)
    outer: list[list[str]] = field(default_factory=list)
    apart: bool = False
    index: State | None = None
    tracked: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    mentioned: list[str] = field(default_factory=list)
    mentions: dict[str, list[str]] = field(default_factory=dict)
    asked_for: list[str] = field(default_factory=list)
    size: int = 0
    accepted: list[int] = field(default_factory=lambda: [0, 0])


def load(directory: Path, folder: str) -> StatCache:
    """Return the cache of ``folder`` (absolute), an empty one when there is none to trust."""
    try:
        data, _, checked = _path(directory, folder).read_bytes().rpartition(b"\n")
        # A digest in which a byte has flipped would make an artifact of files that are nowhere.
        if int(checked, 16) != crc32(data):
            return StatCache(folder)
        document = json.loads(data)
        if document.pop("version") != VERSION or document["folder"] != folder:
            return StatCache(folder)
        document["folders"] = {
            path: FolderRules(*values) for path, values in document["folders"].items()
        }
        return StatCache(**document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return StatCache(folder)


def save(directory: Path, cache: StatCache, taken_at: int) -> None:
    """Write a cache.

    Args:
        directory: Where caches lie; made when it is missing.
        cache: What was seen.
        taken_at: When looking began, in nanoseconds since the epoch.

    Raises:
        StoreError: When it cannot be written.
    """
    document: dict[str, Any] = {
        name: getattr(cache, name) for name in StatCache.__slots__ if name != "folders"
    }
    document["version"] = VERSION
    document["folders"] = {
        path: [rules.gitignore, rules.launchignore, rules.partly, rules.ignored]
        for path, rules in cache.folders.items()
    }
    document["files"] = {
        path: _UNKNOWN if _racy(state, taken_at) else state for path, state in cache.files.items()
    }
    directory.mkdir(parents=True, exist_ok=True)
    data = json.dumps(document, separators=(",", ":")).encode()
    data += b"\n%08x" % crc32(data)
    write_atomically(_path(directory, cache.folder), data, sync=False, mode=0o600)


def state_of(status: os.stat_result) -> State:
    """Return what of a file's status tells that it has not changed."""
    executable = status.st_mode >> 6 & 1
    return [executable, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _racy(state: State, taken_at: int) -> bool:
    changed_at = state[3]
    grain = FINE if changed_at % 1_000_000_000 else COARSE
    return changed_at >= taken_at - grain


def _path(directory: Path, folder: str) -> Path:
    # Two folders with the same sum only push each other out: the whole path is compared.
    return directory / f"{crc32(os.fsencode(folder)):08x}.json"
