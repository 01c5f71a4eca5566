"""The card of an empty store: the three things that make a run, what was found, and the demo."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content
from textual.widgets import Static

from launch_tui.domain.queue import DEFAULT_QUEUE, Resource
from launch_tui.domain.text import printable
from launch_tui.tui import keys
from launch_tui.tui.going import show_job, show_queue
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.bar import clickable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.binding import BindingType

    from launch_tui.tui.glance import Glance

ANSWER_S = 2.0
"""How long Docker may take to answer."""
NARROW = 74
"""Cells below which the card says less."""

_WHY = (
    "where it runs",
    "what runs",
    "with what inputs",
    "  a real training job, three configurations",
)

Found = tuple[str, bool, str]
"""What was looked for, whether it is there, and a remark."""


class FirstRun(Static, can_focus=True):
    """Shown in place of the runs while there never was one; hides itself when there is."""

    SCOPES = ("first",)
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings("first"))

    def __init__(self) -> None:
        super().__init__(id="first-run", classes="pane", markup=False)
        self.border_title = "Runs"
        self.display = False
        self._found: Sequence[Found] = ()
        self._looked = False
        self._jobs: tuple[str, ...] = ()

    def on_mount(self) -> None:
        """Begin to follow what is there."""
        app = ui(self)
        app.glance_changed.subscribe(self, self._follow)
        self._follow(app.glance)

    def action_first_queue(self) -> None:
        """Make the queue ``default``, for processes of this machine."""
        if not ui(self).glance.queues:
            ui(self).act(lambda launch: launch.queues.create(DEFAULT_QUEUE, Resource.LOCAL_PROCESS))

    def action_first_other(self) -> None:
        """Open the form for a queue."""
        from launch_tui.tui.screens.new_queue import NewQueue

        ui(self).ask(NewQueue(), lambda name: show_queue(ui(self), name))

    def action_first_job(self) -> None:
        """Open the form for a job."""
        from launch_tui.tui.screens.new_job import NewJob

        ui(self).ask(NewJob(), lambda name: show_job(ui(self), name))

    def action_first_demo(self) -> None:
        """Launch the demo."""
        ui(self).action_app_demo()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey out what is not to be had here."""
        if ui(self).refuses(action):
            return None
        return super().check_action(action, parameters)

    def _follow(self, glance: Glance) -> None:
        empty = glance.total == 0
        if not empty and self.has_focus and self.parent is not None:
            self.parent.query_one("#runs").focus()
        self.display = empty
        if self.parent is not None:
            self.parent.set_class(empty, "-first-run")
        if not empty:
            return
        app = ui(self)
        if not self._looked:
            self._looked = True
            app.act(lambda _: look_around(), self._take_found)
        self._jobs = tuple(job.name for job in app.launch.jobs.list())
        self._show(glance)
        # Whoever composed the runs gives them the focus, which nothing hidden can use.
        self.call_after_refresh(self._take_focus)

    def _take_focus(self) -> None:
        focused = self.screen.focused
        if self.display and (focused is None or not focused.display):
            self.focus()

    def on_resize(self) -> None:
        """Say less where there is less room."""
        if self.display:
            self._show(ui(self).glance)

    def _take_found(self, found: Sequence[Found]) -> None:
        self._found = found
        self._show(ui(self).glance)

    def _show(self, glance: Glance) -> None:
        app = ui(self)
        queues = [queue.name for queue in glance.queues]
        self.update(
            first_run_content(
                queues, self._jobs, self._found, short_path(app.home.root),
                key=lambda name: app.keymap.shown(keys.BY_ID[name], ascii_only=True),
                narrow=self.size.width < NARROW, ascii_only=app.ascii_only,
                read_only=app.read_only,
            )
        )  # fmt: skip


def first_run_content(
    queues: Sequence[str],
    jobs: Sequence[str],
    found: Sequence[Found],
    data: str,
    *,
    key: Callable[[str], str],
    narrow: bool = False,
    ascii_only: bool = False,
    read_only: bool = False,
) -> Content:
    """Return the card's text.

    Args:
        queues: Names of the queues that there are.
        jobs: Names of the jobs that there are.
        found: What was found on this machine, as far as it has been looked for.
        data: The data directory.
        key: Returns the key of an action.
        narrow: Whether to leave out what explains.
        ascii_only: Whether to keep to ASCII.
        read_only: Whether none of it can be done from here.
    """
    yes, no = ("+", "-") if ascii_only else ("✓", "✗")
    queue_keys = [
        (key("first.queue"), "make a local queue", "first_queue"),
        (key("first.other"), "another", "first_other"),
    ]
    why = ("", "", "", "") if narrow else _WHY
    launch_keys = [(key("app.launch"), "launch", "app.app_launch")]
    job_keys = [(key("first.job"), "add a folder or repository", "first_job")]
    lines = [
        Content(""),
        Content.styled("Nothing here yet. Three things make a run:", "bold"),
        Content(""),
        _step(1, "a queue ", why[0], queues, queue_keys, yes),
        _step(2, "a job   ", why[1], jobs, job_keys, yes),
        _step(3, "a launch", why[2], (), launch_keys, yes),
        Content(""),
        Content.assemble(" ", _key(key("first.demo"), "try the demo", "first_demo"),
                         (why[3], "$foreground-muted")),
        Content(""),
    ]  # fmt: skip
    if read_only:
        lines[-1:] = [Content.styled("read-only: make them with launch-tui", "$warning"), lines[-1]]
    told = [
        Content.assemble((f"{yes if there else no} ", "$success" if there else "$foreground-muted"),
                         name, (f" {remark}" if remark else "", "$foreground-muted"))
        for name, there, remark in found
    ]  # fmt: skip
    lines.append(Content("    ").join(told))
    lines.append(Content.styled(f"data in {printable(data)}", "$foreground-muted"))
    return Content("\n").join(lines)


def look_around() -> list[Found]:
    """Return what of the tools that runs can use is on this machine; may take seconds."""
    tools = [_docker()]
    tools += [(name, shutil.which(name) is not None, "") for name in ("sbatch", "nvidia-smi")]
    known = _knows_wandb()
    remark = "logged in" if known else "not logged in, works offline"
    return [*tools, ("wandb", known, remark)]


def _docker() -> Found:
    """Return whether there is Docker, with the version of the engine that answers."""
    if shutil.which("docker") is None:
        return ("docker", False, "")
    try:
        done = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=ANSWER_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ("docker", False, "does not answer")
    engine = printable(done.stdout.strip())[:20]
    return ("docker", True, engine) if engine else ("docker", False, "no engine answers")


def short_path(path: Path) -> str:
    """Return a path with the home directory as ``~``."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _knows_wandb() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    netrc = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    try:
        return "api.wandb.ai" in netrc.read_text("utf-8", "replace")
    except OSError:
        return False


def _step(
    number: int,
    what: str,
    why: str,
    there: Sequence[str],
    actions: Sequence[tuple[str, str, str]],
    yes: str,
) -> Content:
    head = (f" {yes} ", "$success") if there else (f" {number} ", "bold $primary")
    parts: list[Content | tuple[str, str]] = [
        head, (f" {what}  ", "bold"), (f"{why:18}" if why else "", "$foreground-muted"),
    ]  # fmt: skip
    if there:
        names = ", ".join(printable(name) for name in there[:3])
        return Content.assemble(*parts, (names, ""), (" and more" if len(there) > 3 else "", ""))
    for key, label, action in actions:
        parts += [_key(key, label, action), "   "]  # type: ignore[list-item]
    return Content.assemble(*parts)


def _key(key: str, label: str, action: str) -> Content:
    click = action if action.startswith("app.") else f"{action}"
    return Content.assemble(
        (f"{key} ", clickable("bold $primary", f"{click}()")), (label, clickable("", f"{click}()"))
    )
