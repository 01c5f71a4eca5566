"""Which Python interpreters are on this machine, found by name alone.

uv finds most by itself, but asks pyenv's shims by running them and gives up when the first refuses;
so an interpreter on PATH or among pyenv's versions is looked for here first, and uv gets its path.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

QUESTION_SECONDS = 30.0
"""How long an interpreter may take to answer: on a cold network disk it can take many seconds."""

_EXECUTABLE = re.compile(r"^python(?P<version>3\.\d+)$")
_VERSIONED = re.compile(r"^(?:cpython-)?(?P<version>3\.\d+(?:\.\d+)?)(?=$|-)")


def find_python(version: str, environ: Mapping[str, str]) -> Path | None:
    """Return an interpreter of version ``3.X`` (or ``3.X.Y``), or None: uv may know or fetch one.

    PATH comes first, then pyenv's versions, then uv's own, then the interpreter that runs this.
    """
    matching = [
        path for found, path in _candidates(environ) if f"{found}.".startswith(f"{version}.")
    ]
    return matching[0] if matching else None


def found_versions(environ: Mapping[str, str]) -> list[str]:
    """Return the versions ``3.X`` that are on this machine, oldest first."""
    versions = {".".join(version.split(".")[:2]) for version, _ in _candidates(environ)}
    return sorted(versions, key=_order)


def has_package(interpreter: str, name: str) -> bool:
    """Whether an interpreter finds a package, without importing it.

    Its own site-packages are looked at first; only when they do not have it is the interpreter
    started (about 20 ms), which knows of editable installs and of other directories.
    """
    directory = Path(interpreter).parent.parent / "lib"
    if any(directory.glob(f"python3*/site-packages/{name}-*.dist-info")):
        return True
    question = f"import sys, importlib.util as u; sys.exit(u.find_spec({name!r}) is None)"
    try:
        # Not in the current folder, where a folder of that name would count.
        answer = subprocess.run(
            [interpreter, "-c", question],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=QUESTION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    yield from _on_path(environ)
    home = Path(environ.get("HOME") or Path.home())
    yield from _in_versions(Path(environ.get("PYENV_ROOT") or home / ".pyenv", "versions"))
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    yield from _in_versions(Path(environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python"))
    running = Path(getattr(sys, "_base_executable", sys.executable) or sys.executable)
    if running.is_file():
        yield ".".join(str(part) for part in sys.version_info[:3]), running


def _on_path(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    for entry in environ.get("PATH", "").split(":"):
        directory = Path(entry)
        if not entry or not directory.is_dir():
            continue
        if directory.name == "shims":
            # pyenv's shims stand for its versions, which are asked without it.
            yield from _in_versions(directory.parent / "versions")
            continue
        for path in sorted(directory.glob("python3.*")):
            match = _EXECUTABLE.match(path.name)
            if match is not None and path.is_file():
                yield match["version"], path


def _in_versions(directory: Path) -> Iterator[tuple[str, Path]]:
    if not directory.is_dir():
        return
    found = []
    for entry in directory.iterdir():
        match = _VERSIONED.match(entry.name)
        if match is not None and (entry / "bin" / "python3").is_file():
            found.append((match["version"], entry / "bin" / "python3"))
    yield from sorted(found, key=lambda item: _order(item[0]), reverse=True)


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
