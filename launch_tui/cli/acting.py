"""The verbs that act on runs: ``stop``, ``hold``, ``priority``, ``edit``, ``tag`` and their like.

Most take several runs, and the id of a group for all runs of it.
"""

from __future__ import annotations

from contextlib import nullcontext
from itertools import groupby
from typing import TYPE_CHECKING, Any

from launch_tui.cli.groups import LIVE, Named, named
from launch_tui.cli.output import line
from launch_tui.domain.run import ENDED, WAITING, Priority, RunState, check_priority
from launch_tui.errors import UsageError
from launch_tui.sdk.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk import Launch


def stop(arguments: Arguments) -> int:
    """Ask for runs to end."""
    now = arguments.on("now")

    def act(runs: Runs, run_id: str) -> str:
        state = runs.stop(run_id, now=now)
        return "stopped" if state is RunState.STOPPED else f"stopping, {state} still"

    return _each(arguments, act, states=LIVE)


def cancel(arguments: Arguments) -> int:
    """Stop runs that still wait."""
    return _each(arguments, Runs.cancel, "cancelled", states=WAITING)


def hold(arguments: Arguments) -> int:
    """Have queued runs passed over."""
    return _each(arguments, Runs.hold, "held", states=(RunState.QUEUED,))


def release(arguments: Arguments) -> int:
    """Let held runs be taken again."""
    return _each(arguments, Runs.release, "queued", states=(RunState.HELD,))


def front(arguments: Arguments) -> int:
    """Move a run to the front of its queue."""
    return _each(arguments, Runs.front, "first in line")


def priority(arguments: Arguments) -> int:
    """Move runs that wait to another priority level."""
    *words, level = arguments.words
    wanted = check_priority(level, field="LEVEL")

    def act(runs: Runs, run_id: str) -> None:
        runs.priority(run_id, wanted)

    return _each(arguments, act, f"priority {wanted}", states=WAITING, words=words)


def delete(arguments: Arguments) -> int:
    """Forget runs that have ended."""
    # Each by itself: its files go with it, and no transaction brings them back.
    return _each(arguments, Runs.delete, "deleted", states=ENDED, at_once=False)


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
    from launch_tui.cli.queues import keys_told, variables_told
    from launch_tui.domain.begin import ALLOWED

    with arguments.open() as sdk:
        run = sdk.runs.get(arguments.words[0])
        if run.state not in WAITING:
            raise UsageError(
                "RUN", f"{run.id} is {run.state}", allowed="a run that still waits; see rerun"
            )
        spec, queue = sdk.runs.spec(run.id), sdk.queues.get(run.queue)
        before: dict[str, Any] = {
            "name": run.name,
            "project": run.project,
            "note": run.note,
            "tags": list(run.tags),
            "priority": str(run.priority),
            "after": list(run.after),
            "begin": run.not_before or "",
            "config": dict(run.config),
            "resource_args": dict(spec.resource_args),
            "template_variables": dict(spec.template_variables),
        }
        changes = edit_values(
            before,
            title=f"run {run.id} of {run.job}:{run.version}, {run.state} on {run.queue}",
            folder=sdk.home.temporary,
            apply=lambda changed: sdk.runs.edit(run.id, changed),
            told={
                "priority": [", ".join(Priority)],
                "after": ["RUN, RUN:ok, RUN:failed or RUN:any"],
                "begin": [ALLOWED],
                "resource_args": keys_told(queue, owner=False),
                "template_variables": variables_told(queue) or ["the queue has none"],
            },
        )
    line(f"{run.id}  {', '.join(changes) or 'nothing'} changed")
    return 0


def _each(
    arguments: Arguments,
    act: Callable[[Runs, str], object],
    said: str = "",
    *,
    states: Collection[RunState] = frozenset(RunState),
    words: Sequence[str] | None = None,
    at_once: bool = True,
) -> int:
    """Do something to each run that the words name; unknown ones are refused before any.

    Args:
        arguments: The command line.
        act: Does it.
        said: What was done, as it is told; what ``act`` returns if left out.
        states: Those of a group's runs that it can be done to.
        words: The words that name runs, where not all do.
        at_once: Whether the runs of a group are done in one transaction.
    """
    with arguments.open() as sdk:
        found = named(sdk, words or arguments.words, states)
        for _, runs in groupby(found, lambda run: run.group or run.id):
            # As one: no agent takes a run of the group while the others are being stopped.
            with sdk.db.transaction() if at_once else nullcontext():
                told = [_act_on(sdk, run, act, said, states) for run in runs]
            for text in told:
                if text:
                    line(text)
    return 0


def _act_on(
    sdk: Launch,
    run: Named,
    act: Callable[[Runs, str], object],
    said: str,
    states: Collection[RunState],
) -> str:
    """Return what was done to a run, empty when it was too late for one of a group."""
    try:
        done = act(sdk.runs, run.id)
    except UsageError:
        # A run of a group may end, or start, between being looked up and its turn.
        if not run.group or sdk.runs.get(run.id).state in states:
            raise
        return ""
    return f"{run.id}  {said or done}"
