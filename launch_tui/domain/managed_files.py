"""Configuration files that a job lets its launches change, as part of a launch's configuration.

A script declares such a file with W&B's ``launch.manage_config_file("conf/model.yaml")``. What a
launch gives for it stands in the run's configuration beside the keys of ``wandb.config``, under the
file's path with a colon: ``{"lr": 0.1, "conf/model.yaml:": {"layers": 4}}``; as a word on a command
line that is ``conf/model.yaml:layers=4``. So all that holds of a configuration (checks, rerun,
edits, ``--param``, comparing) holds of files. Only what hands it to the job takes it apart again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ENDINGS = (".json", ".yaml", ".yml")
"""What W&B's ``manage_config_file`` reads."""
MARK = ":"

_FILE_WORD = re.compile(r"(.+?(?<!\\)\.(?:json|ya?ml)):(.*)\Z", re.DOTALL)
_ESCAPED = re.compile(r"\\([\\.])|\.")


def file_key(path: str) -> str:
    """Return the key of a configuration under which a file's values stand."""
    return f"{path}{MARK}"


def path_of(key: str) -> str:
    """Return the file that a key stands for, empty for a key of ``wandb.config``."""
    path = key.removesuffix(MARK)
    is_file = path != key and path.endswith(ENDINGS) and path not in ENDINGS
    return path if is_file else ""


def split_files(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a configuration has for ``wandb.config``, and for each file by its path."""
    own = {key: value for key, value in config.items() if not path_of(key)}
    files = {path_of(key): value for key, value in config.items() if path_of(key)}
    return own, files


def join_files(config: Mapping[str, Any], files: Mapping[str, Any]) -> dict[str, Any]:
    """Return one configuration of both; the reverse of ``split_files``."""
    return {**config, **{file_key(path): values for path, values in files.items()}}


def config_of_overrides(overrides: Mapping[str, Any], *, field: str) -> dict[str, Any]:
    """Return the configuration that the ``overrides`` of W&B's launch spec give.

    Args:
        overrides: Of which ``run_config`` and ``files`` are looked at, both objects.
        field: How an error names the spec.

    Raises:
        UsageError: For a file that no job can manage.
    """
    files = overrides.get("files") or {}
    for path in files:
        if not path_of(file_key(path)):
            allowed = "paths that end with " + ", ".join(ENDINGS)
            raise UsageError(field, f"overrides.files: {path!r} is no file", allowed=allowed)
    return join_files(overrides.get("run_config") or {}, files)


def split_key(text: str) -> list[str]:
    r"""Return the parts of a dotted key, of which the first may be a file.

    ``conf/model.yaml:opt.lr`` is ``["conf/model.yaml:", "opt", "lr"]``. A dot within a key is
    written ``\.``, as in W&B's ``include`` and ``exclude``, and a backslash before one ``\\``. The
    file alone, ``conf/model.yaml:``, is all of it.
    """
    found = _FILE_WORD.match(text)
    head, rest = ([file_key(found[1])], found[2]) if found else ([], text)
    if head and not rest:
        return head
    parts, start, part = [], 0, ""
    for match in _ESCAPED.finditer(rest):
        part += rest[start : match.start()]
        start = match.end()
        if match[1]:
            part += match[1]
        else:
            parts.append(part)
            part = ""
    return [*head, *parts, part + rest[start:]]


def joined_key(path: Iterable[str]) -> str:
    """Return the parts of a key as a person reads them; no dot follows a file's colon."""
    parts = list(path)
    if parts and path_of(parts[0]):
        return parts[0] + ".".join(parts[1:])
    return ".".join(parts)


def written_key(path: Iterable[str]) -> str:
    r"""Return the word that ``split_key`` reads as these parts."""
    parts = list(path)
    if not parts:
        return ""
    first, *others = parts
    rest = ".".join(map(_escaped, others))
    if path_of(first) and split_key(first) == [first]:
        return first + rest
    return ".".join([_escaped(first), *([rest] if others else [])])


def _escaped(part: str) -> str:
    return part.replace("\\", "\\\\").replace(".", "\\.")


def check_files(config: Mapping[str, Any], *, field: str = "config") -> None:
    """Refuse what is given for a file that no job can manage.

    Args:
        config: What a launch gives.
        field: How an error names it.

    Raises:
        UsageError: For a path that W&B refuses too (absolute, upwards), or values without keys.
    """
    for path, values in split_files(config)[1].items():
        here = file_key(path)
        if path.startswith("/") or ".." in path.split("/") or "\0" in path:
            allowed = "a path below the job's folder"
            raise UsageError(field, f"{here} is no managed file's path", allowed=allowed)
        if not isinstance(values, dict):
            allowed = f"{here}key=value, or an object"
            raise UsageError(field, f"{here} takes values by key", allowed=allowed)
