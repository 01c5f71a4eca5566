"""Which Python a job runs in: the flag, then what its files say, then the one in use."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

FIELD = "-r"
NEWEST = 30
"""Minor versions of Python 3 that are tried against ``requires-python``."""
MICROS = 40
"""Micro versions that each of them may have."""
_FLAG = re.compile(r"3\.\d+")
_WRITTEN = re.compile(r"(?:(?:c?python|py)[-@]?)?(3\.\d+)(?:\.\d+)*", re.IGNORECASE)
_CLAUSE = re.compile(r"(~=|===?|!=|<=|>=|<|>|\^)\s*v?(\d+)(?:\.(\d+|\*))?(?:\.(\d+|\*))?.*")

_Version = tuple[int, int, int]


def python_version(
    flag: str | None,
    read_file: Callable[[str], str | None],
    *,
    current: tuple[int, int] | None = None,
) -> str:
    """Return a job's Python version as ``3.X``.

    Args:
        flag: The value of ``-r``.
        read_file: Returns the text of a file of the source, None when it has none.
        current: Major and minor version of the interpreter in use; this one's when None.

    Raises:
        UsageError: When the flag is no ``3.X``.
    """
    if flag is not None:
        if not _FLAG.fullmatch(flag):
            raise UsageError(FIELD, f"{flag!r} is no Python version", allowed="3.X, as in 3.11")
        return flag
    current = current or sys.version_info[:2]
    for name in ("runtime.txt", ".python-version"):
        written = _first_version(read_file(name))
        if written:
            return written
    return _required(read_file("pyproject.toml"), current) or f"{current[0]}.{current[1]}"


def _first_version(text: str | None) -> str | None:
    """Return the first version in a file of one per line, None when it has none of CPython's."""
    for line in (text or "").splitlines():
        found = _WRITTEN.fullmatch(line.partition("#")[0].strip())
        if found:
            return found[1]
    return None


def _required(text: str | None, current: tuple[int, int]) -> str | None:
    """Return what ``requires-python`` allows: the current version if it does, else its lowest."""
    if not text:
        return None
    import tomllib

    try:
        wanted = tomllib.loads(text).get("project", {}).get("requires-python")
    except (tomllib.TOMLDecodeError, AttributeError):
        return None
    clauses = [clause.strip() for clause in wanted.split(",")] if isinstance(wanted, str) else []
    if not clauses:
        return None
    parsed = [found.groups() for clause in clauses if (found := _CLAUSE.fullmatch(clause))]
    fitting = [minor for minor in range(NEWEST) if _allows(parsed, minor)]
    if not fitting or (current[0] == 3 and current[1] in fitting):
        return None
    # The lowest is what the project is sure to have been tried with.
    return f"3.{fitting[0]}"


def _allows(clauses: list[tuple[str | None, ...]], minor: int) -> bool:
    """Whether some ``3.minor.x`` satisfies all clauses."""
    return any(
        all(_satisfies((3, minor, micro), clause) for clause in clauses) for micro in range(MICROS)
    )


def _satisfies(version: _Version, clause: tuple[str | None, ...]) -> bool:
    """Whether a version satisfies an operator and up to three numbers (PEP 440)."""
    operator, *numbers = clause
    given = [int(number) for number in numbers if number not in (None, "*")]
    bound = (*given, 0, 0)[:3]
    starts_so = list(version[: len(given)]) == given
    match operator:
        case ">=":
            return version >= bound
        case ">":
            return version > bound
        case "<=":
            return version <= bound
        case "<":
            return version < bound
        case "!=":
            return not (starts_so if "*" in numbers else version == bound)
        case "~=" | "^":
            same = max(1, len(given) - 1) if operator == "~=" else 1
            return version >= bound and list(version[:same]) == given[:same]
        case _:
            return starts_so
