"""Errors as a Python program knows what it gave: by argument instead of by flag."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ARGUMENTS = {
    "-E": "entry_point",
    "--": "arguments",
    "-q": "queue",
    "-j": "max_jobs",
    "-p": "project",
    "-e": "entity",
    "-n": "name",
    "-a": "aliases",
    "-g": "ref",
    "-r": "resource",
    "-R": "resource_args",
    "-v": "template_variables",
    "-P": "priority",
    "-D": "dockerfile",
    "-B": "base_image",
    "-b": "build_context",
    "-d": "image",
    "--runtime": "python_version",
    "--tag": "tags",
    "--link": "links",
    "--secret": "secrets",
    "JOB": "job",
    "RUN": "run",
    "KEY": "key",
    "IMAGE": "source",
    "GROUP": "group",
    "queue name": "name",
}


@contextmanager
def argument_names() -> Iterator[None]:
    """Have errors about input name the argument that was wrong."""
    try:
        yield
    except UsageError as error:
        named = argument(error.field)
        if named == error.field:
            raise
        raise type(error)(named, error.problem, allowed=error.allowed) from None


def argument(field: str) -> str:
    """Return how a field is called in Python; ``--setenv A`` is ``setenv A``."""
    if field in _ARGUMENTS:
        return _ARGUMENTS[field]
    flag, blank, rest = field.partition(" ")
    if flag.startswith("-"):
        return _ARGUMENTS.get(flag, flag.lstrip("-").replace("-", "_")) + blank + rest
    return field
