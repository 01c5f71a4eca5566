"""What a job gets from its surroundings when it starts: its variables, macros, its Python.

Variables in this order, later ones win: the agent's own environment, what was captured at enqueue,
the interpreter, the queue's ``env_file``, the queue's ``env``, tracking, what is said about the
run, ``--setenv``, ``--pass-env`` and ``--secret``; last of all the GPUs that were assigned, because
nothing a job is told may show it those of another. The values of secrets exist only here and in the
job: they are never stored. (A launch's own ``-R env.A=1`` is part of the configuration and so of
``env``.)
"""

from __future__ import annotations

import functools
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui import faults
from launch_tui.agent.env_file import read_env_file
from launch_tui.agent.secret_values import resolved, secret_value
from launch_tui.domain.environment import CAPTURED, CAPTURED_PREFIXES
from launch_tui.domain.home_path import at_home
from launch_tui.domain.job import Environment, VenvMode
from launch_tui.domain.macros import expand
from launch_tui.domain.sync import WandbMode
from launch_tui.errors import StartFailed
from launch_tui.tracking.declared import listening, put_first
from launch_tui.tracking.offline import STRIPPED, job_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from launch_tui.builders import Interpreter
    from launch_tui.domain.run import Run
    from launch_tui.domain.spec import RunSpec
    from launch_tui.store.paths import Home
    from launch_tui.targets.local_process_keys import LocalProcessConfig

_OURS = frozenset({faults.VARIABLE, "LAUNCH_TUI_HOME"})


def variables_of(
    run: Run,
    spec: RunSpec,
    interpreter: Interpreter,
    home: Home,
    config: Mapping[str, object],
    environ: Mapping[str, str] | None = None,
    *,
    resources: LocalProcessConfig | None = None,
    devices: Mapping[str, str] | None = None,
    working_directory: Path | None = None,
) -> dict[str, str]:
    """Return all variables of a run's job.

    Args:
        run: The run, about to be started.
        spec: Its frozen request.
        interpreter: What the builder made.
        home: The data directory.
        config: What the launch gave for ``wandb.config``.
        environ: The agent's own environment; by default that of this process.
        resources: The resource configuration, its macros expanded; None where there is none.
        devices: What shows the job its assigned GPUs (``devices.visible.visible_devices``).
        working_directory: Where the job starts, and where a relative ``env_file`` is.

    Raises:
        StartFailed: When a variable or secret that the run refers to is not there, or an
            ``env_file`` is not there or cannot be read (file and line are named).
    """
    environ = _this_process() if environ is None else environ
    own = {
        name: value
        for name, value in environ.items()
        # What the submitter had decides about an allow-listed variable, also when it was not set.
        if not (name in CAPTURED or name.startswith(CAPTURED_PREFIXES) or name in _OURS)
    }
    variables = interpreter.environ({**own, **spec.captured})
    for name in STRIPPED:
        variables.pop(name, None)
    if resources is not None:
        for file in resources.env_file:
            variables |= read_env_file(file, working_directory or Path.home())
        variables |= resolved(resources.env, home.root, environ)
    variables |= about_run(run, spec, home, config)
    variables.setdefault("PYTHONUNBUFFERED", "1")
    variables |= spec.setenv
    for name in spec.pass_env:
        variables[name] = passed_value(name, environ)
    for name in spec.secrets:
        variables[name] = secret_value(name, home.root, environ)
    return put_first(variables) | dict(devices or {})


def about_run(run: Run, spec: RunSpec, home: Home, config: Mapping[str, object]) -> dict[str, str]:
    """Return the variables that tell a job about its run: for tracking, and for itself.

    Args:
        run: The run, about to be started.
        spec: Its frozen request.
        home: The data directory.
        config: What the launch gave for ``wandb.config``.
    """
    directory = home.attempt(run.id, run.attempt) / "wandb"
    tracking = job_environment(
        run_id=run.id,
        directory=directory,
        project=run.project,
        name=run.name,
        entity=spec.entity,
        config=config,
        tags=run.tags,
        notes=run.note,
        queue=run.queue,
        attempt=run.attempt,
        mode=str(spec.resources.get("wandb") or WandbMode.OFFLINE),
    )
    return (
        tracking
        | listening(directory)
        | {
            "LAUNCH_TUI_RUN_ID": run.id,
            "LAUNCH_TUI_ATTEMPT": str(run.attempt),
            "LAUNCH_TUI_RUN_DIR": str(home.shared(run.id)),
            "MASTER_PORT": str(free_port()),
        }
    )


def macro_values(
    run: Run,
    spec: RunSpec,
    gpus: Sequence[str],
    environ: Mapping[str, str] | None = None,
    allowed: Iterable[str] = (),
    image: str = "",
) -> dict[str, str]:
    """Return what each macro stands for in the resource configuration of a run.

    Args:
        run: The run, about to be started.
        spec: Its frozen request.
        gpus: The UUIDs of the GPUs that were assigned.
        environ: The agent's own environment; by default that of this process.
        allowed: The agent's variables that may be referred to (``macro_environment`` of its
            configuration). None of them takes the place of a macro.
        image: The image that it runs in, where one is known already.
    """
    environ = _this_process() if environ is None else environ
    own = {
        "project_name": run.project,
        "entity_name": spec.entity,
        "run_id": run.id,
        "run_name": run.name,
        "image_uri": image,
        "author": spec.author,
        "queue_name": run.queue,
        "job_name": run.job,
        "gpus": ",".join(gpus),
    }
    return {name: environ[name] for name in allowed if name in environ} | own


def expand_resources(resources: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Return a resource configuration with its macros replaced, but for those in ``setup``.

    There they are variables of the shell (``targets.job_wrapper.wrap``).

    Args:
        resources: Merged, filled and checked.
        values: From ``macro_values``.
    """
    return {
        key: value if key == "setup" else expand(value, values) for key, value in resources.items()
    }


def environment_for(
    environment: Environment, python: str, environ: Mapping[str, str] | None = None
) -> Environment:
    """Return the environment of a job with the ``python`` of the resource configuration.

    A version is what a job's environment is built with, or, where none is built, an interpreter of
    this machine; a path is an interpreter that is used as it is, with the packages it has.

    Args:
        environment: The job's own.
        python: A version such as ``3.11``, a path, or nothing, which changes nothing.
        environ: Where PATH is looked up; by default this process's.

    Raises:
        StartFailed: No interpreter of that version is on this machine.
    """
    if not python:
        return environment
    if not python[0].isdigit():
        path = str(at_home(python))
        return Environment(mode=VenvMode.PYTHON, interpreter=path)
    if environment.mode is VenvMode.BUILD:
        return Environment(mode=VenvMode.BUILD, python_version=python)
    from launch_tui.builders.pythons import find_python, found_versions

    environ = _this_process() if environ is None else environ
    found = find_python(python, environ)
    if found is None:
        versions = ", ".join(found_versions(environ)) or "none"
        raise StartFailed(
            f"python: Python {python} is not on this machine (found: {versions})",
            next_step="Install it, or change `python` in the resource configuration, then rerun",
        )
    return Environment(mode=VenvMode.PYTHON, interpreter=str(found))


@functools.cache
def _this_process() -> dict[str, str]:
    """Return this process's environment, decoded once: nothing of ours changes it."""
    return dict(os.environ)


def free_port() -> int:
    """Return a TCP port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def passed_value(name: str, environ: Mapping[str, str]) -> str:
    """Return a variable of the agent's environment.

    Raises:
        StartFailed: When there is none of that name.
    """
    if name not in environ:
        raise StartFailed(
            f"--pass-env {name}: the agent's environment has no such variable",
            next_step=f"set {name} where the agent is started, then rerun",
        )
    return environ[name]
