"""The name of a cached environment: its Python version and a digest of all that decides it.

Two folders that ask for the same packages share one environment; a changed requirement gets a new
one. What is on the package index at the time is not part of it, so unpinned packages stay at the
version that the first build found.
"""

from __future__ import annotations

import hashlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from launch_tui.builders.requirements import Requirements

BUILDER_VERSION = 1
"""Raised whenever the same requirements would be built differently."""

_SKIPPED = frozenset({".git", "__pycache__"})
_SKIPPED_AT_TOP = frozenset({"build", "dist", "wandb", ".venv"})


def environment_key(requirements: Requirements, python_version: str) -> str:
    """Return ``<python version>-<16 hex digits>``.

    Reads every file of the local projects among the requirements: their content is installed, so
    it decides. Without any, this touches no file.
    """
    digest = hashlib.sha256()
    machine = f"{sys.platform}-{os.uname().machine}"
    for part in (str(BUILDER_VERSION), machine, python_version, requirements.kind):
        digest.update(part.encode() + b"\0")
    digest.update(requirements.text.encode())
    for path in requirements.local:
        digest.update(b"\0" + _content(path))
    return f"{python_version}-{digest.hexdigest()[:16]}"


def _content(path: Path) -> bytes:
    digest = hashlib.sha256()
    if path.is_file():
        digest.update(path.read_bytes())
        return digest.digest()
    for directory, folders, files in os.walk(path):
        skipped = _SKIPPED | _SKIPPED_AT_TOP if directory == str(path) else _SKIPPED
        # What installing it leaves in its folder must not make it another one.
        folders[:] = sorted(
            name for name in folders if name not in skipped and not name.endswith(".egg-info")
        )
        for name in sorted(files):
            file = os.path.join(directory, name)  # noqa: PTH118  (Path objects double the cost)
            digest.update(f"\0{os.path.relpath(file, path)}\0".encode(errors="surrogateescape"))
            digest.update(_file_digest(file))
    return digest.digest()


def _file_digest(file: str) -> bytes:
    # A link counts by where it points: following it could leave the source.
    if os.path.islink(file):  # noqa: PTH114
        return os.fsencode(os.readlink(file))  # noqa: PTH115
    with open(file, "rb") as stream:  # noqa: PTH123
        return hashlib.file_digest(stream, "sha256").digest()
