"""The resource configuration that holds for a run: the queue's, and what the launch lays on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.domain.queue import Queue, Resource
    from launch_tui.domain.slots import Request
    from launch_tui.store.paths import Home

ARGS_FIELD = "-R"
VALUES_FIELD = "-v"


def own_resources(resource: Resource, resource_args: Mapping[str, Any]) -> dict[str, Any]:
    """Return a launch's own resource configuration, checked.

    Raises:
        UsageError: For a key that the target does not have or only a queue's owner sets, and a
            value that is not of its kind.
    """
    if not resource_args:
        return {}
    from launch_tui.domain.resource_config import check, unwrap
    from launch_tui.targets.schemas import schema_of

    own = unwrap(resource_args, resource, field=ARGS_FIELD)
    return dict(check(schema_of(resource), own, owner=False, field=ARGS_FIELD))


def resolve_resources(
    home: Home, queue: Queue, own: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the whole configuration of a run with its holes filled, checked as a whole.

    Args:
        home: The data directory, whose agent says what this machine has.
        queue: The run's queue, as it is now.
        own: What ``own_resources`` returned.
        values: Values for the queue's template variables.

    Raises:
        UsageError: Also for what this machine can never give.
    """
    if not (queue.config or queue.template_variables or own or values):
        return {}
    from launch_tui.domain.resource_config import check, merged
    from launch_tui.domain.template import check_override, fill
    from launch_tui.targets.schemas import schema_of

    schema = schema_of(queue.resource)
    check_override(queue.config, own, field=ARGS_FIELD)
    laid = merged(queue.config, own)
    filled = fill(laid, queue.template_variables, values)
    resources = dict(check(schema, filled, owner=True, field=f"queue {queue.name}"))
    if schema.request is not None:
        _require_that_it_can_fit(home, schema.request(resources), own)
    return resources


def _require_that_it_can_fit(home: Home, request: Request, own: Mapping[str, Any]) -> None:
    if request.empty:
        return
    from launch_tui.devices.fit import why_never_fits
    from launch_tui.store.agent_lock import is_held

    if reason := why_never_fits(home, request, agent_lives=is_held(home)):
        field = next((f"--{key.replace('_', '-')}" for key in _SLOTS if key in own), "queue config")
        raise UsageError(field, reason, allowed="what this machine has; see launch-tui doctor")


_SLOTS = ("gpus", "gpu_memory", "cpus", "memory")
