"""Copies text to where the person sits, also over SSH and inside tmux.

The desktop's own tool is used when the program runs on the person's machine, and OSC 52, which the
terminal carries out, always. A terminal drops an OSC 52 that is too long without a word, so longer
text goes to a file, and its path to the clipboard.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENCODED_LIMIT = 74_994
"""Bytes of base64 that terminals accept in an OSC 52, as k9s found."""

TOOL_TIMEOUT = 1.0
"""Seconds a desktop's clipboard tool may take."""


def copy(
    text: str,
    *,
    write: Callable[[str], None],
    directory: Path,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Copy text and say in one line what was copied and how.

    Takes up to ``TOOL_TIMEOUT``: call it off the UI's loop.

    Args:
        text: What to copy, as it is stored.
        write: Writes to the terminal, past everything that draws (``app._driver.write``).
        directory: Where a file for text that is too long goes; made if need be.
        environ: The environment; the process's own by default.
    """
    environ = os.environ if environ is None else environ
    tool = native_tool(environ)
    if tool is not None and not _feed(tool, text):
        tool = None
    encoded = _encode(text)
    if len(encoded) <= ENCODED_LIMIT:
        write(osc52(encoded, environ))
        return f"copied {_amount(text)} by {'OSC 52' if tool is None else tool[0]}"
    if tool is not None:
        return f"copied {_amount(text)} by {tool[0]}"
    path = _write_file(text, directory)
    write(osc52(_encode(str(path)), environ))
    return f"too long for the terminal: wrote {_amount(text)} to {path} and copied its path"


def native_tool(environ: Mapping[str, str]) -> list[str] | None:
    """Return the command that fills this desktop's clipboard, None over SSH or without one."""
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return None
    candidates: list[list[str]] = []
    if sys.platform == "darwin":
        candidates.append(["pbcopy"])
    if environ.get("WAYLAND_DISPLAY"):
        candidates.append(["wl-copy"])
    if environ.get("DISPLAY"):
        candidates += [["xclip", "-selection", "clipboard"], ["xsel", "-b", "-i"]]
    path = environ.get("PATH")
    return next((tool for tool in candidates if shutil.which(tool[0], path=path)), None)


def has_desktop(environ: Mapping[str, str]) -> bool:
    """Say whether a browser can be opened where the person sits: not over SSH, not on a console."""
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return False
    return sys.platform == "darwin" or any(map(environ.get, ("WAYLAND_DISPLAY", "DISPLAY")))


def osc52(encoded: str, environ: Mapping[str, str]) -> str:
    """Return the sequence that makes the terminal copy, wrapped so that tmux passes it on."""
    return through_tmux(f"\x1b]52;c;{encoded}\x07", environ)


def through_tmux(sequence: str, environ: Mapping[str, str]) -> str:
    """Return a sequence as it reaches the terminal around tmux, where tmux is between."""
    if not environ.get("TMUX"):
        return sequence
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def _encode(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")


def _amount(text: str) -> str:
    lines = text.count("\n") + (not text.endswith("\n"))
    if lines > 1:
        return f"{lines:,} lines"
    return "1 character" if len(text) == 1 else f"{len(text):,} characters"


def _feed(tool: list[str], text: str) -> bool:
    try:
        done = subprocess.run(
            tool,
            input=text.encode("utf-8", "surrogateescape"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TOOL_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _write_file(text: str, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix="copied-", suffix=".txt", dir=directory)
    with os.fdopen(handle, "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
    return Path(name)
