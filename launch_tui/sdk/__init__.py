"""The use cases that a person triggers: the one door for the command line, the UI and the API.

What scripts use is ``launch_tui.api``, which is built on this.

    with Launch() as launch:
        launch.queues.create("gpu", "local-process", max_running=2)
        created = launch.jobs.create(".", entry_point="python train.py")
        run = launch.launch(LaunchRequest(job=created.job.name, queue="gpu", config={"lr": 1e-3}))
        launch.runs.wait(run.id)

Everything here reads and writes the store and the data directory; nothing talks to the agent.
Every method may raise ``StoreError``; bad input is a ``UsageError`` that names its field. One
``Launch`` belongs to one thread.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from launch_tui.sdk.jobs import Jobs
from launch_tui.sdk.launching import Launcher
from launch_tui.sdk.queues import Queues
from launch_tui.sdk.request import LaunchRequest
from launch_tui.store.database import Database
from launch_tui.store.paths import Home, default_home

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from launch_tui.sdk.agents import Agents
    from launch_tui.sdk.drafts import Drafts
    from launch_tui.sdk.filters import Filters
    from launch_tui.sdk.plan import Plan
    from launch_tui.sdk.runs import Runs
    from launch_tui.sdk.syncs import Syncs
    from launch_tui.store.enqueuing import Enqueued

__all__ = ["Launch", "LaunchRequest"]


class Launch:
    """A data directory and everything that can be done with it.

    Args:
        home: The data directory; by default ``LAUNCH_TUI_HOME``, else the platform's place.
        read_only: Refuse everything that would write; the store must exist.
        any_thread: Let other threads use it, one at a time.
    """

    def __init__(
        self,
        home: str | Path | None = None,
        *,
        read_only: bool = False,
        any_thread: bool = False,
    ) -> None:
        self.home: Home = default_home(None if home is None else str(home))
        self.db = Database(self.home, read_only=read_only, any_thread=any_thread)
        self.jobs = Jobs(self.db)
        self.queues = Queues(self.db)
        self._launcher = Launcher(self.db, self.jobs, self.queues)

    @cached_property
    def agents(self) -> Agents:
        """What is asked of the agent."""
        from launch_tui.sdk.agents import Agents

        return Agents(self.db)

    @cached_property
    def drafts(self) -> Drafts:
        """Launch forms that were begun."""
        from launch_tui.sdk.drafts import Drafts

        return Drafts(self.db)

    @cached_property
    def filters(self) -> Filters:
        """The filters that have a name."""
        from launch_tui.sdk.filters import Filters

        return Filters(self.db)

    @cached_property
    def runs(self) -> Runs:
        """The runs that exist."""
        # A launch makes a run and never looks at one: what it does not import, it does not pay.
        from launch_tui.sdk.runs import Runs

        return Runs(self.db, self._launcher.edit)

    @cached_property
    def syncs(self) -> Syncs:
        """The sending of runs to the person's W&B server."""
        from launch_tui.sdk.syncs import Syncs

        return Syncs(self.db)

    def plan(self, request: LaunchRequest) -> Plan:
        """Say exactly what ``launch`` would do, and do nothing."""
        return self._launcher.plan(request)

    def launch(self, request: LaunchRequest) -> Enqueued:
        """Put one run at the end of its queue; it is on disk when this returns."""
        return self._launcher.launch([request])[0]

    def launch_many(self, requests: Sequence[LaunchRequest]) -> list[Enqueued]:
        """Put runs at the end of their queues in one transaction, all or none."""
        return self._launcher.launch(requests)

    def launch_configs(
        self, request: LaunchRequest, configs: Sequence[Mapping[str, Any]]
    ) -> list[Enqueued]:
        """Put one run for each configuration at the end of a queue, as one group, all or none.

        Each is laid on the request's own configuration.
        """
        return self._launcher.launch_configs(request, configs)

    def plan_rerun(self, reference: str, changes: LaunchRequest | None = None) -> Plan:
        """Say exactly what ``rerun`` would do, and do nothing."""
        return self._launcher.plan_rerun(self.runs.get(reference), changes)

    def rerun(self, reference: str, changes: LaunchRequest | None = None) -> Enqueued:
        """Enqueue a run again with the same pinned source, and the changes that are given."""
        return self._launcher.rerun(self.runs.get(reference), changes)

    def rerun_group(
        self, group: str, changes: LaunchRequest | None = None, *, failed_only: bool = False
    ) -> list[Enqueued]:
        """Enqueue the runs of a group again as a new group, all of them or those that ended badly.

        Raises:
            NotFound: When no run has that group.
            UsageError: When none of them ended badly.
        """
        return self._launcher.rerun_group(self.runs.group(group, bad_only=failed_only), changes)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the last launch has to tell besides: a repository that did not answer, and such."""
        return self._launcher.warnings

    def changed(self) -> int:
        """Return a number that differs when another process has committed since (4 µs)."""
        return self.db.data_version()

    def close(self) -> None:
        """Close the store."""
        self.db.close()

    def __enter__(self) -> Launch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
