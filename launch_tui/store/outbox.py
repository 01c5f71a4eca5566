"""What is still to be told to whom: rows that are written with the outcome, by whoever writes it.

``subscribers`` says who wants to hear of which ends; a trigger on the runs writes a row of
``outbox`` for each of them in the transaction that ends a run, whether that is the agent's or a
person's who cancels it, and takes it back in the same transaction where a retry follows. A row goes
when it has been answered, so what is there is what is owed. Being told twice is possible (an agent
may die between the answer and its note of it), never being told is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.store.clock import now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from launch_tui.store.database import Database, Row

_DUE = """
    SELECT * FROM outbox WHERE subscriber = ? AND not_before <= ?
    ORDER BY not_before, id LIMIT 1"""

_STANDING = """
    SELECT s.*, count(o.id) AS pending, min(o.not_before) AS next_at,
        coalesce(sum(o.tries = 0), 0) AS fresh
    FROM subscribers s LEFT JOIN outbox o ON o.subscriber = s.name
    GROUP BY s.name ORDER BY s.place"""

_SUBSCRIBE = """
    INSERT INTO subscribers (name, place, states) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET place = excluded.place, states = excluded.states"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One end of a run that one subscriber is to be told of.

    ``first_tried_at`` is None before the first try.
    """

    id: int
    subscriber: str
    run_id: str
    attempt: int
    state: str
    created_at: str
    tries: int
    first_tried_at: str | None

    @property
    def key(self) -> str:
        """What is the same each time that this is told, and for nothing else."""
        return f"{self.run_id}.{self.attempt}.{self.state}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """How it stands with one subscriber.

    ``pending`` are the ends that it was not told of yet, ``next_at`` when the next is tried, None
    for none; ``given_up`` those that it will never be told of. ``error`` is why the last try
    failed, empty when it did not.
    """

    name: str
    on: tuple[str, ...]
    delivered: int
    given_up: int
    delivered_at: str | None
    error: str
    pending: int
    fresh: int
    next_at: str | None


def subscribe(db: Database, wanted: Iterable[tuple[str, Iterable[str]]]) -> None:
    """Say who wants to hear of which ends from now on; others are forgotten, with what is owed.

    What waits for its next try is tried at once: what was wrong may have been put right.
    """
    wanted = [(name, tuple(map(str, states))) for name, states in wanted]
    if not wanted and db.one("SELECT 1 FROM subscribers LIMIT 1") is None:
        return
    with db.transaction():
        known = [row["name"] for row in db.all("SELECT name FROM subscribers")]
        for name in set(known) - {name for name, _ in wanted}:
            db.execute("DELETE FROM outbox WHERE subscriber = ?", (name,))
            db.execute("DELETE FROM subscribers WHERE name = ?", (name,))
        for place, (name, states) in enumerate(wanted):
            db.execute(_SUBSCRIBE, (name, place, f" {' '.join(states)} "))
        db.execute("UPDATE outbox SET not_before = '' WHERE not_before <> ''")


def due(db: Database, subscriber: str) -> Letter | None:
    """Return what a subscriber is to be told of next, None when nothing is due."""
    row = db.one(_DUE, (subscriber, now()))
    return _letter(row) if row else None


def next_at(db: Database, subscriber: str) -> str | None:
    """Return when something is due; empty for at once, None when nothing is owed."""
    row = db.one("SELECT min(not_before) FROM outbox WHERE subscriber = ?", (subscriber,))
    return row[0] if row else None


def delivered(db: Database, letter: Letter) -> None:
    """Note that a subscriber has been told."""
    with db.transaction(durable=False):
        db.execute("DELETE FROM outbox WHERE id = ?", (letter.id,))
        db.execute(
            "UPDATE subscribers SET delivered = delivered + 1, delivered_at = ?, error = ''"
            " WHERE name = ?",
            (now(), letter.subscriber),
        )


def failed(db: Database, letter: Letter, error: str, not_before: str) -> None:
    """Note that a try has failed, why, and when the next one may be."""
    with db.transaction(durable=False):
        db.execute(
            "UPDATE outbox SET tries = tries + 1, not_before = ?,"
            " first_tried_at = coalesce(first_tried_at, ?) WHERE id = ?",
            (not_before, now(), letter.id),
        )
        db.execute("UPDATE subscribers SET error = ? WHERE name = ?", (error, letter.subscriber))


def give_up(db: Database, letter: Letter, error: str) -> None:
    """Note that a subscriber will never be told."""
    with db.transaction(durable=False):
        db.execute("DELETE FROM outbox WHERE id = ?", (letter.id,))
        db.execute(
            "UPDATE subscribers SET given_up = given_up + 1, error = ? WHERE name = ?",
            (error, letter.subscriber),
        )


def standing(db: Database) -> list[Subscriber]:
    """Return how it stands with each subscriber, in the order of the settings."""
    return [
        Subscriber(
            name=row["name"],
            on=tuple(row["states"].split()),
            delivered=row["delivered"],
            given_up=row["given_up"],
            delivered_at=row["delivered_at"],
            error=row["error"],
            pending=row["pending"],
            fresh=row["fresh"],
            next_at=row["next_at"],
        )
        for row in db.all(_STANDING)
    ]


def _letter(row: Row) -> Letter:
    return Letter(
        id=row["id"],
        subscriber=row["subscriber"],
        run_id=row["run_id"],
        attempt=row["attempt"],
        state=row["state"],
        created_at=row["created_at"],
        tries=row["tries"],
        first_tried_at=row["first_tried_at"],
    )
