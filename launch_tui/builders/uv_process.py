"""Which uv is run, and with which variables: plain output, the user's index settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from launch_tui.builders.package_index import index_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

# Where the agent runs must not decide what uv works on.
_REMOVED = (
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYTHONHOME",
    "PYTHONPATH",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT",
    "UV_WORKING_DIRECTORY",
    "UV_NO_SYNC",
    "FORCE_COLOR",
    "CLICOLOR_FORCE",
)


def find_uv() -> str:
    """Return the path of the uv binary that is installed with this package.

    Raises:
        FileNotFoundError: When the installation is broken.
    """
    import uv

    return os.fspath(uv.find_uv_bin())


def uv_environ(base: Mapping[str, str]) -> dict[str, str]:
    """Return the variables uv runs with: plain output, the user's index settings."""
    result = {name: value for name, value in base.items() if name not in _REMOVED}
    # A cached environment outlives the working copy that an editable install would point into.
    plain = {"NO_COLOR": "1", "UV_NO_PROGRESS": "1", "UV_NO_EDITABLE": "1"}
    return result | index_variables(base) | plain
