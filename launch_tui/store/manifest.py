"""What an artifact is made of: a manifest of paths, in one canonical form.

The digest of a manifest's bytes is the artifact's digest, so the form must never depend on the
order in which files were found. Names that are not UTF-8 are kept as Python's surrogate escapes,
which JSON carries as ``\\udcXX``.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from launch_tui.errors import SourceFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
MEND = "Run launch-tui fsck --repair, or create the job again from its folder."


class EntryKind(StrEnum):
    """What a path of an artifact is."""

    FILE = "file"
    SYMLINK = "symlink"


class Entry(NamedTuple):
    """One path of an artifact.

    ``digest`` (SHA-256 in hex) and ``size`` (bytes) are a file's content; ``target`` is where a
    symbolic link points, as it was written.
    """

    kind: EntryKind
    digest: str = ""
    size: int = 0
    executable: bool = False
    target: str = ""


class Manifest(NamedTuple):
    """All paths of an artifact, relative and with ``/``, sorted."""

    entries: Mapping[str, Entry]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(entry.size for entry in self.entries.values())


def encode(entries: Mapping[str, Entry]) -> bytes:
    """Return the canonical bytes of a manifest."""
    document = {
        "version": VERSION,
        "entries": {path: _plain(entries[path]) for path in sorted(entries)},
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def decode(data: bytes, digest: str) -> Manifest:
    """Return the manifest in ``data``.

    Args:
        data: Bytes that ``encode`` made.
        digest: The artifact's digest, for the message.

    Raises:
        SourceFailed: When they are something else, or name a path outside the artifact.
    """
    try:
        document = json.loads(data)
        if document["version"] != VERSION:
            raise SourceFailed(
                f"artifact {digest[:12]} was written by a newer launch_tui",
                next_step="Upgrade launch_tui.",
            )
        entries = {path: _entry(value) for path, value in document["entries"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceFailed(
            f"the manifest of artifact {digest[:12]} is damaged",
            next_step=MEND,
        ) from error
    require_inside(entries, digest)
    return Manifest(entries)


def require_inside(entries: Mapping[str, Entry], digest: str) -> None:
    """Refuse paths that a checkout would write outside its destination.

    Besides ``..`` that is a path below a symbolic link of the same artifact.

    Raises:
        SourceFailed: Naming the path.
    """
    folders = {""}
    for path in entries:
        parent, _, name = path.rpartition("/")
        good = name not in ("", ".", "..") and "\0" not in path
        if not good or (parent not in folders and not _is_folder(parent, entries)):
            raise SourceFailed(
                f"artifact {digest[:12]} has a path that leaves it: {path!r}",
                next_step=MEND,
            )
        folders.add(parent)


def with_links(manifest: Manifest, links: Mapping[str, str]) -> Manifest:
    """Return a manifest with symbolic links besides its entries.

    Args:
        manifest: The artifact's.
        links: Path to target; the paths must not be in the way of entries or of each other.

    Raises:
        SourceFailed: When a link would take the place of a file, or lie below one.
    """
    entries = dict(manifest.entries)
    for link, target in links.items():
        in_the_way = next(
            (path for path in entries if path == link or path.startswith(f"{link}/")), None
        ) or next((path for path in _ancestors(link) if path in entries), None)
        if in_the_way is not None:
            raise SourceFailed(
                f"--link {link}: the job has a file of its own there ({in_the_way})",
                next_step="Name it in .launchignore and create the job again, or drop the link.",
            )
        entries[link] = Entry(EntryKind.SYMLINK, target=target)
    return Manifest(entries)


def damaged(path: str, problem: str) -> SourceFailed:
    """Return the error for a file of an artifact that cannot be had."""
    return SourceFailed(
        f"file {path!r} of the job {problem}",
        next_step=MEND,
    )


def _plain(entry: Entry) -> dict[str, Any]:
    if entry.kind is EntryKind.SYMLINK:
        return {"kind": "symlink", "target": entry.target}
    return {
        "kind": "file",
        "digest": entry.digest,
        "size": entry.size,
        "executable": entry.executable,
    }


def _entry(value: dict[str, Any]) -> Entry:
    if value["kind"] == "symlink":
        return Entry(EntryKind.SYMLINK, target=str(value["target"]))
    return Entry(
        EntryKind(value["kind"]),
        str(value["digest"]),
        int(value["size"]),
        bool(value["executable"]),
    )


def _is_folder(path: str, entries: Mapping[str, Entry]) -> bool:
    parts = path.split("/")
    named = all(part not in ("", ".", "..") for part in parts)
    return named and not any(above in entries for above in _ancestors(path))


def _ancestors(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
