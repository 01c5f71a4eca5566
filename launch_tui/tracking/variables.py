"""The environment variables through which a launched job meets ``wandb``, and why it may not have.

Names and rules are those of W&B Launch (WANDB_CONFIG in pieces, WANDB_LAUNCH and so on), with
offline mode in place of a server, unless the launch wants it online: the job writes a transaction
log into its own directory, and offline never waits for anybody.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from launch_tui.domain.managed_files import split_files
from launch_tui.domain.sync import WandbMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FLUSH_INTERVAL_S = 0.5
"""How often wandb 0.31 and later write to the log; earlier versions write whole blocks."""
CONFIG_PIECE = 32_670
"""Characters of WANDB_CONFIG in one variable, as in W&B Launch."""
MAX_PIECES = 100

STRIPPED: tuple[str, ...] = (
    # A service of the agent's own wandb, or of a run around the agent.
    "WANDB_SERVICE",
    "WANDB__SERVICE",
    "WANDB_INITED",
    # Offline, wandb refuses to use any artifact.
    "WANDB_ARTIFACTS",
    # What another run is, or was launched with.
    "WANDB_RUN_ID",
    "WANDB_RUN_STORAGE_ID",
    "WANDB_RUN_DIR",
    "WANDB_RUN_GROUP",
    "WANDB_JOB_TYPE",
    "WANDB_JOB_NAME",
    "WANDB_NAME",
    "WANDB_NOTES",
    "WANDB_DESCRIPTION",
    "WANDB_TAGS",
    "WANDB_PROJECT",
    "WANDB_ENTITY",
    "WANDB_SWEEP_ID",
    "WANDB_SWEEP_PARAM_PATH",
    "WANDB_RESUME",
    "WANDB_RESUME_FROM",
    "WANDB_FORK_FROM",
    "WANDB_CONFIG",
    "WANDB_CONFIG_PATHS",
    "WANDB_LAUNCH",
    "WANDB_LAUNCH_CONFIG_PATH",
    "WANDB_LAUNCH_FILE_OVERRIDES",
    "WANDB_LAUNCH_QUEUE_NAME",
    "WANDB_LAUNCH_QUEUE_ENTITY",
    "WANDB_LAUNCH_TRACE_ID",
    "WANDB_DOCKER",
    "WANDB_PROGRAM",
    "WANDB_ARGS",
    "WANDB_EXECUTABLE",
    "WANDB_X_EXECUTABLE",
    "WANDB_GIT_COMMIT",
    "WANDB_GIT_REMOTE_URL",
    # Where and whether it tracks.
    "WANDB_DIR",
    "WANDB_DATA_DIR",
    "WANDB_MODE",
    "WANDB_DISABLED",
    *(f"WANDB_CONFIG_{number}" for number in range(MAX_PIECES)),
    *(f"WANDB_LAUNCH_FILE_OVERRIDES_{number}" for number in range(MAX_PIECES)),
)
"""Variables that must not reach a job from the environment of its agent."""


def job_environment(
    *,
    run_id: str,
    directory: Path,
    project: str = "",
    name: str = "",
    entity: str = "",
    config: Mapping[str, Any] | None = None,
    tags: Iterable[str] = (),
    notes: str = "",
    queue: str = "",
    attempt: int = 1,
    mode: str = WandbMode.OFFLINE,
) -> dict[str, str]:
    """Return the variables that make an unmodified script's ``wandb`` track this run.

    Args:
        run_id: The run's id, which wandb takes as its own.
        directory: Where wandb writes; it must exist when the job starts, or wandb falls back to
            the system's temporary directory.
        project: The project; empty leaves it to the script.
        name: The display name; a ``name=`` in the script beats it.
        entity: A label; empty leaves it out.
        config: What reaches ``wandb.config``, where it beats the script's own values, and what
            W&B's ``launch.manage_config_file`` lays into files (``domain.managed_files``).
        tags: Tags; wandb splits them at commas. ``tags=`` in the script beats them.
        notes: A note; ``notes=`` in the script beats it.
        queue: The queue's name.
        attempt: The attempt's number; from the second on, wandb may resume.
        mode: Whether wandb also sends what it writes (``WandbMode``).
    """
    variables = {
        "WANDB_MODE": str(mode),
        "WANDB_DIR": str(directory),
        # Copies of what is logged as an artifact go there: by default into the person's own home
        # directory, into a container's that is gone with it.
        "WANDB_DATA_DIR": str(directory),
        "WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL": str(FLUSH_INTERVAL_S),
        "WANDB_LAUNCH": "true",
        "WANDB_RUN_ID": run_id,
        "WANDB_PROJECT": project,
        "WANDB_NAME": name,
        "WANDB_ENTITY": entity,
        "WANDB_TAGS": ",".join(tags),
        "WANDB_NOTES": notes,
        "WANDB_LAUNCH_QUEUE_NAME": queue,
        "WANDB_RESUME": "allow" if attempt > 1 else "",
    }
    given = {name: value for name, value in variables.items() if value}
    own, files = split_files(config or {})
    return (
        given | _in_pieces("WANDB_CONFIG", own) | _in_pieces("WANDB_LAUNCH_FILE_OVERRIDES", files)
    )


def why_untracked(log_tail: bytes, environment: Mapping[str, str]) -> str | None:
    """Return why a job that ended left no sign of ``wandb.init``, None when it cannot be told.

    Args:
        log_tail: The last bytes of the job's output.
        environment: The job's variables.
    """
    if environment.get("WANDB_MODE") == "disabled":
        return "wandb is disabled (WANDB_MODE=disabled)"
    disabled = environment.get("WANDB_DISABLED", "")
    if disabled.lower() in _TRUE:
        return f"wandb is disabled (WANDB_DISABLED={disabled})"
    for pattern, reason in _SIGNS:
        found = pattern.search(log_tail)
        if found:
            return f"{reason} ({found.group().decode('utf-8', 'replace').strip()})"
    return None


_TRUE = frozenset({"1", "true", "yes", "on"})
_SIGNS = (
    (re.compile(rb"ModuleNotFoundError: No module named 'wandb'"), "wandb is not installed"),
    (re.compile(rb"W&B disabled[^\r\n\x1b]{0,80}"), "wandb is disabled"),
    (
        re.compile(rb"(?i)(?:api_key not configured|no api key configured)[^\r\n\x1b.]{0,40}"),
        "the script sets mode='online' and wandb has no API key",
    ),
)


def _in_pieces(name: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Return values as JSON in one variable, or in the pieces that wandb joins again."""
    if not values:
        return {}
    text = json.dumps(values)
    if len(text) <= CONFIG_PIECE:
        return {name: text}
    pieces = [text[at : at + CONFIG_PIECE] for at in range(0, len(text), CONFIG_PIECE)]
    return {f"{name}_{number}": piece for number, piece in enumerate(pieces)}
