"""NOTE: the one thing worth knowing of a run, without asking the store for every row at each frame.

A run that has ended says it itself. Those in view that wait or work are asked for all at once, and
not again before the store has changed; where that takes long, as far back in a long queue, less
often.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from launch_tui.domain.metrics import MORE, find_telling, rank, value_of
from launch_tui.domain.run import ACTIVE, ENDED, Run, RunState
from launch_tui.sdk.folding import LIVENESS, Group
from launch_tui.sdk.standing import reasons
from launch_tui.tui.theme import glyph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from launch_tui.domain.metrics import Telling
    from launch_tui.sdk import Launch
    from launch_tui.sdk.standing import Told
    from launch_tui.tui.glance import Glance

SHARE = 0.05
"""How much of the time looking may take at most."""
READ_OF_A_GROUP = 64
"""Groups with more runs than this do not tell their best metric."""

_UNKNOWN = -1
_SAID_OTHERWISE = frozenset({"error", "lost", "preempted"})
"""Kinds of failure that add nothing to the cause."""


class Notes:
    """The notes of the rows in view.

    Args:
        launch: The data directory, on the thread that asks.
        glance: How things stand, as they were last read.
        gpus: The index of each GPU by its UUID.
        ascii_only: Whether to keep to ASCII.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        launch: Launch,
        *,
        glance: Callable[[], Glance],
        gpus: Callable[[], Mapping[str, int]] = dict,
        ascii_only: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._launch = launch
        self._glance = glance
        self._gpus = gpus
        self._ascii_only = ascii_only
        self._clock = clock
        self._known: dict[str, tuple[int, str]] = {}
        self._best: dict[str, tuple[object, str]] = {}
        self._not_before = 0.0
        self.generation = 0
        """How often the store was found changed."""
        self.complete = False
        """Whether the last look reached every row that it was given."""

    def outdate(self) -> None:
        """Note that the store has changed."""
        self.generation += 1

    def of(self, item: Run | Group) -> str:
        """Return the note of a run or a group, as far as it is known; asks nothing."""
        if isinstance(item, Group):
            best = self._best.get(item.id, (None, ""))[1]
            return "  ".join(filter(None, (_counts(item, ascii_only=self._ascii_only), best)))
        if item.state in ENDED:
            return "  ".join(filter(None, (_tries(item, None), _outcome(item))))
        return self._known.get(item.id, (_UNKNOWN, ""))[1]

    def look(self, items: Iterable[Run | Group]) -> bool:
        """Ask for the notes of what is in view, as far as they are not known since the last change.

        Returns:
            Whether any note is another one now.
        """
        shown = list(items)
        runs = [item for item in shown if isinstance(item, Run) and self._is_due(item)]
        groups = [item for item in shown if isinstance(item, Group) and self._is_new(item)]
        started = self._clock()
        # What was never asked for is not kept waiting: an empty cell is worse than an old one.
        known = all(run.id in self._known for run in runs) and not groups
        self.complete = not known or started >= self._not_before
        if not self.complete or not (runs or groups):
            return False
        changed = [self._take_best(group) for group in groups]
        changed += self._take_reasons(runs)
        self._forget(shown)
        ended = self._clock()
        self._not_before = ended + (ended - started) * (1 / SHARE - 1)
        return any(changed)

    def _is_due(self, run: Run) -> bool:
        known = self._known.get(run.id, (_UNKNOWN, ""))[0]
        return run.state not in ENDED and known != self.generation

    def _is_new(self, group: Group) -> bool:
        return self._best.get(group.id, (None, ""))[0] != group.counts

    def _take_reasons(self, runs: Sequence[Run]) -> list[bool]:
        glance = self._glance()
        told = reasons(self._launch, runs, glance.queues, glance.agent) if runs else {}
        changed = []
        for run in runs:
            note = self._note(run, told[run.id]) if run.id in told else ""
            changed.append(note != self._known.get(run.id, (_UNKNOWN, ""))[1])
            self._known[run.id] = (self.generation, note)
        return changed

    def _note(self, run: Run, told: Told) -> str:
        reason = told.reason.reason
        said = "" if reason == run.state else reason
        gpus = gpu_names(run, self._gpus()) if run.state in ACTIVE else ""
        return "  ".join(filter(None, (_tries(run, told.retries), gpus, said)))

    def _take_best(self, group: Group) -> bool:
        before = self._best.get(group.id, (None, ""))[1]
        best = ""
        if group.size <= READ_OF_A_GROUP:
            runs = self._launch.runs
            wanted = runs.telling_metric(group.head.id)
            best = best_of(runs.list(group=group.id, limit=READ_OF_A_GROUP), wanted)
        self._best[group.id] = (group.counts, best)
        return best != before

    def _forget(self, shown: Sequence[Run | Group]) -> None:
        if len(self._known) + len(self._best) > 1000:
            in_view = {item.id for item in shown}
            self._known = {k: v for k, v in self._known.items() if k in in_view}
            self._best = {k: v for k, v in self._best.items() if k in in_view}


def gpu_names(run: Run, indices: Mapping[str, int]) -> str:
    """Return which GPUs a run has, by their indices: ``GPU 0,1``; empty for none."""
    names = [str(indices[uuid]) if uuid in indices else uuid[:8] for uuid in run.gpus]
    return f"GPU {','.join(names)}" if names else ""


def best_of(runs: Iterable[Run], wanted: Telling | None = None) -> str:
    """Return the best of what the runs of a group logged last: ``best loss 0.21``.

    Args:
        runs: The runs.
        wanted: The metric that their job declares.
    """
    summaries = [run.summary for run in runs]
    found = [telling for summary in summaries if (telling := find_telling(summary, wanted))]
    if not found:
        return ""
    telling = wanted if wanted in found else min(found, key=lambda one: rank(one.key))
    values = [value_of(summary, telling.key) for summary in summaries]
    numbers = [value for value in values if value is not None and value == value]
    # Of what is neither a loss nor an accuracy nobody knows which way is better.
    if not numbers or not telling.known_goal:
        return ""
    best = max(numbers) if telling.known_goal == MORE else min(numbers)
    return f"best {telling.key} {best:.4g}"


def _counts(group: Group, *, ascii_only: bool) -> str:
    counted = [(state, number) for state in LIVENESS if (number := group.counts.get(state, 0))]
    if ascii_only:
        return " ".join(f"{number:,} {state}" for state, number in counted)
    return " ".join(f"{glyph(state)} {number:,}" for state, number in counted)


def _tries(run: Run, retries: int | None) -> str:
    if not run.retried:
        return ""
    return f"try {run.attempt}" + (f"/{run.attempt - run.retried + retries}" if retries else "")


def _outcome(run: Run) -> str:
    """Return why a run ended so and what can be done; a phase not told is the job itself."""
    told = _cause(run)
    return f"{told}. Next: {run.next_step}" if told and run.next_step else told


def _cause(run: Run) -> str:
    cause = run.cause or ""
    kind = run.failure or ""
    if kind and kind not in _SAID_OTHERWISE:
        # The room of a note is for what the kind does not say.
        cause = cause.removeprefix(f"exit status {run.exit_code}: ")
        return f"{kind}: {cause}" if cause else kind
    if cause and run.state is RunState.FAILED and run.phase not in (None, "", "run"):
        return f"{run.phase}: {cause}"
    return cause
