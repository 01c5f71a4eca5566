"""Why an image could not be built: the step, and the one line of its output that tells.

uv's messages are read as for environments. What is wrong with the machine (a full disk, no network,
no memory) goes before what the tools made of it: without network pip says that there is no such
package.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from launch_tui.builders import failure
from launch_tui.builders.package_index import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch_tui.builders.image_output import Step

MAX_CAUSE = failure.MAX_CAUSE
FREE_SPACE = "Free some space, e.g. with `launch-tui image prune` or `docker system prune`; rerun"
CHECK_NETWORK = "Check the network and the proxy (HTTP_PROXY, HTTPS_PROXY), and rerun"
INSTALL_BUILDX = "Install docker-buildx, which brings BuildKit to the docker command, and rerun"
SEE_LOG = "See the build log for all that it printed"
CHECK_DOCKERFILE = "Correct the Dockerfile"

_NO_SPACE = re.compile(r"no space left on device|disk quota exceeded|os error 28", re.IGNORECASE)
_NEEDS_BUILDKIT = re.compile(
    r"requires BuildKit|Unknown flag: (?:mount|chmod|link|network|security)|the --\w+ option",
    re.IGNORECASE,
)
_NO_NETWORK = re.compile(
    r"temporary failure (?:in name resolution|resolving)|could not resolve|no such host"
    r"|network is unreachable|no route to host|connection (?:timed out|refused|reset)"
    r"|i/o timeout|tls handshake timeout|failed to establish a new connection"
    r"|error sending request|dns error",
    re.IGNORECASE,
)
_NOT_IN_CONTEXT = re.compile(
    r'"(?P<a>[^"]+)":? not found|COPY failed: .*?(?P<b>\S+): no such file'
    r"|COPY failed: file not found in build context.*?stat (?P<c>\S+):"
)
_PARSE = re.compile(
    r"(?P<said>(?:dockerfile parse error|Dockerfile parse error|unknown instruction).*)"
)
_NO_IMAGE = re.compile(
    r"(?:docker\.io/|https?://)?(?P<image>\S+?): (?P<why>(?:not found|pull access denied).*)"
    r"|(?P<bare>pull access denied.*|manifest unknown.*|manifest for \S+ not found.*)"
)
_PYTHON = re.compile(r"(?:[Pp]ython |cpython-)(3\.\d+)")
_KILLED = re.compile(r"(?:exit code: |returned a non-zero code: )137\b")
_RUNNING = re.compile(r"^executor failed running \[.*?\]: (?=\S)")
_STATUS = re.compile(r"(?:exit code: |returned a non-zero code: )(\d+)")
_TELLING = re.compile(r"(?:^|\W)(?:E|ERROR|error|Error|fatal|\w+Error|\w+Exception)\b ?: (?=\S)")
_NOT_TELLING = re.compile(r"^(?:WARNING|DEPRECATION|warning|hint|\[notice\]|-+$)")
_LEVEL = re.compile(r"^(?:E|ERROR|error|Error): ")


def explain(step: Step) -> tuple[str, str]:
    """Return the cause and the next step of a build that failed at this step."""
    for rule in _RULES:
        if found := rule(step):
            return _one_line(found[0]), found[1]
    return _one_line(_at(step, _reason(step))), SEE_LOG


def _no_space(step: Step) -> tuple[str, str] | None:
    if not _NO_SPACE.search(_text(step)):
        return None
    doing = f"in step {step.title}" if step.title else "while building the image"
    return f"no space left on the disk {doing}", FREE_SPACE


def _killed(step: Step) -> tuple[str, str] | None:
    if not _KILLED.search(step.error):
        return None
    return _at(step, "it was killed"), "Is the machine out of memory?"


def _needs_buildkit(step: Step) -> tuple[str, str] | None:
    match = _NEEDS_BUILDKIT.search(step.error)
    if match is None:
        return None
    where = f"step {step.title}" if step.title else "the Dockerfile"
    return f"{where} needs BuildKit, and no docker command here has it", INSTALL_BUILDX


def _wrong_dockerfile(step: Step) -> tuple[str, str] | None:
    match = _PARSE.search(_text(step))
    return (match["said"], CHECK_DOCKERFILE) if match else None


def _not_in_context(step: Step) -> tuple[str, str] | None:
    if not step.title.startswith(("COPY", "ADD")):
        return None
    match = _NOT_IN_CONTEXT.search(step.error)
    if match is None:
        return None
    name = match["a"] or match["b"] or match["c"]
    reason = f"the build context has no {name.lstrip('/')}"
    return _at(step, reason), "Check the path, and what .dockerignore leaves out"


def _no_image(step: Step) -> tuple[str, str] | None:
    if not step.title.startswith(("FROM", "load metadata")):
        return None
    match = _NO_IMAGE.search(step.error)
    if match is None:
        return None
    said = match["why"] or match["bare"]
    named = match["image"] or step.title.rpartition(" ")[2].removeprefix("docker.io/")
    return f"base image {named}: {said}", "Check its name and tag, or log in: `docker login`"


def _no_python(step: Step) -> tuple[str, str] | None:
    if not step.title.startswith("RUN uv venv"):
        return None
    wanted = _PYTHON.search(_text(step))
    which = f"Python {wanted[1]}" if wanted else "a Python"
    return (
        f"the base image has no {which}, and it could not be fetched: {_reason(step)}",
        "Name a base image that has it (builder.base_image), or another version (job create -r)",
    )


def _no_network(step: Step) -> tuple[str, str] | None:
    for line in (step.error, *step.lines):
        if _NO_NETWORK.search(line):
            return _at(step, f"no network: {_LEVEL.sub('', line.strip())}"), CHECK_NETWORK
    return None


def _uv(step: Step) -> tuple[str, str] | None:
    if not any(failure.is_error(line) for line in step.lines):
        return None
    cause, next_step = failure.explain("\n".join(step.lines), 1)
    return _at(step, cause), next_step


def _reason(step: Step) -> str:
    """Return the line that tells most; the status when there is none."""
    lines = [line.strip() for line in step.lines]
    lines = [line for line in lines if line and not _NOT_TELLING.match(line)]
    telling = [line for line in lines if _TELLING.search(line)]
    for line in reversed(telling or lines):
        return _LEVEL.sub("", line)
    status = _STATUS.search(step.error)
    if status:
        return f"it ended with status {status[1]}"
    return _RUNNING.sub("", step.error) or "nothing was said"


def _at(step: Step, reason: str) -> str:
    return f"step {step.title} failed: {reason}" if step.title else f"the build failed: {reason}"


def _text(step: Step) -> str:
    return "\n".join((*step.lines, step.error))


def _one_line(text: str) -> str:
    line = " ".join(redacted(text).split()).rstrip(".")
    return line if len(line) <= MAX_CAUSE else line[: MAX_CAUSE - 1] + "…"


_RULES: Sequence[Callable[[Step], tuple[str, str] | None]] = (
    _no_space,
    _killed,
    _needs_buildkit,
    _wrong_dockerfile,
    _not_in_context,
    _no_image,
    _no_python,
    _no_network,
    _uv,
)
