"""What a shell beside a run is: on this machine for a process, in its container for a container.

Nothing is executed here: what is returned is what the command line becomes, or carries out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.domain.queue import Resource
from launch_tui.domain.run import ENDED, RunState
from launch_tui.errors import NotAvailable, UsageError
from launch_tui.targets import records
from launch_tui.targets.processes import HANDLE_VARIABLE, PROC, alive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.domain.run import Run
    from launch_tui.engine.client import Engine
    from launch_tui.sdk import Launch

FALLBACK = "/bin/sh"
"""The shell of who has not said which is theirs."""
OF_THE_TERMINAL = ("TERM", "COLORTERM")
"""What is not the job's to say: where its output goes has no terminal."""
BETTER = 'if command -v bash >/dev/null 2>&1; then exec bash; fi; exec "$@"'

_HIDDEN = (HANDLE_VARIABLE, faults.VARIABLE)
"""Not for the shell: whatever has the first counts as part of the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A program that takes the place of this one.

    ``directory`` is where it starts, None for where this one is; ``place`` says in words what one
    then has before oneself.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    place: str
    directory: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerShell:
    """A command to execute in a running container through the engine itself."""

    engine: Engine
    container: str
    command: tuple[str, ...]
    variables: Mapping[str, str]
    place: str


def shell_of(
    launch: Launch, reference: str, environ: Mapping[str, str], *, is_terminal: bool
) -> Shell | ContainerShell:
    """Return the shell beside a run.

    Args:
        launch: The data directory.
        reference: The run.
        environ: The variables of who asks.
        is_terminal: Whether they sit at one; else what the shell is to do is piped to it.

    Raises:
        UsageError: When there is nothing yet, or nothing any more, to open it in.
        EngineError: When the Docker engine refuses or does not answer.
    """
    run = launch.runs.get(reference)
    if run.resource == Resource.LOCAL_PROCESS:
        return _of_process(launch, run, environ)
    if run.resource == Resource.LOCAL_CONTAINER:
        return _of_container(run, environ, is_terminal=is_terminal)
    raise NotAvailable("shell", f"not available yet for runs on {run.resource}")


def _of_process(launch: Launch, run: Run, environ: Mapping[str, str]) -> Shell:
    spec = launch.runs.spec(run.id)
    attempt = launch.home.attempt(run.id, run.attempt)
    root = Path(spec.in_place) if spec.in_place else attempt / "source"
    directory = root / getattr(spec.source, "subdirectory", "")
    if not directory.is_dir():
        when = "not any more" if run.state in ENDED else "not yet"
        raise UsageError(
            "RUN", f"{run.id} is {run.state}, its folder is {when} there", allowed="a run with one"
        )
    variables = _of_living_job(attempt)
    if variables is None:
        variables = {
            **environ,
            **spec.captured,
            **spec.setenv,
            "LAUNCH_TUI_RUN_ID": run.id,
            "LAUNCH_TUI_RUN_DIR": str(launch.home.shared(run.id)),
        }
    own = {name: environ[name] for name in OF_THE_TERMINAL if name in environ}
    shell = environ.get("SHELL") or FALLBACK
    return Shell(
        command=(shell,),
        environment={k: v for k, v in {**variables, **own}.items() if k not in _HIDDEN},
        directory=directory,
        place=f"run {run.id} ({run.state}) in {directory}",
    )


def _of_living_job(attempt: Path) -> dict[str, str] | None:
    """Return the variables of an attempt's process, None when it does not run."""
    started = records.read_started(attempt)
    if started is None or not alive(started.job):
        return None
    try:
        pairs = (PROC / str(started.job.pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return None
    split = (pair.partition(b"=") for pair in pairs if pair)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in split}


def _of_container(
    run: Run, environ: Mapping[str, str], *, is_terminal: bool
) -> Shell | ContainerShell:
    if run.state not in ENDED and run.state is not RunState.RUNNING:
        raise UsageError("RUN", f"{run.id} is {run.state}", allowed="a run whose container runs")
    # Not at the top: a screen loads this, and only who opens a shell needs an engine.
    from launch_tui.engine.client import Engine
    from launch_tui.engine.docker_cli import docker_commands
    from launch_tui.targets.containers import container_name

    engine, name = Engine(environ), container_name(f"{run.id}.{run.attempt}")
    words = (*_shell_inside(engine, run, name),)
    command = (*words, "-c", BETTER, "sh", *words)
    place = f"run {run.id} ({run.state}) in container {name}"
    variables = {k: environ[k] for k in OF_THE_TERMINAL if k in environ} if is_terminal else {}
    for docker in docker_commands(environ):
        flags = ["-it" if is_terminal else "-i"]
        flags += [f"-e{key}={value}" for key, value in variables.items()]
        return Shell(
            command=(str(docker), "exec", *flags, name, *command),
            environment={**environ, **engine.endpoint.variables},
            place=place,
        )
    return ContainerShell(
        engine=engine, container=name, command=command, variables=variables, place=place
    )


def _shell_inside(engine: Engine, run: Run, name: str) -> tuple[str, ...]:
    """Return the shell that the container was started with: its own, or one that it was lent.

    Raises:
        UsageError: When the container does not run.
    """
    found = engine.ask_blocking(
        lambda api: api.containers(all=True, filters={"name": f"^/{name}$"})
    )
    if not found:
        raise UsageError(
            "RUN",
            f"{run.id} is {run.state}, and its container is gone",
            allowed="a run that is running; launch --keep leaves the container after its end",
        )
    inspected = engine.ask_blocking(lambda api: api.inspect_container(found[0]["Id"]))
    if not inspected["State"]["Running"]:
        raise UsageError(
            "RUN",
            f"{run.id} is {run.state}; its container {name} is kept and does not run",
            allowed=f"docker cp {name}:PATH ., or docker commit {name} IMAGE and a shell in that",
        )
    entry_point = [str(word) for word in inspected["Config"].get("Entrypoint") or ()]
    return tuple(entry_point[: entry_point.index("-c")]) if "-c" in entry_point else (FALLBACK,)
