"""What a person may change of a job, as YAML: another command makes the job's next version."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from launch_tui.domain.config_keys import shown_value
from launch_tui.errors import UsageError
from launch_tui.sdk.queues import TRACKING, check_tracking
from launch_tui.tui.editing import write_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.domain.job import JobVersion

FIELDS = ("description", "entry_point", "tracking", "inputs")


def job_document(job: JobVersion) -> str:
    """Return what may be changed of a job version as YAML to edit."""
    told = {
        "entry_point": ["the command that a run is, as a shell splits it; nothing is expanded"],
        "tracking": [f"tracking: {' or '.join(TRACKING)}"],
        "inputs": ["a JSON Schema of wandb.config: types, limits, defaults of the launch form"],
    }
    values = {
        "description": job.description,
        "entry_point": shlex.join(job.entry_point),
        "tracking": job.tracking,
        "inputs": dict(job.inputs),
    }
    parts = [
        f"# Job {job.name}:{job.version}. Another command or tracking makes its next version.\n"
    ]
    for name in FIELDS:
        parts += [f"# {line}\n" for line in told.get(name, ())]
        parts.append(write_yaml({name: values[name]}))
    return "".join(parts)


def read_job(text: str, job: JobVersion) -> Mapping[str, Any]:
    """Return the fields of a job version that an edited document changes.

    Raises:
        UsageError: When it cannot be read, or a field cannot be what it says.
    """
    from launch_tui.domain.document import read_document

    values = {k: v for k, v in read_document(f"{text}\n", "YAML").items() if v is not None}
    for name, value in values.items():
        if name not in FIELDS:
            raise UsageError(name, "cannot be changed", allowed=", ".join(FIELDS))
        kind, noun = (dict, "an object") if name == "inputs" else (str, "a text")
        if not isinstance(value, kind):
            raise UsageError(name, f"{shown_value(value)} is not {noun}", allowed=noun)
    if "tracking" in values:
        check_tracking(values["tracking"], field="tracking")
    if "entry_point" in values:
        values["entry_point"] = _words(values["entry_point"], job)
    return {key: value for key, value in values.items() if value != getattr(job, key)}


def _words(text: str, job: JobVersion) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError("entry_point", f"{text!r}: {error}", allowed="python train.py") from None
    if not words and job.entry_point:
        raise UsageError("entry_point", "is empty", allowed="a command, such as python train.py")
    return words
