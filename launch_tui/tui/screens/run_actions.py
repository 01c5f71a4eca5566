"""What can be done with runs, wherever runs are shown: one verb per key, through the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_tui.domain.run import ACTIVE, ENDED, WAITING, Priority, RunState
from launch_tui.errors import LaunchError
from launch_tui.tui.chosen import Chosen, for_each
from launch_tui.tui.going import open_page
from launch_tui.tui.reporting import copy_report, save_report
from launch_tui.tui.screens.base import LaunchScreen
from launch_tui.tui.ui import ui

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.domain.run import Run
    from launch_tui.sdk.folding import Group
    from launch_tui.store.enqueuing import Enqueued
    from launch_tui.tui.chosen import Verb

_LEVELS = tuple(Priority)


class RunActions(LaunchScreen):
    """A screen with runs. ``chosen_runs`` and ``chosen_groups`` say which ones a verb means."""

    def chosen_runs(self) -> list[str]:
        """Return the ids that a verb acts on: those marked, else the one under the cursor."""
        raise NotImplementedError

    def chosen_groups(self) -> list[Group]:
        """Return the groups that a verb acts on as a whole."""
        return []

    def compared_runs(self) -> list[str]:
        """Return the ids that are compared: those that a verb acts on."""
        return self.chosen_runs()

    def runs_done(self) -> None:
        """Called when a verb has been carried out on what was chosen."""

    def runs_made(self, made: list[Enqueued]) -> None:
        """Called when a verb has enqueued runs."""

    def action_run_stop(self) -> None:
        """Stop what runs, take out of the queue what waits; ask first."""
        from launch_tui.tui.screens.confirm import Choice, Confirm

        chosen = self._chosen(ACTIVE | WAITING, "has ended already")
        if not chosen:
            return
        choices = [Choice("stop", "Stop", key="s")]
        if chosen.among(ACTIVE):
            choices = [
                Choice("stop", "Stop", key="s", help="interrupt, and kill only if that fails"),
                Choice("now", "Kill now", key="k", help="at once", dangerous=True),
            ]
        modal = Confirm(f"Stop {chosen.named}", chosen.standing, choices, default="")
        # What waits goes first, or the next of it would be started for each that is stopped.
        ui(self).ask(
            modal,
            lambda answer: self._each(chosen, _stopping(now=answer == "now"), first=WAITING),
        )

    def action_run_kill(self) -> None:
        """End what runs at once; ask first."""
        from launch_tui.tui.screens.confirm import Choice, Confirm

        chosen = self._chosen(ACTIVE, "is not at work")
        if chosen:
            kill = Choice("kill", "Kill now", key="k", help="at once", dangerous=True)
            modal = Confirm(f"Kill {chosen.named}", chosen.standing, (kill,), default="")
            ui(self).ask(modal, lambda _: self._each(chosen, _stopping(now=True)))

    def action_run_hold(self) -> None:
        """Hold queued runs; when all are held already, release them."""
        chosen = self._chosen(WAITING, "does not wait")
        queued = chosen.narrowed(frozenset({RunState.QUEUED}))
        if queued:
            self._each(queued, lambda launch, run_id: launch.runs.hold(run_id))
        else:
            held = chosen.narrowed(frozenset({RunState.HELD}))
            self._each(held, lambda launch, run_id: launch.runs.release(run_id))

    def action_run_front(self) -> None:
        """Give waiting runs the first places of their queues, in the order that they have."""
        chosen = self._chosen(WAITING, "does not wait")
        self._each(chosen, lambda launch, run_id: launch.runs.front(run_id))

    def action_run_raise(self) -> None:
        """Give waiting runs the next higher priority."""
        self._change_priority(-1)

    def action_run_lower(self) -> None:
        """Give waiting runs the next lower priority."""
        self._change_priority(1)

    def action_run_delete(self) -> None:
        """Forget runs that have ended, with their files; ask first."""
        from launch_tui.tui.screens.confirm import Choice, Confirm

        otherwise = f"has not ended: stop it first ({ui(self).key('run.stop')})"
        chosen = self._chosen(ENDED, otherwise)
        if not chosen:
            return
        modal = Confirm(
            f"Delete {chosen.named}",
            "Its log, metrics and files go with it." if chosen.number == 1
            else "Their logs, metrics and files go with them.",
            (Choice("delete", "Delete", key="d", dangerous=True),),
            default="",
        )  # fmt: skip
        ui(self).ask(
            modal,
            lambda _: self._each(chosen, lambda launch, run_id: launch.runs.delete(run_id)),
        )

    def action_run_rerun(self) -> None:
        """Open the launch form with everything that the run was given; ask which of a group."""
        groups = self.chosen_groups()
        if groups:
            self._rerun_group(groups[0])
            return
        for run_id in self.chosen_runs()[:1]:
            ui(self).open_form(rerun=run_id)

    def action_run_compare(self) -> None:
        """Compare what is chosen."""
        from launch_tui.tui.comparing import open_compare

        open_compare(ui(self), self.compared_runs(), self.chosen_groups())

    def action_run_edit(self) -> None:
        """Edit a waiting run in the person's editor."""
        from launch_tui.tui.editing import edit_text, read_changes, run_document

        app = ui(self)
        if self.chosen_groups():
            self._warn(f"a group is edited run by run: unfold it ({app.key('runs.unfold')})")
            return
        otherwise = f"does not wait: rerun it with changes ({app.key('run.rerun')})"
        for run in self._chosen(WAITING, otherwise).runs[:1]:
            try:
                spec, queue = app.launch.runs.spec(run.id), app.launch.queues.get(run.queue)
                document = run_document(run, spec, queue)
                edited = edit_text(app, document)
                changes = read_changes(edited, document) if edited is not None else None
            except LaunchError as error:
                app.tell_error(error)
                return
            if changes:
                self._each(Chosen(runs=(run,), states=WAITING), _editing(changes))

    def copy_menu(self) -> None:
        """Ask what of the run is to be copied, and copy it."""
        from launch_tui.tui.copying import COPYABLE
        from launch_tui.tui.screens.menu import Entry, Menu

        app = ui(self)
        chosen = self.chosen_runs()
        if groups := self.chosen_groups():
            app.copy(" ".join(group.id for group in groups))
        elif not chosen:
            app.tell_nothing_to_copy()
        else:
            entries = [Entry(one.id, one.key, one.label) for one in COPYABLE]
            app.ask(Menu(f"Copy of {chosen[0]}", entries), self.copy_of_run)

    def copy_of_run(self, what: str) -> None:
        """Copy one of ``copying.COPYABLE`` of the first run that is chosen, or the ids of all."""
        from launch_tui.tui.copying import BY_ID

        app, chosen, one = ui(self), self.chosen_runs(), BY_ID[what]
        if not chosen:
            app.tell_nothing_to_copy()
        elif what == "id":
            app.copy(" ".join(chosen))
        else:
            app.act(
                lambda launch: one.text(launch, launch.runs.get(chosen[0])),
                lambda text: (
                    app.copy(text) if text else self._warn(f"{chosen[0]} has no {one.label}")
                ),
            )

    def action_run_sync(self) -> None:
        """Send the chosen runs to W&B."""
        from launch_tui.tui.sending import send_runs

        if chosen := self.chosen_runs():
            send_runs(ui(self), chosen)

    def action_run_open_page(self) -> None:
        """Open the page of the run in W&B, or copy its address where no browser is."""
        for run_id in self._first_run():
            open_page(ui(self), run_id)

    def action_run_report(self) -> None:
        """Copy the failure report of the run."""
        for run_id in self._first_run():
            copy_report(ui(self), run_id)

    def action_run_save_report(self) -> None:
        """Write the failure report of the run to a file."""
        for run_id in self._first_run():
            save_report(ui(self), run_id)

    def action_run_shell(self) -> None:
        """Open a shell in the working directory of the run, the UI standing aside meanwhile."""
        from launch_tui.tui.shell import open_shell

        for run_id in self._first_run():
            open_shell(ui(self), run_id)

    def _first_run(self) -> list[str]:
        """Return the run that a verb for one run means; say so when there is none."""
        chosen = self.chosen_runs()[:1]
        if not chosen:
            key = ui(self).key("runs.unfold")
            self._warn(f"no run is under the cursor: unfold the group ({key})")
        return chosen

    def _chosen(self, states: frozenset[RunState], otherwise: str) -> Chosen:
        """Return what is chosen and in these states; say why when nothing is."""
        app = ui(self)
        runs: list[Run] = []
        for run_id in self.chosen_runs():
            try:
                runs.append(app.launch.runs.get(run_id))
            except LaunchError:
                continue
        groups = self.chosen_groups()
        fitting = Chosen(runs=tuple(runs), groups=tuple(groups)).narrowed(states)
        if (runs or groups) and not fitting:
            names = [run.id for run in runs] + [group.id for group in groups]
            self._warn(f"{names[0] if len(names) == 1 else 'each of them'} {otherwise}")
        return fitting

    def _each(
        self, chosen: Chosen, verb: Verb, *, first: frozenset[RunState] = frozenset()
    ) -> None:
        """Do something with each run, off the loop; tell the first thing that went wrong."""

        def done(error: LaunchError | None) -> None:
            if error is not None:
                ui(self).tell_error(error)
            self.runs_done()

        if chosen:
            ui(self).act(for_each(chosen, verb, first=first), done)

    def _change_priority(self, steps: int) -> None:
        """Move what is chosen to the level beside its own; a group goes by its first run."""
        chosen = self._chosen(WAITING, "does not wait")
        prioritized = {queue.name for queue in ui(self).glance.queues if queue.prioritized}
        items = [*chosen.runs, *(group.head for group in chosen.groups)]
        without = [run.queue for run in items if run.queue not in prioritized]
        if without:
            front = f"{ui(self).key('run.front')} moves to the front"
            self._warn(f"queue {without[0]} has no priorities; {front}")
            return
        levels = {run.id: _beside(run.priority, steps) for run in items}
        changing = [run for run in items if levels[run.id] != run.priority]
        if items and not changing:
            self._warn(f"the priority is {items[0].priority} already")
        for run in chosen.runs:
            if run in changing:
                self._each(Chosen(runs=(run,), states=WAITING), _giving(levels[run.id]))
        for group in chosen.groups:
            if group.head in changing:
                self._each(Chosen(groups=(group,), states=WAITING), _giving(levels[group.head.id]))

    def _rerun_group(self, group: Group) -> None:
        """Launch a group again as a new one: all of its runs, or those that ended badly."""
        from launch_tui.tui.screens.confirm import Choice, Confirm

        choices = [Choice("all", f"All {group.size:,}", key="a")]
        if group.bad:
            choices.append(Choice("failed", f"The {group.bad:,} that failed", key="f"))
        modal = Confirm(
            f"Rerun group {group.id}",
            f"It has {group.size:,} runs, of which {group.bad:,} failed, were lost or preempted. "
            "They are launched again as a new group.",
            choices,
            default="",
        )

        def again(answer: str) -> None:
            ui(self).act(
                lambda launch: launch.rerun_group(group.id, failed_only=answer == "failed"),
                self.runs_made,
            )

        ui(self).ask(modal, again)

    def _warn(self, text: str) -> None:
        ui(self).tell(text, severity="warning", seconds=3)


def _beside(priority: str, steps: int) -> Priority:
    at = _LEVELS.index(Priority(priority)) + steps
    return _LEVELS[max(0, min(at, len(_LEVELS) - 1))]


def _giving(level: Priority) -> Verb:
    return lambda launch, run_id: launch.runs.priority(run_id, level)


def _stopping(*, now: bool) -> Verb:
    return lambda launch, run_id: launch.runs.stop(run_id, now=now)


def _editing(changes: Mapping[str, Any]) -> Verb:
    return lambda launch, run_id: launch.runs.edit(run_id, changes)
