"""Decodes wandb's record of an artifact, and the file that it lists many entries in.

The field numbers are those of ``ArtifactRecord`` and ``ArtifactManifestEntry`` in wandb's
``wandb_internal.proto``, the same from 0.16 to 0.31. Above 100,000 entries wandb writes them into
a file of JSON lines beside the staged contents (``_write_artifact_manifest_file``).
"""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

from launch_tui.domain.output import Output, OutputFile
from launch_tui.tracking.protobuf import plain, signed, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_ENTRIES = 1_000_000
"""Entries of a manifest's file that are read; more is no use to anybody who looks."""
_MAX_LINE = 1024 * 1024


def artifact(data: bytes) -> Output:
    """Return the artifact of a record; which attempt logged it is for the reader to say.

    Raises:
        Malformed: When the bytes are not what wandb writes.
    """
    texts: dict[int, str] = {}
    aliases: list[str] = []
    manifest: tuple[str, tuple[OutputFile, ...]] = ("", ())
    for number, value in plain(data, 0, len(data)):
        if not isinstance(value, bytes):
            continue
        if number == 11:
            aliases.append(text(value))
        elif number == 12:
            manifest = _manifest(value)
        elif number in (4, 5, 6, 7, 8, 15):
            texts[number] = text(value)
    return Output(
        name=texts.get(5, ""),
        type=texts.get(4, ""),
        attempt=0,
        aliases=tuple(aliases),
        description=texts.get(7, ""),
        metadata=_metadata(texts.get(8, "")),
        digest=texts.get(6, ""),
        client_id=texts.get(15, ""),
        manifest=manifest[0],
        files=manifest[1],
    )


def entries_of(path: Path) -> Iterator[OutputFile]:
    """Yield the entries that a manifest's file lists, up to where it cannot be read any more."""
    try:
        with gzip.open(path, "rb") as lines:
            for _ in range(MAX_ENTRIES):
                line = lines.readline(_MAX_LINE)
                if not line:
                    return
                if (entry := _entry_of_line(line)) is not None:
                    yield entry
    except (OSError, EOFError, zlib.error):
        return


def _entry_of_line(line: bytes) -> OutputFile | None:
    try:
        values = json.loads(line)
    except ValueError:
        return None
    if not isinstance(values, dict) or not isinstance(values.get("path"), str):
        return None
    size = values.get("size")
    return OutputFile(
        path=values["path"],
        size=size if isinstance(size, int) else 0,
        reference=str(values.get("ref") or ""),
        local=str(values.get("local_path") or ""),
    )


def _manifest(data: bytes) -> tuple[str, tuple[OutputFile, ...]]:
    path = ""
    files = []
    for number, value in plain(data, 0, len(data)):
        if number == 4 and isinstance(value, bytes):
            files.append(_entry(value))
        elif number == 5:
            path = text(value)
    return path, tuple(files)


def _entry(data: bytes) -> OutputFile:
    values = dict(plain(data, 0, len(data)))
    return OutputFile(
        path=text(values.get(1)),
        size=max(signed(values.get(4)), 0),
        reference=text(values.get(3)),
        local=text(values.get(6)),
    )


def _metadata(raw: str) -> dict[str, Any]:
    try:
        found = json.loads(raw) if raw else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
