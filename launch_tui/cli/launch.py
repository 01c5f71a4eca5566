"""``launch``: one run, many from a file, or one again whenever a folder changes."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from launch_tui.cli.output import line, notes, print_json, say
from launch_tui.cli.requests import create_job, folder_in_place, launch_request, place_of
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk import Launch, LaunchRequest
    from launch_tui.store.write import Enqueued

NO_AGENT = "no agent is running: start one with launch-tui --agent-only"


def launch(arguments: Arguments) -> int:
    """Enqueue what the command line asks for; return once it is on disk, or as it ended."""
    _check(arguments)
    if arguments.on("watch"):
        from launch_tui.cli.watch import watch

        return watch(arguments)
    with arguments.open() as sdk:
        if arguments.on("file"):
            from launch_tui.cli.bulk import launch_file

            return launch_file(sdk, arguments)
        request = resolved(sdk, arguments, launch_request(arguments))
        if arguments.on("dry_run"):
            from launch_tui.cli.plan import print_plan

            return print_plan(sdk.plan(request), json=arguments.json)
        return enqueue(sdk, arguments, request)


def resolved(sdk: Launch, arguments: Arguments, request: LaunchRequest) -> LaunchRequest:
    """Return the request with its job; a folder or repository is made into one first."""
    place = place_of(arguments, request.job)
    if place is None:
        return request
    if arguments.on("in_place"):
        return replace(request, in_place=folder_in_place(place))
    made = replace(request, job=create_job(sdk, arguments, place), from_here=True)
    if arguments.command is None and arguments.on("entry_point"):
        # It is the new job's own entry point already.
        return replace(made, entry_point=None)
    return made


def enqueue(sdk: Launch, arguments: Arguments, request: LaunchRequest) -> int:
    """Launch one request, say so, and go along with it as ``--wait`` and ``--follow`` ask."""
    enqueued = sdk.launch(request)
    notes(sdk.warnings)
    return report(sdk, arguments, enqueued)


def report(sdk: Launch, arguments: Arguments, enqueued: Enqueued) -> int:
    """Print what was enqueued, and go along with it as ``--wait`` and ``--follow`` ask."""
    tell(enqueued, json=arguments.json)
    hint(sdk)
    if not (arguments.on("wait") or arguments.on("follow")):
        return 0
    from launch_tui.cli.outcome import go_along

    return go_along(sdk, enqueued.id, follow=arguments.on("follow"))


def tell(enqueued: Enqueued, *, json: bool) -> None:
    """Print a run that was enqueued."""
    if json:
        print_json(asdict(enqueued))
        return
    line(
        f"{enqueued.id}  {enqueued.job}:{enqueued.version}  {enqueued.queue}"
        f"  position {enqueued.position}"
    )


def hint(sdk: Launch) -> None:
    """Say that nothing will happen while no agent runs."""
    if not sdk.agents.is_running():
        say(NO_AGENT)


def _check(arguments: Arguments) -> None:
    """Refuse flags that contradict each other, before anything is done."""
    alone = {
        "file": ("uri", "in_place", "wait", "follow", "watch", "dry_run"),
        "watch": ("in_place", "wait", "follow", "dry_run"),
        "dry_run": ("wait", "follow"),
    }
    for flag, others in alone.items():
        for other in others:
            if arguments.on(flag) and arguments.on(other):
                name = f"--{other.replace('_', '-')}"
                raise UsageError(
                    f"--{flag.replace('_', '-')}", f"cannot stand together with {name}"
                )
    if arguments.json and arguments.on("follow"):
        raise UsageError("--follow", "cannot stand together with --json", allowed="--wait")
