"""Sending runs to the person's W&B server: what was asked for, and how far that is.

The sending itself is the agent's (``agent.syncing``); here it is asked for. What is asked for is
on disk when a call returns.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.domain.run import ENDED
from launch_tui.domain.sync import SyncState
from launch_tui.errors import UsageError
from launch_tui.store import read, syncing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.store.database import Database


class Syncs:
    """The sending of the runs of a data directory."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def ask(self, references: Sequence[str], *, again: bool = False) -> list[str]:
        """Have runs sent, and return those for which there is something to do.

        Args:
            references: The runs.
            again: Also those that are on the server already.

        Raises:
            UsageError: When one has not ended, or has nothing to send.
        """
        wanted = []
        for reference in references:
            run = read.run(self._db, read.resolve(self._db, reference))
            if run.state not in ENDED:
                raise UsageError("RUN", f"{run.id} is {run.state}", allowed="a run that has ended")
            if run.sync.state is SyncState.NONE:
                raise UsageError(
                    "RUN", f"{run.id} never called wandb.init: there is nothing to send",
                    allowed="a run with metrics",
                )  # fmt: skip
            is_there = run.sync.state in (SyncState.SYNCED, SyncState.ONLINE)
            if is_there and not again:
                continue
            if again and run.sync.state is not SyncState.SYNCING:
                from launch_tui.tracking.wandb_sync import forget_sent

                forget_sent(Path(run.directory), run.attempt)
            wanted.append(run.id)
        syncing.ask(self._db, wanted)
        return wanted

    def unsent(self) -> list[str]:
        """Return the runs that lie here alone or could not be sent, oldest first."""
        return syncing.unsent(self._db)

    def counts(self) -> dict[SyncState, int]:
        """Return how many runs are in each state of being sent; by counters."""
        return syncing.counts(self._db)
