"""Every error launch_tui raises on purpose, in one tree.

    LaunchError                 what anybody may catch: phase, cause, next step, exit status
    ├── UsageError              bad input; names the field and what is allowed; exit status 2
    │   ├── NotFound            no such run, job, version, alias or queue
    │   └── NotAvailable        what this version knows of and does not do
    ├── StoreError              the data directory cannot be used as it is; nothing was touched
    │   ├── StoreTooNew         written by a newer launch_tui
    │   ├── StoreCorrupt        not a launch_tui store, or a damaged one
    │   ├── StoreReadOnly       no write permission
    │   ├── StoreOnNetwork      a network file system, where SQLite's locks cannot be trusted
    │   ├── StoreBusy           another process kept the store's lock for too long
    │   └── DiskFull            no space left for what was asked
    ├── AgentBusy               another agent holds this data directory
    ├── EngineError             the Docker engine refused what was asked
    │   ├── EngineDown          it does not answer; nothing is known, and asking again is right
    │   └── EngineUnfit         it answers, and cannot be used here (another machine's, too old)
    ├── Stale                   someone else acted on the run first; the caller drops its work
    └── RunFailure              ends an attempt as failed, with the phase that failed
        ├── SourceFailed
        ├── BuildFailed
        │   └── RegistryError   an image registry refused, or cannot be reached
        ├── StartFailed
        └── TrackingFailed

Only ``cli`` and ``tui`` render these. ``str(error)`` is one line.
"""

from __future__ import annotations


class LaunchError(Exception):
    """Something launch_tui was asked for could not be done.

    Args:
        cause: One line, the real reason.
        next_step: One line, what the person can do about it; empty when there is nothing.
        phase: The phase of a run that failed (source, build, start, run, tracking), else empty.
    """

    exit_status = 1
    phase = ""

    def __init__(self, cause: str, *, next_step: str = "", phase: str | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.next_step = next_step
        if phase is not None:
            self.phase = phase

    def __str__(self) -> str:
        return f"{self.cause}. {self.next_step}" if self.next_step else self.cause


class UsageError(LaunchError):
    """Bad input, refused where it was entered.

    Args:
        field: The flag, argument or key that is wrong, as the person wrote it.
        problem: What is wrong with it.
        allowed: What would have been accepted; empty when the problem says it all.
    """

    exit_status = 2

    def __init__(self, field: str, problem: str, *, allowed: str = "") -> None:
        cause = f"{field}: {problem}" + (f" (allowed: {allowed})" if allowed else "")
        super().__init__(cause)
        self.field = field
        self.problem = problem
        self.allowed = allowed


class NotFound(UsageError):
    """No such run, job, version, alias or queue."""


class NotAvailable(UsageError):
    """Something that this version knows of, a target or an argument of W&B's, and does not do."""


class StoreError(LaunchError):
    """The data directory cannot be used as it is; nothing was touched."""


class StoreTooNew(StoreError):
    """The store was written by a newer launch_tui."""


class StoreCorrupt(StoreError):
    """The store's file is damaged, or is not a launch_tui store."""


class StoreReadOnly(StoreError):
    """The data directory cannot be written."""


class StoreOnNetwork(StoreError):
    """The data directory is on a network file system."""


class StoreBusy(StoreError):
    """Another process kept the store's lock for too long; nothing was written."""


class DiskFull(StoreError):
    """No space is left for what was asked; nothing half-written remains."""


class AgentBusy(LaunchError):
    """Another agent holds this data directory."""


class EngineError(LaunchError):
    """The Docker engine refused what was asked.

    Args:
        cause: The engine's own reason, in one line.
        next_step: What the person can do about it.
        status: The HTTP status of its answer; 0 where there was none.
    """

    def __init__(self, cause: str, *, next_step: str = "", status: int = 0) -> None:
        super().__init__(cause, next_step=next_step)
        self.status = status


class EngineDown(EngineError):
    """The Docker engine does not answer: nothing is known, and asking again is right."""


class EngineUnfit(EngineError):
    """The Docker engine answers and cannot be used here."""


class Stale(LaunchError):
    """Someone else acted on the run first; the caller drops its work."""


class RunFailure(LaunchError):
    """Ends an attempt as failed, in the phase that the subclass names."""

    phase = "run"


class SourceFailed(RunFailure):
    """The job's source could not be brought into the run's directory."""

    phase = "source"


class BuildFailed(RunFailure):
    """The environment or image could not be built."""

    phase = "build"


class RegistryError(BuildFailed):
    """An image registry refused what was asked, or cannot be reached."""


class StartFailed(RunFailure):
    """The target resource did not start the job."""

    phase = "start"


class TrackingFailed(RunFailure):
    """The job ended well but broke the tracking rule."""

    phase = "tracking"
