"""``launch``: one run, many from a file, or one again whenever a folder changes."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from launch_tui.cli.output import brief, flattened, line, notes, print_json, say
from launch_tui.cli.requests import create_job, folder_in_place, launch_request, place_of
from launch_tui.cli.resources import named_by_flags
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk import Launch, LaunchRequest
    from launch_tui.store.enqueuing import Enqueued

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

            with named_by_flags(arguments):
                plan = sdk.plan(request)
            return print_plan(plan, json=arguments.json)
        return enqueue(sdk, arguments, request)


def resolved(sdk: Launch, arguments: Arguments, request: LaunchRequest) -> LaunchRequest:
    """Return the request with its job; a folder or repository is made into one first."""
    place = place_of(arguments, request.job or request.image)
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
    with named_by_flags(arguments):
        enqueued = sdk.launch_many([request])
    if request.params:
        return report_group(sdk, arguments, request.params, enqueued)
    return report(sdk, arguments, enqueued[0])


def report(sdk: Launch, arguments: Arguments, enqueued: Enqueued) -> int:
    """Print what was enqueued, and go along with it as ``--wait`` and ``--follow`` ask."""
    notes(sdk.warnings)
    tell(enqueued, json=arguments.json)
    hint(sdk)
    return _go_along(sdk, arguments, [enqueued])


def report_group(
    sdk: Launch,
    arguments: Arguments,
    params: Mapping[str, Sequence[Any]],
    enqueued: Sequence[Enqueued],
) -> int:
    """Print a group, then each of its runs with the values it has; wait for all with ``--wait``.

    Args:
        sdk: The data directory.
        arguments: The command line.
        params: What ``--param`` gave; empty for runs that were launched again.
        enqueued: The runs, in the order of the combinations.
    """
    notes(sdk.warnings)
    group = sdk.runs.get(enqueued[0].id).group
    if arguments.json:
        print_json([{**asdict(run), "group": group} for run in enqueued])
    else:
        line(f"group {group}  {len(enqueued)} runs")
        for run, config in zip(enqueued, _combinations(sdk, group, params), strict=True):
            values = "".join(f"  {key}={brief(value)}" for key, value in flattened(config))
            line(f"{row(run)}{values}")
    hint(sdk)
    return _go_along(sdk, arguments, enqueued)


def tell(enqueued: Enqueued, *, json: bool) -> None:
    """Print a run that was enqueued."""
    if json:
        print_json(asdict(enqueued))
    else:
        line(row(enqueued))


def row(enqueued: Enqueued) -> str:
    """Return the line that tells of a run that was enqueued."""
    return (
        f"{enqueued.id}  {enqueued.job}:{enqueued.version}  {enqueued.queue}"
        f"  position {enqueued.position}"
    )


def _combinations(
    sdk: Launch, group: str, params: Mapping[str, Sequence[Any]]
) -> Sequence[dict[str, Any]]:
    """Return what tells the runs of a group apart, in their order."""
    if params:
        from launch_tui.domain.params import product

        return product(params)
    configs = [dict(flattened(dict(run.config))) for run in sdk.runs.group(group)]
    keys = dict.fromkeys(key for config in configs for key in config)
    differing = [key for key in keys if any(c.get(key) != configs[0].get(key) for c in configs)]
    return [{key: config[key] for key in differing if key in config} for config in configs]


def _go_along(sdk: Launch, arguments: Arguments, enqueued: Sequence[Enqueued]) -> int:
    follow = arguments.on("follow")
    if not (follow or arguments.on("wait")):
        return 0
    from launch_tui.cli.outcome import go_along

    return max(go_along(sdk, run.id, follow=follow) for run in enqueued)


def hint(sdk: Launch) -> None:
    """Say that nothing will happen while no agent runs."""
    if not sdk.agents.is_running():
        say(NO_AGENT)


def _check(arguments: Arguments) -> None:
    """Refuse flags that contradict each other, before anything is done."""
    alone = {
        "file": ("uri", "in_place", "wait", "follow", "watch", "dry_run", "param"),
        "watch": ("in_place", "wait", "follow", "dry_run"),
        "dry_run": ("wait", "follow"),
        "param": ("follow", "watch"),
    }
    for flag, others in alone.items():
        for other in others:
            if arguments.on(flag) and arguments.on(other):
                name = f"--{other.replace('_', '-')}"
                raise UsageError(
                    f"--{flag.replace('_', '-')}", f"cannot stand together with {name}"
                )
    if not arguments.number("retries") and not arguments.on("file"):
        for name in ("--retry-on", "--backoff"):
            if arguments.on(name[2:].replace("-", "_")):
                raise UsageError(name, "means nothing without retries", allowed="--retries N")
    if arguments.json and arguments.on("follow"):
        raise UsageError("--follow", "cannot stand together with --json", allowed="--wait")
