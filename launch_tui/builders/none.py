"""The builder that builds nothing: an existing interpreter as it is, or no interpreter at all."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.builders import Interpreter
from launch_tui.domain.job import VenvMode
from launch_tui.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from launch_tui.domain.job import Environment

CHECK_SECONDS = 30.0
"""How long an interpreter may take to start: on a cold network disk it can take many seconds."""

_SHARED_DIRECTORIES = frozenset({"/usr/bin", "/bin", "/usr/local/bin"})
_NEXT_STEP = "Recreate it, or create the job with another `--python PATH`"


class NoBuilder:
    """Checks that the interpreter exists and starts; remembers that it did, per file state."""

    def __init__(self) -> None:
        self._checked: dict[Path, tuple[int, int]] = {}

    async def build(
        self,
        source: Path,
        environment: Environment,
        log: Path,
        report: Callable[[str], None],
        *,
        variables: Mapping[str, str] | None = None,
    ) -> Interpreter:
        """Return the named interpreter, or one that changes nothing when none is named.

        Raises:
            BuildFailed: When it is not there or does not start.
        """
        if environment.mode is VenvMode.NONE or not environment.interpreter:
            return Interpreter()
        python = Path(environment.interpreter)
        state = _state(python)
        if self._checked.get(python) != state:
            await _start_once(python)
            self._checked[python] = state
        return existing_interpreter(python)


def existing_interpreter(python: Path) -> Interpreter:
    """Return what activating the environment of this interpreter would do."""
    prefix = python.parent.parent
    shared = str(python.parent) in _SHARED_DIRECTORIES
    # /usr/bin first on PATH would hide what the user put before it (CUDA, own builds).
    directory = None if shared else python.parent
    if (prefix / "pyvenv.cfg").is_file():
        return Interpreter(
            bin=directory,
            python=python,
            variables={"VIRTUAL_ENV": str(prefix)},
            unset=("PYTHONHOME",),
        )
    variables = {}
    if (prefix / "conda-meta").is_dir():
        variables = _conda_variables(prefix)
    # The VIRTUAL_ENV that is set would be another one's.
    unset = ("PYTHONHOME", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT")
    return Interpreter(bin=directory, python=python, variables=variables, unset=unset)


def _conda_variables(prefix: Path) -> dict[str, str]:
    """Return what activating a conda environment sets: its own variables and where it is.

    Those of ``conda env config vars set`` are in ``conda-meta/state``. Scripts in ``activate.d``
    are for shells, and no shell runs here.
    """
    variables: dict[str, str] = {}
    try:
        told = json.loads((prefix / "conda-meta" / "state").read_text("utf-8"))["env_vars"]
        # conda keeps a variable that was unset with this word.
        variables = {k: v for k, v in told.items() if isinstance(v, str) and v != "***unset***"}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return {**variables, "CONDA_PREFIX": str(prefix), "CONDA_DEFAULT_ENV": prefix.name}


def _state(python: Path) -> tuple[int, int]:
    try:
        stat = python.stat()
    except OSError as error:
        raise BuildFailed(
            f"{python}: there is no such interpreter ({error.strerror})", next_step=_NEXT_STEP
        ) from error
    if not os.access(python, os.X_OK) or python.is_dir():
        raise BuildFailed(f"{python} cannot be executed", next_step=_NEXT_STEP)
    return stat.st_ino, stat.st_mtime_ns


async def _start_once(python: Path) -> None:
    try:
        process = await asyncio.create_subprocess_exec(
            python,
            *("-I", "-S", "-c", "pass"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        cause = f"{python} cannot be executed: {error.strerror}"
        raise BuildFailed(cause, next_step=_NEXT_STEP) from error
    try:
        _, errors = await asyncio.wait_for(process.communicate(), CHECK_SECONDS)
    except TimeoutError as error:
        cause = f"{python} did not start within {CHECK_SECONDS:.0f} s"
        raise BuildFailed(cause, next_step=_NEXT_STEP) from error
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    if process.returncode:
        lines = errors.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"status {process.returncode}"
        raise BuildFailed(f"{python} does not start: {reason}", next_step=_NEXT_STEP)
