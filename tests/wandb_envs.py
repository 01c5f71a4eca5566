"""Virtual environments with real `wandb` versions, built once and kept in a cache folder.

`LAUNCH_TUI_TEST_ENVS` names the folder (default `~/.cache/launch_tui_tests`). An environment is
used again as long as what it was built from has not changed; `newest` is looked up anew each day.
A kernel lock makes two test processes build each of them once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

VERSIONS = ("0.16.6", "0.19.11", "0.30.0", "newest")
"""The oldest supported, the last before the Go reader moved, block-flushed, and today's."""

_REQUIREMENTS = {
    # 0.16 uses NumPy names that NumPy 2 dropped, and pkg_resources, which setuptools dropped.
    "0.16.6": ("wandb==0.16.6", "numpy<2", "setuptools<80"),
    "0.19.11": ("wandb==0.19.11", "numpy<2", "setuptools<80"),
    "0.30.0": ("wandb==0.30.0",),
    "newest": ("wandb",),
    # What wandb needs, beside itself, to take a schema of inputs.
    "inputs": ("wandb", "jsonschema", "pydantic"),
    "inputs-0.19.11": ("wandb==0.19.11", "numpy<2", "setuptools<80", "jsonschema", "pydantic"),
}
_RENEWED = ("newest", "inputs")
"""Environments without a fixed version: built anew each day."""
_DAY = 24 * 3600.0
_BUILD_SECONDS = 540


def wandb_python(version: str) -> Path:
    """Return the interpreter of an environment with this `wandb`, building it if there is none."""
    folder = cache_folder() / f"wandb-{version}-py{sys.version_info.major}.{sys.version_info.minor}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(folder.suffix + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _usable(folder, version):
            _build(folder, version)
    return folder / "bin" / "python"


def cache_folder() -> Path:
    """Return the folder where what takes long to make is kept."""
    default = Path.home() / ".cache" / "launch_tui_tests"
    return Path(os.environ.get("LAUNCH_TUI_TEST_ENVS") or default)


def _usable(folder: Path, version: str) -> bool:
    stamp = folder / "built-from"
    try:
        same = stamp.read_text() == _stamp(version)
        age = time.time() - stamp.stat().st_mtime
    except OSError:
        return False
    return same and (version not in _RENEWED or age < _DAY)


def _build(folder: Path, version: str) -> None:
    uv = _uv()
    shutil.rmtree(folder, ignore_errors=True)
    _run(uv, "venv", "--quiet", "--python", sys.executable, str(folder))
    python = str(folder / "bin" / "python")
    _run(uv, "pip", "install", "--quiet", "--python", python, *_REQUIREMENTS[version])
    (folder / "built-from").write_text(_stamp(version))


def _stamp(version: str) -> str:
    return "\n".join((sys.version, *_REQUIREMENTS[version]))


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv") or "uv"


def _run(*command: str) -> None:
    # A virtual environment of the caller's would otherwise decide where uv installs.
    environment = {k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "CONDA_PREFIX"}}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=_BUILD_SECONDS
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
