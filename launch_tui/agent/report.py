"""What an agent says as it works, for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEvent:
    """One thing that happened.

    ``at`` is seconds since the epoch; ``kind`` is ``agent`` or ``run``; ``state`` is the run's new
    state, or None when it did not change.
    """

    at: float
    kind: str
    text: str
    run_id: str | None = None
    state: str | None = None
    queue: str | None = None
