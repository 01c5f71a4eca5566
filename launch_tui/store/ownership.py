"""Whose the data directory is, and who may look into it: its owner, and nobody else.

What is in it (code, logs, what jobs were given) is its owner's, and whoever can write into it
decides what the agent runs. Another user is refused, root too: what root wrote here, the owner
could not write any more. A directory that others may enter is closed again, and that is told.
"""

from __future__ import annotations

import os
import pwd
import stat
from typing import TYPE_CHECKING

from launch_tui.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private(root: Path) -> str:
    """Refuse a data directory of another user; close one that others may enter.

    Args:
        root: The data directory; it need not be there.

    Returns:
        What was repaired, as one line; empty when nothing was.

    Raises:
        StoreError: When it belongs to another user.
    """
    try:
        found = root.stat()
    except OSError:
        # Whatever it is, who opens the store meets it as well, and says it better.
        return ""
    if found.st_uid != os.geteuid():
        raise StoreError(
            f"the data directory {root} belongs to {_name(found.st_uid)}, and this is"
            f" {_name(os.geteuid())}",
            next_step=f"Work as {_name(found.st_uid)}, or set LAUNCH_TUI_HOME to another directory",
        )
    if not stat.S_ISDIR(found.st_mode) or not found.st_mode & _OTHERS:
        return ""
    mode = stat.S_IMODE(found.st_mode)
    try:
        root.chmod(mode & ~_OTHERS)
    except OSError as error:
        return f"the data directory {root} is open to others (mode {mode:04o}): {error.strerror}"
    return f"the data directory {root} was open to others (mode {mode:04o}) and is yours alone now"


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
