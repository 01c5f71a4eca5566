"""What a run teaches about its job version: what it takes and what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_tui.domain.declared import learnt_inputs, unmanaged
from launch_tui.domain.inputs import infer_outputs, merge_schemas
from launch_tui.errors import NotFound
from launch_tui.store import jobs, read, write
from launch_tui.tracking.declared import read as read_declared
from launch_tui.tracking.outputs import outputs_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.agent.context import Context
    from launch_tui.domain.declared import Declaration
    from launch_tui.domain.output import Output
    from launch_tui.domain.run import Run
    from launch_tui.tracking.offline import Progress


def learn_schemas(context: Context, run: Run, progress: Progress) -> None:
    """Learn from a run that finished well: what it declared, had and gave."""
    given = read.given_config(context.db, run.id)
    declared, said = _declared(context, run)
    _say(context, run, [*said, *_without_effect(given, declared)])
    if progress.tracked or declared:
        _learn(context, run, progress, given, declared, finished=True)


def learn_declared(context: Context, run: Run, progress: Progress, *, ended: bool = False) -> None:
    """Learn what a run declared that still runs, or did not finish well."""
    declared, said = _declared(context, run)
    if ended:
        _say(context, run, said)
    if declared:
        given = read.given_config(context.db, run.id)
        _learn(context, run, progress, given, declared, finished=False)


def without(config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of ``config`` whose keys, nested ones alike, ``given`` does not have."""
    left: dict[str, Any] = {}
    for key, value in config.items():
        if key not in given:
            left[key] = value
        elif isinstance(value, dict) and isinstance(given[key], dict):
            left |= {key: inner} if (inner := without(value, given[key])) else {}
    return left


def _learn(
    context: Context,
    run: Run,
    progress: Progress,
    given: Mapping[str, Any],
    declared: list[Declaration],
    *,
    finished: bool,
) -> None:
    if not run.version.startswith("v"):
        return
    reference = f"{run.job}:{run.version}"
    with context.db.transaction():
        try:
            job = jobs.get(context.db, reference)
        except NotFound:
            return
        # What the launch gave says nothing of the script's own default, so it replaces none.
        own = without(progress.config, given)
        inputs = learnt_inputs(job.inputs, progress.config, own, declared)
        outputs = job.outputs
        if finished:
            outputs = merge_schemas(outputs, infer_outputs(progress.summary, progress.last))
            logged = outputs_of(context.db.home.run(run.id), run.attempt)
            outputs = _with_artifacts(outputs, logged)
        if inputs != job.inputs or outputs != job.outputs:
            jobs.learn(context.db, reference, inputs, outputs)


def _with_artifacts(schema: Mapping[str, Any], logged: Sequence[Output]) -> dict[str, Any]:
    """Return the schema of a job's outputs with the names and types of what it logs as artifacts.

    A person's own schema is extended, not contradicted: names that it has stay as they are.
    """
    found = {output.name: {"type": output.type} for output in logged}
    known = schema.get("artifacts", {})
    return {**schema, "artifacts": {**found, **known}} if found else dict(schema)


def _declared(context: Context, run: Run) -> tuple[list[Declaration], list[str]]:
    said: list[str] = []
    directory = context.db.home.attempt(run.id, run.attempt) / "wandb"
    return read_declared(directory, said.append), said


def _without_effect(given: Mapping[str, Any], declared: list[Declaration]) -> list[str]:
    return [
        f"{path}: the launch gave values for it, and the script manages no such file"
        " (launch.manage_config_file), so they had no effect"
        for path in unmanaged(given, declared)
    ]


def _say(context: Context, run: Run, messages: list[str]) -> None:
    for message in dict.fromkeys(messages):
        write.add_event(context.db, f"inputs: {message}", actor=context.agent, run_id=run.id)
        context.report(f"inputs: {message}", run=run)
