"""The application: the four modes, what is live, what acts, what is told, and how one leaves.

To add a screen: derive from ``LaunchScreen`` (screens/base.py), give its module a place in
``_SCREENS`` if it is a mode, or push it; style it in app.tcss; put its keys into keys.py. Its
golden frames go to tests/tui/golden.

What a screen has of the application, by ``ui(self)``:

- ``launch``: the SDK, for reads that take microseconds, on the UI's thread only.
- ``act(what, done)``: anything that writes or takes time: ``what`` gets a ``Launch`` of its own on
  a thread of its own, ``done`` gets its result on the UI's loop. Errors are told by themselves.
- ``tell(text)``: a toast that is also an event in the store, for what a person cannot see happen.
- ``glance`` and ``glance_changed``: the agent, queues and counts, read once per change.
- ``pulse``: the signals ``store_changed``, ``frame`` and ``minute``; screens get the first by
  ``refresh_live``.
- ``ask(modal, answered)``: push a modal; ``answered`` is called unless it was closed by escape.
- ``key("run.stop")``: the key of an action as it holds, for texts that name one.
- ``refuses(action)``: why an action is not to be had here (read-only, in a browser), if so.
- ``clock``: the time, seconds since the epoch; never ask another clock, frames in tests depend
  on it.

The agent is handed in by whoever composes the program: nothing here imports it.
"""

from __future__ import annotations

import asyncio
import gc
import io
import signal
import socket
import time
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from textual.events import Key, Paste
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.signal import Signal

from launch_tui.domain.text import printable
from launch_tui.errors import LaunchError
from launch_tui.sdk import Launch
from launch_tui.sdk.devices import HostFile
from launch_tui.store.paths import default_home
from launch_tui.tui import keys, leaving, theme
from launch_tui.tui.ascii_bar import AsciiScrollBar
from launch_tui.tui.everywhere import Everywhere, named
from launch_tui.tui.failures import FailureNews
from launch_tui.tui.fitting import Fitting
from launch_tui.tui.glance import Glance, GlanceReader
from launch_tui.tui.key_order import KeyOrder
from launch_tui.tui.leaving import Leave
from launch_tui.tui.manners import Manners
from launch_tui.tui.pulse import Pulse
from launch_tui.tui.threads import in_thread
from launch_tui.tui.ui import fit_manners
from launch_tui.tui.widgets.log_marks import LogMarks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from textual.binding import BindingType
    from textual.events import Event
    from textual.filter import LineFilter
    from textual.screen import Screen
    from textual.worker import Worker

    from launch_tui.store.paths import Home
    from launch_tui.tui.screens.base import LaunchModal

T = TypeVar("T")

_WIDTHS = [(0, "-tiny"), (40, "-narrow"), (80, "-normal"), (110, "-wide")]
_HEIGHTS = [(0, "-flat"), (10, "-short"), (20, "-medium"), (32, "-tall")]
_SCREENS = {
    "runs": "home.HomeScreen",
    "jobs": "jobs.JobsScreen",
    "queues": "queues.QueuesScreen",
    "agent": "agent.AgentScreen",
}
_TOLD_ERRORS_S = 10.0
_AGENT_LOOK_FRAMES = 5
"""An agent that dies commits nothing, so its lock is looked at twice a second (20 µs)."""
_REMEMBERED_WORDS = 500
READ_ONLY = "read-only"
LONGEST_IN_BROWSER = 50_000
"""Characters that are copied to a browser's clipboard; more is a download."""


def _make_screen(place: str) -> Screen[Any]:
    """Import a mode's screen when it is first shown and return a new one."""
    module, _, name = place.partition(".")
    made: Screen[Any] = named(f"screens.{module}", name)()
    return made


class AgentHandle(Protocol):
    """The agent inside this process, as far as the UI has to do with it."""

    error: BaseException | None

    def start(self) -> None:
        """Begin to work, or to stand by while another agent works here."""

    def leave(self) -> None:
        """Leave at once; runs go on."""

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has left."""

    def is_alive(self) -> bool:
        """Say whether it works or stands by."""


class _Commits:
    """Tells the pulse whether anything was committed since it asked last."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._seen = launch.changed()

    def changed(self) -> bool:
        version, self._seen = self._seen, self._launch.changed()
        return version != self._seen


class LaunchApp(Everywhere):
    """The terminal UI over one data directory; returns how the person left.

    Args:
        home: The data directory; by default ``LAUNCH_TUI_HOME``, else the platform's place.
        read_only: Grey out everything that would change something.
        ascii_only: Draw with ASCII alone.
        make_agent: Makes the agent that works inside this process, after the first paint; it is
            given the data directory and a function that takes each line the agent says. None for
            no agent.
        clock: Seconds since the epoch.
        host: The machine's name, as the top bar shows it.
        demo: Launch the demo's training job once there is something to see.
        fits: What fits the terminal, where the person's settings do not say.

    Raises:
        StoreError: When the data directory cannot be used.
    """

    TITLE = "launch-tui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    PAUSE_GC_ON_SCROLL = True
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings("global"))
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        mode: partial(_make_screen, place) for mode, place in _SCREENS.items()
    }
    DEFAULT_MODE = "runs"

    def __init__(
        self,
        home: str | Path | None = None,
        *,
        read_only: bool = False,
        ascii_only: bool = False,
        make_agent: Callable[[Home, Callable[[str], None]], AgentHandle] | None = None,
        clock: Callable[[], float] = time.time,
        host: str = "",
        demo: bool = False,
        fits: Fitting | None = None,
    ) -> None:
        where = None if home is None else str(home)
        # Textual asks for the kind of colours before it asks for the theme.
        self.manners = Manners(self, default_home(where), fits or Fitting(), ascii_only=ascii_only)
        super().__init__(ansi_color=self.manners.has_sixteen_colours or None)
        self._demo = demo
        self.read_only = read_only
        self.clock = clock
        self.host = host or socket.gethostname()
        self.launch = Launch(home, read_only=read_only)
        self.home = self.launch.home
        self.pulse = Pulse(self, _Commits(self.launch), live=lambda: self.glance.active > 0)
        self.glance_changed: Signal[Glance] = Signal(self, "glance_changed")
        self.host_file = HostFile(self.home)
        """How the machine has stood in the last half hour."""
        self.host_changed: Signal[None] = Signal(self, "host_changed")
        self._reader = GlanceReader(self.launch)
        self.glance = self._reader.read(clock())
        self.agent: AgentHandle | None = None
        self.agent_words: deque[tuple[float, str]] = deque(maxlen=_REMEMBERED_WORDS)
        """What the agent of this process said, with the time, newest last."""
        self.log_marks = LogMarks()
        """The marks that the person has put into logs since the application began."""
        self.hung_up = False
        """Whether the terminal was closed."""
        self._make_agent = make_agent
        self._frames = 0
        self._agent_error: BaseException | None = None
        self._failures = FailureNews(self)
        self._keys = KeyOrder(self, super().on_event)
        self.keymap = self.manners.settings.keymap
        """Which keys the actions have."""
        self.ascii_only = self.manners.ascii_only
        # Textual has one for the process, so that what an application before this one chose stays.
        ScrollBar.renderer = AsciiScrollBar if self.ascii_only else ScrollBarRender
        for ours in theme.THEMES:
            self.register_theme(ours)
        # Its watcher would read all style sheets once more, before the first paint.
        self.set_reactive(LaunchApp.theme, self.manners.theme)

    # What screens use.

    def act(
        self,
        what: Callable[[Launch], T],
        done: Callable[[T], None] | None = None,
        *,
        failed: Callable[[LaunchError], None] | None = None,
        group: str = "",
    ) -> Worker[None]:
        """Do something with a ``Launch`` of its own, off the UI's loop.

        Args:
            what: What to do; may take as long as it likes.
            done: Gets the result, on the UI's loop.
            failed: Gets a ``LaunchError``; by default it is told.
            group: A later call of the same group makes an earlier one's answer void.
        """
        return self.run_worker(
            # Not the coroutine itself: one that is cancelled before it begins is never awaited.
            partial(self._act, what, done, failed or self.tell_error),
            group=group or "act",
            exclusive=bool(group),
            exit_on_error=False,
        )

    def tell(self, text: str, *, severity: str = "information", seconds: float = 4.0) -> None:
        """Show a toast and record it as an event.

        Args:
            text: What happened; made printable here.
            severity: ``information``, ``warning`` or ``error``.
            seconds: How long it stays.
        """
        self.notify(printable(text), severity=severity, timeout=seconds, markup=False)  # type: ignore[arg-type]
        if not self.read_only:
            self.act(lambda launch: launch.agents.note(text), failed=lambda _: None)

    def tell_error(self, error: LaunchError) -> None:
        """Show what could not be done, its cause and the next step."""
        self.tell(str(error), severity="error", seconds=_TOLD_ERRORS_S)

    def ask(self, modal: LaunchModal[T], answered: Callable[[T], object]) -> None:
        """Push a modal and hand on its answer; None, which escape gives, is no answer."""

        def closed(answer: T | None) -> None:
            if answer is not None:
                answered(answer)

        if modal.CHANGES and self.read_only:
            self.tell_refusal(READ_ONLY)
        else:
            self.push_screen(modal, closed)

    def key(self, action_id: str) -> str:
        """Return the key of an action as people write it, as it holds."""
        return self.keymap.shown(keys.BY_ID[action_id], ascii_only=self.ascii_only)

    def refuses(self, action: str) -> str:
        """Return why an action is not to be had here; empty when it is.

        Args:
            action: Its name, as Textual has it.
        """
        if self.read_only and keys.is_dangerous(action):
            return READ_ONLY
        if self.is_web and keys.needs_terminal(action):
            return "not in a browser"
        return ""

    def tell_refusal(self, why: str) -> None:
        """Say why nothing was done."""
        self.notify(f"{why}: this is not to be had here", severity="warning", timeout=3,
                    markup=False)  # fmt: skip

    def look(self) -> None:
        """Read the glance again and hand it on."""
        self.glance = self._reader.read(self.clock())
        self.manners.write_title(self.glance)
        self.glance_changed.publish(self.glance)

    # Beginning and end.

    def on_mount(self) -> None:
        """Begin to follow what is live."""
        self.manners.begin()
        self.pulse.store_changed.subscribe(self, lambda _: self.look(), immediate=True)
        self.pulse.frame.subscribe(self, lambda _: self._watch_agent(), immediate=True)
        self.pulse.store_changed.subscribe(self, lambda _: self._failures.look(), immediate=True)
        self.pulse.frame.subscribe(self, lambda _: self._failures.tell(), immediate=True)
        self.call_after_refresh(self._begin)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey out what is not to be had here."""
        if self.refuses(action):
            return None
        return super().check_action(action, parameters)

    def hang_up(self) -> None:
        """Leave a terminal that is gone: nothing more is written to it."""
        if self.hung_up:
            return
        self.hung_up = True
        leaving.let_go_of_the_terminal(self)
        self.exit(Leave.HAND_OVER)

    async def on_event(self, event: Event) -> None:
        """Take an event; keys one after the other."""
        if isinstance(event, Key | Paste) and not event.is_forwarded:
            await self._keys.take(event)
        elif not (isinstance(event, Key) and await self._keys.take_back(event)):
            await super().on_event(event)

    async def on_unmount(self) -> None:
        """Let go of what is open."""
        self.manners.end()
        self.launch.close()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what all that is drawn goes through."""
        return (*super().get_line_filters(), *self.manners.filters())

    def draw_anew(self) -> None:
        """Draw everything anew: how all of it is drawn has changed."""
        for screen in self.screen_stack:
            fit_manners(screen)
            for widget in screen.walk_children(with_self=True):
                widget.notify_style_update()
                widget.refresh(layout=True)
        self.refresh_bindings()

    def on_app_focus(self) -> None:
        """The terminal has the focus, and is one that tells."""
        self.manners.hear_focus()

    def on_app_blur(self) -> None:
        """The terminal does not have the focus."""
        self.manners.hear_focus()

    def action_app_quit(self) -> None:
        """Leave, after asking what becomes of work that goes on."""
        if self.screen.get_selected_text():
            self.action_copy_selection()
            return
        leaving.ask_and_leave(self)

    def action_copy_selection(self) -> None:
        """Copy the text that is selected with the mouse."""
        if text := self.screen.get_selected_text():
            self.copy(text)
            self.screen.clear_selection()

    def action_app_leave(self) -> None:
        """Leave at once; the queue goes on."""
        self.exit(Leave.HAND_OVER)

    def open_form(
        self, *, job: str = "", rerun: str = "", changes: Mapping[str, Any] | None = None
    ) -> None:
        """Open the launch form.

        Args:
            job: The job it begins with.
            rerun: A run whose values it begins with.
            changes: Values of the run's configuration that are others, by their dotted keys.
        """
        if self.read_only:
            self.tell_refusal(READ_ONLY)
            return
        form = named("screens.launch_form", "LaunchForm")
        self.push_screen(form(job=job, rerun=rerun, changes=changes))

    def copy(self, text: str) -> None:
        """Copy text to where the person sits, and say how."""
        from launch_tui.tui import clipboard

        driver = self._driver
        write = driver.write if driver is not None else lambda _: None
        if self.is_web and len(text) > LONGEST_IN_BROWSER:
            # To the person's machine: a file on this one would be out of reach.
            self.deliver_text(io.StringIO(text), save_filename="launch-tui.txt")
            return
        # The desktop of the machine that this runs on is not the one that a browser is on.
        environ = {"SSH_CONNECTION": "browser"} if self.is_web else None
        later: list[str] = []

        def copied(said: str) -> None:
            for sequence in later:
                write(sequence)
            self.tell(said, seconds=3)

        self.act(
            lambda launch: clipboard.copy(
                text, write=later.append, directory=launch.home.temporary, environ=environ
            ),
            copied,
        )

    def tell_nothing_to_copy(self) -> None:
        """Say that there is nothing under the cursor."""
        self.tell("nothing to copy here", seconds=2)

    # What is live.

    def _begin(self) -> None:
        """Begin what may wait until something is on the screen."""
        gc.freeze()
        gc.enable()
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, self.hang_up)
            loop.add_signal_handler(signal.SIGTERM, self.action_app_leave)
        self.manners.settle()
        self.pulse.start()
        if self._make_agent is not None and not self.read_only:
            self.run_worker(self._start_agent(self._make_agent), exit_on_error=False)
        if self._demo:
            self.action_app_demo()

    async def _start_agent(
        self, make_agent: Callable[[Home, Callable[[str], None]], AgentHandle]
    ) -> None:
        def make_and_start() -> AgentHandle:
            agent = make_agent(self.home, self._hear)
            agent.start()
            return agent

        try:
            self.agent = await in_thread(make_and_start, name="agent-start")
        except (LaunchError, OSError, ImportError) as error:
            self.tell(f"the agent did not start: {error}", severity="error", seconds=_TOLD_ERRORS_S)

    def _hear(self, words: str) -> None:
        self.agent_words.append((self.clock(), words))

    def _watch_agent(self) -> None:
        self._frames += 1
        if self._frames % _AGENT_LOOK_FRAMES:
            return
        if self.host_file.look():
            self.host_changed.publish(None)
        if self.launch.agents.is_running() != self.glance.agent_runs:
            self.look()
        error = self.agent.error if self.agent is not None else None
        if error is not None and error is not self._agent_error:
            self._agent_error = error
            self.tell(f"the agent here ended: {error}", severity="error", seconds=_TOLD_ERRORS_S)

    async def _act(
        self,
        what: Callable[[Launch], T],
        done: Callable[[T], None] | None,
        failed: Callable[[LaunchError], None],
    ) -> None:
        def work() -> T:
            with Launch(self.home.root, read_only=self.read_only) as launch:
                return what(launch)

        try:
            result = await in_thread(work, name="act")
        except LaunchError as error:
            failed(error)
        except OSError as error:
            failed(LaunchError(str(error)))
        else:
            if done is not None:
                done(result)
