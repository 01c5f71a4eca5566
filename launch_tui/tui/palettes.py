"""The themes that can be chosen, each with the colours of states and of series.

The usual two lie on a blue and orange axis, which people with a red-green weakness tell apart. For
a blue-yellow weakness that axis is the wrong one: ``red-cyan`` has another. ``contrast`` is for low
vision and bad projectors, black and white with few and bright colours. As everywhere, a state is
also a glyph and a word, and each colour an exact entry of the xterm palette.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from textual.theme import Theme

from launch_tui.domain.run import RunState

if TYPE_CHECKING:
    from collections.abc import Mapping


class Colours(NamedTuple):
    """What a theme colours: the states of runs, and the series of a chart in their order."""

    states: Mapping[RunState, str]
    series: tuple[str, ...]


def _states(
    *, waiting: str, held: str, working: str, running: str, finished: str, failed: str,
    stopped: str, preempted: str, lost: str,
) -> dict[RunState, str]:  # fmt: skip
    beginning = (RunState.CLAIMED, RunState.SOURCING, RunState.BUILDING, RunState.STARTING)
    return {
        RunState.QUEUED: waiting,
        RunState.HELD: held,
        **dict.fromkeys(beginning, working),
        RunState.RUNNING: running,
        RunState.FINISHED: finished,
        RunState.FAILED: failed,
        RunState.STOPPED: stopped,
        RunState.PREEMPTED: preempted,
        RunState.LOST: lost,
    }


DARK = Theme(
    name="launch-dark",
    primary="#5fafff",
    secondary="#5f87af",
    accent="#ffaf00",
    warning="#ffaf5f",
    error="#ff8700",
    success="#87afd7",
    foreground="#e4e4e4",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    dark=True,
)
LIGHT = Theme(
    name="launch-light",
    primary="#005fd7",
    secondary="#5f87af",
    accent="#af5f00",
    warning="#af8700",
    error="#d75f00",
    success="#005f87",
    foreground="#1c1c1c",
    background="#eeeeee",
    surface="#ffffff",
    panel="#dadada",
    dark=False,
)
RED_CYAN_DARK = Theme(
    name="launch-dark-red-cyan",
    primary="#5fd7d7",
    secondary="#5fafaf",
    accent="#ff8787",
    warning="#ffafaf",
    error="#ff5f5f",
    success="#87d7d7",
    foreground="#e4e4e4",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    dark=True,
)
RED_CYAN_LIGHT = Theme(
    name="launch-light-red-cyan",
    primary="#005f5f",
    secondary="#008787",
    accent="#af0000",
    warning="#af5f5f",
    error="#d70000",
    success="#005f5f",
    foreground="#1c1c1c",
    background="#eeeeee",
    surface="#ffffff",
    panel="#dadada",
    dark=False,
)
CONTRAST = Theme(
    name="launch-contrast",
    primary="#5fd7ff",
    secondary="#ffffff",
    accent="#ffff5f",
    warning="#ffd75f",
    error="#ffaf00",
    success="#afffff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#303030",
    dark=True,
)
THEMES = (DARK, LIGHT, RED_CYAN_DARK, RED_CYAN_LIGHT, CONTRAST)

BY_THEME: dict[str, Colours] = {
    DARK.name: Colours(
        _states(
            waiting="#8a8a8a", held="#767676", working="#87afd7", running="bold #5fafff",
            finished="#5f87af", failed="bold #ff8700", stopped="#9e9e9e", preempted="#d7af5f",
            lost="#ff8700",
        ),
        ("#5fafff", "#ffaf00", "#00af87", "#d787af", "#ff5f00", "#ffff5f", "#0087d7"),
    ),
    LIGHT.name: Colours(
        _states(
            waiting="#6c6c6c", held="#767676", working="#005f87", running="bold #005fd7",
            finished="#5f87af", failed="bold #af5f00", stopped="#585858", preempted="#875f00",
            lost="#af5f00",
        ),
        ("#0087d7", "#af8700", "#00875f", "#af5f87", "#d75f00", "#878700", "#005faf"),
    ),
    RED_CYAN_DARK.name: Colours(
        _states(
            waiting="#8a8a8a", held="#767676", working="#87d7d7", running="bold #5fd7d7",
            finished="#5fafaf", failed="bold #ff5f5f", stopped="#9e9e9e", preempted="#d78787",
            lost="#ff5f5f",
        ),
        ("#5fd7d7", "#ff5f5f", "#ffffff", "#008787", "#ffafaf", "#afd7d7", "#af0000"),
    ),
    RED_CYAN_LIGHT.name: Colours(
        _states(
            waiting="#6c6c6c", held="#767676", working="#008787", running="bold #005f5f",
            finished="#5f8787", failed="bold #d70000", stopped="#585858", preempted="#875f5f",
            lost="#d70000",
        ),
        ("#008787", "#d70000", "#303030", "#5fafaf", "#af5f5f", "#005f5f", "#ff5f5f"),
    ),
    CONTRAST.name: Colours(
        _states(
            waiting="#dadada", held="#bcbcbc", working="#afffff", running="bold #5fd7ff",
            finished="#afd7ff", failed="bold #ffaf00", stopped="#ffffff", preempted="#ffd7af",
            lost="bold #ffd75f",
        ),
        ("#5fd7ff", "#ffaf00", "#00d7af", "#ff87d7", "#ffffff", "#ffff5f", "#87afff"),
    ),
}  # fmt: skip
"""Theme of ours -> its colours."""

OF_THE_TERMINAL = Colours(
    _states(
        waiting="default", held="bright_black", working="cyan", running="bold blue",
        finished="blue", failed="bold yellow", stopped="default", preempted="yellow",
        lost="yellow",
    ),
    ("blue", "yellow", "green", "magenta", "red", "cyan", "bright_blue"),
)  # fmt: skip
"""Those of a theme that is made of the terminal's own sixteen."""


def colours_of(theme: Theme) -> Colours:
    """Return the colours of a theme; one that is not ours has those of ours that are nearest."""
    if own := BY_THEME.get(theme.name):
        return own
    return OF_THE_TERMINAL if theme.ansi else BY_THEME[(DARK if theme.dark else LIGHT).name]
