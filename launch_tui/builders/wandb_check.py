"""Whether a job would find wandb, told when the job is made: a warning then saves a failed run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.builders.requirements import ReadFile, asked_for, reader
from launch_tui.domain.job import Environment, VenvMode

if TYPE_CHECKING:
    from pathlib import Path


def lacks_wandb(files: Path | ReadFile, environment: Environment) -> bool:
    """Whether a job of these files would not find wandb, as far as can be told without building.

    In mode ``build``, wandb is not named by the files that ask for packages (one that comes along
    with another package counts only where a lock names it); in ``current`` and ``python``, the
    interpreter does not have it. Nothing is known of mode ``none``, so False.

    Args:
        files: The job's folder, or what reads a file of it by its path in there.
        environment: The job's environment.
    """
    if environment.mode is VenvMode.BUILD:
        read_file = files if callable(files) else reader(files)
        return not asked_for(read_file).mentions_wandb
    if environment.mode is VenvMode.NONE or not environment.interpreter:
        return False
    from launch_tui.builders.pythons import has_package

    return not has_package(environment.interpreter, "wandb")
