"""What the store knows of runs, read. Nothing here writes.

The queries that a screen or a loop repeats stay flat as the history grows: they go by an index or
by a counter.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from launch_tui.domain.run import Run, RunState
from launch_tui.domain.spec import RunSpec, load_spec
from launch_tui.domain.sync import Sync
from launch_tui.errors import NotFound, StoreCorrupt, UsageError
from launch_tui.store import damaged
from launch_tui.store.syncing import sync_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from launch_tui.store.database import Database, Row

RUN_COLUMNS = """
    SELECT r.*, q.name AS queue, q.resource AS resource,
        CASE WHEN json_valid(r.spec) THEN json_extract(r.spec, '$.author') END AS author,
        (SELECT group_concat(d.on_run || ':' || d.condition, ' ') FROM dependencies d
            WHERE d.run_id = r.id) AS after
    FROM runs r JOIN queues q ON q.id = r.queue_id"""

_AHEAD = """
    SELECT count(*) FROM runs
    WHERE queue_id = (SELECT queue_id FROM runs WHERE id = :id) AND state = 'queued' AND waits = 0
    AND (rank, place) < (SELECT rank, place FROM runs WHERE id = :id)"""

_BEFORE = """
    SELECT count(*) FROM runs WHERE queue_id = ? AND state = 'queued' AND waits = 0
    AND (rank, place) < (?, ?)"""

_HEADS = """
    SELECT name, (SELECT r.id FROM runs r
        WHERE r.queue_id = queues.id AND r.state = 'queued' AND r.waits = 0
        ORDER BY r.rank, r.place LIMIT 1) AS head
    FROM queues"""

_BETWEEN = f"{_BEFORE} AND (rank, place) >= (?, ?)"

_STANDING = """
    SELECT id, queue_id, rank, place, progress,
        CASE WHEN retried > 0 THEN json_extract(spec, '$.retries') END AS retries
    FROM runs WHERE id IN ({})"""

_STOPPING = """
    SELECT id, stop_mode FROM runs WHERE stop_requested_at IS NOT NULL AND ended_at IS NULL"""

_EVENTS = """
    SELECT id, at, run_id, attempt, state, phase, actor, message FROM events"""

MAX_PREFIX_MATCHES = 10
_MAX_BACK = 12
_COUNTED_STATE = "CASE c.state WHEN 'deferred' THEN 'queued' ELSE c.state END"
_FAR = 10_000
"""Runs that are walked over rather than sorted."""
_MANY = 10
"""A state that more than one run in so many is in is not worth its index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Which runs: empty fields do not restrict.

    ``above`` and ``below`` are the numbers (``seq``) between which a run lies, both excluded;
    ``dense`` says that many of the runs there are meant.
    """

    queue: str = ""
    states: tuple[RunState, ...] = ()
    job: str = ""
    group: str = ""
    above: int | None = None
    below: int | None = None
    dense: bool = False

    @property
    def bounded(self) -> bool:
        """Whether only a range of all runs is meant."""
        return self.above is not None or self.below is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened: a change of state, or a message about a run or an agent."""

    id: int
    at: str
    run_id: str | None
    attempt: int | None
    state: str | None
    phase: str | None
    actor: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a run stands: how many are claimed before it, and what the agent last said of it.

    ``retries`` is how many there may be, told only of a run that was retried.
    """

    ahead: int
    progress: str
    retries: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """A run whose stop was asked for and that has not ended yet."""

    run_id: str
    mode: str


def resolve(db: Database, reference: str, *, field: str = "RUN") -> str:
    """Return the id of the run that ``reference`` names.

    Args:
        db: The store.
        reference: An id, a unique prefix, ``@`` for the newest run or ``@~N`` for the N-th before.
        field: How an error names the argument.

    Raises:
        NotFound: When no run, or more than one, is meant.
    """
    if reference.startswith("@"):
        return _newest(db, reference, field)
    rows = db.all(
        "SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
        (reference, reference + "\uffff", MAX_PREFIX_MATCHES),
    )
    ids = [row["id"] for row in rows]
    if reference in ids:
        return reference
    if not reference or not ids:
        raise NotFound(field, f"there is no run {reference!r}", allowed="an id, a prefix, @ or @~N")
    if len(ids) > 1:
        raise NotFound(field, f"{reference!r} is the beginning of several", allowed=", ".join(ids))
    return str(ids[0])


def run(db: Database, run_id: str) -> Run:
    """Return one run by its full id.

    Raises:
        NotFound: When there is none.
    """
    try:
        row = db.one(f"{RUN_COLUMNS} WHERE r.id = ?", (run_id,))
    except StoreCorrupt:
        return damaged.unreadable(db, run_id)
    if row is None:
        raise NotFound("RUN", f"there is no run {run_id!r}")
    return run_from_row(db, row)


def states(db: Database, run_ids: Sequence[str]) -> dict[str, RunState]:
    """Return the states of runs by their ids; those that do not exist are left out."""
    rows = db.all(
        "SELECT id, state FROM runs WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(run_ids)),),
    )
    return {row["id"]: RunState(row["state"]) for row in rows}


def runs(
    db: Database,
    query: RunQuery,
    *,
    limit: int,
    offset: int = 0,
    oldest_first: bool = False,
    size: int | None = None,
) -> list[Run]:
    """Return runs, newest first.

    Args:
        db: The store.
        query: Which runs.
        limit: How many at most.
        offset: How many are passed over.
        oldest_first: The other way round.
        size: How many runs are meant, where that is known: what is nearer to the end is then
            counted from there, so that the last page costs what the first does.
    """
    if size is not None and offset > size // 2:
        rest = size - offset
        found = runs(
            db, query, limit=min(limit, rest), offset=max(rest - limit, 0),
            oldest_first=not oldest_first,
        ) if rest > 0 else []  # fmt: skip
        return found[::-1]
    where, parameters = where_of(query, state=_state_column(db, query, offset))
    order = "ASC" if oldest_first else "DESC"
    # What is skipped is only ever a number of an index, not a row with its JSON.
    try:
        rows = db.all(
            f"{RUN_COLUMNS} WHERE r.seq IN (SELECT r.seq FROM runs r{where}"
            f" ORDER BY r.seq {order} LIMIT ? OFFSET ?) ORDER BY r.seq {order}",
            [*parameters, limit, offset],
        )
    except StoreCorrupt:
        known = list(damaged.numbers(db).items())
        readable = _one_by_one(db, known[::-1] if oldest_first else known, query)
        return list(islice(readable, offset, offset + limit))
    return [run_from_row(db, row) for row in rows]


def runs_at(db: Database, places: Sequence[int]) -> list[Run]:
    """Return the runs of these numbers (``seq``) in this order, but for those that are gone."""
    try:
        rows = db.all(f"{RUN_COLUMNS} WHERE r.seq IN ({', '.join('?' * len(places))})", places)
    except StoreCorrupt:
        known = damaged.numbers(db)
        wanted = [(place, known[place]) for place in places if place in known]
        return list(_one_by_one(db, wanted, RunQuery()))
    found = {row["seq"]: run_from_row(db, row) for row in rows}
    return [found[place] for place in places if place in found]


def every_run(db: Database, query: RunQuery, *, page: int = 500) -> Iterator[Run]:
    """Yield all runs, newest first, without holding more than a page of them."""
    where, parameters = where_of(query, state=_state_column(db, query))
    below: int | None = None
    while True:
        clause, bound = where, [*parameters]
        if below is not None:
            clause += (" AND" if clause else " WHERE") + " r.seq < ?"
            bound.append(below)
        try:
            rows = db.all(f"{RUN_COLUMNS}{clause} ORDER BY r.seq DESC LIMIT ?", [*bound, page])
        except StoreCorrupt:
            known = damaged.numbers(db).items()
            rest = [each for each in known if below is None or each[0] < below]
            yield from _one_by_one(db, rest, query)
            return
        for row in rows:
            yield run_from_row(db, row)
        if len(rows) < page:
            return
        below = rows[-1]["seq"]


def _one_by_one(db: Database, known: list[tuple[int, str]], query: RunQuery) -> Iterator[Run]:
    """Yield the runs of a store in which reading many at once fails."""
    where, parameters = where_of(query)
    joint = " AND" if where else " WHERE"
    sql = f"{RUN_COLUMNS}{where}{joint} r.seq = ?"
    return damaged.one_by_one(db, known, sql, parameters, run_from_row)


def count(db: Database, query: RunQuery) -> int:
    """Return how many runs there are; by the counters where the query allows it."""
    if query.job or query.group or query.bounded:
        where, parameters = where_of(query, state=_state_column(db, query))
        row = db.one(f"SELECT count(*) FROM runs r{where}", parameters)
    else:
        where, parameters = where_of(query, state=_COUNTED_STATE, queue="c.queue_id")
        row = db.one(f"SELECT coalesce(sum(c.runs), 0) FROM queue_counts c{where}", parameters)
    return int(row[0]) if row else 0


def spec(db: Database, run_id: str) -> RunSpec:
    """Return the frozen request of a run."""
    row = db.one("SELECT spec FROM runs WHERE id = ?", (run_id,))
    if row is None:
        raise NotFound("RUN", f"there is no run {run_id!r}")
    return load_spec(row["spec"])


def given_config(db: Database, run_id: str) -> dict[str, Any]:
    """Return the configuration that the launch gave, without what the job added."""
    row = db.one("SELECT config FROM runs WHERE id = ?", (run_id,))
    return dict(json.loads(row["config"])) if row else {}


def ahead(db: Database, run_id: str) -> int:
    """Return how many queued runs come before this one in its queue."""
    row = db.one(_AHEAD, {"id": run_id})
    return int(row[0]) if row else 0


def standing(db: Database, run_ids: Sequence[str]) -> dict[str, Standing]:
    """Return how runs stand, for a page of them at once.

    The runs that come before are counted once for each queue; from one run to the next only those
    in between are.

    Args:
        db: The store.
        run_ids: Runs that have not ended; what is not there is left out.
    """
    if not run_ids:
        return {}
    rows = db.all(_STANDING.format(", ".join("?" * len(run_ids))), run_ids)
    found: dict[str, Standing] = {}
    queue, ahead, reached = None, 0, (0, 0)
    for row in sorted(rows, key=lambda row: (row["queue_id"], row["rank"], row["place"])):
        at = (row["rank"], row["place"])
        if row["queue_id"] != queue:
            counted = db.one(_BEFORE, (row["queue_id"], *at))
            queue, ahead = row["queue_id"], 0
        else:
            counted = db.one(_BETWEEN, (row["queue_id"], *at, *reached))
        ahead += int(counted[0]) if counted else 0
        reached = at
        found[row["id"]] = Standing(ahead=ahead, progress=row["progress"], retries=row["retries"])
    return found


def heads(db: Database) -> dict[str, str]:
    """Return the run that is claimed next of each queue; queues that have none are left out."""
    return {row["name"]: row["head"] for row in db.all(_HEADS) if row["head"] is not None}


def stop_requests(db: Database) -> list[StopRequest]:
    """Return the runs whose stop was asked for and that have not ended."""
    return [StopRequest(run_id=row["id"], mode=row["stop_mode"]) for row in db.all(_STOPPING)]


def events(db: Database, run_id: str | None = None, *, after: int = 0) -> list[Event]:
    """Return what happened to a run, or to everything, oldest first."""
    if run_id is None:
        rows = db.all(f"{_EVENTS} WHERE id > ? ORDER BY id", (after,))
    else:
        rows = db.all(f"{_EVENTS} WHERE run_id = ? AND id > ? ORDER BY id", (run_id, after))
    return [_event(row) for row in rows]


def ends_after(
    db: Database, event: int, states: Sequence[RunState], *, limit: int
) -> tuple[int, list[str]]:
    """Return the newest event's number, and the runs that came to these states after an event.

    Args:
        db: The store.
        event: The number of the event.
        states: The states.
        limit: How many runs at most, the latest.
    """
    row = db.one("SELECT coalesce(max(id), 0) FROM events")
    newest = int(row[0]) if row else 0
    if newest <= event:
        return newest, []
    rows = db.all(
        f"SELECT run_id FROM events WHERE id > ? AND state IN ({', '.join('?' * len(states))})"
        " AND run_id IS NOT NULL ORDER BY id DESC LIMIT ?",
        [event, *states, limit],
    )
    return newest, [row["run_id"] for row in reversed(rows)]


def latest_events(db: Database, limit: int) -> list[Event]:
    """Return the newest events, newest first."""
    return [_event(row) for row in db.all(f"{_EVENTS} ORDER BY id DESC LIMIT ?", (limit,))]


def progress(db: Database, run_id: str) -> str:
    """Return the one line that the agent last said about a run."""
    row = db.one("SELECT progress FROM runs WHERE id = ?", (run_id,))
    return str(row["progress"]) if row else ""


def run_from_row(db: Database, row: Row | Mapping[str, Any]) -> Run:
    """Return the run of a row that ``RUN_COLUMNS`` selected.

    The configuration is what the launch gave over what the job itself put into ``wandb.config``.
    A row that is damaged is that run's own trouble, and told as such: others are shown beside it.
    """
    try:
        config = json.loads(row["observed"])
        config.update(json.loads(row["config"]))
        summary, tags, gpus = (json.loads(row[name]) for name in ("summary", "tags", "gpus"))
        state, sync = RunState(row["state"]), sync_of(row)
    except (ValueError, TypeError, AttributeError):
        config, summary, tags, gpus, state, sync = {}, {}, (), (), RunState.LOST, Sync()
        row = {**dict(row), **damaged.TOLD}
    return Run(
        id=row["id"],
        name=row["name"],
        project=row["project"],
        job=row["job"],
        version=row["version"],
        queue=row["queue"],
        resource=row["resource"],
        state=state,
        phase=row["phase"],
        cause=row["cause"],
        next_step=row["next_step"],
        exit_code=row["exit_code"],
        tracked=bool(row["tracked"]),
        config=config,
        summary=summary,
        priority=row["priority"],
        attempt=row["attempt"],
        tags=tuple(tags),
        note=row["note"],
        gpus=tuple(gpus),
        image=row["image"],
        created_at=row["created_at"],
        claimed_at=row["claimed_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        agent=row["owner"],
        directory=str(db.home.run(row["id"])),
        group=row["group_id"],
        failure=row["failure"],
        after=tuple((row["after"] or "").split()),
        not_before=row["not_before"],
        retried=row["retried"],
        blocked=row["blocked"],
        image_digest=row["image_digest"],
        author=row["author"] or "",
        sync=sync,
    )


def _newest(db: Database, reference: str, field: str) -> str:
    back = reference[1:]
    if back and not (back.startswith("~") and back[1:].isdecimal() and len(back) <= _MAX_BACK):
        raise UsageError(field, f"{reference!r} is no run", allowed="@ or @~N")
    number = int(back[1:]) if back else 0
    row = db.one("SELECT id FROM runs ORDER BY seq DESC LIMIT 1 OFFSET ?", (number,))
    if row is None:
        raise NotFound(field, f"there is no run {reference!r}: fewer than {number + 1} exist")
    return str(row["id"])


def _state_column(db: Database, query: RunQuery, offset: int = 0) -> str:
    """Return the state's column, kept from its index where that would cost more than it saves.

    The index gives several states one after the other, to be sorted by age as a whole: fine for
    the few that wait, and 30 ms for 100,000 that have ended, of which a walk by age soon meets the
    newest.
    """
    if len(query.states) < 2 or offset > _FAR:
        return "r.state"
    if query.bounded:
        return "+r.state" if query.dense and offset <= _FAR else "r.state"
    if query.group:
        return "+r.state"
    every = count(db, replace(query, states=(), job=""))
    matching = count(db, replace(query, job=""))
    return "+r.state" if matching * _MANY > every else "r.state"


def where_of(
    query: RunQuery, *, state: str = "r.state", queue: str = "r.queue_id"
) -> tuple[str, list[str | int]]:
    """Return the condition of a query with its parameters; empty where every run is meant.

    Args:
        query: Which runs.
        state: The state's column, or what stands for it.
        queue: The column of the queue's number.
    """
    clauses: list[str] = []
    parameters: list[str | int] = []
    # One index at a time: that of the states where they are few, else the job's, else the queue's.
    by_state = bool(query.states) and state == "r.state"
    if query.queue:
        apart = "+" if by_state or query.job else ""
        clauses.append(f"{apart}{queue} = (SELECT id FROM queues WHERE name = ?)")
        parameters.append(query.queue)
    if query.states:
        marks = ", ".join("?" * len(query.states))
        clauses.append(f"{state} IN ({marks})")
        parameters.extend(query.states)
    if query.job:
        name, _, version = query.job.partition(":")
        clauses.append("+r.job = ?" if by_state else "r.job = ?")
        parameters.append(name)
        if version:
            clauses.append("r.version = ?")
            parameters.append(version)
    if query.group:
        clauses.append("r.group_id = ? AND r.group_id <> ''")
        parameters.append(query.group)
    if query.above is not None:
        clauses.append("r.seq > ?")
        parameters.append(query.above)
    if query.below is not None:
        clauses.append("r.seq < ?")
        parameters.append(query.below)
    return (" WHERE " + " AND ".join(clauses) if clauses else ""), parameters


def _event(row: Row) -> Event:
    return Event(**{key: row[key] for key in row.keys()})  # noqa: SIM118 - Row iterates values
