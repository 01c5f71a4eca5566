"""This machine's own shell, for images that have none.

A job's output reaches its log byte by byte, and its attempt's token is taken, because a shell runs
first. An image with nothing but a program in it is lent one: the shell, its dynamic linker and the
libraries it needs are copied once into the data directory and mounted to be read. The engine's own
logs are no way around that: it keeps what is no UTF-8 as something else, loses the order of stdout
and stderr, and one of its formats the ends of long lines.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import mkdtemp

from launch_tui.errors import StartFailed
from launch_tui.targets.container_mounts import INSIDE

PLACE = f"{INSIDE}/shell"
"""Where a container sees it."""

_HEAD_BYTES = 4096
_LINKER = re.compile(rb"/lib[\w./+-]*/ld-[\w.+-]+|/[\w./+-]*/ld-linux[\w.+-]*")
_LIBRARY = re.compile(r"^\s*(\S+) => (/\S+) \(0x", re.MULTILINE)
_SECONDS = 10.0


def lend(root: Path) -> tuple[Path, tuple[str, ...]]:
    """Return the folder to mount at ``PLACE``, and the command that is the shell there.

    Args:
        root: The data directory.

    Raises:
        StartFailed: This machine's shell cannot be copied.
    """
    try:
        files = _files(Path("/bin/sh").resolve())
        return _copied(root, files), _command(files)
    except (OSError, subprocess.SubprocessError) as error:
        raise StartFailed(
            f"the image has no /bin/sh, and this machine's cannot be lent to it: {error}",
            next_step="Base the image on one that has a shell, then rerun",
        ) from error


def _files(shell: Path) -> dict[str, Path]:
    """Return the shell, its linker and its libraries, by the names they get."""
    with shell.open("rb") as file:
        found = _LINKER.search(file.read(_HEAD_BYTES))
    if found is None:
        return {"sh": shell}
    linker = Path(os.fsdecode(found[0]))
    listed = subprocess.run(
        [linker, "--list", shell],
        capture_output=True,
        text=True,
        check=True,
        timeout=_SECONDS,
        env={},
    ).stdout
    libraries = {name: Path(path) for name, path in _LIBRARY.findall(listed)}
    return {"sh": shell, "ld": linker, **libraries}


def _command(files: dict[str, Path]) -> tuple[str, ...]:
    if "ld" not in files:
        return (f"{PLACE}/sh",)
    return (f"{PLACE}/ld", "--library-path", PLACE, f"{PLACE}/sh")


def _copied(root: Path, files: dict[str, Path]) -> Path:
    """Return the folder with these files, which is made when there is none like it."""
    state = [(name, str(path), path.stat().st_size, path.stat().st_mtime_ns)
             for name, path in sorted(files.items())]  # fmt: skip
    folder = root / "shell" / hashlib.sha256(repr(state).encode()).hexdigest()[:16]
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(mkdtemp(dir=folder.parent))
    try:
        for name, path in files.items():
            shutil.copy(path, beside / name)
        # Whoever the job runs as.
        beside.chmod(0o755)
        beside.rename(folder)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        # Another one may have been quicker.
        if not folder.is_dir():
            raise
    return folder
