"""The form for a new queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from launch_tui.domain.queue import DEFAULT_QUEUE, Resource, check_max_running, check_queue_name
from launch_tui.errors import UsageError
from launch_tui.tui.form_fields import Field, Kind
from launch_tui.tui.screens.form import FormModal
from launch_tui.tui.ui import ui

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.queue import Queue

RESOURCES = ((str(Resource.LOCAL_PROCESS), "local-process"),)
"""The target resources that runs can be started on."""
TRACKING = (("required", "required"), ("optional", "optional"))


class NewQueue(FormModal):
    """Makes a queue; returns its name."""

    HEADING = "New queue"
    FLAGS: ClassVar[Mapping[str, str]] = {
        "queue name": "name", "-r": "resource", "--max-running": "max_running",
        "--tracking": "tracking",
    }  # fmt: skip

    def fields(self) -> Sequence[tuple[Field, str]]:
        """Return the fields; the first queue has a name already."""
        first = "" if ui(self).glance.queues else DEFAULT_QUEUE
        fields = [
            Field(key="name", label="name", required=True, always=True, begins=first, read=_name),
            Field(key="resource", label="resource", kind=Kind.CHOICE, required=True, always=True,
                  choices=RESOURCES, begins=RESOURCES[0][0]),
            Field(key="max_running", label="max running", kind=Kind.INTEGER, shown_default="1",
                  hint="int · ≥ 1", description="how many runs at once", read=_limit),
            Field(key="tracking", label="tracking", kind=Kind.CHOICE, required=True, always=True,
                  choices=TRACKING, begins="required",
                  description="whether a run must call wandb.init to be good"),
        ]  # fmt: skip
        return [(field, field.begins) for field in fields]

    def submit(self, values: Mapping[str, Any]) -> None:
        """Make the queue."""
        name, limit = values["name"], values.get("max_running", 1)
        resource, tracking = values["resource"], values["tracking"]

        def created(queue: Queue) -> None:
            self.dismiss(queue.name)

        ui(self).act(
            lambda launch: launch.queues.create(
                name, resource, max_running=limit, tracking=tracking
            ),
            created,
            failed=self.refuse,
        )


def _name(text: str) -> str:
    return check_queue_name(text.strip(), field="name")


def _limit(text: str) -> int:
    try:
        value = int(text.strip())
    except ValueError:
        raise UsageError("max running", "is no whole number", allowed="1 or more") from None
    return check_max_running(value, field="max running")
