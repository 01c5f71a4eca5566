"""What an agent with ``secure_mode`` refuses to run: anything but a job as it was made.

W&B's locks the entry point of the job, and the command of a container. Here that is ``-E``, the
command after ``--``, a run in place, another image than the job's, and the keys of a launch's own
resource configuration that put other code in front of the job. What the owner of a queue configures
holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.domain.job import AS_IMAGE
from launch_tui.errors import LaunchError
from launch_tui.store import jobs

if TYPE_CHECKING:
    from launch_tui.domain.job import Environment
    from launch_tui.domain.run import Run
    from launch_tui.domain.spec import RunSpec
    from launch_tui.store.database import Database

LOCKED_KEYS = ("setup", "python", "entrypoint", "builder")
"""Of a resource configuration: what a launch may not give."""


def check_secure(db: Database, run: Run, spec: RunSpec) -> None:
    """Raise unless a run is its job, with the job's own entry point.

    Args:
        db: The store.
        run: The run, claimed.
        spec: Its frozen request.

    Raises:
        LaunchError: When the launch overrides what is locked.
    """
    if spec.in_place:
        raise _refused("a command run in place")
    if run.version == AS_IMAGE:
        raise _refused("an image without a job")
    job = jobs.get(db, f"{run.job}:{run.version}")
    if spec.command != job.entry_point or spec.arguments is not None:
        raise _refused("an entry point or arguments other than the job's")
    if _image_of(spec.environment) != _image_of(job.environment):
        raise _refused("another image or Dockerfile than the job's")
    for key in LOCKED_KEYS:
        if key in spec.resource_args:
            raise _refused(f"{key!r} in a launch's resource configuration")


def _image_of(environment: Environment) -> tuple[str, str, str]:
    return environment.base_image, environment.dockerfile, environment.context


def _refused(what: str) -> LaunchError:
    return LaunchError(
        f"this agent's settings (secure_mode) refuse {what}",
        next_step="make a job that does what you want, and launch it as it is",
    )
