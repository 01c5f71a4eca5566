"""The variables of a job in a container.

An image brings its own surroundings: PATH, libraries and folders of this machine mean nothing
there. So of what was captured at enqueue only the settings of numerical libraries go in, and
nothing of the agent's own. The order is that of a process: the queue's ``env-file``, its ``env``,
tracking, what is said about the run, ``--setenv``, ``--pass-env`` and ``--secret``; later ones win.
The values reach the engine by its API, never by a command line.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.agent.env_file import read_env_file
from launch_tui.agent.environment import about_run, passed_value
from launch_tui.agent.secret_values import resolved, secret_value
from launch_tui.agent.wandb_account import online_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.domain.run import Run
    from launch_tui.domain.spec import RunSpec
    from launch_tui.store.paths import Home
    from launch_tui.targets.container_config import ContainerConfig

CARRIED = ("TZ", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
CARRIED_PREFIXES = ("NCCL_",)
"""What of the submitter's environment means the same in an image."""


def container_variables(
    run: Run,
    spec: RunSpec,
    home: Home,
    config: Mapping[str, object],
    resources: ContainerConfig | None,
    *,
    image: str,
    environ: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return all variables that the container of a run is told, beside its image's own.

    Args:
        run: The run, about to be started.
        spec: Its frozen request.
        home: The data directory.
        config: What the launch gave for ``wandb.config``.
        resources: The resource configuration, its macros expanded; None where there is none.
        image: The image's name, which W&B Launch tells a job as ``WANDB_DOCKER``.
        environ: The agent's own environment; by default that of this process.

    Raises:
        StartFailed: When a variable, secret or file that the run refers to is not there.
    """
    environ = os.environ if environ is None else environ
    variables = {
        name: value
        for name, value in spec.captured.items()
        if name in CARRIED or name.startswith(CARRIED_PREFIXES)
    }
    if resources is not None:
        for file in resources.env_file:
            variables |= read_env_file(file, Path.home())
        variables |= resolved(resources.env, home.root, environ)
    variables |= about_run(run, spec, home, config)
    variables["WANDB_DOCKER"] = image
    variables.setdefault("PYTHONUNBUFFERED", "1")
    user = _user_name()
    # Without an entry in the image's password file, getpass and what uses it need these.
    variables |= {name: user for name in ("USER", "LOGNAME") if name not in variables}
    variables |= spec.setenv
    for name in spec.pass_env:
        variables[name] = passed_value(name, environ)
    for name in spec.secrets:
        variables[name] = secret_value(name, home.root, environ)
    return variables | online_variables(spec, variables, home.root, environ)


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
