"""What a job is: a named, versioned definition of something that can be run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_NAME = 128
IN_PLACE = "in-place"
"""The version shown for a run in a folder, without a snapshot."""
AS_IMAGE = "image"
"""The version shown for a run of an image without a job."""


class JobKind(StrEnum):
    """Where a job's files come from."""

    CODE = "code"
    """Files snapshotted into the local artifact store."""
    GIT = "git"
    """A git repository, pinned to a commit at enqueue."""
    IMAGE = "image"
    """A Docker image."""


class VenvMode(StrEnum):
    """Which Python environment a code or git job runs in."""

    BUILD = "build"
    """One that the venv builder makes from the job's requirements."""
    CURRENT = "current"
    """The interpreter or virtual environment that was in use when the job was created."""
    PYTHON = "python"
    """An existing interpreter, used as it is (``--python PATH``)."""
    NONE = "none"
    """No environment: the command is found on PATH."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSource:
    """Files in the artifact store.

    ``digest`` is the manifest's; ``path`` is the folder it was taken from (absolute), kept to tell
    the person where it came from. ``files`` and ``size`` (bytes) are its extent.
    """

    digest: str
    path: str
    files: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSource:
    """A repository. ``ref`` is a branch, tag or commit, or None for the remote's default branch.

    ``commit`` (40 hex digits) is what ``ref`` meant when it was last resolved.
    """

    url: str
    ref: str | None = None
    commit: str = ""
    subdirectory: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """A Docker image by reference (a tag or a digest)."""

    image: str


Source = CodeSource | GitSource | ImageSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a job runs in: its Python, and on a target that runs containers its image.

    ``python_version`` is ``3.X`` or empty; ``interpreter`` is an absolute path, used by the modes
    ``current`` and ``python``. ``base_image`` is an image that the code is mounted into, without a
    build. ``dockerfile`` and ``context`` are paths in the job's files, relative to their root:
    the Dockerfile that the image is built from, and the folder that is its build context.
    """

    mode: VenvMode = VenvMode.BUILD
    python_version: str = ""
    interpreter: str = ""
    base_image: str = ""
    dockerfile: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobVersion:
    """One immutable version of a job: everything a run of it needs.

    ``entry_point`` is the argument vector of the command. ``inputs`` and ``outputs`` are JSON
    Schemas, learnt from finished runs. ``links`` are paths of the source folder that every run
    of this version gets as symbolic links in its working copy.
    """

    name: str
    version: str
    kind: JobKind
    source: Source
    entry_point: tuple[str, ...]
    environment: Environment = field(default_factory=Environment)
    tracking: str = "required"
    links: tuple[str, ...] = ()
    description: str = ""
    aliases: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    created_at: str = ""


_UNSAFE = re.compile(r"[^a-zA-Z0-9_\-.]")


def check_job_name(name: str, *, field: str = "-n") -> str:
    """Return ``name`` if a job may be called so: as W&B's artifacts, and as no flag or folder."""
    safe = safe_name(name)
    if safe != name or name.startswith("-") or not name.strip("."):
        allowed = safe.lstrip("-") if safe.strip("-.") else "letters, digits, _ . and -"
        raise UsageError(field, f"{name!r} cannot be a job's name", allowed=allowed)
    return name


def safe_name(name: str) -> str:
    """Return ``name`` with what W&B does not allow in artifact names replaced.

    Follows W&B's ``make_artifact_name_safe``: every character outside ``a-zA-Z0-9_-.`` becomes
    ``_``; more than 128 characters become the first 63, ``..`` and the last 63.
    """
    cleaned = _UNSAFE.sub("_", name)
    if len(cleaned) <= MAX_NAME:
        return cleaned
    half = MAX_NAME // 2 - 1
    return f"{cleaned[:half]}..{cleaned[-half:]}"
