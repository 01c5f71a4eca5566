"""A simple model of the order in which runs are taken: lists, sorting and nothing kept twice."""

from __future__ import annotations

from dataclasses import dataclass, field

from launch_tui.domain.dependency import Condition
from launch_tui.domain.run import ACTIVE, ENDED, WAITING, Priority, RunState

MET_BY = {
    Condition.OK: {RunState.FINISHED},
    Condition.FAILED: {RunState.FAILED, RunState.LOST, RunState.PREEMPTED},
    Condition.ANY: set(ENDED),
}


@dataclass
class ModelQueue:
    """What a queue is set to."""

    prioritized: bool = False
    paused: bool = False
    max_running: int = 100


@dataclass
class ModelRun:
    """One run: what of it decides when it is taken."""

    number: int
    queue: str
    state: RunState
    priority: Priority = Priority.MEDIUM
    front: int = 0
    """0, or how late it was moved to the front."""
    begin: int = 0
    sleeps: bool = False
    after: dict[str, Condition] = field(default_factory=dict)
    attempt: int = 1
    name: str = "n"


class Model:
    """What the store should hold: runs by their ids, queues by their names, and the time."""

    def __init__(self, queues):
        self.queues = {name: ModelQueue() for name in queues}
        self.runs: dict[str, ModelRun] = {}
        self.time = 0
        self.numbers = 0
        self.fronts = 0

    def key(self, run):
        """Sort runs by this: first what was moved to the front last, then levels, then age."""
        level = run.priority.rank if self.queues[run.queue].prioritized else 0
        return (not run.front, -run.front, 0 if run.front else level, run.number)

    def eligible(self, run):
        """Say whether an agent may take a run once it is its turn."""
        return run.state is RunState.QUEUED and not run.sleeps and not self.unmet(run)

    def unmet(self, run):
        """Return what a run still waits for."""
        gone = self.runs
        return [
            on
            for on, condition in run.after.items()
            if on in gone and gone[on].state not in MET_BY[condition]
        ]

    def line(self, queue):
        """Return the runs of a queue that may be taken, first to last."""
        ready = [i for i, run in self.runs.items() if run.queue == queue and self.eligible(run)]
        return sorted(ready, key=lambda i: self.key(self.runs[i]))

    def ahead(self, run_id):
        """Return how many are taken before a run."""
        run = self.runs[run_id]
        line = self.line(run.queue)
        return sum(self.key(self.runs[i]) < self.key(run) for i in line)

    def next(self, after):
        """Return what an agent takes next that has served ``after`` last; None for nothing."""
        names = list(self.queues)
        turn = names.index(after) + 1 if after else 0
        for name in (*names[turn:], *names[:turn]):
            queue, line = self.queues[name], self.line(name)
            busy = sum(r.queue == name and r.state in ACTIVE for r in self.runs.values())
            if line and not queue.paused and busy < queue.max_running:
                return line[0]
        return None

    def add(self, run_id, queue, **given):
        """Take in a run that was enqueued just now."""
        self.numbers += 1
        self.runs[run_id] = ModelRun(number=self.numbers, queue=queue, **given)
        self.begin(run_id, self.runs[run_id].begin)

    def to_front(self, run_id):
        """Move a run before every other."""
        self.fronts += 1
        self.runs[run_id].front = self.fronts

    def begin(self, run_id, at):
        """Have a run begin no earlier than at a time; 0 for as soon as it can."""
        run = self.runs[run_id]
        run.begin, run.sleeps = at, at > self.time

    def wake(self):
        """Wake what is due and return when the next one is; None when nothing sleeps."""
        for run in self.runs.values():
            run.sleeps = run.sleeps and run.begin > self.time
        return min((r.begin for r in self.runs.values() if r.sleeps), default=None)

    def allows(self, after):
        """Say whether a new run may wait for these."""
        states = ((self.runs[on].state, condition) for on, condition in after.items())
        return all(state not in ENDED or state in MET_BY[how] for state, how in states)

    def circle(self, run_id, after):
        """Say whether a run that waits for these would wait for itself."""
        seen, todo = set(), [on for on in after if self.runs[on].state not in ENDED]
        while todo:
            on = todo.pop()
            if on not in seen:
                seen.add(on)
                todo += self.unmet(self.runs[on])
        return run_id in seen

    def end(self, run_id, state):
        """End a run, and every run that can no longer start because of it."""
        run = self.runs[run_id]
        run.state, run.sleeps = state, False
        for other_id, other in self.runs.items():
            wanted = other.after.get(run_id)
            if wanted and other.state in WAITING and state not in MET_BY[wanted]:
                self.end(other_id, RunState.STOPPED)
