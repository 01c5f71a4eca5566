"""What a person does with queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_tui.domain.queue import (
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
from launch_tui.errors import UsageError
from launch_tui.store import queues

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    ) -> Queue:
        """Make a queue for a target resource (by name or alias).

        Raises:
            UsageError: For a bad name, resource, limit or rule, or a name that is taken.
        """
        return queues.create(
            self._db,
            Queue(
                name=check_queue_name(name),
                resource=parse_resource(resource),
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
    ) -> Queue:
        """Change settings; None leaves one as it is."""
        changes: dict[str, Any] = {}
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


def check_tracking(value: str, *, field: str = "--tracking") -> str:
    """Return ``value`` if it names a tracking rule."""
    if value not in TRACKING:
        raise UsageError(field, f"{value!r} is no tracking rule", allowed=", ".join(TRACKING))
    return value
