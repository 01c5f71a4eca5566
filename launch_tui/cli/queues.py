"""``queue``: make, list, change, pause and delete queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_tui.cli.output import line, pairs, print_json, say, table
from launch_tui.domain.queue import DEFAULT_MAX_RUNNING, OnReboot, Queue
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.cli.parsing import Arguments

_JSON = (
    "name", "resource", "config", "template_variables", "prioritized", "paused", "max_running",
    "depth", "running",
)  # fmt: skip


def create(arguments: Arguments) -> int:
    """Make a queue."""
    resource = arguments.text("resource")
    if not resource:
        allowed = "-r local-process for processes of this machine"
        raise UsageError("-r", "is missing: a queue is for one target resource", allowed=allowed)
    limit = arguments.number("max_running")
    with arguments.open() as sdk:
        queue = sdk.queues.create(
            arguments.words[0],
            resource,
            max_running=DEFAULT_MAX_RUNNING if limit is None else limit,
            tracking=arguments.text("tracking") or "required",
            on_reboot=arguments.text("on_reboot") or OnReboot.LOST,
        )
    return _tell(queue, f"created queue {queue.name} ({queue.resource})", json=arguments.json)


def list_queues(arguments: Arguments) -> int:
    """Print the queues."""
    with arguments.open() as sdk:
        found = sdk.queues.list()
    if arguments.json:
        print_json([queue_json(queue) for queue in found])
        return 0
    if not found:
        say("no queues")
    rows = [
        (q.name, q.resource, q.depth, f"{q.running}/{q.max_running}", "paused" if q.paused else "")
        for q in found
    ]
    table(("QUEUE", "RESOURCE", "WAITING", "RUNNING", "STATE"), rows)
    return 0


def show(arguments: Arguments) -> int:
    """Print one queue."""
    with arguments.open() as sdk:
        queue = sdk.queues.get(arguments.words[0])
    if arguments.json:
        print_json(queue_json(queue))
        return 0
    pairs(
        {
            "queue": queue.name,
            "resource": queue.resource,
            "state": "paused" if queue.paused else "active",
            "waiting": str(queue.depth),
            "running": f"{queue.running} of at most {queue.max_running}",
            "tracking": queue.tracking,
            "on reboot": queue.on_reboot,
        }
    )
    return 0


def update(arguments: Arguments) -> int:
    """Change settings of a queue."""
    limit, tracking = arguments.number("max_running"), arguments.text("tracking") or None
    on_reboot = arguments.text("on_reboot") or None
    if limit is None and tracking is None and on_reboot is None:
        allowed = "--max-running N, --tracking RULE, --on-reboot POLICY"
        raise UsageError("queue update", "changes nothing", allowed=allowed)
    with arguments.open() as sdk:
        queue = sdk.queues.update(
            arguments.words[0], max_running=limit, tracking=tracking, on_reboot=on_reboot
        )
    return _tell(queue, f"updated queue {queue.name}", json=arguments.json)


def edit(arguments: Arguments) -> int:
    """Edit a queue's settings in the person's editor."""
    from launch_tui.cli.editing import edit_values

    with arguments.open() as sdk:
        queue = sdk.queues.get(arguments.words[0])

        def apply(changes: Mapping[str, Any]) -> None:
            settings = {key: value for key, value in changes.items() if key != "paused"}
            sdk.queues.update(queue.name, **settings)
            if changes.get("paused") is True:
                sdk.queues.pause(queue.name)
            elif changes.get("paused") is False:
                sdk.queues.resume(queue.name)

        changed = edit_values(
            {
                "max_running": queue.max_running,
                "tracking": queue.tracking,
                "on_reboot": queue.on_reboot,
                "paused": queue.paused,
            },
            title=f"queue {queue.name} ({queue.resource})",
            folder=sdk.home.temporary,
            apply=apply,
        )
    line(f"{queue.name}  {', '.join(changed) or 'nothing'} changed")
    return 0


def pause(arguments: Arguments) -> int:
    """Start no more runs of queues."""
    with arguments.open() as sdk:
        for name in _known(arguments):
            line(f"{sdk.queues.pause(name).name}  paused")
    return 0


def resume(arguments: Arguments) -> int:
    """Start runs of queues again."""
    with arguments.open() as sdk:
        for name in _known(arguments):
            line(f"{sdk.queues.resume(name).name}  active")
    return 0


def delete(arguments: Arguments) -> int:
    """Delete queues without runs."""
    with arguments.open() as sdk:
        for name in _known(arguments):
            sdk.queues.delete(name)
            line(f"{name}  deleted")
    return 0


def queue_json(queue: Queue) -> dict[str, Any]:
    """Return a queue as its JSON."""
    return {key: getattr(queue, key) for key in _JSON}


def _known(arguments: Arguments) -> list[str]:
    return list(dict.fromkeys(arguments.words))


def _tell(queue: Queue, text: str, *, json: bool) -> int:
    if json:
        print_json(queue_json(queue))
    else:
        line(text)
    return 0
