"""Where the values of secrets are: the agent's environment, a file, a keyring; in this order.

A run and a queue hold names alone. A value is looked up when the attempt starts, goes to the job
and is kept nowhere: no error repeats it, and a change of it holds for the next attempt.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from launch_tui.domain.environment import secret_named
from launch_tui.domain.given import MAX_VARIABLE
from launch_tui.errors import StartFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SERVICE = "launch_tui"
"""Under which name a keyring has them: ``keyring set launch_tui NAME``."""
KEYRING_TIMEOUT_S = 10.0
"""A keyring that is locked asks, and nobody is there to answer an agent."""


def secret_value(name: str, root: Path, environ: Mapping[str, str]) -> str:
    """Return a secret's value.

    Args:
        name: As ``--secret`` or ``${secret:NAME}`` has it.
        root: The data directory, whose folder ``secrets`` may have a file of that name.
        environ: The agent's environment.

    Raises:
        StartFailed: When nobody has it, or what has it cannot be used.
    """
    value = find_secret(name, root, environ)
    if value is None:
        file = root / "secrets" / name
        raise StartFailed(
            f"--secret {name}: neither the agent's environment nor {file} nor a keyring has it",
            next_step=f"write the value to {file} (mode 0600), or set it for the agent, then rerun",
        )
    return value


def find_secret(name: str, root: Path, environ: Mapping[str, str]) -> str | None:
    """Return a secret's value as ``secret_value`` does, None when nobody has it.

    Raises:
        StartFailed: When what has it cannot be used.
    """
    if name in environ:
        return environ[name]
    value = _of_file(name, root / "secrets" / name)
    if value is None:
        value = _of_keyring(name)
    if value is None:
        return None
    if "\0" in value or len(name) + 1 + len(value.encode()) > MAX_VARIABLE:
        raise StartFailed(
            f"--secret {name}: no process can be given its value (NUL, or over 128 KiB)",
            next_step="have the job read it from a file, then rerun",
        )
    return value


def resolved(
    variables: Mapping[str, str], root: Path, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return variables of a queue or a launch with the values that ``${secret:NAME}`` stand for."""
    return {
        name: value if secret is None else secret_value(secret, root, environ)
        for name, value in variables.items()
        for secret in (secret_named(value),)
    }


def _of_file(name: str, file: Path) -> str | None:
    try:
        with file.open("rb") as stream:
            found = os.fstat(stream.fileno())
            if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO) or found.st_uid != os.geteuid():
                raise StartFailed(
                    f"--secret {name}: {file} is not yours alone",
                    next_step=f"chmod 600 {file}, then rerun",
                )
            data = stream.read(MAX_VARIABLE + 2)
        return data.decode().rstrip("\n")
    except UnicodeDecodeError:
        raise StartFailed(
            f"--secret {name}: {file} is not UTF-8 text", next_step="write text, then rerun"
        ) from None
    except OSError:
        return None


def _of_keyring(name: str) -> str | None:
    """Ask the keyring by a process of its own: it may hang, and may load anything."""
    if find_spec("keyring") is None:
        return None
    command = [sys.executable, "-m", "keyring", "get", SERVICE, name]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=KEYRING_TIMEOUT_S,
            check=False,
        )
        return done.stdout.decode().rstrip("\n") if done.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
