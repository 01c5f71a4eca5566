"""What a person does with queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_tui.domain.argument_types import check_types
from launch_tui.domain.queue import (
    AVAILABLE,
    DEFAULT_MAX_RUNNING,
    DEFAULT_QUEUE,
    OnReboot,
    Queue,
    Resource,
    check_max_running,
    check_on_reboot,
    check_queue_name,
    parse_resource,
)
from launch_tui.errors import NotAvailable, UsageError
from launch_tui.store import queues

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.config_keys import Key
    from launch_tui.store.database import Database

TRACKING = ("required", "optional")


class Queues:
    """The queues of a data directory."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def create(
        self,
        name: str,
        resource: str,
        *,
        max_running: int = DEFAULT_MAX_RUNNING,
        tracking: str = "required",
        on_reboot: str = OnReboot.LOST,
        config: Mapping[str, Any] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        prioritized: bool = False,
    ) -> Queue:
        """Make a queue for a target resource (by name or alias).

        Args:
            name: Its name.
            resource: The target resource.
            max_running: How many of its runs may run at once.
            tracking: Whether runs must call ``wandb.init``.
            on_reboot: What becomes of runs that a reboot ended.
            config: The default resource configuration, W&B's ``{"resource_args": ...}`` too.
            template_variables: The declarations of the configuration's ``{{holes}}``.
            prioritized: Whether runs have priority levels.

        Raises:
            UsageError: For a bad name, resource, limit, rule or configuration, or a name that is
                taken.
        """
        numbers = {"max_running": max_running}
        objects = {"config": config, "template_variables": template_variables}
        check_types({"name": name, "resource": resource, **numbers, **objects})
        kind = parse_resource(resource)
        if kind not in AVAILABLE:
            raise NotAvailable("-r", f"{kind} is not built yet", allowed=", ".join(AVAILABLE))
        config, variables = checked_config(kind, config or {}, template_variables or {})
        return queues.create(
            self._db,
            Queue(
                name=check_queue_name(name),
                resource=kind,
                config=config,
                template_variables=variables,
                prioritized=prioritized,
                max_running=check_max_running(max_running),
                tracking=check_tracking(tracking),
                on_reboot=check_on_reboot(on_reboot),
            ),
        )

    def list(self) -> Sequence[Queue]:
        """Return all queues in the order of their creation."""
        return queues.every(self._db)

    def get(self, name: str) -> Queue:
        """Return one queue."""
        return queues.get(self._db, name)

    def get_or_default(self, name: str) -> Queue:
        """Return one queue; ``default`` is made, for local processes, if it is not there."""
        if name == DEFAULT_QUEUE and queues.find(self._db, name) is None:
            with self._db.transaction():
                # Looked for again, now that no other process can make it in between.
                if queues.find(self._db, name) is None:
                    self.create(DEFAULT_QUEUE, Resource.LOCAL_PROCESS)
        return queues.get(self._db, name)

    def update(
        self,
        name: str,
        *,
        max_running: int | None = None,
        tracking: str | None = None,
        on_reboot: str | None = None,
        config: Mapping[str, Any] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        prioritized: bool | None = None,
    ) -> Queue:
        """Change settings; None leaves one as it is.

        A new configuration replaces the whole old one and holds for runs that are launched, edited
        or rerun from now on: what waits keeps the configuration that it was launched with.
        """
        objects = {"config": config, "template_variables": template_variables}
        check_types({"name": name, "max_running": max_running, **objects})
        changes: dict[str, Any] = {}
        if config is not None or template_variables is not None:
            queue = queues.get(self._db, name)
            changes["config"], changes["template_variables"] = checked_config(
                queue.resource,
                queue.config if config is None else config,
                queue.template_variables if template_variables is None else template_variables,
            )
        if prioritized is not None:
            changes["prioritized"] = prioritized
        if max_running is not None:
            changes["max_running"] = check_max_running(max_running)
        if tracking is not None:
            changes["tracking"] = check_tracking(tracking)
        if on_reboot is not None:
            changes["on_reboot"] = check_on_reboot(on_reboot)
        return queues.update(self._db, name, **changes)

    def pause(self, name: str) -> Queue:
        """Start no more runs of this queue; those that run go on."""
        return queues.update(self._db, name, paused=True)

    def resume(self, name: str) -> Queue:
        """Start runs of this queue again."""
        return queues.update(self._db, name, paused=False)

    def delete(self, name: str) -> None:
        """Delete a queue that has no runs."""
        queues.delete(self._db, name)

    def waiting_since(self) -> dict[str, str]:
        """Return when the first in line of each queue was enqueued (ISO 8601)."""
        return queues.waiting_since(self._db)

    def state_counts(self) -> dict[str, int]:
        """Return how many runs are in each state, over all queues."""
        return queues.state_counts(self._db)


def checked_config(
    resource: Resource, config: Mapping[str, Any], variables: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a queue's configuration and the declarations of its holes, checked as a whole.

    Raises:
        UsageError: For a key or a value that the target does not have, also one that a default
            makes, a hole that is not declared and a declaration without a hole.
    """
    if not config and not variables:
        return {}, {}
    from launch_tui.domain.resource_config import check, unwrap
    from launch_tui.domain.template import check_declarations, check_template, fill
    from launch_tui.targets.schemas import schema_of

    declared = check_declarations(variables)
    schema = schema_of(resource)
    plain = check(
        schema,
        unwrap(config, resource, field="queue config"),
        owner=True,
        field="queue config",
        holes_allowed=True,
    )
    check_template(plain, declared)
    if declared and all("default" in each["schema"] for each in declared.values()):
        # What a launch gets that says nothing: it would be refused for what it never gave.
        check(schema, fill(plain, declared, {}), owner=True, field="queue config")
    return dict(plain), dict(declared)


def launch_keys(resource: Resource, *, owner: bool = False) -> tuple[Key, ...]:
    """Return the keys that the configuration of a target resource has.

    Args:
        resource: The target resource.
        owner: Whether those that only a queue's owner sets are among them.
    """
    from launch_tui.targets.schemas import schema_of

    return tuple(key for key in schema_of(resource).keys if owner or key.for_launches)


def check_tracking(value: str, *, field: str = "--tracking") -> str:
    """Return ``value`` if it names a tracking rule."""
    if value not in TRACKING:
        raise UsageError(field, f"{value!r} is no tracking rule", allowed=", ".join(TRACKING))
    return value
