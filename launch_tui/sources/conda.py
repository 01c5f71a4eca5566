"""Finds the conda environments of this machine by name, whoever of the family made them.

Asked are, in this order: the environments that conda itself lists in ``~/.conda/environments.txt``
(conda, mamba and micromamba all write it), the ``envs`` folders beside the conda that is in use,
and those of the usual places. Nothing is run, so that a job is defined quickly and without a conda
on PATH; a tool is only asked, with ``env list --json``, where none of that knows the name.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "conda:"
TOOLS = ("CONDA_EXE", "MAMBA_EXE", "conda", "mamba", "micromamba")
"""Variables that name a tool, and what tools are called on PATH."""
TOOL_TIMEOUT_S = 20.0
ROOTS = (
    "miniconda3", "miniforge3", "mambaforge", "anaconda3", "micromamba", "miniconda", "anaconda",
    ".conda", ".local/share/mamba", "/opt/conda", "/opt/miniconda3", "/opt/miniforge3",
)  # fmt: skip
BASE = "base"


def conda_python(name: str, environ: Mapping[str, str] | None = None, *, field: str) -> str:
    """Return the Python of a conda environment.

    Args:
        name: Its name, ``base``, or the path of its folder.
        environ: Variables; by default this process's.
        field: How an error names the flag.

    Raises:
        UsageError: When there is none of that name, with those that there are, or it has no Python.
    """
    environ = os.environ if environ is None else environ
    if not name:
        raise UsageError(field, "names no conda environment", allowed=f"{PREFIX}NAME")
    if "/" in name:
        prefix = Path(os.path.expanduser(name))  # noqa: PTH111 (a name like ~nobody stays)
        if not _is_environment(prefix):
            raise UsageError(field, f"{name} is no conda environment", allowed="one's folder")
        return _python_of(prefix, name, field)
    found = conda_environments(environ)
    if name not in found:
        found |= _told_by_tool(environ)
    if name not in found:
        known = ", ".join(f"{PREFIX}{one}" for one in sorted(found))
        allowed = known or "none is here: conda create -n NAME python, or --python PATH"
        raise UsageError(field, f"there is no conda environment {name!r}", allowed=allowed)
    return _python_of(found[name], name, field)


def conda_environments(environ: Mapping[str, str]) -> dict[str, Path]:
    """Return the environments that can be found without running anything, by name."""
    found: dict[str, Path] = {}
    for prefix in _prefixes(environ):
        if _is_environment(prefix):
            found.setdefault(_name_of(prefix), prefix)
    return found


def _prefixes(environ: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environ.get("HOME") or Path.home())
    for folder in filter(None, environ.get("CONDA_ENVS_PATH", "").split(os.pathsep)):
        yield from _inside(Path(folder))
    for root in _roots(environ, home):
        yield root
        yield from _inside(root / "envs")
    try:
        listed = (home / ".conda" / "environments.txt").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return
    yield from (Path(line.strip()) for line in listed.splitlines() if line.strip())


def _roots(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    if environ.get("MAMBA_ROOT_PREFIX"):
        yield Path(environ["MAMBA_ROOT_PREFIX"])
    if environ.get("CONDA_EXE"):
        # <root>/bin/conda, or <root>/condabin/conda
        yield Path(environ["CONDA_EXE"]).parent.parent
    for root in ROOTS:
        yield home / root


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _told_by_tool(environ: Mapping[str, str]) -> dict[str, Path]:
    """Ask the first tool that there is."""
    for name in TOOLS:
        tool = (
            environ.get(name, "")
            if name.isupper()
            else shutil.which(name, path=environ.get("PATH"))
        )
        if tool and os.access(tool, os.X_OK):
            return {_name_of(prefix): prefix for prefix in _listed(tool, environ)}
    return {}


def _listed(tool: str, environ: Mapping[str, str]) -> list[Path]:
    try:
        done = subprocess.run(
            [tool, "env", "list", "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=dict(environ),
            timeout=TOOL_TIMEOUT_S,
            check=False,
        )
        prefixes = json.loads(done.stdout)["envs"]
        return [Path(prefix) for prefix in prefixes if _is_environment(Path(prefix))]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return []


def _is_environment(prefix: Path) -> bool:
    return (prefix / "conda-meta").is_dir()


def _name_of(prefix: Path) -> str:
    """Return what an environment is called: its folder's name below ``envs``, else ``base``."""
    is_root = (prefix / "envs").is_dir() or (prefix / "condabin").is_dir()
    return BASE if is_root and prefix.parent.name != "envs" else prefix.name


def _python_of(prefix: Path, name: str, field: str) -> str:
    python = prefix / "bin" / "python"
    if not os.access(python, os.X_OK):
        allowed = f"conda install -n {name} python"
        raise UsageError(field, f"conda environment {name!r} has no python", allowed=allowed)
    return str(python)
