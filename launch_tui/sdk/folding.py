"""Runs as a list in which each group is one row: what lies where, without reading the runs.

The list is made of blocks: a stretch of single runs, the row of a group, the runs of a group that
is unfolded. Only the sizes of the blocks are known here; a page reads what it shows. A group is
where it was until it is over: it waits until its first run is taken, then it is at work until its
last one has ended, so that its row does not jump while its runs come and go.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from launch_tui.domain.run import ACTIVE, BAD_ENDS, ENDED, WAITING, Run, RunState
from launch_tui.store import groups, read
from launch_tui.store.read import RunQuery

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from launch_tui.sdk import Launch
    from launch_tui.store.groups import Span

IN_ORDER_UP_TO = 2_000
"""Of more runs that wait, those are shown in the order of their enqueueing, priorities or not."""

MOST_GROUPS = 200
"""Groups that are folded, the newest; the runs of older ones are shown one by one."""

_DENSE = 10
"""Where one run in so many is meant, walking along all of them finds a page soonest."""

FILTERED_UP_TO = 20_000
"""Longer histories are not folded under a queue or a job: no index counts a part of those."""

LIVENESS = (
    RunState.RUNNING,
    RunState.STARTING,
    RunState.BUILDING,
    RunState.SOURCING,
    RunState.CLAIMED,
    RunState.QUEUED,
    RunState.HELD,
    RunState.FAILED,
    RunState.LOST,
    RunState.PREEMPTED,
    RunState.FINISHED,
    RunState.STOPPED,
)
"""The states from the liveliest to the dullest: a group is said to be in its first."""


class Part(Enum):
    """A part of the list: what is at work, what waits, what is over, or all as one."""

    ACTIVE = tuple(sorted(ACTIVE))
    WAITING = tuple(sorted(WAITING))
    OVER = tuple(sorted(ENDED))
    ALL = ()

    @property
    def states(self) -> tuple[RunState, ...]:
        """The states of its single runs; none for all."""
        states: tuple[RunState, ...] = self.value
        return states


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The runs of one launch with several values. ``head`` is the first of them."""

    id: str
    head: Run
    counts: Mapping[RunState, int]

    @property
    def size(self) -> int:
        """How many runs it has."""
        return sum(self.counts.values())

    @property
    def state(self) -> RunState:
        """The state of its liveliest run, and of one that failed once all are over."""
        return next((state for state in LIVENESS if self.counts.get(state)), self.head.state)

    def among(self, states: frozenset[RunState]) -> int:
        """Return how many of its runs are in these states."""
        return sum(number for state, number in self.counts.items() if state in states)

    @property
    def bad(self) -> int:
        """How many ended as nobody asked for."""
        return self.among(BAD_ENDS)


@dataclass(slots=True)
class _Known:
    """What is known of a group; ``final`` once all of its runs have ended.

    ``mixed`` when other runs lie among its own, which no launch does: it is not folded then, for
    its row would hide them.
    """

    span: Span
    final: bool = False
    mixed: bool = False
    counts: dict[RunState, int] | None = None
    head: Run | None = None

    @property
    def part(self) -> Part:
        if self.final or self.counts is None:
            return Part.OVER
        waiting = sum(self.counts.get(state, 0) for state in WAITING)
        return Part.WAITING if waiting == self.span.size else Part.ACTIVE


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of rows: of a group where ``group`` is set, else of single runs.

    ``size`` of a group's row is 1; ``members`` says that its runs are meant. ``places`` are the
    numbers of single runs that do not lie side by side. ``backwards`` is the other way round.
    """

    size: int
    group: str = ""
    members: bool = False
    part: Part = Part.ALL
    above: int = 0
    below: int = 0
    places: tuple[int, ...] = ()
    backwards: bool = False


@dataclass(slots=True)
class Folding:
    """Where the groups are, followed from one look at the store to the next.

    Args:
        launch: The data directory, on the thread that asks.
    """

    launch: Launch
    unfolded: set[str] = field(default_factory=set)
    """The groups whose runs are shown."""
    _known: dict[str, _Known] = field(default_factory=dict)
    _order: list[_Known] = field(default_factory=list)
    _signature: tuple[int, int] = (-1, -1)
    _oldest_live: int = 0
    _reordered: bool = False
    _sizes: dict[tuple[str, str, Part, int, int], int] = field(default_factory=dict)

    def look(self) -> None:
        """Read what has changed."""
        db = self.launch.db
        signature = groups.signature(db)
        if signature != self._signature:
            if signature[1] < self._signature[1]:
                # Runs were deleted: what had been counted may count them.
                self._sizes.clear()
            self._signature = signature
            self._take(groups.spans(db, MOST_GROUPS))
        oldest = groups.oldest_live(db)
        self._oldest_live = signature[0] + 1 if oldest is None else oldest
        for known in self._known.values():
            if not known.final:
                self._judge(known)
        self._order = [known for known in self._known.values() if not known.mixed]
        waiting = read.count(db, RunQuery(states=Part.WAITING.states))
        self._reordered = 0 < waiting <= IN_ORDER_UP_TO and groups.are_reordered(db)

    def folds(self, *, filtered: bool) -> bool:
        """Say whether the list is another one than that of the single runs, newest first.

        Args:
            filtered: Whether a queue or a job is chosen.
        """
        differs = bool(self._order) or self._reordered
        return differs and (not filtered or self._signature[1] <= FILTERED_UP_TO)

    def blocks(
        self, parts: Sequence[Part], *, queue: str = "", job: str = "", backwards: bool = False
    ) -> tuple[Block, ...]:
        """Return the list, part after part.

        Args:
            parts: The parts, in order; what waits is in the order of the queue, the rest is newest
                first.
            queue: Only runs of this queue.
            job: Only runs of this job.
            backwards: The other way round; a group's row still stands above its runs.
        """
        chosen = [known for known in self._order if self._fits(known, queue, job)]
        blocks = tuple(
            block for part in parts for block in self._part(part, chosen, queue=queue, job=job)
        )
        return tuple(_turned(blocks)) if backwards else blocks

    def page(
        self, blocks: Sequence[Block], first: int, count: int, *, queue: str = "", job: str = ""
    ) -> list[Run | Group]:
        """Return ``count`` rows from number ``first`` on."""
        rows: list[Run | Group] = []
        for block in blocks:
            if len(rows) >= count:
                break
            if first < block.size:
                wanted = min(count - len(rows), block.size - first)
                rows += self._read(block, first, wanted, queue, job)
            first = max(first - block.size, 0)
        return rows

    def group(self, group_id: str) -> Group | None:
        """Return a group as it was at the last look; None when there is none of that id."""
        known = self._known.get(group_id)
        if known is None or known.mixed:
            return None
        head = self._head(known)
        counts = self._counts(known)
        return None if head is None else Group(id=group_id, head=head, counts=counts)

    def liveliest(self, group: Group) -> Run:
        """Return a run of a group that is in the group's state: the one worth a look."""
        span = self._known[group.id].span
        query = RunQuery(states=(group.state,), above=span.first - 1, below=span.last + 1)
        found = read.runs(self.launch.db, query, limit=1)
        return found[0] if found and found[0].group == group.id else group.head

    def _take(self, spans: Sequence[Span]) -> None:
        before = self._known
        self._known = {}
        for span in spans:
            known = before.get(span.id)
            same = known is not None and known.span == span
            self._known[span.id] = known if known is not None and same else _Known(span)

    def _judge(self, known: _Known) -> None:
        """Count a group that may have changed; one that is over stays as it is."""
        if known.span.last < self._oldest_live:
            known.final, known.counts = True, None
            return
        self._count(known)
        known.final = not any(self._counts(known).get(state) for state in ACTIVE | WAITING)

    def _counts(self, known: _Known) -> Mapping[RunState, int]:
        return self._count(known) if known.counts is None else known.counts

    def _count(self, known: _Known) -> dict[RunState, int]:
        known.counts = groups.states(self.launch.db, known.span)
        known.mixed = sum(known.counts.values()) != known.span.size
        return known.counts

    def _head(self, known: _Known) -> Run | None:
        if known.head is None or not known.final:
            known.head = groups.head(self.launch.db, known.span)
        return known.head

    def _fits(self, known: _Known, queue: str, job: str) -> bool:
        if not queue and not job:
            return True
        head = known.head or self._head(known)
        if head is None or (queue and head.queue != queue):
            return False
        name, _, version = job.partition(":")
        return not job or (head.job == name and version in ("", head.version))

    def _part(
        self, part: Part, chosen: Sequence[_Known], *, queue: str, job: str
    ) -> Iterator[Block]:
        if part is Part.WAITING and self._reordered:
            yield from self._in_order(queue, job)
            return
        here = chosen
        if part in (Part.ACTIVE, Part.WAITING):
            here = [known for known in chosen if not known.final]
        blocks = self._between(part, here, queue=queue, job=job)
        if part is not Part.WAITING:
            blocks.reverse()
        for block in blocks:
            if not block.group:
                yield block
                continue
            known = self._known[block.group]
            if part is Part.ALL or known.part is part:
                yield from self._rows(known)

    def _in_order(self, queue: str, job: str) -> Iterator[Block]:
        """Yield what waits as it will be claimed; a group stands where its first run does."""
        single: list[int] = []
        begun: set[str] = set()
        for place, group in groups.in_order(self.launch.db, queue, job):
            known = self._known.get(group)
            if known is None or known.mixed:
                single.append(place)
            elif known.part is Part.WAITING and group not in begun:
                if single:
                    yield Block(size=len(single), places=tuple(single))
                    single = []
                begun.add(group)
                yield from self._rows(known)
        if single:
            yield Block(size=len(single), places=tuple(single))

    def _rows(self, known: _Known) -> Iterator[Block]:
        group = known.span.id
        yield Block(size=1, group=group)
        if group in self.unfolded:
            yield Block(size=known.span.size, group=group, members=True)

    def _between(self, part: Part, here: Sequence[_Known], *, queue: str, job: str) -> list[Block]:
        """Return the rows of the groups and what lies between them, oldest first."""
        blocks: list[Block] = []
        above = 0
        rest = self._total(part, queue, job) - sum(self._inside(part, known) for known in here)
        for known in here:
            below = known.span.first
            empty = rest <= 0 or below - above <= 1
            size = 0 if empty else self._size(part, above, below, queue, job)
            if size:
                blocks.append(Block(size=size, part=part, above=above, below=below))
            blocks.append(Block(size=1, group=known.span.id))
            rest -= size
            above = known.span.last
        # The newest are most of a long list: they are what is left, not counted by themselves.
        if rest > 0:
            blocks.append(Block(size=rest, part=part, above=above, below=self._signature[0] + 1))
        return blocks

    def _total(self, part: Part, queue: str, job: str) -> int:
        return read.count(self.launch.db, RunQuery(queue=queue, job=job, states=part.states))

    def _inside(self, part: Part, known: _Known) -> int:
        if part is Part.ALL:
            return known.span.size
        if known.final:
            return known.span.size if part is Part.OVER else 0
        counts = Counter(known.counts or {})
        return sum(counts[state] for state in part.states)

    def _size(self, part: Part, above: int, below: int, queue: str, job: str) -> int:
        """Count the single runs in a range; what is over stays so, and is counted once."""
        over = below <= self._oldest_live
        if over and part in (Part.ACTIVE, Part.WAITING):
            return 0
        key = (queue, job, part, above, below)
        if key in self._sizes:
            return self._sizes[key]
        # By the states even where all are meant: their index is a hundredth of the runs themselves.
        states = part.states or tuple(RunState)
        query = RunQuery(queue=queue, job=job, states=states, above=above, below=below)
        size = read.count(self.launch.db, query)
        if over or part is Part.ALL:
            self._sizes[key] = size
        return size

    def _read(
        self, block: Block, first: int, count: int, queue: str, job: str
    ) -> Sequence[Run | Group]:
        if block.group and not block.members:
            group = self.group(block.group)
            return [] if group is None else [group]
        if block.places:
            places = block.places[::-1] if block.backwards else block.places
            return read.runs_at(self.launch.db, places[first : first + count])
        if block.members:
            query = RunQuery(group=block.group)
        else:
            query = RunQuery(
                queue=queue,
                job=job,
                states=block.part.states,
                above=block.above,
                below=block.below,
                dense=block.size * _DENSE > block.below - block.above,
            )
        oldest_first = block.members or block.part is Part.WAITING
        return read.runs(
            self.launch.db, query, limit=count, offset=first, size=block.size,
            oldest_first=oldest_first is not block.backwards,
        )  # fmt: skip


def _turned(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield a list of blocks the other way round, each group's row above its runs."""
    members: Block | None = None
    for block in reversed(blocks):
        if block.members:
            members = replace(block, backwards=True)
            continue
        yield block if block.group else replace(block, backwards=True)
        if members is not None:
            yield members
            members = None


def members(launch: Launch, group: str, among: frozenset[RunState]) -> list[str]:
    """Return the ids of a group's runs in these states, in the order of their enqueueing."""
    return [run_id for run_id, state in groups.members(launch.db, group) if state in among]
