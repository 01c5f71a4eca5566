"""The actions that are everywhere: going, panes, help, palette, how it is drawn."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import Any

from textual.app import App
from textual.css.query import NoMatches

from launch_tui.tui.leaving import Leave
from launch_tui.tui.ui import ui


class Everywhere(App[Leave]):
    """The methods of the application that keys.py calls ``app.*``, but for how one leaves."""

    def action_app_runs(self) -> None:
        """Show the runs."""
        self.switch_mode("runs")

    def action_app_jobs(self) -> None:
        """Show the jobs."""
        self.switch_mode("jobs")

    def action_app_queues(self) -> None:
        """Show the queues."""
        self.switch_mode("queues")

    def action_app_agent(self) -> None:
        """Show the agent."""
        self.switch_mode("agent")

    async def action_app_gpus(self) -> None:
        """Show the GPUs, and the machine that they are in."""
        await self.switch_mode("agent")
        if go := getattr(self.screen_stack[0], "go_to_gpus", None):
            self.call_after_refresh(go)

    def action_app_next_pane(self) -> None:
        """Go to the next pane."""
        self.screen.focus_next()

    def action_app_previous_pane(self) -> None:
        """Go to the pane before."""
        self.screen.focus_previous()

    def action_app_launch(self, job: str = "") -> None:
        """Open the launch form, on a job if one is named."""
        ui(self).open_form(job=job)

    def action_app_demo(self) -> None:
        """Launch the demo's training job, and go to its first run."""
        from launch_tui.sdk.demo import launch_demo
        from launch_tui.tui.going import show_run

        ui(self).act(launch_demo, lambda runs: show_run(ui(self), runs[0].id))

    def action_app_sidebar(self) -> None:
        """Show the queues and jobs beside the runs, or not."""
        self.get_screen_stack("runs")[0].toggle_class("-no-side")

    def action_app_zoom(self) -> None:
        """Give the focused pane the whole screen, or take it back."""
        body, pane = self._body(), self._focused_pane()
        if body is None:
            return
        zoomed = body.has_class("-zoomed")
        for widget in body.query(".-zoom, .-aside"):
            widget.remove_class("-zoom", "-aside")
        body.set_class(not zoomed and pane is not None, "-zoomed")
        while pane is not None and not zoomed and pane is not body:
            pane.add_class("-zoom")
            for beside in pane.parent.children:
                beside.set_class(beside is not pane, "-aside")
            pane = pane.parent

    def action_app_copy(self) -> None:
        """Copy what is selected, else what the screen has to copy (its ``copy_menu``)."""
        if self.screen.get_selected_text():
            ui(self).action_copy_selection()
        elif menu := getattr(self.screen, "copy_menu", None):
            menu()
        else:
            ui(self).tell_nothing_to_copy()

    def action_app_help(self) -> None:
        """Show the keys that act here."""
        self.push_screen(named("screens.help", "HelpScreen")())

    def action_app_all_keys(self) -> None:
        """Show the keys of all screens and panes."""
        self.push_screen(named("screens.help", "HelpScreen")(everything=True))

    def action_app_docs(self) -> None:
        """Ask which page of the documentation, and show it."""
        named("screens.docs", "choose_page")(self)

    def action_app_palette(self) -> None:
        """Find any action, run, job or queue."""
        named("palette", "open_palette")(self)

    def action_app_reconcile(self) -> None:
        """Read everything again, and have the agent look at all that waits."""
        if not ui(self).read_only and ui(self).glance.agent_runs:
            ui(self).act(lambda launch: launch.agents.look_again())
        ui(self).look()
        if refresh := getattr(self.screen, "refresh_live", None):
            refresh()

    def action_app_sync_finished(self) -> None:
        """Send all runs to W&B that were never sent, or could not be."""
        named("sending", "send_all")(self)

    def action_app_wandb_login(self) -> None:
        """Log in to W&B with the wandb of the run that is chosen."""
        chosen: list[str] = getattr(self.screen, "chosen_runs", list)()
        named("wandb_login", "ask_to_log_in")(self, *chosen[:1])

    def action_app_wandb_logout(self) -> None:
        """Log out of W&B."""
        named("wandb_login", "ask_to_log_out")(self)

    def action_app_theme(self) -> None:
        """Choose another theme."""
        ui(self).manners.choose_theme()

    def action_app_motion(self) -> None:
        """Let things move, or have nothing move."""
        ui(self).manners.turn_motion()

    def action_app_ascii(self) -> None:
        """Draw with ASCII alone, or with all that there is."""
        ui(self).manners.turn_ascii()

    def action_app_compact(self) -> None:
        """Draw without frames around panes, or with them."""
        ui(self).manners.turn_compact()

    def action_app_settings(self) -> None:
        """Edit the UI's settings."""
        ui(self).manners.edit_file()

    def action_app_settings_path(self) -> None:
        """Say where the UI's settings are."""
        ui(self).manners.tell_file()

    def action_app_back(self) -> None:
        """Close, clear or go back: the screen first (its ``go_back``), then to the one below."""
        own = getattr(self.screen, "go_back", None)
        if not (own and own()) and len(self.screen_stack) > 1:
            self.pop_screen()

    async def action_press(self, key: str) -> None:
        """Do what a key does: the footer is clicked."""
        self.simulate_key(key)

    def action_nothing(self) -> None:
        """A click on what is greyed out."""

    def action_show_failures(self) -> None:
        """Show the runs that failed."""
        self.switch_mode("runs")
        if show := getattr(self.screen_stack[0], "show_failures", None):
            show()

    def _body(self) -> Any:  # noqa: ANN401
        with suppress(NoMatches):
            return self.screen.query_one("#body")
        return None

    def _focused_pane(self) -> Any:  # noqa: ANN401
        focused = self.screen.focused
        if focused is None:
            return None
        panes = [node for node in focused.ancestors_with_self if node.has_class("pane")]
        return panes[0] if panes else None


def named(module: str, name: str) -> Any:  # noqa: ANN401
    """Return a name of a module that is imported when it is first needed."""
    return getattr(import_module(f"launch_tui.tui.{module}"), name)
