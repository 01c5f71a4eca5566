"""What a run's directory tells of the run where the store knows nothing of it.

From its record all of it; without one, from ``spec.json`` and from the files of its last attempt.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from launch_tui.care import run_record
from launch_tui.domain.run import Phase, RunState
from launch_tui.store.clock import iso, now
from launch_tui.targets.processes import alive
from launch_tui.targets.records import read_exit, read_started

if TYPE_CHECKING:
    from pathlib import Path

    from launch_tui.store.paths import Home

_PLAIN = (
    "id", "name", "project", "job", "version", "priority", "attempt", "note", "created_at",
    "claimed_at", "image", "image_digest",
)  # fmt: skip
_JSON = ("config", "tags", "gpus")


def account_of_directory(home: Home, run_id: str) -> dict[str, Any] | None:
    """Return what ``put_record`` takes; None where the directory does not tell enough."""
    record = run_record.read(home, run_id)
    if record is not None:
        return record
    try:
        told = json.loads(home.spec(run_id).read_bytes())
        row = {name: told[name] for name in _PLAIN if told.get(name) is not None}
        row |= {name: json.dumps(told[name]) for name in _JSON}
        row["spec"] = json.dumps(told["spec"], ensure_ascii=False, separators=(",", ":"))
        row |= {"place": 0, "seq": None, "group_id": told.get("group", "")}
        queue = {"name": told["queue"], "resource": told["resource"], "created_at": now()}
        if row["id"] != run_id:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    row |= _state(home.attempt(run_id, int(row.get("attempt", 1))))
    return {"row": row, "queue": queue, "events": [], "dependencies": []}


def is_alive(attempt: Path) -> bool:
    """Whether the attempt's job or its supervisor still runs."""
    started = read_started(attempt)
    return started is not None and (alive(started.job) or alive(started.supervisor))


def _state(attempt: Path) -> dict[str, Any]:
    started = read_started(attempt)
    when = iso(started.started_at) if started and started.started_at else None
    if is_alive(attempt):
        return {"state": RunState.RUNNING, "started_at": when}
    ended = read_exit(attempt)
    common = {
        "started_at": when,
        "ended_at": iso(ended.ended.ended_at) if ended and ended.ended.ended_at else now(),
        "cause": "the store lost this run; its directory brought it back",
    }
    if ended is None:
        return {**common, "state": RunState.LOST, "phase": Phase.RUN}
    code = ended.ended.exit_code
    good = code == 0
    state = RunState.FINISHED if good else RunState.FAILED
    return {**common, "state": state, "exit_code": code, "phase": None if good else Phase.RUN}
