"""How far a run has been sent to a W&B server, and by which rule it is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class WandbMode(StrEnum):
    """Where a job's wandb writes to."""

    OFFLINE = "offline"
    """Into the run's directory alone; nothing is sent."""
    ONLINE = "online"
    """Also to the person's own W&B server, as it runs."""


class SyncRule(StrEnum):
    """Which ends of a run have it sent by the agent."""

    NEVER = "never"
    """None: a person sends it, or nobody does."""
    FINISHED = "finished"
    """The good one."""
    ENDED = "ended"
    """Each one, failures too."""


class SyncState(StrEnum):
    """How far a run has been sent."""

    NONE = ""
    """There is nothing to send: it has not ended, or never called ``wandb.init``."""
    UNSYNCED = "unsynced"
    """It lies here alone, and nobody has asked for more."""
    WAITING = "waiting"
    """It is to be sent, or to be tried again."""
    SYNCING = "syncing"
    """It is being sent."""
    SYNCED = "synced"
    """It is on the server."""
    FAILED = "failed"
    """It was not sent, and is not tried again unless somebody asks."""
    ONLINE = "online"
    """It went to the server as it ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """How it stands with sending one run.

    ``at`` is when the state was reached, ``next_at`` when it is tried again. ``cause`` and
    ``next_step`` tell of the last try that failed. Times are ISO 8601 in UTC.
    """

    state: SyncState = SyncState.NONE
    url: str | None = None
    at: str | None = None
    cause: str | None = None
    next_step: str | None = None
    tries: int = 0
    next_at: str | None = None


_ADDRESS = re.compile(r"https?://[^\s\x1b'\"<>]+/runs/[^\s\x1b'\"<>]+")


def address_in(text: str) -> str:
    """Return the last address of a run that wandb's output names, else an empty text.

    A version that was not told an entity leaves its place in the address empty.
    """
    found = _ADDRESS.findall(text)
    if not found:
        return ""
    scheme, _, rest = found[-1].partition("://")
    while "//" in rest:
        rest = rest.replace("//", "/")
    return f"{scheme}://{rest}"
