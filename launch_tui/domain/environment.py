"""Which variables of the submitter's environment a job gets, and how the words that set them read.

An agent may run under systemd's bare PATH while the person who launches has conda and CUDA set up,
so an allow-list of variables is captured at enqueue. Secrets are never captured: they are named and
the agent resolves them when the job starts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CAPTURED = (
    "PATH",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "LIBRARY_PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)
"""Variables captured by name."""

CAPTURED_PREFIXES = (
    "CONDA_",
    "CUDA_",
    "NCCL_",
    "NVIDIA_",
    "ROCM_",
    "HIP_",
    "HSA_",
    "TORCH_",
    "PYTORCH_",
    "XLA_",
    "JAX_",
    "TF_",
    "HF_",
    "TRANSFORMERS_",
    "LC_",
)
"""Variables captured by how they begin."""

OF_THE_RUN = (
    "LAUNCH_TUI_RUN_ID",
    "LAUNCH_TUI_ATTEMPT",
    "LAUNCH_TUI_RUN_DIR",
    "LAUNCH_TUI_HANDLE",
    "LAUNCH_TUI_HOOK",
)
"""Variables that the agent gives each attempt, and by which it finds the attempt's processes."""

_OF_THE_CONFIG = re.compile(r"WANDB_(?:CONFIG|LAUNCH_FILE_OVERRIDES)(?:_\d+)?\Z")
"""In these a launch's configuration goes to the job (``tracking.variables``)."""
_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|ACCESS_KEY", re.IGNORECASE)
_USERINFO = re.compile(r"://[^/@\s]+@")
_REFERENCE = re.compile(r"\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def capture(environ: Mapping[str, str], extra: Iterable[str] = ()) -> dict[str, str]:
    """Return the variables of ``environ`` that a job gets.

    A variable whose name says that it is a secret, or whose value is a URL with credentials in
    it, is left out even when the allow-list has it.

    Args:
        environ: The submitter's environment.
        extra: More names to capture.
    """
    wanted = {*CAPTURED, *extra}
    # By name first: os.environ decodes each value that it is asked for.
    names = [
        name
        for name in environ
        if (name in wanted or name.startswith(CAPTURED_PREFIXES)) and not _SECRET.search(name)
    ]
    return {name: environ[name] for name in names if not _USERINFO.search(environ[name])}


def check_variable(name: str, *, field: str) -> str:
    """Return ``name`` if an environment variable may be called so."""
    if not _NAME.match(name):
        raise UsageError(
            field, f"{name!r} cannot be a variable's name", allowed="letters, digits and _"
        )
    return name


def check_own_variable(name: str, *, field: str) -> str:
    """Return ``name`` if a launch may say what that variable is.

    Raises:
        UsageError: For what cannot be a name, and for variables of which the agent says it.
    """
    check_variable(name, field=field)
    if name in OF_THE_RUN:
        allowed = f"any but {', '.join(OF_THE_RUN)}"
        raise UsageError(field, f"{name} is set by the agent for each attempt", allowed=allowed)
    if _OF_THE_CONFIG.match(name):
        problem = f"{name} is how the configuration is handed over"
        raise UsageError(field, problem, allowed="key=value words, or -c")
    return name


def parse_assignment(text: str, *, field: str = "--setenv") -> tuple[str, str]:
    """Return name and value of ``NAME=value``; the value may hold anything, also ``=``."""
    name, separator, value = text.partition("=")
    if not separator:
        raise UsageError(field, f"{text!r} has no '='", allowed="NAME=value")
    return check_variable(name, field=field), value


def secret_named(value: str) -> str | None:
    """Return the name of the secret that a variable's value refers to, None for any other value."""
    found = _REFERENCE.match(value)
    return found[1] if found else None


def check_reference(value: str, *, field: str) -> None:
    """Refuse what looks like a reference to a secret and is none: it would be taken as text."""
    if "${secret" in value and secret_named(value) is None:
        problem = "refers to a secret within other text" if "${secret:" in value else "is cut"
        raise UsageError(field, problem, allowed="${secret:NAME} as the whole value")


def looks_secret(name: str) -> bool:
    """Say whether a variable's name says that its value is a secret."""
    return bool(_SECRET.search(name))
