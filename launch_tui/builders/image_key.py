"""The name of a built image: a digest of all that decides what is in it.

The content decides, never a job's name or version: two projects with the same files share an image,
and two jobs of the same name never do. What a package index holds at the time is not part of it, so
unpinned packages stay at the version that the first build found.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILDER_VERSION = 1
"""Raised whenever the same order would be built differently."""
TAG_LENGTH = 16
REPOSITORY = "launch-tui"
"""What the names of images begin with that go to no registry."""

_LONGEST_NAME = 100
_UNSAFE = re.compile(r"[^a-z0-9]+")


def image_key(
    *,
    source_key: str,
    context: str,
    dockerfile: str,
    bases: Mapping[str, str],
    build_args: Mapping[str, str],
    platform: str,
) -> str:
    """Return the key as 64 hex digits.

    Args:
        source_key: What stands for the content of the job's files.
        context: The build context, as a path in them.
        dockerfile: What the Dockerfile says.
        bases: The digest of each image that it names.
        build_args: The build arguments.
        platform: What the image is for, such as ``linux/amd64``.
    """
    parts = {
        "builder": BUILDER_VERSION,
        "source": source_key,
        "context": context,
        "dockerfile": dockerfile,
        "bases": dict(bases),
        "build_args": dict(build_args),
        "platform": platform,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def tag_of(key: str) -> str:
    """Return the tag of an image with this key."""
    return key[:TAG_LENGTH]


def repository_of(job: str) -> str:
    """Return where images of a job are on the engine: its name, as a repository may be called."""
    name = _UNSAFE.sub("-", job.partition(":")[0].lower()).strip("-")[:_LONGEST_NAME].strip("-")
    return f"{REPOSITORY}/{name or 'job'}"
