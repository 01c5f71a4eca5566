"""``runs``, ``show``, ``why``, ``events``: what there is of runs."""

from __future__ import annotations

import time
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.cli.output import brief, flattened, line, pairs, print_json, say, table
from launch_tui.cli.times import ago, between, local
from launch_tui.domain.run import ENDED, Run, RunState
from launch_tui.domain.sync import SyncState
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk import Launch

SHOWN = 50
"""Runs that ``runs`` lists unless ``-n`` says otherwise."""


_TOLD_SYNCS = frozenset(SyncState) - {SyncState.NONE, SyncState.UNSYNCED}


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
    heads: list[str] = ["RUN", "STATE", "NAME", "JOB", "QUEUE", "AGE", "TOOK", "NOTE"]
    rows = [list(_row(run)) for run in found]
    if any(run.sync.state in _TOLD_SYNCS for run in found):
        # Only who sends runs somewhere wants to know how far that is.
        heads.append("WANDB")
        rows = [[*row, run.sync.state] for row, run in zip(rows, found, strict=True)]
    table(heads, rows)
    return 0


def show(arguments: Arguments) -> int:
    """Print one run."""
    from launch_tui.cli.files import output_told, outputs_json
    from launch_tui.cli.sync import sync_told
    from launch_tui.sdk.outputs import RunFiles

    with arguments.open() as sdk:
        run = sdk.runs.get(arguments.words[0])
        reason = sdk.runs.why(run.id).reason
        spec = sdk.runs.spec(run.id)
    outputs = RunFiles(run, spec).outputs()
    if arguments.json:
        print_json(asdict(run) | {"outputs": outputs_json(outputs)})
        return 0
    values = asdict(run)
    config, summary = values.pop("config"), values.pop("summary")
    # What the first in line lacks is part of the reason.
    values.pop("blocked")
    values["sync"] = sync_told(run.sync) if run.sync.state else ""
    values["sync_next_step"] = run.sync.next_step if run.sync.cause else ""
    for key in ("created_at", "claimed_at", "started_at", "ended_at", "not_before"):
        values[key] = local(values[key])
    for key in ("tags", "gpus", "after"):
        values[key] = ", ".join(values[key])
    values["retried"] = f"{run.retried} of at most {spec.retries}" if spec.retries else ""
    values["tracked"] = "yes" if run.tracked else "no"
    if run.state not in ENDED:
        values["why"] = reason
    pairs(values)
    for title, inner in (("config", config), ("summary", summary)):
        for key, value in flattened(inner):
            line(f"{title}.{key}={brief(value)}")
    for output in outputs:
        line(f"output.{output_told(output)}")
    if spec.resources:
        from launch_tui.domain.resource_config import shown

        for key, text in shown(spec.resources).items():
            line(f"resource.{key}={text}")
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


def report(arguments: Arguments) -> int:
    """Print the report of a run, or write it to a file."""
    from launch_tui.sdk.report import failure_report, write_report

    with arguments.open(read_only=True) as sdk:
        text = failure_report(sdk, arguments.words[0])
    if not arguments.on("output"):
        line_by_line(text)
        return 0
    path = Path(arguments.text("output")).expanduser()
    write_report(path, text)
    line(path)
    return 0


def line_by_line(text: str) -> None:
    """Print a text whose lines stay lines."""
    for each in text.splitlines():
        line(each)


def _wanted(sdk: Launch, arguments: Arguments) -> Iterator[Run]:
    states = tuple(_state(text) for given in arguments.many("state") for text in given.split(","))
    queue, job = arguments.text("queue"), arguments.text("job")
    if arguments.on("group"):
        if queue:
            sdk.queues.get(queue)
        members = reversed(sdk.runs.group(arguments.text("group")))
        runs = iter([run for run in members if _is_wanted(run, queue, states, job)])
    else:
        runs = sdk.runs.every(queue=queue, states=states, job=job)
    text = _filter(sdk, arguments)
    if not text:
        return runs
    from launch_tui.domain.filter import Filter
    from launch_tui.sdk.search import matching, narrowed

    wanted, now = Filter(text), time.time()
    if arguments.on("group"):
        return (run for run in runs if wanted.matches(run, now))
    queues = [each.name for each in sdk.queues.list()]
    by_index = narrowed(wanted, queues, [each.name for each in sdk.jobs.list()])
    return matching(
        sdk,
        wanted,
        now,
        queue=queue or by_index.queue,
        states=states or by_index.states,
        job=job or by_index.job,
    )


def _filter(sdk: Launch, arguments: Arguments) -> str:
    """Return the filter that holds: what was typed, and what was saved under a name."""
    parts = [arguments.text("filter")] if arguments.on("filter") else []
    if arguments.on("saved"):
        parts.append(sdk.filters.get(arguments.text("saved")))
    return parts[0] if len(parts) == 1 else " ".join(f"({part})" for part in parts)


def _is_wanted(run: Run, queue: str, states: Sequence[RunState], job: str) -> bool:
    return (
        (not queue or run.queue == queue)
        and (not states or run.state in states)
        and (not job or job in (run.job, f"{run.job}:{run.version}"))
    )


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
