"""Why each run of a page is where it is: ``runs.why`` for all of them with a query or two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.domain.run import RunState
from launch_tui.domain.why import Situation, explain
from launch_tui.errors import NotFound
from launch_tui.store import clock, dependencies, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from launch_tui.domain.queue import Queue
    from launch_tui.domain.run import Run
    from launch_tui.domain.why import Reason
    from launch_tui.sdk import Launch
    from launch_tui.store.agents import AgentStatus


@dataclass(frozen=True, slots=True)
class Told:
    """The reason of a run, and how often it may be retried; None for one that never was."""

    reason: Reason
    retries: int | None = None


def reasons(
    launch: Launch, runs: Sequence[Run], queues: Iterable[Queue], agent: AgentStatus | None
) -> Mapping[str, Told]:
    """Return the reasons of runs that have not ended, by their ids.

    Args:
        launch: The data directory.
        runs: The runs, as they are now.
        queues: All queues, as they are now.
        agent: The agent, as it is now.
    """
    by_name = {queue.name: queue for queue in queues}
    standing = read.standing(launch.db, [run.id for run in runs])
    now = clock.now()
    told = {}
    for run in runs:
        stands, queue = standing.get(run.id), by_name.get(run.queue)
        if stands is None or queue is None:
            # Deleted since; the next page will not have it.
            continue
        waits_for_runs = bool(run.after) and run.state is RunState.QUEUED
        situation = Situation(
            run=run,
            queue=queue,
            agent=agent,
            now=now,
            ahead=stands.ahead if run.state is RunState.QUEUED else 0,
            unmet=tuple(dependencies.unmet(launch.db, run.id)) if waits_for_runs else (),
            progress=stands.progress,
        )
        told[run.id] = Told(explain(situation), stands.retries)
    return told


def blocked(launch: Launch) -> Mapping[str, str]:
    """Return what the first in line of each queue lacks, as the agent found it; empty for nothing.

    Queues in which nobody can be claimed now, because all wait for a time or for other runs, are
    left out.
    """
    found = {}
    for queue, run_id in read.heads(launch.db).items():
        try:
            run = read.run(launch.db, run_id)
        except NotFound:
            # Deleted since.
            continue
        found[queue] = f"{run.id} {run.blocked.partition(': ')[2]}" if run.blocked else ""
    return found
