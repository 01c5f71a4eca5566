"""What a launch may ask for on one kind of target and not on another: told when it is entered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.domain.job import JobKind
from launch_tui.domain.queue import Resource
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from launch_tui.domain.queue import Queue
    from launch_tui.domain.spec import RunSpec
    from launch_tui.sdk.request import LaunchRequest

_RUNS_IMAGES = frozenset({Resource.LOCAL_CONTAINER})


def check_target(queue: Queue, spec: RunSpec, request: LaunchRequest) -> None:
    """Raise unless the queue's target can do what a run asks for.

    Args:
        queue: The run's queue.
        spec: Its frozen request.
        request: What the launch itself says.

    Raises:
        UsageError: Naming the flag or the queue.
    """
    if queue.resource in _RUNS_IMAGES:
        _check_container(spec)
    else:
        _check_without_images(queue, spec, request)


def _check_container(spec: RunSpec) -> None:
    if spec.in_place:
        raise UsageError(
            "--in-place",
            "a container gets a copy of the folder",
            allowed="on a local-process queue; here a queue's volume mounts a folder",
        )
    if spec.links:
        raise UsageError(
            "--link",
            f"a container does not see what {spec.links[0]} links to",
            allowed="on a local-process queue; here a queue's volume mounts a folder",
        )


def _check_without_images(queue: Queue, spec: RunSpec, request: LaunchRequest) -> None:
    if spec.kind is JobKind.IMAGE:
        raise UsageError(
            "-q",
            f"{queue.name!r} runs on {queue.resource}, and images run in containers",
            allowed="a local-container queue",
        )
    for flag, given in (
        ("-D", request.dockerfile),
        ("-B", request.base_image),
        ("--keep", request.keep),
    ):
        if given:
            problem = f"means nothing on {queue.resource}, where {queue.name!r} runs"
            raise UsageError(flag, problem, allowed="on a local-container queue")
