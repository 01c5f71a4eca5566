"""Which command a job runs: ``-E``, or the one script that can only be meant."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

DEFAULTS = ("main.py", "train.py")
"""Scripts that are the entry point without being named, when just one of them is there."""
FIELD = "-E"
_SHOWN = 8


def resolve_entry_point(
    given: str | Sequence[str] | None,
    has_file: Callable[[str], bool],
    *,
    root_files: Iterable[str] = (),
    is_executable: Callable[[str], bool] = lambda _: False,
) -> tuple[str, ...]:
    """Return the argument vector of a job's command.

    Args:
        given: What the person gave: a shell-quoted line, or words; None for the default.
        has_file: Whether the source has a file at this relative path.
        root_files: Names in the source's root, to suggest from.
        is_executable: Whether the source's file at this path has its executable bit.

    Raises:
        UsageError: When quotes do not match, nothing is left, the default is not clear, or a
            script is named that the source does not have.
    """
    words = _default(has_file, root_files) if given is None else _words(given)
    command = _with_interpreter(words, has_file, is_executable)
    script = named_script(command)
    if script is not None and not has_file(_normal(script)):
        raise UsageError(FIELD, f"the source has no file {script}", allowed=_listed(root_files))
    return command


def named_script(command: Sequence[str]) -> str | None:
    """Return the script of ``python FILE``, ``bash FILE`` or ``./FILE`` inside the source.

    None for anything else: other executables, ``python -m``, ``python -c``, absolute paths.
    """
    first = command[0]
    if first.startswith("./") or (first.endswith((".py", ".sh")) and not first.startswith("/")):
        return first
    is_interpreter = first.rpartition("/")[2].rstrip("0123456789.") in ("python", "bash", "sh")
    if not is_interpreter or len(command) < 2:
        return None
    script = command[1]
    is_path = script.endswith((".py", ".sh")) and not script.startswith(("/", "-", "~", "$"))
    # A macro such as ``${entry}`` is known only when the run starts.
    return script if is_path and "${" not in script else None


def _words(given: str | Sequence[str]) -> tuple[str, ...]:
    if not isinstance(given, str):
        words = tuple(given)
    else:
        try:
            words = tuple(shlex.split(given))
        except ValueError as error:
            problem = f"{str(error).lower()} in {given!r}"
            raise UsageError(FIELD, problem, allowed="a command quoted as for a shell") from error
    if not words or not words[0]:
        raise UsageError(FIELD, "is empty", allowed="a command, for example 'python train.py'")
    if any("\0" in word for word in words):
        raise UsageError(FIELD, "has a NUL character in it")
    return words


def _default(has_file: Callable[[str], bool], root_files: Iterable[str]) -> tuple[str, ...]:
    found = [name for name in DEFAULTS if has_file(name)]
    if len(found) == 1:
        return (found[0],)
    if found:
        problem = f"say which to run: the source has both {' and '.join(found)}"
    else:
        problem = f"say what to run: the source has no {' or '.join(DEFAULTS)}"
    raise UsageError(FIELD, problem, allowed=_listed(root_files))


def _with_interpreter(
    words: tuple[str, ...],
    has_file: Callable[[str], bool],
    is_executable: Callable[[str], bool],
) -> tuple[str, ...]:
    script = words[0]
    is_bare = not script.startswith(("/", "./", "../"))
    if script.endswith(".py") and is_bare:
        return ("python", *words)
    if script.endswith(".sh") and is_bare:
        if has_file(_normal(script)) and is_executable(_normal(script)):
            return (f"./{script}", *words[1:])
        return ("bash", *words)
    return words


def _normal(path: str) -> str:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return "/".join(parts)


def _listed(root_files: Iterable[str]) -> str:
    """Return the scripts that could have been meant."""
    scripts = sorted(
        name for name in root_files if "/" not in name and name.endswith((".py", ".sh"))
    )
    if not scripts:
        return "a command, for example 'python train.py'"
    more = f", … ({len(scripts) - _SHOWN} more)" if len(scripts) > _SHOWN else ""
    return ", ".join(scripts[:_SHOWN]) + more
