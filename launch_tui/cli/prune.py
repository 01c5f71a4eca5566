"""``prune``: makes room in the data directory, after saying what would go."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from launch_tui.cli.backup import size_told
from launch_tui.cli.envs import older_than
from launch_tui.cli.output import line, notes, print_json, say, table

if TYPE_CHECKING:
    from launch_tui.care.prune import Pruned
    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk import Launch


def prune(arguments: Arguments) -> int:
    """Forget old runs and remove what nothing needs."""
    age, dry_run = older_than(arguments), arguments.on("dry_run")
    with arguments.open() as sdk:
        asks = sys.stdin.isatty() and not (arguments.on("yes") or arguments.json or dry_run)
        if asks and not _confirmed(_prune(sdk, age, arguments, dry_run=True)):
            return 0
        done = _prune(sdk, age, arguments, dry_run=dry_run)
    if arguments.json:
        print_json(_json(done))
        return 1 if done.notes else 0
    if not asks:
        _show(done)
    verb = "would be free" if dry_run else "are free"
    say(f"{len(done.runs)} runs, {size_told(done.size)} {verb}")
    notes(_remarks(done))
    return 1 if done.notes else 0


def _prune(sdk: Launch, age: float, arguments: Arguments, *, dry_run: bool) -> Pruned:
    from launch_tui.sdk import keeping

    keep_failed = arguments.on("keep_failed")
    return keeping.prune(sdk, older_than=age, keep_failed=keep_failed, dry_run=dry_run)


def _confirmed(plan: Pruned) -> bool:
    """Show what would go and ask whether it may."""
    if not plan.kinds:
        say("there is nothing to remove")
        return False
    _show(plan)
    notes(_remarks(plan))
    print(f"Remove {size_told(plan.size)}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _show(done: Pruned) -> None:
    rows = [(freed.kind, freed.count, size_told(freed.size)) for freed in done.kinds]
    if rows:
        table(("KIND", "COUNT", "SIZE"), rows)
    else:
        line("nothing")


def _remarks(done: Pruned) -> list[str]:
    kept = f"{done.needed} runs are old enough and stay: runs that wait or webhooks need them"
    return [*([kept] if done.needed else []), *done.notes]


def _json(done: Pruned) -> dict[str, Any]:
    return {
        "dry_run": done.dry_run,
        "runs": done.runs,
        "size": done.size,
        "kinds": [asdict(freed) for freed in done.kinds],
        "needed": done.needed,
        "notes": done.notes,
    }
