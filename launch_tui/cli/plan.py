"""``launch --dry-run``: what a launch would do, in words or as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from launch_tui.cli.output import brief, line, notes, pairs, print_json

if TYPE_CHECKING:
    from launch_tui.sdk import Plan


def print_plan(plan: Plan, *, json: bool) -> int:
    """Print a plan."""
    if json:
        print_json(asdict(plan))
        return 0
    notes(plan.warnings)
    pairs(
        {
            "job": f"{plan.job}:{plan.version}",
            "queue": f"{plan.queue} ({plan.resource}), position {plan.position}",
            "name": plan.name,
            "project": plan.project,
            "source": plan.source,
            "build": plan.build,
            "command": plan.command,
        }
    )
    for title, values in (("config", plan.config), ("environment", plan.environment)):
        for key, value in values.items():
            line(f"{title}.{key}={brief(value)}")
    return 0
