"""Errors as a Python program knows what it gave: by argument instead of by flag."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    "IMAGE": "image",
    "GROUP": "group",
    "NAME": "name",
    "GOAL": "goal",
    "queue name": "name",
    "queue config": "config",
    "resource configuration": "config",
    "template variables": "template_variables",
}

OF_A_JOB = {"-d": "description", "-r": "python_version", "IMAGE": "source", "URL": "source"}
"""What the same flags mean where a job is made."""


@contextmanager
def argument_names(others: Mapping[str, str] | None = None) -> Iterator[None]:
    """Have errors about input name the argument that was wrong.

    Args:
        others: Names of fields that here are other arguments than elsewhere.
    """
    try:
        yield
    except UsageError as error:
        named = argument(error.field, {**_ARGUMENTS, **(others or {})})
        if named == error.field:
            raise
        raise type(error)(named, error.problem, allowed=error.allowed) from None


def argument(field: str, names: Mapping[str, str]) -> str:
    """Return how a field is called in Python; ``--setenv A`` is ``setenv A``."""
    for name, meant in names.items():
        if field == name or field.startswith(f"{name} "):
            return meant + field[len(name) :]
    if field.startswith("--"):
        flag, blank, rest = field.partition(" ")
        return flag[2:].replace("-", "_") + blank + rest
    return field
