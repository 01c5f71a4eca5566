"""Makes of a folder what a W&B job would have run: uncommitted changes, a notebook as a script."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from launch_tui.errors import UsageError

MAX_PATCH = 50_000_000
"""Bytes of a patch that is laid on."""
MAX_NOTEBOOK = 50_000_000
PATCH_TIMEOUT_S = 120.0


def apply_patch(folder: Path, patch: Path) -> None:
    """Lay the changes that were not committed on a working copy; none of it or all.

    git itself refuses paths that leave the folder or go through a symbolic link.

    Raises:
        UsageError: When it does not fit, with git's reason.
    """
    if patch.stat().st_size > MAX_PATCH:
        raise UsageError(patch.name, "is too large", allowed=f"{MAX_PATCH // 1_000_000} MB")
    # A repository around the folder would make git look for the paths in that.
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C",
    }
    command = ["git", "apply", "--whitespace=nowarn", "-p1", str(patch.absolute())]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATCH_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(patch.name, f"cannot be applied: {error}") from None
    if done.returncode:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = told[0].removeprefix("error: ") if told else f"git ended with {done.returncode}"
        raise UsageError(patch.name, f"does not fit the source: {reason}")


def notebook_to_script(folder: Path, notebook: str) -> str:
    """Write the code of a notebook beside it as a script, and return the script's path.

    As in W&B, lines that begin with ``!`` are left out; so are IPython's magics (``%``).

    Raises:
        UsageError: When it is not there, or no notebook.
    """
    path = folder / notebook
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise UsageError("entrypoint", f"{notebook} leads out of the job's files")
        if path.stat().st_size > MAX_NOTEBOOK:
            raise UsageError("entrypoint", f"{notebook} is too large")
        document = json.loads(path.read_text("utf-8"))
        cells = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
        sources = [
            cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
            for cell in cells
        ]
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError("entrypoint", f"{notebook}: {reason}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError("entrypoint", f"{notebook} is no notebook (nbformat 4)") from None
    lines = [
        line
        for source in sources
        for line in [*source.split("\n"), ""]
        if not line.lstrip().startswith(("!", "%"))
    ]
    script = str(Path(notebook).with_suffix(".py"))
    if (folder / script).is_symlink():
        raise UsageError("entrypoint", f"{script} is a link already")
    (folder / script).write_text("\n".join(lines) + "\n", "utf-8")
    return script
