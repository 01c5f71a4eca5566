"""What the errors of Docker's SDK mean: an engine that does not answer, or one that refuses.

The difference decides what happens to runs. While the engine does not answer nothing is known, so
whoever asked waits and asks again; what it refuses it will refuse again, and its own words say why.
"""

from __future__ import annotations

import http.client
import re
from typing import TYPE_CHECKING

from launch_tui.errors import EngineDown, EngineError, EngineUnfit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from launch_tui.engine.endpoint import Endpoint

STARTING = frozenset({502, 503, 504})
"""Statuses of an engine, or of what stands before it, that is not ready."""
LONGEST_CAUSE = 600

_NOISE = re.compile(r"^(?:Error response from daemon|Error|rpc error: code = \w+ desc =):?\s+")
# What containerd appends to an error that it has no better class for.
_TAIL = re.compile(r"(?:: unknown)+\Z")
_NOT_READY = re.compile(
    r"is shutting down|unable to start(?! container)|daemon is not (?:ready|running)"
    r"|containerd\.sock.*(?:connection refused|no such file)|transport is closing",
    re.IGNORECASE | re.DOTALL,
)


def one_line(text: str) -> str:
    """Return the engine's words on one line, without what says only that they are an error."""
    line = " ".join(text.split())
    while (shorter := _NOISE.sub("", line)) != line:
        line = shorter
    line = _TAIL.sub("", line)
    return line if len(line) <= LONGEST_CAUSE else f"{line[: LONGEST_CAUSE - 1]}…"


def translated(error: Exception, endpoint: Endpoint) -> EngineError | None:
    """Return our error for one that a question raised; None when it is not the engine's."""
    import requests
    import urllib3
    from docker.errors import APIError, DockerException, StreamParseError

    if isinstance(error, EngineError):
        return error
    if isinstance(error, APIError) and error.response is not None:
        return refused(str(error.explanation or error), status=error.response.status_code)
    broken = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException)
    if isinstance(error, (*broken, ConnectionError, TimeoutError, StreamParseError)):
        return _no_answer(error, endpoint)
    if isinstance(error, DockerException):
        # The SDK wraps what its first question met.
        inner = error.__cause__
        known = translated(inner, endpoint) if isinstance(inner, Exception) else None
        return known or EngineError(one_line(str(error)))
    return None


def refused(words: str, *, status: int = 0) -> EngineError:
    """Return the error for what the engine said instead of doing it."""
    cause = one_line(words) or f"HTTP status {status}"
    if status in STARTING or _NOT_READY.search(cause):
        return EngineDown(f"the Docker engine is not ready: {cause}", status=status)
    return EngineError(cause, status=status)


def _no_answer(error: Exception, endpoint: Endpoint) -> EngineError:
    causes = list(_causes(error))
    if any(isinstance(cause, PermissionError) for cause in causes):
        return EngineUnfit(
            f"no permission to use the Docker engine at {endpoint}",
            next_step="Join the group docker and log in again, or use rootless Docker or Podman.",
        )
    if any(isinstance(cause, FileNotFoundError) for cause in causes):
        return EngineDown(
            f"no Docker engine: {endpoint} does not exist",
            next_step="Start Docker or Podman's service, or set DOCKER_HOST.",
        )
    return EngineDown(
        f"the Docker engine at {endpoint} does not answer: {_reason(causes)}",
        next_step="Start it, or look at its log.",
    )


def _reason(causes: list[BaseException]) -> str:
    import requests
    import urllib3

    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    timeouts = (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError)
    if any(isinstance(cause, timeouts) for cause in causes):
        return "no answer in time"
    if any(isinstance(cause, http.client.HTTPException) for cause in causes):
        return "the connection was closed"
    return one_line(str(causes[-1]))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it stems from: requests keeps urllib3's as its argument."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        parts = (*one.args, getattr(one, "reason", None), one.__cause__, one.__context__)
        waiting += [part for part in parts if isinstance(part, BaseException)]
