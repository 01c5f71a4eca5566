"""The demo: a queue, a real training job from a folder, three launches of it with other inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.errors import NotFound, UsageError
from launch_tui.sdk.jobs import JobRequest
from launch_tui.sdk.request import LaunchRequest

if TYPE_CHECKING:
    from launch_tui.sdk import Launch
    from launch_tui.store.enqueuing import Enqueued

QUEUE = "demo"
JOB = "demo"
AT_ONCE = 2


def launch_demo(launch: Launch) -> list[Enqueued]:
    """Make what the demo needs, as far as it is not there, and launch its configurations.

    Raises:
        UsageError: When the demo's queue is paused, so that nothing would be seen.
    """
    from launch_tui import demo

    try:
        queue = launch.queues.get(QUEUE)
    except NotFound:
        queue = launch.queues.create(QUEUE, "local-process", max_running=AT_ONCE)
    if queue.paused:
        raise UsageError("demo", f"queue {QUEUE} is paused", allowed="a queue that is resumed")
    created = launch.jobs.create(
        JobRequest(
            place=str(demo.JOB_DIRECTORY),
            name=JOB,
            entry_point="python train.py",
            description="A small classifier of handwritten digits",
        )
    )
    job = f"{created.job.name}:{created.job.version}"
    return launch.launch_many(
        [
            LaunchRequest(job=job, queue=QUEUE, name=name, config=config, tags=("demo",))
            for name, config in demo.CONFIGURATIONS.items()
        ]
    )
