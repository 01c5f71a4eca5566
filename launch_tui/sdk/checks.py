"""Refuses what a request says in free words and no job could be given, whoever made the request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_tui.domain import given
from launch_tui.domain.environment import check_own_variable
from launch_tui.domain.managed_files import split_files
from launch_tui.errors import UsageError
from launch_tui.sdk.queues import check_tracking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from launch_tui.domain.spec import RunSpec
    from launch_tui.sdk.request import LaunchRequest


def check_request(request: LaunchRequest) -> None:
    """Raise for the first value of a launch that no job could be given.

    Raises:
        UsageError: Naming the flag, and what is allowed.
    """
    given.check_name(request.name)
    given.check_project(request.project, field="-p")
    given.check_project(request.entity, field="-e")
    for tag in request.tags:
        given.check_tag(tag)
    given.check_text(request.note, field="--note")
    given.check_variables(request.setenv)
    for flag, names in (("--pass-env", request.pass_env), ("--secret", request.secrets)):
        for name in names:
            check_own_variable(name, field=flag)
            if name in request.setenv:
                problem = f"{name} has a value by --setenv already"
                raise UsageError(flag, problem, allowed="one of the two")
    for name in request.secrets:
        if name in request.pass_env:
            problem = f"{name} is passed on by --pass-env already"
            raise UsageError("--secret", problem, allowed="one of the two")
    entry_point = request.entry_point or ()
    words = [entry_point] if isinstance(entry_point, str) else entry_point
    given.check_command(words, field="-E")
    if words and not words[0].strip():
        raise UsageError("-E", f"{words[0]!r} is no command", allowed="such as python train.py")
    given.check_command(request.arguments or (), field="--")
    given.check_config(request.config)
    if request.tracking:
        check_tracking(request.tracking)


def check_managed_files(config: Mapping[str, Any], spec: RunSpec) -> None:
    """Refuse values for files that a run would not have to itself: wandb writes into the file.

    Raises:
        UsageError: Where the run has the person's own folder, or a link to the file's.
    """
    for path in split_files(config)[1]:
        if spec.in_place:
            allowed = "without --in-place, where each run has its own copy"
            raise UsageError(path, f"would change {path} in {spec.in_place}", allowed=allowed)
        for link in spec.links:
            if f"{path}/".startswith(f"{link.rstrip('/')}/"):
                allowed = "a file in each run's own copy"
                raise UsageError(path, f"lies in {link}, which is linked (--link)", allowed=allowed)


def check_changes(changes: Mapping[str, Any]) -> None:
    """Raise for the first change of a waiting run that no job could be given."""
    checks: dict[str, Callable[[Any], object]] = {
        "name": lambda value: given.check_name(value, field="name"),
        "project": lambda value: given.check_project(value, field="project"),
        "note": lambda value: given.check_text(value, field="note"),
        "tags": lambda value: [given.check_tag(tag, field="tags") for tag in value],
        "config": given.check_config,
    }
    for key, value in changes.items():
        if key in checks:
            checks[key](value)
