"""Where a job comes from, told by how it is written: a folder, a repository or an image."""

from __future__ import annotations

import re
from pathlib import Path

from launch_tui.domain.home_path import at_home
from launch_tui.domain.job import JobKind

_GIT_URL = r"[A-Za-z][A-Za-z0-9+.\-]*:(//|:)|[^/\s]+@[^/\s]+:"
_PATH = (".", "/", "~")


def is_repository(text: str) -> bool:
    """Say whether a path or URL means a git repository rather than a folder."""
    if at_home(text).exists():
        # A bare repository is no folder to take a snapshot of.
        return Path(text, "HEAD").is_file() and Path(text, "objects").is_dir()
    return re.match(_GIT_URL, text) is not None or text.endswith(".git")


def kind_of(text: str) -> JobKind:
    """Return the kind of job that a path, a URL or an image reference means."""
    if is_repository(text):
        return JobKind.GIT
    if at_home(text).exists() or text.startswith(_PATH):
        return JobKind.CODE
    return JobKind.IMAGE
