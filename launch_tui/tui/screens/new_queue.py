"""The forms for a queue: a new one, and the settings of one that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from launch_tui.domain.queue import (
    DEFAULT_QUEUE,
    Resource,
    check_max_running,
    check_queue_name,
    parse_resource,
)
from launch_tui.errors import UsageError
from launch_tui.sdk.queues import checked_config
from launch_tui.tui.editing import write_yaml
from launch_tui.tui.form_fields import Field, Kind
from launch_tui.tui.queue_fields import keyed
from launch_tui.tui.queue_settings import keys_told, variables_told
from launch_tui.tui.screens.form import FormModal, said
from launch_tui.tui.ui import ui

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.queue import Queue

RESOURCES = tuple(
    (str(each), str(each)) for each in (Resource.LOCAL_PROCESS, Resource.LOCAL_CONTAINER)
)
"""The target resources that runs can be started on."""
TRACKING = (("required", "required"), ("optional", "optional"))
CONFIG = "config"
VARIABLES = "template_variables"


class QueueForm(FormModal):
    """What both forms have: settings that are checked as a whole while they are typed."""

    FLAGS: ClassVar[Mapping[str, str]] = {
        "queue name": "name", "-r": "resource", "--max-running": "max_running",
        "--tracking": "tracking",
    }  # fmt: skip

    def resource(self, values: Mapping[str, Any]) -> Resource:
        """Return the target resource that the settings are for."""
        raise NotImplementedError

    def values(self) -> dict[str, Any]:
        """Read all fields; configuration and variables belong together."""
        values = super().values()
        if CONFIG in self.errors or VARIABLES in self.errors:
            return values
        config, variables = values.get(CONFIG, {}), values.get(VARIABLES, {})
        try:
            checked = checked_config(self.resource(values), config, variables)
        except UsageError as error:
            key = VARIABLES if error.field.startswith("template variable") else CONFIG
            self.errors[key] = said(keyed(key, error))
        else:
            values[CONFIG], values[VARIABLES] = checked
        return values

    def key_of(self, named: str) -> str:
        """Return the key of the field that an error of the SDK means."""
        if named.startswith("template variable"):
            return VARIABLES
        is_config = named.startswith(("queue config", "resource configuration"))
        return CONFIG if is_config else super().key_of(named)


class NewQueue(QueueForm):
    """Makes a queue; returns its name."""

    HEADING = "New queue"

    def fields(self) -> Sequence[tuple[Field, str]]:
        """Return the fields; the first queue has a name already."""
        first = "" if ui(self).glance.queues else DEFAULT_QUEUE
        fields = [
            Field(key="name", label="name", required=True, always=True, begins=first, read=_name),
            Field(key="resource", label="resource", kind=Kind.CHOICE, required=True, always=True,
                  choices=RESOURCES, begins=RESOURCES[0][0]),
            *_settings(Resource(RESOURCES[0][0]), None),
        ]  # fmt: skip
        return [(field, field.begins) for field in fields]

    def resource(self, values: Mapping[str, Any]) -> Resource:
        """Return the target resource that is chosen."""
        return parse_resource(values.get("resource", RESOURCES[0][0]))

    def submit(self, values: Mapping[str, Any]) -> None:
        """Make the queue."""
        settings = dict(values)
        name, resource = settings.pop("name"), settings.pop("resource")

        def created(queue: Queue) -> None:
            self.dismiss(queue.name)

        ui(self).act(
            lambda launch: launch.queues.create(name, resource, **settings),
            created,
            failed=self.refuse,
        )


class EditQueue(QueueForm):
    """Changes the settings of a queue; returns its name."""

    SUBMIT = "Save"

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self._queue = queue

    @property
    def heading(self) -> str:
        """What stands in the border."""
        return f"Queue {self._queue.name} ({self._queue.resource})"

    def fields(self) -> Sequence[tuple[Field, str]]:
        """Return the fields with the settings as they are."""
        fields = _settings(self._queue.resource, self._queue)
        return [(field, field.begins) for field in fields]

    def resource(self, values: Mapping[str, Any]) -> Resource:
        """Return the queue's target resource."""
        return self._queue.resource

    def submit(self, values: Mapping[str, Any]) -> None:
        """Change what is other than it was."""
        queue = self._queue
        changes = {k: v for k, v in values.items() if v != getattr(queue, k)}

        def updated(changed: Queue) -> None:
            self.dismiss(changed.name)

        ui(self).act(
            lambda launch: launch.queues.update(queue.name, **changes),
            updated,
            failed=self.refuse,
        )


def _settings(resource: Resource, queue: Queue | None) -> list[Field]:
    """Return the fields of the settings; ``queue`` is the one that has them, None for a new one."""
    is_there = queue is not None
    limit = str(queue.max_running) if queue is not None else ""
    return [
        Field(key="max_running", label="max running", kind=Kind.INTEGER, always=is_there,
              begins=limit, shown_default=limit or "1", hint="int · ≥ 1",
              description="how many runs at once", read=_limit),
        Field(key="prioritized", label="priorities", kind=Kind.BOOLEAN, always=is_there,
              begins="true" if queue is not None and queue.prioritized else "false",
              description="critical, high, medium, low; in order within each"),
        Field(key="tracking", label="tracking", kind=Kind.CHOICE, required=True, always=True,
              choices=TRACKING, begins=queue.tracking if queue is not None else "required",
              description="whether a run must call wandb.init to be good"),
        Field(key=CONFIG, label="config", kind=Kind.DOCUMENT, always=is_there, apart=True,
              begins=write_yaml(queue.config) if queue is not None else "",
              description="what each run gets, such as gpus: 1; ^e tells all keys",
              hint=Kind.DOCUMENT, told=keys_told(resource)),
        Field(key=VARIABLES, label="variables", kind=Kind.DOCUMENT, always=is_there,
              begins=write_yaml(queue.template_variables) if queue is not None else "",
              description="of {{holes}}: size: {type: integer, default: 1}",
              hint=Kind.DOCUMENT, told=variables_told()),
    ]  # fmt: skip


def _name(text: str) -> str:
    return check_queue_name(text.strip(), field="name")


def _limit(text: str) -> int:
    try:
        value = int(text.strip())
    except ValueError:
        raise UsageError("max running", "is no whole number", allowed="1 or more") from None
    return check_max_running(value, field="max running")
