"""The variables that a job gets, put together when it starts.

In this order, later ones win: the agent's own environment, what was captured at enqueue, the
interpreter, tracking, what is said about the run, ``--setenv``, ``--pass-env`` and ``--secret``.
The values of secrets exist only here and in the job: they are never stored.
"""

from __future__ import annotations

import functools
import os
import socket
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.domain.environment import CAPTURED, CAPTURED_PREFIXES
from launch_tui.errors import StartFailed
from launch_tui.tracking.offline import STRIPPED, job_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from launch_tui.builders import Interpreter
    from launch_tui.domain.run import Run
    from launch_tui.domain.spec import RunSpec
    from launch_tui.store.paths import Home

_OURS = frozenset({faults.VARIABLE, "LAUNCH_TUI_HOME"})


def variables_of(
    run: Run,
    spec: RunSpec,
    interpreter: Interpreter,
    home: Home,
    config: Mapping[str, object],
    environ: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return all variables of a run's job.

    Args:
        run: The run, about to be started.
        spec: Its frozen request.
        interpreter: What the builder made.
        home: The data directory.
        config: What the launch gave for ``wandb.config``.
        environ: The agent's own environment; by default that of this process.

    Raises:
        StartFailed: When a variable or secret that the run refers to is not there.
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
    attempt = home.attempt(run.id, run.attempt)
    variables |= job_environment(
        run_id=run.id,
        directory=attempt / "wandb",
        project=run.project,
        name=run.name,
        entity=spec.entity,
        config=config,
        tags=run.tags,
        notes=run.note,
        queue=run.queue,
        attempt=run.attempt,
    )
    variables.setdefault("PYTHONUNBUFFERED", "1")
    variables |= {
        "LAUNCH_TUI_RUN_ID": run.id,
        "LAUNCH_TUI_ATTEMPT": str(run.attempt),
        "LAUNCH_TUI_RUN_DIR": str(home.shared(run.id)),
        "MASTER_PORT": str(free_port()),
    }
    variables |= spec.setenv
    for name in spec.pass_env:
        variables[name] = _passed(name, environ)
    for name in spec.secrets:
        variables[name] = _secret(name, home.root, environ)
    return variables


@functools.cache
def _this_process() -> dict[str, str]:
    """Return this process's environment, decoded once: nothing of ours changes it."""
    return dict(os.environ)


def free_port() -> int:
    """Return a TCP port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _passed(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise StartFailed(
            f"--pass-env {name}: the agent's environment has no such variable",
            next_step=f"set {name} where the agent is started, then rerun",
        )
    return environ[name]


def _secret(name: str, root: Path, environ: Mapping[str, str]) -> str:
    """Return a secret's value: the agent's variable, else the file of that name."""
    if name in environ:
        return environ[name]
    file = root / "secrets" / name
    try:
        return file.read_text("utf-8").rstrip("\n")
    except OSError:
        raise StartFailed(
            f"--secret {name}: neither the agent's environment nor {file} has it",
            next_step=f"write the value to {file} (mode 0600), or set it for the agent, then rerun",
        ) from None
