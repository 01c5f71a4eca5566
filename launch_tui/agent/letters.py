"""What a webhook is sent: the JSON of the run as ``show --json`` has it, without secrets.

The values of the run's own secrets are looked up and taken out too, wherever the job has put them.
``text`` is one line for chat services, which show it as it is.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from launch_tui.domain.hiding import without_secrets
from launch_tui.errors import LaunchError, NotFound
from launch_tui.store import read
from launch_tui.store.clock import now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from launch_tui.domain.run import Run
    from launch_tui.store.database import Database
    from launch_tui.store.outbox import Letter


def payload(db: Database, letter: Letter) -> bytes:
    """Return the JSON that tells of the end of a run, also of one that is deleted since."""
    head: dict[str, Any] = {
        "event": f"run.{letter.state}",
        "key": letter.key,
        "try": letter.tries + 1,
        "sent_at": now(),
        "host": socket.gethostname(),
    }
    try:
        run = read.run(db, letter.run_id)
    except NotFound:
        gone = {"id": letter.run_id, "attempt": letter.attempt, "state": letter.state}
        body = head | {"text": f"run {letter.run_id} {letter.state}", "run": gone, "deleted": True}
    else:
        body = head | {"text": _line(run), "run": asdict(run)}
        body = without_secrets(body, _secrets(db, run))
    return json.dumps(body, allow_nan=False, ensure_ascii=False).encode("utf-8", "replace")


def _line(run: Run) -> str:
    name = run.job if run.name in ("", run.job) else f"{run.job} {run.name}"
    cause = f": {run.cause}" if run.cause and run.state != "finished" else ""
    return f"run {run.id} {name} {run.state}{cause}"


def _secrets(db: Database, run: Run) -> Iterator[str]:
    """Yield the values that the run was given as secrets, as far as the agent has them."""
    try:
        names = read.spec(db, run.id).secrets
    except LaunchError:
        return
    for name in names:
        if value := value_of(name, db):
            yield value


def value_of(name: str, db: Database) -> str | None:
    """Return a variable of the agent's, else the file of secrets of that name."""
    if name in os.environ:
        return os.environ[name]
    try:
        return (db.home.root / "secrets" / name).read_text("utf-8").rstrip("\n")
    except (OSError, ValueError):
        return None
