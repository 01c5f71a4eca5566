"""What a running job declares as its inputs: listening to it, and reading what was heard.

``install`` puts the module that listens (``job_hook``) where the job's Python finds it; ``read``
returns what the job declared. The file in between lies in the job's hands, so nothing in it is
trusted: what is no declaration is left out.
"""

from __future__ import annotations

import functools
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.domain.declared import Declaration, normalised
from launch_tui.domain.document import read_document
from launch_tui.domain.given_schema import check_schema
from launch_tui.domain.managed_files import file_key, path_of, split_key
from launch_tui.errors import LaunchError
from launch_tui.tracking.job_hook import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HOOK_VARIABLE = "LAUNCH_TUI_HOOK"
"""Where a container's launcher finds the folder to put first on PYTHONPATH."""
MAX_BYTES = 8 * 1024 * 1024
"""How much of a job's declarations is read."""
MAX_DECLARATIONS = 1_000

_FOLDER, _FILE = "hook", "inputs.jsonl"


def install(directory: Path) -> None:
    """Put the module that listens into an attempt's wandb directory."""
    folder = directory / _FOLDER
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_bytes(_module())


@functools.cache
def _module() -> bytes:
    # Read once: an upgrade under a running agent does not mix the two versions.
    return Path(__file__).with_name("job_hook.py").read_bytes()


def listening(directory: Path) -> dict[str, str]:
    """Return the variables by which a job's Python finds the module and where to write."""
    return {VARIABLE: str(directory / _FILE), HOOK_VARIABLE: str(directory / _FOLDER)}


def put_first(variables: dict[str, str]) -> dict[str, str]:
    """Return a process's variables with the module's folder first on PYTHONPATH.

    A job that was given an empty ``LAUNCH_TUI_INPUTS`` is left alone.
    """
    folder = variables.pop(HOOK_VARIABLE, "")
    if folder and variables.get(VARIABLE):
        path = variables.get("PYTHONPATH", "")
        variables["PYTHONPATH"] = f"{folder}{os.pathsep}{path}" if path else folder
    return variables


def declared_size(directory: Path) -> int:
    """Return how many bytes of declarations there are, by which it shows that there are more."""
    try:
        return (directory / _FILE).lstat().st_size
    except OSError:
        return 0


def read(directory: Path, complain: Callable[[str], object]) -> list[Declaration]:
    """Return what a job has declared, in its order.

    Args:
        directory: The attempt's wandb directory.
        complain: Told in a line what of a declaration cannot be used.
    """
    found = []
    for line in _lines(directory / _FILE)[:MAX_DECLARATIONS]:
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(told, dict):
            one = _declaration(told, complain)
            if one is not None:
                found.append(one)
    return found


def _lines(path: Path) -> list[bytes]:
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            return []
        return file.read(MAX_BYTES).split(b"\n")


def _declaration(told: Mapping[str, Any], complain: Callable[[str], object]) -> Declaration | None:
    file = told.get("file") or ""
    if not isinstance(file, str) or (file and not path_of(file_key(file))):
        return None
    return Declaration(
        file=os.path.normpath(file) if file else "",
        include=_paths(told.get("include")),
        exclude=_paths(told.get("exclude")),
        schema=_schema(told.get("schema"), file, complain),
        content=_content(told.get("content"), file) if file else None,
    )


def _paths(given: object) -> tuple[tuple[str, ...], ...]:
    if not isinstance(given, list):
        return ()
    return tuple(tuple(_split(text)) for text in given if isinstance(text, str))


def _split(text: str) -> list[str]:
    parts = split_key(text)
    # An empty part is what W&B makes nothing of, such as a dot at the end.
    return [part for part in parts if part]


def _schema(given: object, file: str, complain: Callable[[str], object]) -> dict[str, Any] | None:
    if not isinstance(given, dict) or not given:
        return None
    try:
        made = normalised(given)
        check_schema(made, field=f"the schema of {file or 'wandb.config'}")
    except (LaunchError, RecursionError) as error:
        complain(error.cause if isinstance(error, LaunchError) else "a schema is nested too deep")
        return None
    return made


def _content(given: object, file: str) -> dict[str, Any] | None:
    if not isinstance(given, str):
        return None
    try:
        # A line alone would be the name of a file.
        return read_document(f"{given}\n", file)
    except (LaunchError, RecursionError):
        return None
