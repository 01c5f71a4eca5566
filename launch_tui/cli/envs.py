"""``env``: the cached Python environments, and removing those that nothing uses."""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from launch_tui.cli.output import print_json, say, table
from launch_tui.cli.times import span, stamp
from launch_tui.domain.quantities import MAX_DURATION
from launch_tui.domain.run import ACTIVE
from launch_tui.errors import UsageError
from launch_tui.store.clock import seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.builders.environments import CachedEnvironment
    from launch_tui.builders.venv import VenvBuilder
    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk import Launch

KEEP_S = 30 * 86400.0
"""What was used since so many seconds ago stays, unless ``--older-than`` says otherwise."""

_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])\Z")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def list_environments(arguments: Arguments) -> int:
    """Print the cached environments, the last used first."""
    with arguments.open() as sdk:
        found = _builder(sdk).list_environments()
    if not found and not arguments.json:
        say("no environments")
    _print(found, json=arguments.json)
    return 0


def prune(arguments: Arguments) -> int:
    """Remove environments that were not used for a while."""
    oldest = time.time() - older_than(arguments)
    dry_run = arguments.on("dry_run")
    with arguments.open() as sdk:
        # What a run has taken into use since it was claimed stays, however short the age.
        for run in sdk.runs.every(states=tuple(ACTIVE)):
            oldest = min(oldest, seconds(run.claimed_at or run.created_at))
        removed = _builder(sdk).prune(oldest, frozenset(), dry_run)
    if not arguments.json:
        say(f"{'would remove' if dry_run else 'removed'} {len(removed)} environments")
    _print(removed, json=arguments.json)
    return 0


def _builder(sdk: Launch) -> VenvBuilder:
    from launch_tui.builders.venv import VenvBuilder

    return VenvBuilder(sdk.home.environments)


def older_than(arguments: Arguments) -> float:
    """Return the seconds that ``--older-than`` says."""
    text = arguments.text("older_than")
    if not text:
        return KEEP_S
    match = _AGE.match(text)
    if match is None:
        raise UsageError("--older-than", f"{text!r} is no age", allowed="such as 30d, 12h, 0s")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > MAX_DURATION:
        raise UsageError("--older-than", f"{text!r} is more than ten years", allowed="such as 30d")
    return seconds


def _print(found: Sequence[CachedEnvironment], *, json: bool) -> None:
    if json:
        print_json([_json(environment) for environment in found])
        return
    now = time.time()
    rows = [
        (
            e.key[:12],
            e.python or "unfinished",
            e.made_from,
            e.packages or "",
            e.wandb,
            f"{e.size / 1e6:.0f} MB",
            f"{span(now - e.last_used_at)} ago",
        )
        for e in found
    ]
    table(("ENVIRONMENT", "PYTHON", "MADE FROM", "PACKAGES", "WANDB", "SIZE", "USED"), rows)


def _json(environment: CachedEnvironment) -> dict[str, Any]:
    return {
        **asdict(environment),
        "path": str(environment.path),
        "created_at": stamp(environment.created_at),
        "last_used_at": stamp(environment.last_used_at),
    }
