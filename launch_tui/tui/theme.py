"""How states, series and the screen look, in colour, on sixteen colours and in plain ASCII.

A state is a glyph, a word and a colour, so that none of the three is needed alone. Colours lie on
a blue and orange axis, and each is an exact entry of the xterm palette: tmux without RGB then does
not turn one into another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from textual.theme import Theme

from launch_tui.domain.run import RunState
from launch_tui.tui import palettes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class StateLook(NamedTuple):
    """How one state of a run is shown."""

    glyph: str
    ascii: str
    dark: str
    light: str
    ansi: str


LOOKS: dict[RunState, StateLook] = {
    RunState.QUEUED: StateLook("○", ".", "#8a8a8a", "#6c6c6c", "default"),
    RunState.HELD: StateLook("‖", "-", "#767676", "#767676", "bright_black"),
    RunState.CLAIMED: StateLook("◌", ":", "#87afd7", "#005f87", "cyan"),
    RunState.SOURCING: StateLook("◔", "s", "#87afd7", "#005f87", "cyan"),
    RunState.BUILDING: StateLook("◐", "b", "#87afd7", "#005f87", "cyan"),
    RunState.STARTING: StateLook("◕", ">", "#87afd7", "#005f87", "cyan"),
    RunState.RUNNING: StateLook("●", "*", "bold #5fafff", "bold #005fd7", "bold blue"),
    RunState.FINISHED: StateLook("✓", "+", "#5f87af", "#5f87af", "blue"),
    RunState.FAILED: StateLook("✗", "!", "bold #ff8700", "bold #af5f00", "bold yellow"),
    RunState.STOPPED: StateLook("■", "#", "#9e9e9e", "#585858", "default"),
    RunState.PREEMPTED: StateLook("↺", "^", "#d7af5f", "#875f00", "yellow"),
    RunState.LOST: StateLook("?", "?", "#ff8700", "#af5f00", "yellow"),
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
THEMES = (DARK, LIGHT, *palettes.THEMES)
"""Ours, to be registered; for sixteen colours Textual's own ``ansi-dark`` and ``ansi-light``."""
SIXTEEN = ("ansi-dark", "ansi-light")
TOLD = {
    DARK.name: "blue and orange",
    LIGHT.name: "blue and orange",
    palettes.RED_CYAN_DARK.name: "for a blue-yellow weakness",
    palettes.RED_CYAN_LIGHT.name: "for a blue-yellow weakness",
    palettes.CONTRAST.name: "black, white, few and bright",
    SIXTEEN[0]: "the terminal's own 16 colours",
    SIXTEEN[1]: "the same, on a light ground",
}
"""Theme -> whom or what it is for."""

_SERIES_DARK = ("#5fafff", "#ffaf00", "#00af87", "#d787af", "#ff5f00", "#ffff5f", "#0087d7")
_SERIES_LIGHT = ("#0087d7", "#af8700", "#00875f", "#af5f87", "#d75f00", "#878700", "#005faf")
_SERIES_ANSI = ("blue", "yellow", "green", "magenta", "red", "cyan", "bright_blue")


def glyph(state: RunState, *, ascii_only: bool = False) -> str:
    """Return the one character that stands for a state."""
    look = LOOKS[state]
    return look.ascii if ascii_only else look.glyph


def state_style(state: RunState, theme: Theme) -> str:
    """Return the Rich style of a state's glyph and word under a theme."""
    if own := palettes.BY_THEME.get(theme.name):
        return own.states[state]
    look = LOOKS[state]
    if theme.ansi:
        return look.ansi
    return look.dark if theme.dark else look.light


def series_colours(names: Iterable[str], theme: Theme) -> list[str]:
    """Return a colour for each series, Okabe and Ito's, chosen by the name.

    The same name has the same colour in every chart and session, unless an earlier name in the
    same chart has taken it.
    """
    palette = _palette(theme)
    taken: set[int] = set()
    colours = []
    for name in names:
        wanted = _fnv1a(name) % len(palette)
        if len(taken) < len(palette):
            while wanted in taken:
                wanted = (wanted + 1) % len(palette)
        taken.add(wanted)
        colours.append(palette[wanted])
    return colours


def needs_ascii(environ: Mapping[str, str], encoding: str) -> bool:
    """Whether the terminal cannot be trusted with more than ASCII."""
    return environ.get("TERM") == "linux" or encoding.lower().replace("-", "") != "utf8"


def names() -> tuple[str, ...]:
    """Return the names of all themes that can be chosen."""
    return tuple(TOLD)


def fitting(environ: Mapping[str, str]) -> str:
    """Return the theme that fits a terminal, from what it says of itself.

    A terminal that has sixteen colours would turn ours into others; one that says that its ground
    is light (``COLORFGBG``, as rxvt, Konsole and Emacs do) gets the light one. Who wants no colours
    (``NO_COLOR``) gets what shows its cursor without any.
    """
    ground = environ.get("COLORFGBG", "").rpartition(";")[2]
    light = ground.isdigit() and int(ground) in (7, *range(9, 16))
    if environ.get("NO_COLOR") or not has_256_colours(environ):
        return SIXTEEN[light]
    return (LIGHT if light else DARK).name


def has_256_colours(environ: Mapping[str, str]) -> bool:
    """Whether a terminal gets our colours as they are: Rich's rule, for it is Rich that draws."""
    if environ.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return True
    return environ.get("TERM", "").strip().lower().rpartition("-")[2] in ("256color", "kitty")


def _palette(theme: Theme) -> tuple[str, ...]:
    if own := palettes.BY_THEME.get(theme.name):
        return own.series
    if theme.ansi:
        return _SERIES_ANSI
    return _SERIES_DARK if theme.dark else _SERIES_LIGHT


def _fnv1a(text: str) -> int:
    value = 0x811C9DC5
    for byte in text.encode("utf-8", "replace"):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value
