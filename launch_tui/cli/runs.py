"""``runs``, ``show``, ``why``, ``events``, and the verbs that act on runs."""

from __future__ import annotations

import time
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from launch_tui.cli.output import brief, line, pairs, print_json, say, table
from launch_tui.cli.times import ago, between, local
from launch_tui.domain.run import ENDED, Run, RunState
from launch_tui.errors import UsageError
from launch_tui.sdk.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk import Launch

SHOWN = 50
"""Runs that ``runs`` lists unless ``-n`` says otherwise."""


def list_runs(arguments: Arguments) -> int:
    """Print runs, newest first."""
    limit = arguments.number("limit")
    if limit is not None and limit < 1:
        raise UsageError("-n", f"{limit} is no number of runs", allowed="1 or more")
    with arguments.open() as sdk:
        found = list(islice(_wanted(sdk, arguments), limit or SHOWN))
    if arguments.json:
        print_json([asdict(run) for run in found])
        return 0
    if not found:
        say("no runs")
    table(("RUN", "STATE", "NAME", "JOB", "QUEUE", "AGE", "TOOK", "NOTE"), [_row(r) for r in found])
    return 0


def show(arguments: Arguments) -> int:
    """Print one run."""
    with arguments.open() as sdk:
        run = sdk.runs.get(arguments.words[0])
        reason = sdk.runs.why(run.id).reason
    if arguments.json:
        print_json(asdict(run))
        return 0
    values = asdict(run)
    config, summary = values.pop("config"), values.pop("summary")
    for key in ("created_at", "claimed_at", "started_at", "ended_at"):
        values[key] = local(values[key])
    values |= {"tags": ", ".join(run.tags), "gpus": ", ".join(run.gpus)}
    values["tracked"] = "yes" if run.tracked else "no"
    if run.state not in ENDED:
        values["why"] = reason
    pairs(values)
    for title, inner in (("config", config), ("summary", summary)):
        for key, value in flattened(inner):
            line(f"{title}.{key}={brief(value)}")
    return 0


def why(arguments: Arguments) -> int:
    """Print why a run is where it is."""
    with arguments.open() as sdk:
        reason = sdk.runs.why(arguments.words[0])
    if arguments.json:
        values = {"id": reason.id, "reason": reason.reason}
        print_json({**values, "kind": reason.kind, "until": reason.until})
    else:
        line(reason.reason)
    return 0


def events(arguments: Arguments) -> int:
    """Print what happened to a run, oldest first."""
    with arguments.open() as sdk:
        found = sdk.runs.events(arguments.words[0])
    if arguments.json:
        print_json([asdict(event) for event in found])
        return 0
    rows = [(local(e.at), e.state or "", e.actor, e.message) for e in found]
    table(("TIME", "STATE", "WHO", "WHAT"), rows)
    return 0


def stop(arguments: Arguments) -> int:
    """Ask for runs to end."""
    now = arguments.on("now")

    def act(runs: Runs, run_id: str) -> str:
        state = runs.stop(run_id, now=now)
        return "stopped" if state is RunState.STOPPED else f"stopping, {state} still"

    return _each(arguments, act)


def cancel(arguments: Arguments) -> int:
    """Stop runs that still wait."""
    return _each(arguments, Runs.cancel, "cancelled")


def hold(arguments: Arguments) -> int:
    """Have queued runs passed over."""
    return _each(arguments, Runs.hold, "held")


def release(arguments: Arguments) -> int:
    """Let held runs be taken again."""
    return _each(arguments, Runs.release, "queued")


def front(arguments: Arguments) -> int:
    """Move a run to the front of its queue."""
    return _each(arguments, Runs.front, "first in line")


def delete(arguments: Arguments) -> int:
    """Forget runs that have ended."""
    return _each(arguments, Runs.delete, "deleted")


def tag(arguments: Arguments) -> int:
    """Add and take away tags."""
    reference, *tags = arguments.words
    with arguments.open() as sdk:
        line(", ".join(sdk.runs.tag(reference, tags)))
    return 0


def note(arguments: Arguments) -> int:
    """Set the note of a run."""
    with arguments.open() as sdk:
        sdk.runs.note(arguments.words[0], arguments.words[1])
    return 0


def edit(arguments: Arguments) -> int:
    """Edit a run that waits."""
    from launch_tui.cli.editing import edit_values

    with arguments.open() as sdk:
        run = sdk.runs.get(arguments.words[0])
        if run.state not in (RunState.QUEUED, RunState.HELD):
            raise UsageError(
                "RUN", f"{run.id} is {run.state}", allowed="a run that still waits; see rerun"
            )
        before: dict[str, Any] = {
            "name": run.name,
            "project": run.project,
            "note": run.note,
            "tags": list(run.tags),
            "config": dict(run.config),
        }
        changes = edit_values(
            before,
            title=f"run {run.id} of {run.job}:{run.version}, {run.state} on {run.queue}",
            folder=sdk.home.temporary,
            apply=lambda changed: sdk.runs.edit(run.id, changed),
        )
    line(f"{run.id}  {', '.join(changes) or 'nothing'} changed")
    return 0


def flattened(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested objects under their keys joined by dots."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _wanted(sdk: Launch, arguments: Arguments) -> Iterator[Run]:
    states = tuple(_state(text) for given in arguments.many("state") for text in given.split(","))
    runs = sdk.runs.every(queue=arguments.text("queue"), states=states, job=arguments.text("job"))
    if not arguments.on("filter"):
        return runs
    from launch_tui.domain.filter import Filter

    wanted = Filter(arguments.text("filter"))
    now = time.time()
    return (run for run in runs if wanted.matches(run, now))


def _state(text: str) -> RunState:
    try:
        return RunState(text.strip().lower())
    except ValueError:
        raise UsageError("-s", f"there is no state {text!r}", allowed=", ".join(RunState)) from None


def _row(run: Run) -> tuple[str, ...]:
    version = f"{run.job}:{run.version}"
    took = between(run.started_at, run.ended_at)
    told = run.cause if run.state in ENDED and run.cause else run.note
    name = "" if run.name == run.job else run.name
    return run.id, run.state, name, version, run.queue, ago(run.created_at), took, told


def _each(arguments: Arguments, act: Callable[[Runs, str], object], said: str = "") -> int:
    """Do something to each run that the words name; unknown ones are refused before any."""
    with arguments.open() as sdk:
        ids = [sdk.runs.resolve(reference) for reference in arguments.words]
        for run_id in dict.fromkeys(ids):
            done = act(sdk.runs, run_id)
            line(f"{run_id}  {said or done}")
    return 0
