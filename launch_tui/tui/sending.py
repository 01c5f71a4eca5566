"""Sends runs to the person's W&B server: asks for it; the agent does it and the store tells how."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch_tui.sdk import Launch
    from launch_tui.tui.app import LaunchApp


def send_runs(app: LaunchApp, run_ids: Sequence[str]) -> None:
    """Have runs sent that have ended; says why one cannot be."""
    _ask(app, lambda launch: launch.syncs.ask(run_ids))


def send_all(app: LaunchApp) -> None:
    """Have every run sent that was never sent, or could not be."""
    _ask(app, lambda launch: launch.syncs.ask(launch.syncs.unsent()))


def _ask(app: LaunchApp, work: Callable[[Launch], list[str]]) -> None:
    def asked(wanted: list[str]) -> None:
        if not wanted:
            app.tell("nothing to send: W&B has it, or no run was tracked")
            return
        what = wanted[0] if len(wanted) == 1 else f"{len(wanted):,} runs"
        when = "" if app.glance.agent_runs else ", once an agent works here"
        app.tell(f"{what} will be sent to W&B{when}")

    app.act(work, asked)
