"""How states, series and the screen look, in colour, on sixteen colours and in plain ASCII.

A state is a glyph, a word and a colour, so that none of the three is needed alone. Colours lie on
a blue and orange axis, and each is an exact entry of the xterm palette: tmux without RGB then does
not turn one into another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from launch_tui.domain.run import RunState
from launch_tui.tui import palettes
from launch_tui.tui.palettes import DARK, LIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textual.theme import Theme


class StateLook(NamedTuple):
    """The one character that stands for a state of a run, and the same in ASCII."""

    glyph: str
    ascii: str


LOOKS: dict[RunState, StateLook] = {
    RunState.QUEUED: StateLook("○", "."),
    RunState.HELD: StateLook("‖", "-"),
    RunState.CLAIMED: StateLook("◌", ":"),
    RunState.SOURCING: StateLook("◔", "s"),
    RunState.BUILDING: StateLook("◐", "b"),
    RunState.STARTING: StateLook("◕", ">"),
    RunState.RUNNING: StateLook("●", "*"),
    RunState.FINISHED: StateLook("✓", "+"),
    RunState.FAILED: StateLook("✗", "!"),
    RunState.STOPPED: StateLook("■", "#"),
    RunState.PREEMPTED: StateLook("↺", "^"),
    RunState.LOST: StateLook("?", "?"),
}

THEMES = palettes.THEMES
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


def glyph(state: RunState, *, ascii_only: bool = False) -> str:
    """Return the one character that stands for a state."""
    look = LOOKS[state]
    return look.ascii if ascii_only else look.glyph


def state_style(state: RunState, theme: Theme) -> str:
    """Return the Rich style of a state's glyph and word under a theme."""
    return palettes.colours_of(theme).states[state]


def series_colours(names: Iterable[str], theme: Theme) -> list[str]:
    """Return a colour for each series, Okabe and Ito's, chosen by the name.

    The same name has the same colour in every chart and session, unless an earlier name in the
    same chart has taken it.
    """
    palette = palettes.colours_of(theme).series
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


def _fnv1a(text: str) -> int:
    value = 0x811C9DC5
    for byte in text.encode("utf-8", "replace"):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value
