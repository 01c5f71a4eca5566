"""What can be done with runs, wherever runs are shown: one verb per key, through the SDK."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from launch_tui.domain.run import ACTIVE, ENDED, WAITING, RunState
from launch_tui.errors import LaunchError
from launch_tui.tui.screens.base import LaunchScreen
from launch_tui.tui.ui import ui

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from launch_tui.domain.run import Run
    from launch_tui.sdk import Launch


class RunActions(LaunchScreen):
    """A screen with runs. ``chosen_runs`` says which ones a verb means."""

    def chosen_runs(self) -> list[str]:
        """Return the ids that a verb acts on: those marked, else the one under the cursor."""
        raise NotImplementedError

    def runs_done(self) -> None:
        """Called when a verb has been carried out on what was chosen."""

    def action_run_stop(self) -> None:
        """Stop what runs, take out of the queue what waits; ask first."""
        from launch_tui.tui.screens.confirm import Choice, Confirm

        runs = self._chosen(ACTIVE | WAITING, "has ended already")
        if not runs:
            return
        choices = [Choice("stop", "Stop", key="s")]
        if any(run.state in ACTIVE for run in runs):
            choices = [
                Choice("stop", "Stop", key="s", help="interrupt, and kill only if that fails"),
                Choice("now", "Kill now", key="k", help="at once", dangerous=True),
            ]
        title = f"Stop {_named(runs)}"
        modal = Confirm(title, _standing(runs), choices, default="")
        ui(self).ask(modal, lambda answer: self._each(runs, _stopping(now=answer == "now")))

    def action_run_hold(self) -> None:
        """Hold queued runs; when all are held already, release them."""
        runs = self._chosen(WAITING, "does not wait")
        held = [run for run in runs if run.state is RunState.HELD]
        if len(held) == len(runs):
            self._each(runs, lambda launch, run_id: launch.runs.release(run_id))
        else:
            queued = [run for run in runs if run.state is RunState.QUEUED]
            self._each(queued, lambda launch, run_id: launch.runs.hold(run_id))

    def action_run_front(self) -> None:
        """Give waiting runs the first places of their queues."""
        runs = self._chosen(WAITING, "does not wait")
        # The last one moved is the first in line: moved newest first, they keep their order.
        self._each(runs, lambda launch, run_id: launch.runs.front(run_id))

    def action_run_delete(self) -> None:
        """Forget runs that have ended, with their files; ask first."""
        from launch_tui.tui.screens.confirm import Choice, Confirm

        runs = self._chosen(ENDED, "has not ended: stop it first")
        if not runs:
            return
        modal = Confirm(
            f"Delete {_named(runs)}",
            "Its log, metrics and files go with it." if len(runs) == 1
            else "Their logs, metrics and files go with them.",
            (Choice("delete", "Delete", key="d", dangerous=True),),
            default="",
        )  # fmt: skip
        ui(self).ask(
            modal,
            lambda _: self._each(runs, lambda launch, run_id: launch.runs.delete(run_id)),
        )

    def action_run_rerun(self) -> None:
        """Open the launch form with everything that the run was given."""
        for run_id in self.chosen_runs()[:1]:
            ui(self).open_form(rerun=run_id)

    def action_run_edit(self) -> None:
        """Edit a waiting run in the person's editor."""
        from launch_tui.tui.editing import edit_text, read_document, run_document

        app = ui(self)
        for run in self._chosen(WAITING, "does not wait: rerun it with changes (r)")[:1]:
            try:
                edited = edit_text(app, run_document(run))
                changes = read_document(edited) if edited is not None else None
            except LaunchError as error:
                app.tell_error(error)
                return
            if changes:
                self._each([run], _editing(changes))

    def copy_menu(self) -> None:
        """Ask what of the run is to be copied, and copy it."""
        from launch_tui.tui.screens.menu import Entry, Menu

        app = ui(self)
        chosen = self.chosen_runs()
        if not chosen:
            app.tell_nothing_to_copy()
            return
        run = app.launch.runs.get(chosen[0])
        texts = {
            "id": " ".join(chosen),
            "log": str(app.launch.runs.log_path(run.id)),
            "directory": run.directory,
            "config": json.dumps(dict(run.config), indent=2, ensure_ascii=False),
            "command": f"launch-tui rerun {run.id}",
            "cause": ". ".join(filter(None, (run.cause, run.next_step))),
        }
        labels = {
            "id": ("i", "id"),
            "log": ("l", "path of the log"),
            "directory": ("d", "directory"),
            "config": ("c", "config as JSON"),
            "command": ("r", "command that runs it again"),
            "cause": ("e", "cause and next step"),
        }
        entries = [Entry(what, *labels[what]) for what, text in texts.items() if text]
        app.ask(Menu(f"Copy of {run.id}", entries), lambda what: app.copy(texts[what]))

    def _chosen(self, states: frozenset[RunState], otherwise: str) -> list[Run]:
        """Return the chosen runs in these states; say why when there are none."""
        app = ui(self)
        runs = []
        for run_id in self.chosen_runs():
            try:
                runs.append(app.launch.runs.get(run_id))
            except LaunchError:
                continue
        fitting = [run for run in runs if run.state in states]
        if runs and not fitting:
            which = runs[0].id if len(runs) == 1 else "each of them"
            app.notify(f"{which} {otherwise}", severity="warning", timeout=3, markup=False)
        return fitting

    def _each(self, runs: Sequence[Run], verb: Callable[[Launch, str], object]) -> None:
        """Do something with each run, off the loop; tell the first thing that went wrong."""
        ids = [run.id for run in runs]

        def work(launch: Launch) -> LaunchError | None:
            first: LaunchError | None = None
            for run_id in ids:
                try:
                    verb(launch, run_id)
                except LaunchError as error:
                    first = first or error
            return first

        def done(first: LaunchError | None) -> None:
            if first is not None:
                ui(self).tell_error(first)
            self.runs_done()

        if ids:
            ui(self).act(work, done)


def _stopping(*, now: bool) -> Callable[[Launch, str], object]:
    return lambda launch, run_id: launch.runs.stop(run_id, now=now)


def _editing(changes: Mapping[str, Any]) -> Callable[[Launch, str], object]:
    return lambda launch, run_id: launch.runs.edit(run_id, changes)


def _named(runs: Sequence[Run]) -> str:
    return f"{runs[0].id} ({runs[0].name})" if len(runs) == 1 else f"{len(runs)} runs"


def _standing(runs: Sequence[Run]) -> str:
    if len(runs) == 1:
        waits = runs[0].state in WAITING
        return "It has not started and leaves the queue." if waits else f"It is {runs[0].state}."
    active = sum(run.state in ACTIVE for run in runs)
    return f"{active} of them active, {len(runs) - active} waiting."
