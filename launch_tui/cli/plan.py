"""``launch --dry-run``: what a launch would do, in words or as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from launch_tui.cli.output import brief, line, notes, pairs, print_json
from launch_tui.cli.times import local, span
from launch_tui.domain.queue import Resource

if TYPE_CHECKING:
    from launch_tui.sdk.plan import Plan


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
            "runs": f"{plan.runs}, as one group; of the first:" if plan.runs > 1 else "",
            "name": plan.name,
            "project": plan.project,
            "priority": plan.priority,
            "after": ", ".join(plan.after),
            "begin": local(plan.not_before),
            "retries": _retries(plan),
            "source": plan.source,
            "build": plan.build,
            "command": plan.command,
        }
    )
    for title, values in (("config", plan.config), ("environment", plan.environment)):
        for key, value in values.items():
            line(f"{title}.{key}={brief(value)}")
    for key, value in plan.template_variables.items():
        line(f"variable.{key}={brief(value)}")
    if plan.resources:
        from launch_tui.domain.resource_config import shown

        for key, text in shown(plan.resources).items():
            origin = plan.origins.get(key)
            line(f"resource.{key}={text}" + (f"  from the {origin}" if origin else ""))
        _print_limits(plan)
    return 0


def _print_limits(plan: Plan) -> None:
    """Say what a plan's limits are worth on this machine."""
    if plan.resource == Resource.LOCAL_CONTAINER:
        pairs({"limits": "kept by the Docker engine"})
    elif plan.resource == Resource.LOCAL_PROCESS and plan.resources.keys() & {"cpus", "memory"}:
        from launch_tui.targets.cgroup import enforcement

        pairs({"limits": enforcement()})


def _retries(plan: Plan) -> str:
    if not plan.retries:
        return ""
    backoff = f", after {span(plan.backoff)} and twice as long each time" if plan.backoff else ""
    return f"{plan.retries} on {', '.join(plan.retry_on)}{backoff}"
