"""Why the engine did not make or start a container: in its own words, and what to do about it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.errors import StartFailed

if TYPE_CHECKING:
    from launch_tui.errors import EngineError

_NOISE = re.compile(
    r"^(?:failed to create (?:shim|shim task|task for container)|(?:OCI )?runtime create failed"
    r"|runc (?:create|run) failed|unable to start container process|container_linux\.go:\d+"
    r"|starting container process caused|error during container init"
    r"|failed to start containerd task[^:]*|crun|conmon failed|starting container [0-9a-f]+"
    r"|driver failed programming external connectivity[^:]*|Error starting userland proxy"
    r"|error setting rlimits for ready process):\s*"
)
_SOURCE = re.compile(r"(?:bind source path does not exist|statfs|lstat|stat):? (/[^:,]*)")
_SAID = (
    # pattern in the engine's words, the cause (None: those words), what to do
    (r"could not select device driver|nvidia-container-cli|libnvidia-ml|unresolvable CDI",
     None, "Install nvidia-container-toolkit, run `nvidia-ctk runtime configure`, restart Docker, "
     "then rerun; `launch-tui doctor` shows what is there"),
    (r"port is already allocated|address already in use", None,
     "Publish another port, or only one run at a time (--max-running 1), then rerun"),
    (r"network \S+ not found|network mode .* not found|unable to find network", None,
     "Create it with `docker network create`, or correct `network`, then rerun"),
    (r"unable to find (?:user|group) |no matching entries in (?:passwd|group) file", None,
     "The image has no such name: give `user` as numbers, then rerun"),
    (r"No such container: ", None,
     "It was removed, or it is the one whose network, processes or memory is to be shared"),
    (r"error setting rlimit", None,
     "The engine itself has a lower limit: ask for less in `ulimit`, then rerun"),
    (r"custom device", None, "Correct `device` in the queue to what this machine has, then rerun"),
    (r"Requested (?:CPUs|memory nodes) are not available|Range of CPUs", None,
     "Correct the CPUs in the resource configuration to what this machine has, then rerun"),
    (r"no space left on device", "no space left where the engine keeps its containers",
     "Free some space there (`docker system df`, `launch-tui image prune`), then rerun"),
    (r"No such image|no such image|image not known|image: .* not found",
     "the image is not on the engine any more", "Rerun, which pulls or builds it again"),
    (r"Duplicate mount point", None,
     "Two of `volume`, `mount` and `tmpfs` and the run's own directories are at one place"),
    (r"exec format error", None, "The image is for another kind of processor; see `platform`"),
)  # fmt: skip
_GENERAL = (
    "Correct the resource configuration if it is the cause, then rerun; see `launch-tui doctor`"
)


def start_failure(error: EngineError) -> StartFailed:
    """Return the failure of an attempt whose container the engine refused."""
    words = plain(error.cause)
    if (source := _SOURCE.search(words)) is not None:
        return _missing(source[1].strip().rstrip('"'))
    for pattern, cause, next_step in _SAID:
        if re.search(pattern, words):
            return StartFailed(cause or words, next_step=next_step)
    return StartFailed(words, next_step=error.next_step or _GENERAL)


def plain(words: str) -> str:
    """Return the engine's words without the names of the parts that handed them on."""
    while (shorter := _NOISE.sub("", words)) != words:
        words = shorter
    return words


def _missing(source: str) -> StartFailed:
    if Path(source).exists():
        return StartFailed(
            f"the Docker engine does not see {source}, which is on this machine",
            next_step="Use an engine on this machine (see `launch-tui doctor`), or let it share "
            "that path, then rerun",
        )
    return StartFailed(
        f"{source} is to be mounted and is not there",
        next_step="Create it, or correct `volume` or `mount` in the queue, then rerun",
    )
