"""Where a run's page in W&B is: known once it was synced, or when the job itself was online."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.domain.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from launch_tui.sdk import Launch

_AT_THE_START = 64 << 10
_AT_THE_END = 64 << 10
_PAGE = re.compile(r"https?://[\w.:-]+/[\w.%~+-]+/[\w.%~+-]+/runs/[\w.%~+-]+")


@dataclass(frozen=True, slots=True)
class Page:
    """A run's page; where there is none, ``why`` says so and what makes one."""

    url: str = ""
    why: str = ""


def page_of(launch: Launch, reference: str) -> Page:
    """Return the page of a run, as far as it is known here.

    Args:
        launch: The data directory.
        reference: The run.
    """
    run = launch.runs.get(reference)
    if run.sync.url:
        return Page(run.sync.url)
    for attempt in range(run.attempt, 0, -1):
        folder = launch.home.attempt(run.id, attempt)
        # What the job printed while online, and what `wandb sync` printed beside the run.
        for path in (folder / "output.log", *_sync_logs(folder)):
            if found := _page_in(path):
                return Page(found)
    if not run.tracked:
        return Page(why=f"{run.id} has no page in W&B: it has not called wandb.init")
    return Page(
        why=f"{run.id} has no page in W&B: it was tracked offline. "
        f"launch-tui sync {run.id} sends it"
    )


def _sync_logs(folder: Path) -> Iterator[Path]:
    yield from sorted((folder / "wandb").glob("sync*.log"), reverse=True)


def _page_in(path: Path) -> str:
    """Return the last address of a page in the beginning and the end of a file."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(_AT_THE_START)
            if size > _AT_THE_START:
                file.seek(max(size - _AT_THE_END, _AT_THE_START))
                data += b"\n" + file.read(_AT_THE_END)
    except OSError:
        return ""
    found = ""
    for line in data.split(b"\n"):
        if b"/runs/" in line and (match := _PAGE.search(plain(line))):
            found = match[0]
    return found
