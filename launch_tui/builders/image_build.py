"""Builds one image with BuildKit, by a docker command.

BuildKit is asked through Docker's own command line, since Docker's SDK cannot; a build ends with
the command that asked for it, which ends with the agent. Secrets reach it as variables of that
command, so no file is left behind by an agent that is killed.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from launch_tui.builders.child_process import run_child
from launch_tui.builders.dockerfile import CERTIFICATES_SECRET, INDEX_SECRET
from launch_tui.builders.image_failure import explain
from launch_tui.builders.image_output import BuildOutput
from launch_tui.errors import BuildFailed, EngineDown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from launch_tui.builders.build_log import BuildLog
    from launch_tui.builders.image_context import Plan
    from launch_tui.builders.image_index import Surroundings
    from launch_tui.engine.client import Engine
    from launch_tui.engine.docker_cli import BuildKit

LARGEST_SECRET = 100_000
"""Bytes; the kernel takes no variable above 128 KiB."""

_READ_AT_ONCE = 1 << 16
_SECRET_VARIABLE = "LAUNCH_TUI_BUILD_SECRET_"
_LOST = (
    "transport is closing",
    "error reading from server",
    "error during connect",
    "Cannot connect to the Docker daemon",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """One image to build: how, under which name, and what is passed on.

    ``directory`` is an empty one for what is written for the build.
    """

    plan: Plan
    reference: str
    labels: Mapping[str, str]
    directory: Path
    surroundings: Surroundings
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    platform: str = ""

    @property
    def hidden(self) -> tuple[str, ...]:
        """What must not get into a log."""
        return (*self.secrets.values(), *self.surroundings.passwords)


async def build_by_command(
    kit: BuildKit,
    engine: Engine,
    request: BuildRequest,
    log: BuildLog,
    report: Callable[[str], None],
) -> tuple[str, ...]:
    """Build with BuildKit; cancelling ends the build and all it started.

    Returns:
        What is to be told of the image that is no failure.

    Raises:
        BuildFailed: With the failed step and its reason.
        EngineDown: When the engine went away.
    """
    output = BuildOutput(log, report, request.hidden)
    environ = {**os.environ, **kit.variables, **engine.endpoint.variables}
    # They would make another image of the same files each time.
    environ["BUILDX_NO_DEFAULT_ATTESTATIONS"] = "1"
    arguments = list(_arguments(request, environ))
    status = await _run([*kit.command, *arguments], request, environ, output)
    if status != 0:
        step = output.failed
        if any(word in line for word in _LOST for line in (*step.lines, step.error)):
            raise EngineDown("the Docker engine went away during the build")
        await engine.ask(lambda api: api.ping())
        cause, next_step = explain(step)
        raise BuildFailed(cause, next_step=next_step)
    return tuple(output.notes)


def _arguments(request: BuildRequest, environ: dict[str, str]) -> Iterator[str]:
    """Yield the command line's arguments, setting what they take from the variables."""
    yield from ("--progress=plain", f"--tag={request.reference}")
    yield f"--file={_dockerfile(request)}"
    yield from (f"--label={name}={value}" for name, value in request.labels.items())
    yield from (f"--build-arg={name}={value}" for name, value in request.build_args.items())
    for name, value in request.surroundings.proxies.items():
        environ[name] = value
        yield f"--build-arg={name}"
    yield from _secrets(request, environ)
    if request.platform:
        yield f"--platform={request.platform}"
    yield str(request.plan.context)


def _secrets(request: BuildRequest, environ: dict[str, str]) -> Iterator[str]:
    values = dict(request.secrets)
    if request.plan.dockerfile is None:
        if script := request.surroundings.script:
            values[INDEX_SECRET] = script
        certificates = request.surroundings.certificates
        if certificates is not None and not set(str(certificates)) & set(',"'):
            yield f"--secret=id={CERTIFICATES_SECRET},src={certificates}"
    for number, (name, value) in enumerate(values.items()):
        if len(value.encode(errors="surrogateescape")) > LARGEST_SECRET or "\0" in value:
            raise BuildFailed(
                f"builder.secrets: {name} is too large for a secret, or not a text",
                next_step=f"Use at most {LARGEST_SECRET} bytes without zeros",
            )
        environ[f"{_SECRET_VARIABLE}{number}"] = value
        yield f"--secret=id={name},env={_SECRET_VARIABLE}{number}"


def _dockerfile(request: BuildRequest) -> Path:
    if request.plan.dockerfile is not None:
        return request.plan.dockerfile
    file = request.directory / "Dockerfile"
    file.write_text(request.plan.text, encoding="utf-8")
    # BuildKit reads the one beside the Dockerfile instead of the context's.
    ignored = request.plan.ignored.encode(errors="surrogateescape")
    file.with_name("Dockerfile.dockerignore").write_bytes(ignored)
    return file


async def _run(
    command: list[str], request: BuildRequest, environ: Mapping[str, str], output: BuildOutput
) -> int:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    loop = asyncio.get_running_loop()
    drain = _Drain(reading, output)
    loop.add_reader(reading, drain)
    try:
        status = await run_child(
            command,
            directory=request.directory,
            environ=environ,
            output=writing,
            look=lambda: None,
        )
    finally:
        loop.remove_reader(reading)
        os.close(writing)
        drain()
        os.close(reading)
    drain.close()
    return status


class _Drain:
    """Takes what the command has printed so far.

    A full disk must not stop it: the command would wait for ever for somebody to read on.
    """

    def __init__(self, descriptor: int, output: BuildOutput) -> None:
        self._descriptor = descriptor
        self._output = output
        self._error: OSError | None = None

    def __call__(self) -> None:
        with suppress(BlockingIOError):
            while data := os.read(self._descriptor, _READ_AT_ONCE):
                self._take(data)

    def close(self) -> None:
        if self._error is not None:
            raise self._error
        self._output.close()

    def _take(self, data: bytes) -> None:
        if self._error is None:
            try:
                self._output.feed(data)
            except OSError as error:
                self._error = error
