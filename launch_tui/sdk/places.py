"""Where a job comes from, told by how it is written: a folder, a repository or an image."""

from __future__ import annotations

import re
from pathlib import Path

from launch_tui.domain.home_path import at_home
from launch_tui.domain.job import JobKind
from launch_tui.errors import UsageError

_GIT_URL = r"[A-Za-z][A-Za-z0-9+.\-]*:(//|:)|[^/\s]+@[^/\s]+:"
_PATH = (".", "/", "~")


def is_repository(text: str) -> bool:
    """Say whether a path or URL means a git repository rather than a folder."""
    if at_home(text).exists():
        # A bare repository is no folder to take a snapshot of.
        return Path(text, "HEAD").is_file() and Path(text, "objects").is_dir()
    return re.match(_GIT_URL, text) is not None or text.endswith(".git")


def kind_of(text: str) -> JobKind:
    """Return the kind of job that a path, a URL or an image reference means.

    Raises:
        UsageError: When it is no folder, and no image with a tag or a digest either: a folder whose
            name was misspelt must not become an image.
    """
    if is_repository(text):
        return JobKind.GIT
    if at_home(text).exists():
        return JobKind.CODE
    if text.startswith(_PATH) or not set(text) & {":", "@"}:
        allowed = "a folder, a repository's URL, an image with its tag (name:tag)"
        raise UsageError("source", f"there is no folder {text!r}", allowed=allowed)
    return JobKind.IMAGE
