"""Paths that a person writes with ``~``."""

from __future__ import annotations

import os
from pathlib import Path


def at_home(text: str | os.PathLike[str]) -> Path:
    """Return the path that ``text`` means.

    ``~somebody`` of whom this machine knows nothing stays as it is, and is then not found like any
    other path that is not there; ``Path.expanduser`` would end the program.
    """
    return Path(os.path.expanduser(text))  # noqa: PTH111
