"""The one table of everything a key does: bindings, footer, help, palette and README read it.

A screen or widget takes its bindings by ``bindings("runs")`` and has one ``action_...`` method for
each action, named after its id with the dot as an underscore: ``run.stop`` is ``action_run_stop``.
To add an action: add a line here and the method there; nothing else needs to know. Lower case is
harmless or can be undone, upper case is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS, key_to_character

if TYPE_CHECKING:
    from collections.abc import Iterable

SCOPES: dict[str, str] = {
    "global": "Everywhere",
    "list": "In every list",
    "runs": "Runs",
    "run": "One run",
    "tabs": "Tabs of a run",
    "log": "Log and build log",
    "metrics": "Metrics",
    "values": "Values of runs beside each other",
    "compare": "Comparing runs",
    "jobs": "Jobs",
    "queues": "Queues",
    "agent": "Agent",
    "form": "Forms",
    "plan": "The plan of a launch",
    "first": "While there is no run yet",
    "move": "Moving",
}
"""Where an action can be asked for, with the heading that help gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that a key does.

    ``keys`` are Textual's names, joined by commas, the one that is shown first. ``label`` is for
    the footer, ``help`` one sentence for help and palette. ``dangerous`` actions change something
    and are greyed out by ``--read-only``. ``footer`` ranks the action in the footer, 1 first; 0
    keeps it out. ``palette`` is the palette's entry, ``area: verb``; empty keeps it out.
    ``terminal`` actions need the person's own terminal or machine, and are greyed out in a browser.

    ``keys`` and what is made of them are those of this table; the ones that hold, which a person
    may have changed, are those of ``LaunchApp.keymap`` (keymap.py).
    """

    id: str
    keys: str
    label: str
    scope: str
    help: str = ""
    dangerous: bool = False
    footer: int = 0
    palette: str = ""
    priority: bool = False
    terminal: bool = False

    @property
    def name(self) -> str:
        """The name of the Textual action."""
        return self.id.replace(".", "_")

    @property
    def key(self) -> str:
        """The key that is shown, as people write it."""
        return shown_key(self.keys.split(",")[0])

    @property
    def ascii_key(self) -> str:
        """The same in ASCII."""
        return self.key if self.key.isascii() else self.keys.split(",")[0]


def _global(name: str, keys: str, label: str, **more: object) -> Action:
    return Action(id=f"app.{name}", keys=keys, label=label, scope="global", **more)  # type: ignore[arg-type]


ACTIONS: tuple[Action, ...] = (
    _global("runs", "1", "runs", help="Show the runs", palette="go: runs"),
    _global("jobs", "2", "jobs", help="Show the jobs", palette="go: jobs"),
    _global("queues", "3", "queues", help="Show the queues", palette="go: queues"),
    _global("agent", "4", "agent", help="Show what the agent does", palette="go: agent"),
    _global("gpus", "", "gpus", help="Show the GPUs and how busy the machine is",
            palette="go: gpus"),
    _global("next_pane", "tab", "next pane", help="Go to the next pane"),
    _global("previous_pane", "shift+tab", "previous pane", help="Go to the pane before"),
    _global("launch", "n", "new", help="Launch a run", dangerous=True, footer=20,
            palette="run: launch…"),
    _global("zoom", "z", "zoom", help="Give the focused pane the whole screen, and take it back",
            footer=60, palette="view: zoom"),
    _global("copy", "y", "copy", help="Copy what is under the cursor", footer=55,
            palette="app: copy…"),
    _global("reconcile", "ctrl+r", "look again", palette="agent: reconcile now",
            help="Read everything again, and have the agent look at all that waits"),
    _global("sync_finished", "", "sync", dangerous=True, palette="wandb: sync finished runs",
            help="Send all runs to your W&B server that were never sent, or could not be"),
    _global("wandb_login", "", "log in", dangerous=True, terminal=True, palette="wandb: log in",
            help="Have wandb ask for your API key and write it into netrc; asks first"),
    _global("wandb_logout", "", "log out", dangerous=True, terminal=True,
            palette="wandb: log out", help="Take your API key out of netrc again; asks first"),
    _global("help", "question_mark,f1", "help", help="Show the keys of the focused pane",
            footer=90, palette="help: keys (this pane)"),
    _global("all_keys", "", "all keys", help="Show the keys of all screens and panes",
            palette="help: keys (all)"),
    _global("docs", "", "docs", help="Read what is written about the program",
            palette="help: docs…"),
    _global("palette", "ctrl+p,colon", "palette", help="Find any action, run, job or queue",
            footer=99),
    _global("theme", "", "theme", help="Choose colours: dark, light, for weak eyes, the terminal's",
            palette="view: theme…"),
    _global("motion", "", "motion", help="Let things move, or have nothing move",
            palette="view: motion on or off"),
    _global("ascii", "", "ascii", help="Draw with ASCII alone, or with all that there is",
            palette="view: ASCII on or off"),
    _global("compact", "", "compact", help="Draw without frames around panes, or with them",
            palette="view: compact on or off"),
    _global("settings", "", "settings", help="Edit the UI's settings (ui.yaml) in $EDITOR",
            dangerous=True, terminal=True, palette="app: settings…"),
    _global("settings_path", "", "settings file", help="Say where ui.yaml is, and copy its path",
            palette="help: config path"),
    _global("back", "escape", "back", help="Close, then clear the filter, then go back"),
    _global("sidebar", "", "sidebar", help="Show the queues and jobs beside the runs, or not",
            palette="view: sidebar on or off"),
    _global("quit", "q,ctrl+c", "quit", help="Leave; asks what becomes of work that goes on",
            footer=95, palette="app: quit"),
    _global("leave", "ctrl+q", "leave", help="Leave at once; queued and running work goes on",
            palette="app: detach: leave at once", priority=True),
    Action(id="list.open", keys="enter", label="open", scope="list", help="Open what the cursor"
           " is on", footer=10),
    Action(id="list.filter", keys="slash", label="filter", scope="list", footer=41,
           help="Show only what matches; runs: words, state:failed, q:gpu"),
    Action(id="runs.all", keys="a", label="active/all", scope="runs", footer=45,
           help="Only runs that wait or run, or all", palette="filter: active"),
    Action(id="runs.failures", keys="f", label="failures", scope="runs",
           help="Only runs that failed or were lost, or all", palette="filter: failed"),
    Action(id="runs.mine", keys="", label="mine", scope="runs",
           help="Only runs that you launched", palette="filter: mine"),
    Action(id="runs.last_hour", keys="", label="last hour", scope="runs",
           help="Only runs of the last hour", palette="filter: last hour"),
    Action(id="runs.clear", keys="", label="clear", scope="runs",
           help="Show all runs again", palette="filter: clear"),
    Action(id="runs.save", keys="", label="save filter", scope="runs", dangerous=True,
           help="Keep the filter in force under a name", palette="filter: save…"),
    Action(id="runs.sort", keys="s", label="sort", scope="runs",
           help="By state, age, queue, name or metric, the next of these",
           palette="view: sort the runs"),
    Action(id="runs.reverse", keys="S", label="reverse", scope="runs",
           help="Show the runs the other way round", palette="view: reverse the runs"),
    Action(id="runs.mark", keys="space", label="mark", scope="runs",
           help="Mark the run or group; stop, hold, delete then mean all that is marked"),
    Action(id="runs.mark_all", keys="asterisk", label="mark all", scope="runs",
           help="Mark all runs that are shown, or none"),
    Action(id="runs.logs", keys="L", label="logs", scope="runs",
           help="Show the logs of the marked runs, two to four, side by side",
           palette="run: logs side by side"),
    Action(id="runs.unfold", keys="right,l", label="unfold", scope="runs",
           help="Show the runs of the group under the cursor"),
    Action(id="runs.fold", keys="left,h", label="fold", scope="runs",
           help="Show the group under the cursor as one row", palette="view: fold the group"),
    Action(id="run.stop", keys="x", label="stop", scope="run", dangerous=True, footer=30,
           help="Stop or cancel the run or the whole group; asks", palette="run: stop"),
    Action(id="run.kill", keys="", label="kill", scope="run", dangerous=True,
           help="End the run or the whole group at once; asks", palette="run: kill…"),
    Action(id="run.rerun", keys="r", label="rerun", scope="run", dangerous=True, footer=40,
           help="Launch it again, with changes if wanted; of a group all runs or those that failed",
           palette="run: rerun…"),
    Action(id="run.hold", keys="H", label="hold", scope="run", dangerous=True,
           help="Hold a queued run, release a held one", palette="run: hold or release"),
    Action(id="run.open_page", keys="o", label="W&B page", scope="run",
           help="Open the run's page in W&B where it has one; over SSH copy its address",
           palette="run: open in W&B"),
    Action(id="run.sync", keys="", label="sync", scope="run", dangerous=True,
           help="Send the run to your W&B server, now that it has ended",
           palette="wandb: sync this run"),
    Action(id="run.report", keys="Y", label="failure report", scope="run",
           help="Copy all that tells why the run went wrong, secrets masked",
           palette="app: copy failure report"),
    Action(id="run.save_report", keys="", label="save report", scope="run",
           help="Write the failure report to a file where you are",
           palette="app: save failure report"),
    Action(id="run.shell", keys="", label="shell", scope="run", dangerous=True,
           help="Open a shell where the run works: in its folder or its container",
           terminal=True, palette="run: shell into"),
    Action(id="run.front", keys="F", label="to the front", scope="run", dangerous=True,
           help="Give a waiting run the first place of its queue", palette="run: to the front"),
    Action(id="run.raise", keys="plus", label="raise priority", scope="run", dangerous=True,
           help="Give a waiting run, or a whole group, the next higher priority",
           palette="run: raise priority"),
    Action(id="run.lower", keys="minus", label="lower priority", scope="run", dangerous=True,
           help="Give a waiting run, or a whole group, the next lower priority",
           palette="run: lower priority"),
    Action(id="run.edit", keys="e", label="edit", scope="run", dangerous=True,
           help="Edit a waiting run in $EDITOR", terminal=True, palette="run: edit…"),
    Action(id="run.compare", keys="c", label="compare", scope="run",
           help="Compare the marked runs, two to six; one alone with the run of its job before it",
           footer=42, palette="run: compare marked"),
    Action(id="run.delete", keys="D", label="delete", scope="run", dangerous=True,
           help="Forget a run that has ended, with its files; asks", palette="run: delete…"),
    Action(id="tabs.previous", keys="left_square_bracket,h,left", label="tab", scope="tabs",
           help="Show the tab before"),
    Action(id="tabs.next", keys="right_square_bracket,l,right", label="tab", scope="tabs",
           help="Show the next tab", footer=12),
    Action(id="log.search", keys="slash", label="search", scope="log", footer=3,
           help="Look for a text or regular expression; letters match either case unless one is "
           "a capital", palette="log: search…"),
    Action(id="log.next", keys="n", label="next match", scope="log", help="Go to the next match",
           palette="log: next match"),
    Action(id="log.previous", keys="N", label="match before", scope="log",
           help="Go to the match before", palette="log: match before"),
    Action(id="log.filter", keys="ampersand", label="only", scope="log", footer=4,
           help="Show only lines that match; with ! first, hide them", palette="log: filter…"),
    Action(id="log.next_error", keys="e", label="next error", scope="log", footer=5,
           help="Go to the next line that looks like an error", palette="log: next error"),
    Action(id="log.previous_error", keys="E", label="error before", scope="log",
           help="Go to the line before that looks like an error", palette="log: error before"),
    Action(id="log.follow", keys="F", label="follow", scope="log",
           help="Stay at the end, or stand still", palette="log: follow or stand still"),
    Action(id="log.wrap", keys="w", label="wrap", scope="log",
           help="Let long lines go on below, or cut them", palette="view: wrap"),
    Action(id="log.numbers", keys="number_sign", label="numbers", scope="log",
           help="Show or hide line numbers", palette="view: line numbers"),
    Action(id="log.time", keys="t", label="time", scope="log", palette="log: go to time…",
           help="Go to a time that lines carry: 12:04, 12:04:30, or back from the end: -5m"),
    Action(id="log.mark", keys="m", label="mark", scope="log",
           help="Put a line with the time below what there is by now", palette="log: mark"),
    Action(id="log.select", keys="v", label="select", scope="log", footer=8,
           help="Select lines by moving, y copies them; again: from the cursor on",
           palette="log: select lines"),
    Action(id="log.yank", keys="y", label="copy lines", scope="log",
           help="Copy the selected lines, also over SSH"),
    Action(id="log.save", keys="W", label="save", scope="log",
           help="Write to a file what is selected, else what the filter shows, else all",
           palette="run: save log as…"),
    Action(id="log.pager", keys="vertical_line", label="pager", scope="log", terminal=True,
           help="Open the log in $PAGER", palette="run: open log in pager"),
    Action(id="log.open", keys="enter", label="whole line", scope="log",
           help="Show one line whole: the match, the first that was cut, else the last in view"),
    Action(id="log.left", keys="left,h", label="left", scope="log", help="Move to the left"),
    Action(id="log.right", keys="right,l", label="right", scope="log", help="Move to the right"),
    Action(id="metrics.left", keys="left", label="left", scope="metrics",
           help="Go to the chart at the left"),
    Action(id="metrics.right", keys="right", label="right", scope="metrics",
           help="Go to the chart at the right"),
    Action(id="metrics.down", keys="down,j", label="down", scope="metrics",
           help="Go to the chart below"),
    Action(id="metrics.up", keys="up,k", label="up", scope="metrics",
           help="Go to the chart above"),
    Action(id="metrics.open", keys="enter", label="full", scope="metrics", footer=4,
           help="Show one chart in full, or the grid again"),
    Action(id="metrics.filter", keys="slash", label="filter", scope="metrics", footer=5,
           help="Show only keys that match a regular expression"),
    Action(id="metrics.cross", keys="v", label="cross-hair", scope="metrics", footer=6,
           help="Show a cross-hair with values over all charts, to be moved left and right"),
    Action(id="metrics.cross_left", keys="h", label="cross-hair left", scope="metrics",
           help="Move the cross-hair to the left; without one go to the tab before"),
    Action(id="metrics.cross_right", keys="l", label="cross-hair right", scope="metrics",
           help="Move the cross-hair to the right; without one go to the next tab"),
    Action(id="metrics.axis", keys="t", label="x", scope="metrics", footer=7,
           help="Have x mean step, time or epoch"),
    Action(id="metrics.smooth", keys="M", label="smooth", scope="metrics", footer=8,
           help="Smooth by 0, 0.6 or 0.9, as W&B does"),
    Action(id="metrics.log", keys="L", label="log y", scope="metrics",
           help="Draw heights as logarithms, where a value is positive"),
    Action(id="metrics.zoom_in", keys="plus", label="zoom in", scope="metrics",
           help="Show half of x: around the cross-hair, else up to the end"),
    Action(id="metrics.zoom_out", keys="minus", label="zoom out", scope="metrics",
           help="Show twice as much of x"),
    Action(id="metrics.zoom_reset", keys="0", label="all of x", scope="metrics",
           help="Show all of x"),
    Action(id="metrics.next", keys="right_square_bracket", label="page, tab", scope="metrics",
           footer=3,
           help="Show the next page of charts; after the last one the next tab"),
    Action(id="metrics.previous", keys="left_square_bracket", label="page", scope="metrics",
           help="Show the page before; before the first one the tab before"),
    Action(id="metrics.page_down", keys="pagedown,ctrl+d", label="page", scope="metrics",
           help="Show the next page of charts"),
    Action(id="metrics.page_up", keys="pageup,ctrl+u", label="page", scope="metrics",
           help="Show the page of charts before"),
    Action(id="metrics.table", keys="T", label="table", scope="metrics", footer=10,
           help="Show last, least and greatest values as a table, or the charts"),
    Action(id="metrics.system", keys="s", label="system", scope="metrics",
           help="Go to the system metrics, or back to what was logged"),
    Action(id="metrics.overlay", keys="O", label="overlay", scope="metrics",
           help="Lay the marked runs over this one, else the run of its job before it"),
    Action(id="metrics.copy", keys="y", label="copy", scope="metrics",
           help="Copy the values of the chart as CSV; when zoomed, those in view"),
    Action(id="metrics.close", keys="escape", label="close", scope="metrics",
           help="Put away cross-hair, full chart, zoom and filter, one by one"),
    Action(id="values.look", keys="enter", label="curve or edit", scope="values", footer=1,
           help="Show the curve of a result; edit a value of config"),
    Action(id="values.edit", keys="e", label="edit & enqueue", scope="values", dangerous=True,
           footer=2, help="Change the value under the cursor and launch the chosen run with it"),
    Action(id="values.all", keys="a", label="all", scope="values", footer=3,
           help="Show all values, or only those that differ"),
    Action(id="values.filter", keys="slash", label="filter", scope="values", footer=5,
           help="Show only values with all these words"),
    Action(id="values.curves", keys="c", label="curves", scope="values", footer=6,
           help="Show the curves of the marked results, or of all"),
    Action(id="compare.left", keys="left,h", label="run", scope="compare",
           help="Choose the run at the left"),
    Action(id="compare.right", keys="right,l", label="run", scope="compare", footer=11,
           help="Choose the run at the right: the one that is edited, and whose source is shown"),
    Action(id="compare.next", keys="right_square_bracket", label="tab", scope="compare", footer=12,
           help="Show the next tab"),
    Action(id="compare.previous", keys="left_square_bracket", label="tab", scope="compare",
           help="Show the tab before"),
    Action(id="compare.rerun", keys="r", label="rerun", scope="compare", dangerous=True, footer=13,
           help="Launch the chosen run again, with changes if wanted"),
    Action(id="compare.open", keys="i", label="open run", scope="compare", footer=14,
           help="Open the chosen run"),
    Action(id="compare.open_page", keys="o", label="W&B page", scope="compare", footer=15,
           help="Open the chosen run's page in W&B where it has one; over SSH copy its address"),
    Action(id="jobs.launch", keys="n", label="launch", scope="jobs", dangerous=True, footer=12,
           help="Launch the job under the cursor"),
    Action(id="jobs.add", keys="A", label="add job", scope="jobs", dangerous=True, footer=16,
           help="Make a job from a folder, a git repository or an image", palette="job: add…"),
    Action(id="jobs.edit", keys="e", label="edit", scope="jobs", dangerous=True, footer=18,
           help="Edit command, inputs and description of the job in $EDITOR",
           terminal=True, palette="job: edit…"),
    Action(id="jobs.delete", keys="D", label="delete", scope="jobs", dangerous=True, footer=35,
           help="Delete the job with all its versions; asks", palette="job: delete…"),
    Action(id="queues.new", keys="N", label="new queue", scope="queues", dangerous=True, footer=15,
           help="Make a queue", palette="queue: new…"),
    Action(id="queues.pause", keys="P", label="pause", scope="queues", dangerous=True, footer=16,
           help="Start nothing more from the queue, or start again",
           palette="queue: pause or resume"),
    Action(id="queues.more", keys="plus", label="more at once", scope="queues", dangerous=True,
           help="Run one more at once", palette="queue: concurrency, one more at once"),
    Action(id="queues.fewer", keys="minus", label="fewer at once", scope="queues", dangerous=True,
           help="Run one fewer at once", palette="queue: concurrency, one fewer at once"),
    Action(id="queues.at_once", keys="", label="at once", scope="queues", dangerous=True,
           help="Say how many runs the queue runs at once", palette="queue: concurrency…"),
    Action(id="queues.edit", keys="e", label="edit", scope="queues", dangerous=True, footer=18,
           help="Edit the queue's settings in $EDITOR", terminal=True, palette="queue: edit…"),
    Action(id="queues.settings", keys="E", label="settings", scope="queues", dangerous=True,
           footer=17, help="Change the queue's settings in a form", palette="queue: settings…"),
    Action(id="queues.delete", keys="D", label="delete", scope="queues", dangerous=True, footer=35,
           help="Delete a queue without runs; asks", palette="queue: delete…"),
    Action(id="agent.drain", keys="P", label="drain or stop", scope="agent", dangerous=True,
           footer=15, help="Have the agent claim nothing more, or leave; asks. Claim again",
           palette="agent: drain, resume or stop…"),
    Action(id="agent.report", keys="R", label="failure report", scope="agent",
           help="Copy the failure report of the run of the event under the cursor"),
    Action(id="agent.log", keys="", label="log", scope="agent", palette="agent: show log",
           help="Show what an agent without a screen has written"),
    Action(id="agent.bundle", keys="Y", label="debug bundle", scope="agent",
           palette="app: copy debug bundle",
           help="Copy what somebody who helps needs to know, without secrets"),
    _global("demo", "", "demo", dangerous=True, palette="help: launch the demo",
            help="Make a queue and a real training job, and launch it three times"),
    Action(id="form.submit", keys="f5,ctrl+enter,alt+enter", label="launch or create",
           scope="form", dangerous=True, footer=10, priority=True,
           help="Do what the form says, from any field"),
    Action(id="form.edit", keys="ctrl+e", label="edit field in $EDITOR", scope="form", footer=20,
           priority=True, terminal=True, help="Edit the field in $EDITOR"),
    Action(id="form.plan", keys="f2", label="plan", scope="form", footer=30, priority=True,
           help="Show the plan, or the form again, where both do not fit"),
    Action(id="plan.copy", keys="y", label="copy command", scope="plan", footer=10,
           help="Copy the command that launches the same"),
    Action(id="first.queue", keys="enter", label="local queue", scope="first",
           dangerous=True, footer=1, help="Make a queue for processes of this machine"),
    Action(id="first.other", keys="N", label="other queue", scope="first", dangerous=True,
           footer=2,
           help="Make a queue, and say what for"),
    Action(id="first.job", keys="A", label="add job", scope="first", dangerous=True,
           footer=3,
           help="Make a job from a folder or a git repository"),
    Action(id="first.demo", keys="d", label="demo", scope="first", dangerous=True,
           footer=4,
           help="Launch a real training job three times, in a queue of its own"),
    Action(id="move.down", keys="j,down", label="down", scope="move", help="One line down"),
    Action(id="move.up", keys="k,up", label="up", scope="move", help="One line up"),
    Action(id="move.half_down", keys="ctrl+d", label="half page down", scope="move",
           help="Half a page down"),
    Action(id="move.half_up", keys="ctrl+u", label="half page up", scope="move",
           help="Half a page up"),
    Action(id="move.page_down", keys="pagedown", label="page down", scope="move",
           help="A page down"),
    Action(id="move.page_up", keys="pageup", label="page up", scope="move", help="A page up"),
    Action(id="move.first", keys="g,home", label="first", scope="move",
           help="To the first line"),
    Action(id="move.last", keys="G,end", label="last", scope="move", help="To the last line"),
)  # fmt: skip

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}
BY_NAME: dict[str, Action] = {action.name: action for action in ACTIONS}

_SHOWN = {
    "slash": "/", "question_mark": "?", "colon": ":", "asterisk": "*", "space": "space",
    "enter": "⏎", "escape": "esc", "left_square_bracket": "[", "right_square_bracket": "]",
    "plus": "+", "minus": "-", "ampersand": "&", "number_sign": "#", "vertical_line": "|",
    "up": "↑", "down": "↓", "left": "←", "right": "→", "pagedown": "pgdn", "pageup": "pgup",
}  # fmt: skip


_LONG_NAMES = {short: long for long, short in KEY_NAME_REPLACEMENTS.items()}
"""Textual's short names of keys -> the names that it looks characters up by."""


def bindings(*scopes: str) -> list[Binding]:
    """Return the bindings of all actions of these scopes."""
    return [
        Binding(a.keys, a.name, a.label, show=a.footer > 0, id=a.id, priority=a.priority)
        for a in ACTIONS
        if a.scope in scopes and a.keys
    ]


def moves(**actions: str) -> list[Binding]:
    """Return the bindings by which a widget moves: ``moves(down="move(1)", first="go(0)")``."""
    known = [(BY_ID[f"move.{name}"], action) for name, action in actions.items()]
    return [Binding(a.keys, action, a.label, show=False, id=a.id) for a, action in known]


def same_as(action_id: str, action: str) -> Binding:
    """Return a binding for what is another widget's action too, so that both have one key."""
    same = BY_ID[action_id]
    return Binding(same.keys, action, same.label, show=False, id=same.id)


def of_scopes(scopes: Iterable[str]) -> list[Action]:
    """Return the actions of these scopes, in the table's order."""
    wanted = frozenset(scopes)
    return [action for action in ACTIONS if action.scope in wanted]


def is_dangerous(name: str) -> bool:
    """Say whether a Textual action changes something."""
    return name in BY_NAME and BY_NAME[name].dangerous


def needs_terminal(name: str) -> bool:
    """Say whether a Textual action needs the person's own terminal or machine."""
    return name in BY_NAME and BY_NAME[name].terminal


def shown_key(key: str) -> str:
    """Return a Textual key name as people write it: ``ctrl+p`` is ``^p``."""
    if key.startswith("ctrl+"):
        return f"^{key.removeprefix('ctrl+')}"
    return _SHOWN.get(key) or character_of(key) or key


def character_of(key: str) -> str:
    """Return the character that one types with a key; empty where it is none."""
    if "+" in key:
        return ""
    character = key_to_character(_LONG_NAMES.get(key, key)) or ""
    return character if character.isprintable() else ""
