"""Going to a run, a job or a queue from wherever one is, or to the page of a run in W&B."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch_tui.sdk.pages import Page
    from launch_tui.tui.app import LaunchApp


def show_run(app: LaunchApp, run_id: str) -> None:
    """Show the runs with the cursor on one, whatever stood over them."""
    _show(app, "runs", run_id)


def show_job(app: LaunchApp, name: str) -> None:
    """Show the jobs with the cursor on one."""
    _show(app, "jobs", name)


def show_queue(app: LaunchApp, name: str) -> None:
    """Show the queues with the cursor on one."""
    _show(app, "queues", name)


def show_filtered(app: LaunchApp, text: str) -> None:
    """Show the runs that a filter means, whatever stood over them."""
    if app.current_mode != "runs":
        app.switch_mode("runs")
    while len(app.screen_stack) > 1:
        app.pop_screen()
    screen = app.screen_stack[0]
    app.call_after_refresh(lambda: screen.filter_by(text))  # type: ignore[attr-defined]


def open_run(app: LaunchApp, run_id: str) -> None:
    """Open the screen of a run over the one that is shown."""
    from launch_tui.tui.screens.run import RunScreen

    app.push_screen(RunScreen(run_id))


def open_page(app: LaunchApp, run_id: str) -> None:
    """Open the page of a run in W&B; copy its address where no browser is, or say why it has none.

    Args:
        app: The application.
        run_id: The run.
    """
    from launch_tui.sdk.pages import page_of
    from launch_tui.tui.clipboard import has_desktop

    def found(page: Page) -> None:
        if not page.url:
            app.tell(page.why, severity="warning", seconds=6)
        elif has_desktop(os.environ):
            app.open_url(page.url)
            app.tell(f"opened {page.url}")
        else:
            app.copy(page.url)
            app.tell(f"no browser here: copied {page.url}", seconds=6)

    app.act(lambda launch: page_of(launch, run_id), found)


def _show(app: LaunchApp, mode: str, key: str) -> None:
    if app.current_mode != mode:
        app.switch_mode(mode)
    while len(app.screen_stack) > 1:
        app.pop_screen()
    screen = app.screen_stack[0]

    def go() -> None:
        # What was just made may not have been noticed yet.
        app.look()
        screen.refresh_live()  # type: ignore[attr-defined]
        screen.go_to(key)  # type: ignore[attr-defined]

    app.call_after_refresh(go)
