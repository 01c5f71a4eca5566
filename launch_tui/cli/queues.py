"""``queue``: make, list, change, pause and delete queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_tui.cli.output import brief, line, pairs, print_json, say, table
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.cli.parsing import Arguments
    from launch_tui.domain.queue import Queue

_VARIABLES_TOLD = (
    "what {{name}} in the configuration stands for, such as",
    "  name: {schema: {type: integer, minimum: 1, maximum: 8, default: 1}}",
    "type: string, integer, number or boolean; also enum, minimum, maximum, default",
)
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
    with arguments.open() as sdk:
        queue = sdk.queues.create(arguments.words[0], resource, **_settings(arguments))
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
            "order": "by priority, then in order" if queue.prioritized else "in order",
        }
    )
    if queue.config:
        from launch_tui.domain.resource_config import shown

        for key, text in shown(queue.config).items():
            line(f"config.{key}={text}")
    for text in variables_told(queue):
        line(f"variable {text}")
    return 0


def update(arguments: Arguments) -> int:
    """Change settings of a queue."""
    settings = _settings(arguments)
    if not settings:
        allowed = ", ".join(max(f.names, key=len) for f in arguments.verb.flags)
        raise UsageError("queue update", "changes nothing", allowed=allowed)
    with arguments.open() as sdk:
        queue = sdk.queues.update(arguments.words[0], **settings)
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
                "prioritized": queue.prioritized,
                "config": dict(queue.config),
                "template_variables": dict(queue.template_variables),
            },
            title=f"queue {queue.name} ({queue.resource})",
            folder=sdk.home.temporary,
            apply=apply,
            told={"config": keys_told(queue), "template_variables": _VARIABLES_TOLD},
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


def keys_told(queue: Queue, *, owner: bool = True) -> list[str]:
    """Return what to say above a resource configuration that is edited: its keys, one a line.

    Args:
        queue: The queue whose target has these keys.
        owner: Whether the keys that only a queue may set are among them.
    """
    from launch_tui.targets.schemas import schema_of

    keys = [key for key in schema_of(queue.resource).keys if owner or key.for_launches]
    width = max((len(key.name) for key in keys), default=0)
    told = [f"  {key.name:<{width}}  {key.allowed}: {key.help}" for key in keys]
    holes = "; a value may have {{holes}}" if owner else ", laid on those of the queue"
    return [f"keys of {queue.resource}{holes}:", *told]


def variables_told(queue: Queue) -> list[str]:
    """Return the queue's template variables as a person reads them, one a line."""
    told = []
    for name, variable in queue.template_variables.items():
        schema = variable.get("schema", {})
        rules = "".join(f"  {key} {brief(value)}" for key, value in schema.items() if key != "type")
        description = " ".join(str(variable.get("description") or "").split())
        told.append(f"{name}: {schema.get('type', 'any')}{rules}  {description}".rstrip())
    return told


def _settings(arguments: Arguments) -> dict[str, Any]:
    """Return what the flags change of a queue, as the SDK's arguments."""
    found: dict[str, Any] = {}
    for key in ("tracking", "on_reboot"):
        if arguments.on(key):
            found[key] = arguments.text(key)
    if arguments.on("max_running"):
        found["max_running"] = arguments.number("max_running")
    for key, flag in (("config", "-c"), ("template_variables", "--template-variables")):
        if arguments.on(key):
            from launch_tui.cli.documents import read_object

            found[key] = read_object(arguments.text(key), field=flag)
    if arguments.on("prioritize") and arguments.on("no_prioritize"):
        raise UsageError("--prioritize", "cannot stand together with --no-prioritize")
    if arguments.on("prioritize") or arguments.on("no_prioritize"):
        found["prioritized"] = arguments.on("prioritize")
    return found


def _known(arguments: Arguments) -> list[str]:
    return list(dict.fromkeys(arguments.words))


def _tell(queue: Queue, text: str, *, json: bool) -> int:
    if json:
        print_json(queue_json(queue))
    else:
        line(text)
    return 0
