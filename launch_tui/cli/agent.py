"""``agent``: run one here and show what it does, or ask the one that runs."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from launch_tui.cli.output import line, pairs, print_json, say, to_json
from launch_tui.cli.times import clock, local, stamp
from launch_tui.domain.home_path import at_home
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch_tui.agent.report import AgentEvent
    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk.devices import Devices
    from launch_tui.sdk.keeping import Disk
    from launch_tui.store.agents import AgentStatus
    from launch_tui.store.outbox import Subscriber

_STYLES = {"finished": "green", "failed": "red", "lost": "red", "stopped": "yellow"}


def run(arguments: Arguments) -> int:
    """Run an agent in this process, one line per event."""
    from launch_tui.agent.config import UNLIMITED
    from launch_tui.agent.config_file import ConfigFile
    from launch_tui.agent.headless import run as run_headless

    limit = arguments.number("max_jobs")
    if limit is not None and limit < 1 and limit != UNLIMITED:
        raise UsageError("-j", f"{limit} is no number of jobs", allowed="1 or more, -1: no limit")
    queues = arguments.many("queue") or None
    file = arguments.text("config")
    with arguments.open() as sdk:
        home = sdk.home
        settings = ConfigFile.of(
            home, at_home(file) if file else None, queues=queues, max_jobs=limit
        )
        served = settings.load().queues
        known = {queue.name for queue in sdk.queues.list()}
    for name in served or ():
        if name not in known:
            say(f"note: there is no queue {name!r} yet; it is served once it exists")
    return run_headless(home, settings, report=_printer(json=arguments.json))


def status(arguments: Arguments) -> int:
    """Print what the agent does."""
    from launch_tui.sdk.devices import DevicesFile
    from launch_tui.sdk.keeping import disk

    with arguments.open() as sdk:
        found = sdk.agents.status()
        seen = DevicesFile(sdk.home)
        hooks = sdk.agents.webhooks()
        space = disk(sdk.home)
    running = found is not None and found.running
    # The record outlives the agent that wrote it, and nobody looks after it then.
    devices = seen.devices if running and seen.look() else None
    if arguments.json:
        values: dict[str, Any] = {"running": running, "pid": None, "host": None, "since": None}
        values |= {"queues": None, "max_jobs": None, "runs": []}
        values |= {"config": None, "problem": None, "notes": []}
        if found is not None and running:
            values |= {key: getattr(found, key) for key in values}
        values["gpus"] = _gpus(devices)
        values["notify"] = [asdict(hook) for hook in hooks]
        values["disk"] = _disk_json(space)
        values["config"], values["problem"] = values["config"] or None, values["problem"] or None
        print_json(values)
        return 0
    if found is None or not running:
        line("no agent is running")
        pairs(_webhooks(hooks) | _disk(space))
        return 0
    pairs(
        {
            "agent": f"{found.state}, pid {found.pid} on {found.host}",
            "since": local(found.since),
            "queues": "all" if found.queues is None else ", ".join(found.queues),
            "max jobs": "no limit" if found.max_jobs is None else str(found.max_jobs),
            "runs": ", ".join(found.runs) or "none",
            **_settings(found),
            **_webhooks(hooks),
            **_disk(space),
            "gpu trouble": devices.trouble if devices else "",
            **{f"gpu {gpu['index']}": _gpu_told(gpu) for gpu in _gpus(devices)},
        }
    )
    return 0


def _webhooks(hooks: Sequence[Subscriber]) -> dict[str, str]:
    from launch_tui.sdk.webhooks import told

    return {f"tells {hook.name}": told(hook) for hook in hooks}


def _disk(space: Disk | None) -> dict[str, str]:
    """Return how the disk stands, and what to do where it is nearly full."""
    if space is None:
        return {}
    found = {"disk": space.told(), "caches": space.caches_told()}
    if space.nearly_full:
        found["disk"] += f", nearly full: {space.next_step}"
    return found


def _disk_json(space: Disk | None) -> dict[str, Any] | None:
    if space is None:
        return None
    record = space.record
    return {
        "free": space.free,
        "total": space.total,
        "nearly_full": space.nearly_full,
        "budget": record.budget if record else None,
        "used": record.used if record else None,
        "kinds": dict(record.kinds) if record else {},
    }


def _gpus(devices: Devices | None) -> list[dict[str, Any]]:
    """Return each GPU with the runs on it, which the record keeps apart."""
    if devices is None:
        return []
    return [
        asdict(gpu)
        | {
            "runs": [
                {"id": use.run_id, "assigned": use.assigned, "used": use.used}
                for use in devices.runs
                if use.uuid == gpu.uuid
            ]
        }
        for gpu in devices.machine.gpus
    ]


def _gpu_told(gpu: dict[str, Any]) -> str:
    from launch_tui.domain.quantities import write_size

    words = [
        f"{gpu['name']}, {write_size(gpu['memory_used'])} of {write_size(gpu['memory_total'])} used"
    ]
    if gpu["utilization"] is not None:
        words.append(f"{gpu['utilization']} %")
    words += [f"run {use['id']}" for use in gpu["runs"]]
    words += [
        f"pid {each['pid'] or 'hidden'} of {each['user'] or 'another user'}"
        for each in gpu["strangers"]
    ]
    return ", ".join(words)


def _settings(found: AgentStatus) -> dict[str, str]:
    """Return what is to be said of the file of the agent's settings."""
    if not (found.config or found.problem):
        return {}
    said = {"settings": found.config or "the defaults: no file has been right yet"}
    if found.problem:
        said["problem"] = f"{found.problem}; the settings stay as they were"
    if found.notes:
        said["note"] = "; ".join(found.notes)
    return said


def drain(arguments: Arguments) -> int:
    """Ask the agent to finish what it has and leave."""
    with arguments.open() as sdk:
        sdk.agents.drain()
    line("draining: the agent claims nothing more and leaves when its runs have ended")
    return 0


def resume(arguments: Arguments) -> int:
    """Ask an agent that drains to claim again."""
    with arguments.open() as sdk:
        sdk.agents.resume()
    line("the agent claims again")
    return 0


def stop(arguments: Arguments) -> int:
    """Ask the agent to leave at once."""
    with arguments.open() as sdk:
        sdk.agents.stop()
    line("leaving: its runs go on, and the next agent takes them over")
    return 0


def _printer(*, json: bool) -> Callable[[AgentEvent], None]:
    """Return what prints an event: JSON lines, rich on a terminal, plain text otherwise."""
    if json:
        return lambda event: print(to_json(_event_json(event)), flush=True)
    if not sys.stdout.isatty():
        return lambda event: print(_plain(event), flush=True)
    return _rich_printer()


def _event_json(event: AgentEvent) -> dict[str, Any]:
    return {**asdict(event), "at": stamp(event.at)}


def _plain(event: AgentEvent) -> str:
    from launch_tui.cli.output import shown

    words = [clock(event.at), event.run_id or "agent", event.state or "", event.queue or ""]
    return shown("  ".join(word for word in (*words, _news(event)) if word))


def _news(event: AgentEvent) -> str:
    """Return what an event says beyond its state."""
    return event.text.removeprefix(event.state or "").lstrip(": ")


def _rich_printer() -> Callable[[AgentEvent], None]:
    from rich.console import Console
    from rich.text import Text

    from launch_tui.cli.output import shown

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

    def show(event: AgentEvent) -> None:
        text = Text()
        text.append(f"{clock(event.at)}  ", style="dim")
        text.append(f"{event.run_id or 'agent':<8}  ", style="bold" if event.run_id else "dim")
        if event.state:
            text.append(f"{event.state:<9}  ", style=_STYLES.get(event.state, "cyan"))
        if event.queue:
            text.append(f"{shown(event.queue)}  ", style="dim")
        text.append(shown(_news(event)))
        console.print(text)

    return show
