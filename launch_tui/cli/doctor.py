"""``doctor``: what was found on this machine, and what to do about what was not.

Each check is one function; none writes into the data directory, and every command that one runs
has a time limit. Exit status 1 when something that runs cannot do without is in trouble.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from launch_tui.cli import probes, store_checks
from launch_tui.cli.output import print_json, speaks_utf8, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.cli.parsing import Arguments
    from launch_tui.cli.probes import Check
    from launch_tui.store.paths import Home

NEEDED = frozenset({"python", "data directory", "store", "git", "uv"})
"""Checks that decide the exit status: without the rest, something optional is missing."""


def doctor(arguments: Arguments) -> int:
    """Run all checks and print them."""
    from launch_tui.store.paths import default_home

    checks = examine(default_home(arguments.home))
    if arguments.json:
        print_json([asdict(check) for check in checks])
    else:
        good, bad = ("ok", "--") if not speaks_utf8() else ("✓", "✗")
        rows = [(good if c.ok else bad, c.check, _told(c)) for c in checks]
        table(("", "CHECK", "FOUND"), rows)
    return 0 if all(check.ok for check in checks if check.check in NEEDED) else 1


def examine(home: Home) -> list[Check]:
    """Return what was found, the needed things first."""
    of_home: tuple[Callable[[Home], Check], ...] = (
        store_checks.data_directory,
        store_checks.store,
        store_checks.caches,
        store_checks.agent,
    )
    of_machine: tuple[Callable[[], Check], ...] = (
        probes.python,
        probes.git,
        probes.uv,
        probes.wandb,
        probes.docker,
        probes.slurm,
        probes.kubernetes,
        probes.gpus,
        probes.limits,
        probes.logind,
        probes.locale,
        probes.terminal,
    )
    return [*(check(home) for check in of_home), *(check() for check in of_machine)]


def _told(check: Check) -> str:
    return f"{check.found}. Next: {check.next_step}" if check.next_step else check.found
