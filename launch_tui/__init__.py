"""W&B Launch for your own machines, in the terminal.

    import launch_tui

    with launch_tui.Launch() as launch:
        job = launch.create_job(".", entry_point="python train.py")
        run = launch.launch(job, queue="gpu", config={"lr": 1e-3})
        run.wait_until_finished()

Every name below is loaded when it is first used. ``docs/python.md`` tells of each.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from launch_tui.api.agent import run_agent
    from launch_tui.api.asynchronous import AsyncLaunch, AsyncQueuedRun
    from launch_tui.api.client import Launch, LaunchWarning
    from launch_tui.api.options import LaunchOptions
    from launch_tui.api.queued_run import QueuedRun
    from launch_tui.api.wandb_names import LaunchAgent, create_run_queue, launch, launch_add
    from launch_tui.domain.job import JobVersion as Job
    from launch_tui.domain.queue import Queue
    from launch_tui.domain.run import Run, RunState
    from launch_tui.errors import (
        BuildFailed,
        DiskFull,
        EngineError,
        LaunchError,
        NotAvailable,
        NotFound,
        RunFailure,
        SourceFailed,
        StartFailed,
        StoreBusy,
        StoreError,
        TrackingFailed,
        UsageError,
    )

__all__ = [
    "AsyncLaunch",
    "AsyncQueuedRun",
    "BuildFailed",
    "DiskFull",
    "EngineError",
    "Job",
    "Launch",
    "LaunchAgent",
    "LaunchError",
    "LaunchOptions",
    "LaunchWarning",
    "NotAvailable",
    "NotFound",
    "Queue",
    "QueuedRun",
    "Run",
    "RunFailure",
    "RunState",
    "SourceFailed",
    "StartFailed",
    "StoreBusy",
    "StoreError",
    "TrackingFailed",
    "UsageError",
    "__version__",
    "create_run_queue",
    "launch",
    "launch_add",
    "run_agent",
]

_PLACES = {
    "launch_tui.api.agent": ("run_agent",),
    "launch_tui.api.asynchronous": ("AsyncLaunch", "AsyncQueuedRun"),
    "launch_tui.api.client": ("Launch", "LaunchWarning"),
    "launch_tui.api.options": ("LaunchOptions",),
    "launch_tui.api.queued_run": ("QueuedRun",),
    "launch_tui.api.wandb_names": ("LaunchAgent", "create_run_queue", "launch", "launch_add"),
    "launch_tui.domain.queue": ("Queue",),
    "launch_tui.domain.run": ("Run", "RunState"),
}
_RENAMED = {"Job": ("launch_tui.domain.job", "JobVersion")}
_WHERE = {name: (place, name) for place, names in _PLACES.items() for name in names} | _RENAMED


if not TYPE_CHECKING:
    # A type checker that saw this would take any name for one of ours.
    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        place, inner = _WHERE.get(name, ("launch_tui.errors", name))
        found = getattr(import_module(place), inner)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted(__all__)
