"""``job import``: a job that W&B has, made a job here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.cli.jobs import schema_of, tell
from launch_tui.sdk.importing import ImportRequest

if TYPE_CHECKING:
    from launch_tui.cli.parsing import Arguments


def import_job(arguments: Arguments) -> int:
    """Make a job from a downloaded job artifact."""
    request = ImportRequest(
        place=arguments.words[0],
        files=arguments.text("files"),
        name=arguments.text("name"),
        aliases=arguments.many("alias"),
        description=arguments.text("description"),
        venv=arguments.text("venv"),
        python=arguments.text("python"),
        inputs=schema_of(arguments),
        tracking=arguments.text("tracking") or "required",
    )
    with arguments.open() as sdk:
        created = sdk.jobs.import_wandb(request)
    return tell(arguments, created)
