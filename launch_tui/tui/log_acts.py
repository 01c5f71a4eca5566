"""What is done with a log outside of its view: copied, saved, paged, a line of it shown whole."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.domain.text import SafeStream
from launch_tui.tui.aside import standing_aside
from launch_tui.tui.screens.line import LineScreen
from launch_tui.tui.screens.save_log import SaveLog
from launch_tui.tui.widgets.log_pane import COPY_LINES

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.sdk import Launch
    from launch_tui.tui.app import LaunchApp
    from launch_tui.tui.widgets.log_view import LogView

_PIPED = 1 << 18


def act_on_log(app: LaunchApp, view: LogView, what: str) -> None:
    """Do what a log view asks for: ``copy``, ``save`` or ``pager``."""
    {"copy": copy_chosen, "save": save, "pager": open_pager}[what](app, view)


def show_line(app: LaunchApp, number: int, text: str) -> None:
    """Show one line whole."""
    app.push_screen(LineScreen(number, text))


def copy_chosen(app: LaunchApp, view: LogView) -> None:
    """Copy the chosen lines to where the person sits."""
    many = len(view.chosen)
    app.copy(view.chosen_text())
    view.choose_none()
    if many > COPY_LINES:
        app.tell(f"the first {COPY_LINES:,} of {many:,} lines: W saves all", severity="warning")


def save(app: LaunchApp, view: LogView) -> None:
    """Ask for a file and write to it what is chosen, else what the filter shows, else all."""
    write, words = _what_to_save(view)
    source = view.source
    if source is None or not source.exists():
        app.tell("there is no log yet", severity="warning", seconds=3)
        return
    name = name_of(source)

    def saved(text: str) -> None:
        target = Path(text).expanduser()
        app.act(
            lambda _: write(source, target),
            lambda size: app.tell(f"wrote {size:,} bytes to {target}", seconds=6),
        )

    if app.is_web:
        # A file on this machine would be out of the person's reach: it is downloaded.
        def write_beside(launch: Launch) -> Path:
            launch.home.temporary.mkdir(parents=True, exist_ok=True)
            target = launch.home.temporary / name
            write(source, target)
            return target

        def download(target: Path) -> None:
            app.deliver_binary(target)

        app.act(write_beside, download)
        return
    app.ask(SaveLog(words, str(Path.cwd() / name)), saved)


def name_of(source: Path) -> str:
    """Return the name that the copy of a log gets: the run's id and attempt are in it."""
    if source.parent.name.isdigit():
        return f"{source.parent.parent.name}.{source.parent.name}-{source.name}"
    return source.name


def open_pager(app: LaunchApp, view: LogView) -> None:
    """Open the log in the person's pager, the UI standing aside meanwhile."""
    source = view.source
    if source is None or not source.exists():
        app.tell("there is no log yet", severity="warning", seconds=3)
        return
    command = pager()
    try:
        with standing_aside(app):
            _page(command, source)
    except OSError as error:
        app.tell(f"{command[0]}: {error.strerror}: set PAGER", severity="error")


def pager() -> list[str]:
    """Return the command of the person's pager: PAGER, else less, else more."""
    given = shlex.split(os.environ.get("PAGER", ""))
    return given or [next(filter(shutil.which, ("less", "more")), "less")]


def _page(command: list[str], source: Path) -> None:
    if Path(command[0]).name == "less":
        # It shows what acts on a terminal as text; -R lets colours through.
        environ = {**os.environ, "LESS": os.environ.get("LESS", "-R")}
        subprocess.run([*command, str(source)], env=environ, check=False)
        return
    # Of any other pager nobody knows what it lets through: nothing from a job gets there raw.
    stream = SafeStream()
    with subprocess.Popen(command, stdin=subprocess.PIPE) as running, source.open("rb") as log:
        assert running.stdin is not None
        try:
            while data := log.read(_PIPED):
                running.stdin.write(stream.feed(data).encode())
            running.stdin.write(stream.feed(b"", final=True).encode())
            running.stdin.close()
        except BrokenPipeError:
            # The person has left the pager.
            running.stdin = None


def _what_to_save(view: LogView) -> tuple[Callable[[Path, Path], int], str]:
    from launch_tui.store.log_copy import copy_lines, copy_part

    chosen = view.chosen_lines()
    if chosen:
        start, stop = view.span_of(chosen)
        many = f"{len(chosen):,} selected line{'s' * (len(chosen) != 1)}"
        return (lambda source, target: copy_part(source, target, start, stop)), many
    filtered = view.filtered_bits()
    if filtered is not None:
        bits, others = filtered
        return (
            lambda source, target: copy_lines(source, target, bits, others=others),
            f"the {view.row_count:,} lines that the filter shows",
        )
    end = view.byte_count
    return (
        lambda source, target: copy_part(source, target, 0, end),
        f"all {view.line_count:,} lines, as they were written",
    )
