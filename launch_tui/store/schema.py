"""The store's tables, as an ordered list of migrations run by sqlite-utils.

Counters that would otherwise be a COUNT over a growing table are kept by triggers, so they cannot
drift from the rows they count. ``place`` orders a queue: it equals the enqueue order unless the run
was moved to the front.

``queue_counts`` counts a run by its state, except that a queued run which may not start yet counts
as ``deferred``: what is counted as ``queued`` is what an agent could take. ``queue_levels`` counts
those by their rank, so that a new run's position is a sum of five numbers, however many wait.

``metric`` is what sorts runs by their most telling metric, the best first: of an accuracy the
negative. ``metric_key`` says which metric that is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlite_utils import Database as Tables
from sqlite_utils.migrations import Migrations

from launch_tui.domain.metrics import metric_of
from launch_tui.store.database import APPLICATION_ID, SCHEMA_VERSION

if TYPE_CHECKING:
    import sqlite3

migration = Migrations("launch_tui")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to the current version and stamp the file as ours, all or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        migration.apply(Tables(connection))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


@migration()
def first_tables(db: Tables) -> None:
    """Jobs, queues, runs, events, agents and drafts."""
    for statement in _FIRST_TABLES:
        db.execute(statement)


@migration()
def order_and_eligibility(db: Tables) -> None:
    """Priorities, what a run waits for, groups, retries, and the kind of a failure."""
    for statement in _ORDER_AND_ELIGIBILITY:
        db.execute(statement)


@migration()
def images(db: Tables) -> None:
    """Which image exactly a run ran in."""
    db.execute("ALTER TABLE runs ADD COLUMN image_digest TEXT")


@migration()
def lists_of_any_length(db: Tables) -> None:
    """Runs by name and by metric, and filters with a name."""
    for statement in _SORTED_LISTS:
        db.execute(statement)
    rows = db.execute("SELECT seq, summary FROM runs WHERE summary <> '{}'").fetchall()
    for seq, summary in rows:
        key, metric = metric_of(json.loads(summary))
        db.execute("UPDATE runs SET metric_key = ?, metric = ? WHERE seq = ?", (key, metric, seq))
    for statement in _LIST_INDEXES:
        db.execute(statement)


@migration()
def outbox(db: Tables) -> None:
    """Who is to be told of which ends of runs, and what is still owed."""
    for statement in _OUTBOX:
        db.execute(statement)


@migration()
def syncs(db: Tables) -> None:
    """How far each run has been sent to a W&B server."""
    for statement in _SYNCS:
        db.execute(statement)


_JOBS = """
CREATE TABLE jobs (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    kind        TEXT NOT NULL,
    created_at  TEXT NOT NULL
)"""

_JOB_VERSIONS = """
CREATE TABLE job_versions (
    id          INTEGER PRIMARY KEY,
    job_id      INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    identity    TEXT NOT NULL,              -- digest of what makes it a version of its own
    source      TEXT NOT NULL,              -- JSON
    entry_point TEXT NOT NULL,              -- JSON list
    environment TEXT NOT NULL,              -- JSON
    tracking    TEXT NOT NULL,
    links       TEXT NOT NULL,              -- JSON list
    description TEXT NOT NULL,
    inputs      TEXT NOT NULL,              -- JSON Schema
    outputs     TEXT NOT NULL,              -- JSON Schema
    created_at  TEXT NOT NULL,
    UNIQUE (job_id, number)
)"""

_JOB_ALIASES = """
CREATE TABLE job_aliases (
    job_id      INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    alias       TEXT NOT NULL,
    number      INTEGER NOT NULL,
    PRIMARY KEY (job_id, alias)
) WITHOUT ROWID"""

_QUEUES = """
CREATE TABLE queues (
    id                  INTEGER PRIMARY KEY,
    name                TEXT NOT NULL UNIQUE,
    resource            TEXT NOT NULL,
    config              TEXT NOT NULL DEFAULT '{}',
    template_variables  TEXT NOT NULL DEFAULT '{}',
    prioritized         INTEGER NOT NULL DEFAULT 0,
    paused              INTEGER NOT NULL DEFAULT 0,
    max_running         INTEGER NOT NULL DEFAULT 1,
    tracking            TEXT NOT NULL DEFAULT 'required',
    on_reboot           TEXT NOT NULL DEFAULT 'lost',
    created_at          TEXT NOT NULL
)"""

_RUNS = """
CREATE TABLE runs (
    seq                 INTEGER PRIMARY KEY AUTOINCREMENT,
    id                  TEXT NOT NULL UNIQUE,
    place               INTEGER NOT NULL,
    name                TEXT NOT NULL,
    project             TEXT NOT NULL,
    job                 TEXT NOT NULL,
    version             TEXT NOT NULL,
    queue_id            INTEGER NOT NULL REFERENCES queues (id),
    state               TEXT NOT NULL,
    owner               TEXT,
    phase               TEXT,
    cause               TEXT,
    next_step           TEXT,
    exit_code           INTEGER,
    tracked             INTEGER NOT NULL DEFAULT 0,
    config              TEXT NOT NULL DEFAULT '{}',
    observed            TEXT NOT NULL DEFAULT '{}',   -- what the job itself put into wandb.config
    summary             TEXT NOT NULL DEFAULT '{}',
    progress            TEXT NOT NULL DEFAULT '',     -- the one line worth knowing, from the agent
    priority            TEXT NOT NULL DEFAULT 'medium',
    attempt             INTEGER NOT NULL DEFAULT 1,
    tags                TEXT NOT NULL DEFAULT '[]',
    note                TEXT NOT NULL DEFAULT '',
    gpus                TEXT NOT NULL DEFAULT '[]',
    image               TEXT,
    spec                TEXT NOT NULL,
    created_at          TEXT NOT NULL,
    claimed_at          TEXT,
    started_at          TEXT,
    ended_at            TEXT,
    stop_requested_at   TEXT,
    stop_mode           TEXT
)"""

_QUEUE_COUNTS = """
CREATE TABLE queue_counts (
    queue_id    INTEGER NOT NULL,
    state       TEXT NOT NULL,
    runs        INTEGER NOT NULL,
    PRIMARY KEY (queue_id, state)
) WITHOUT ROWID"""

_EVENTS = """
CREATE TABLE events (
    id          INTEGER PRIMARY KEY,
    at          TEXT NOT NULL,
    run_id      TEXT,
    attempt     INTEGER,
    state       TEXT,
    phase       TEXT,
    actor       TEXT NOT NULL,
    message     TEXT NOT NULL
)"""

_AGENTS = """
CREATE TABLE agents (
    id          TEXT PRIMARY KEY,
    pid         INTEGER NOT NULL,
    host        TEXT NOT NULL,
    since       TEXT NOT NULL,
    ended_at    TEXT,
    queues      TEXT NOT NULL DEFAULT '[]',
    max_jobs    INTEGER,
    state       TEXT NOT NULL,
    request     TEXT
) WITHOUT ROWID"""

_DRAFTS = """
CREATE TABLE drafts (
    job         TEXT PRIMARY KEY,
    form        TEXT NOT NULL,
    updated_at  TEXT NOT NULL
) WITHOUT ROWID"""

_COUNT = """
    INSERT INTO queue_counts (queue_id, state, runs) VALUES (NEW.queue_id, NEW.state, 1)
    ON CONFLICT (queue_id, state) DO UPDATE SET runs = runs + 1;"""

_UNCOUNT = """
    UPDATE queue_counts SET runs = runs - 1 WHERE queue_id = OLD.queue_id AND state = OLD.state;"""

_FIRST_TABLES = (
    _JOBS,
    _JOB_VERSIONS,
    _JOB_ALIASES,
    _QUEUES,
    _RUNS,
    _QUEUE_COUNTS,
    _EVENTS,
    _AGENTS,
    _DRAFTS,
    # The head of each queue, without reading the runs that are over.
    "CREATE INDEX runs_waiting ON runs (queue_id, place) WHERE state = 'queued'",
    "CREATE INDEX runs_by_state ON runs (state, seq)",
    "CREATE INDEX runs_by_job ON runs (job, seq)",
    "CREATE INDEX runs_by_queue ON runs (queue_id, seq)",
    "CREATE INDEX runs_stopping ON runs (stop_requested_at)"
    " WHERE stop_requested_at IS NOT NULL AND ended_at IS NULL",
    "CREATE INDEX events_of_run ON events (run_id, id)",
    f"CREATE TRIGGER runs_counted AFTER INSERT ON runs BEGIN{_COUNT} END",
    f"CREATE TRIGGER runs_uncounted AFTER DELETE ON runs BEGIN{_UNCOUNT} END",
    "CREATE TRIGGER runs_moved AFTER UPDATE OF state, queue_id ON runs"
    f" WHEN OLD.state <> NEW.state OR OLD.queue_id <> NEW.queue_id BEGIN{_UNCOUNT}{_COUNT} END",
)

_DEPENDENCIES = """
CREATE TABLE dependencies (
    run_id      TEXT NOT NULL,
    on_run      TEXT NOT NULL,
    condition   TEXT NOT NULL,
    met         INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, on_run)
) WITHOUT ROWID"""


def _counted_as(row: str) -> str:
    deferred = f"{row}.state = 'queued' AND {row}.waits <> 0"
    return f"CASE WHEN {deferred} THEN 'deferred' ELSE {row}.state END"


_COUNT_ELIGIBLE = f"""
    INSERT INTO queue_counts (queue_id, state, runs)
    VALUES (NEW.queue_id, {_counted_as("NEW")}, 1)
    ON CONFLICT (queue_id, state) DO UPDATE SET runs = runs + 1;"""

_UNCOUNT_ELIGIBLE = f"""
    UPDATE queue_counts SET runs = runs - 1
    WHERE queue_id = OLD.queue_id AND state = {_counted_as("OLD")};"""

_QUEUE_LEVELS = """
CREATE TABLE queue_levels (
    queue_id    INTEGER NOT NULL,
    rank        INTEGER NOT NULL,
    runs        INTEGER NOT NULL,
    PRIMARY KEY (queue_id, rank)
) WITHOUT ROWID"""

_FILL_LEVELS = """
    INSERT INTO queue_levels (queue_id, rank, runs)
    SELECT queue_id, rank, count(*) FROM runs WHERE state = 'queued' AND waits = 0 GROUP BY 1, 2"""

_JOIN_LEVEL = """
    INSERT INTO queue_levels (queue_id, rank, runs) VALUES (NEW.queue_id, NEW.rank, 1)
    ON CONFLICT (queue_id, rank) DO UPDATE SET runs = runs + 1;"""

_LEAVE_LEVEL = """
    UPDATE queue_levels SET runs = runs - 1 WHERE queue_id = OLD.queue_id AND rank = OLD.rank;"""


def _levels(trigger: str, event: str, row: str, action: str) -> str:
    eligible = f"{row}.state = 'queued' AND {row}.waits = 0"
    return f"CREATE TRIGGER {trigger} AFTER {event} ON runs WHEN {eligible} BEGIN{action} END"


_MOVED = "UPDATE OF state, queue_id, waits, rank"

_ORDER_AND_ELIGIBILITY = (
    # 0 critical to 3 low, as W&B numbers them; -1 was moved to the front. Without priorities in
    # the queue every other run has 2, so that one index orders both kinds of queue.
    "ALTER TABLE runs ADD COLUMN rank INTEGER NOT NULL DEFAULT 2",
    # What a queued run waits for before it can be taken: 1 a time, 2 other runs, 3 both.
    "ALTER TABLE runs ADD COLUMN waits INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE runs ADD COLUMN not_before TEXT",
    "ALTER TABLE runs ADD COLUMN blocked TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE runs ADD COLUMN group_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE runs ADD COLUMN failure TEXT",
    "ALTER TABLE runs ADD COLUMN retried INTEGER NOT NULL DEFAULT 0",
    _DEPENDENCIES,
    "CREATE INDEX dependants ON dependencies (on_run) WHERE met = 0",
    "DROP INDEX runs_waiting",
    "CREATE INDEX runs_eligible ON runs (queue_id, rank, place)"
    " WHERE state = 'queued' AND waits = 0",
    # What was moved to the front last comes first, also before one that an agent has by now.
    "CREATE INDEX runs_at_front ON runs (queue_id, place) WHERE rank = -1",
    "CREATE INDEX runs_due ON runs (not_before) WHERE waits IN (1, 3)",
    "CREATE INDEX runs_in_group ON runs (group_id, seq) WHERE group_id <> ''",
    "DROP TRIGGER runs_counted",
    "DROP TRIGGER runs_uncounted",
    "DROP TRIGGER runs_moved",
    f"CREATE TRIGGER runs_counted AFTER INSERT ON runs BEGIN{_COUNT_ELIGIBLE} END",
    f"CREATE TRIGGER runs_uncounted AFTER DELETE ON runs BEGIN{_UNCOUNT_ELIGIBLE} END",
    "CREATE TRIGGER runs_moved AFTER UPDATE OF state, queue_id, waits ON runs"
    " WHEN OLD.state <> NEW.state OR OLD.queue_id <> NEW.queue_id OR OLD.waits <> NEW.waits"
    f" BEGIN{_UNCOUNT_ELIGIBLE}{_COUNT_ELIGIBLE} END",
    _QUEUE_LEVELS,
    _FILL_LEVELS,
    _levels("levels_added", "INSERT", "NEW", _JOIN_LEVEL),
    _levels("levels_removed", "DELETE", "OLD", _LEAVE_LEVEL),
    _levels("levels_left", _MOVED, "OLD", _LEAVE_LEVEL),
    _levels("levels_joined", _MOVED, "NEW", _JOIN_LEVEL),
)

_FILTERS = """
CREATE TABLE filters (
    name        TEXT PRIMARY KEY,
    text        TEXT NOT NULL,
    saved_at    TEXT NOT NULL
) WITHOUT ROWID"""

_SORTED_LISTS = (
    "ALTER TABLE runs ADD COLUMN metric REAL",
    "ALTER TABLE runs ADD COLUMN metric_key TEXT NOT NULL DEFAULT ''",
    _FILTERS,
)
_LIST_INDEXES = (
    "CREATE INDEX runs_by_name ON runs (name COLLATE NOCASE, seq DESC)",
    "CREATE INDEX runs_by_metric ON runs (metric, seq DESC)",
)

_SUBSCRIBERS = """
CREATE TABLE subscribers (
    name            TEXT PRIMARY KEY,
    place           INTEGER NOT NULL,
    states          TEXT NOT NULL,              -- with a blank before and after each
    delivered       INTEGER NOT NULL DEFAULT 0,
    given_up        INTEGER NOT NULL DEFAULT 0,
    delivered_at    TEXT,
    error           TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID"""

_LETTERS = """
CREATE TABLE outbox (
    id              INTEGER PRIMARY KEY,
    subscriber      TEXT NOT NULL,
    run_id          TEXT NOT NULL,
    attempt         INTEGER NOT NULL,
    state           TEXT NOT NULL,
    created_at      TEXT NOT NULL,
    not_before      TEXT NOT NULL DEFAULT '',
    tries           INTEGER NOT NULL DEFAULT 0,
    first_tried_at  TEXT
)"""

_OUTBOX = (
    _SUBSCRIBERS,
    _LETTERS,
    "CREATE INDEX outbox_due ON outbox (subscriber, not_before, id)",
    "CREATE INDEX outbox_of_run ON outbox (run_id)",
    # In the transaction of the outcome, whoever ends the run.
    "CREATE TRIGGER outbox_written AFTER UPDATE OF state ON runs"
    " WHEN OLD.state <> NEW.state BEGIN"
    " INSERT INTO outbox (subscriber, run_id, attempt, state, created_at)"
    " SELECT name, NEW.id, NEW.attempt, NEW.state, coalesce(NEW.ended_at, '') FROM subscribers"
    " WHERE instr(states, ' ' || NEW.state || ' '); END",
    # A retry goes through the end of the attempt, in one transaction, and is no end of the run.
    "CREATE TRIGGER outbox_taken_back AFTER UPDATE OF state ON runs"
    " WHEN NEW.state = 'queued' AND OLD.state IN ('failed', 'lost', 'stopped', 'finished') BEGIN"
    " DELETE FROM outbox WHERE run_id = OLD.id AND attempt = OLD.attempt; END",
)

_COUNT_SYNC = """
    INSERT INTO sync_counts (state, runs) VALUES (NEW.sync, 1)
    ON CONFLICT (state) DO UPDATE SET runs = runs + 1;"""

_UNCOUNT_SYNC = "UPDATE sync_counts SET runs = runs - 1 WHERE state = OLD.sync;"

_SYNCS = (
    # A state of domain.sync.SyncState; empty where there is nothing to send.
    "ALTER TABLE runs ADD COLUMN sync TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE runs ADD COLUMN sync_url TEXT",
    "ALTER TABLE runs ADD COLUMN sync_at TEXT",
    "ALTER TABLE runs ADD COLUMN sync_cause TEXT",
    "ALTER TABLE runs ADD COLUMN sync_next_step TEXT",
    "ALTER TABLE runs ADD COLUMN sync_tries INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE runs ADD COLUMN sync_not_before TEXT NOT NULL DEFAULT ''",
    "UPDATE runs SET sync = 'unsynced', sync_at = ended_at WHERE tracked AND ended_at IS NOT NULL",
    "CREATE TABLE sync_counts (state TEXT PRIMARY KEY, runs INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO sync_counts (state, runs) SELECT sync, count(*) FROM runs"
    " WHERE sync <> '' GROUP BY 1",
    "CREATE INDEX runs_to_sync ON runs (sync_not_before) WHERE sync IN ('waiting', 'syncing')",
    "CREATE INDEX runs_unsent ON runs (seq) WHERE sync IN ('unsynced', 'failed')",
    f"CREATE TRIGGER sync_brought AFTER INSERT ON runs WHEN NEW.sync <> '' BEGIN{_COUNT_SYNC} END",
    "CREATE TRIGGER sync_counted AFTER UPDATE OF sync ON runs"
    f" WHEN OLD.sync <> NEW.sync AND NEW.sync <> '' BEGIN{_COUNT_SYNC} END",
    "CREATE TRIGGER sync_uncounted AFTER UPDATE OF sync ON runs"
    f" WHEN OLD.sync <> NEW.sync AND OLD.sync <> '' BEGIN {_UNCOUNT_SYNC} END",
    "CREATE TRIGGER sync_forgotten AFTER DELETE ON runs"
    f" WHEN OLD.sync <> '' BEGIN {_UNCOUNT_SYNC} END",
)
