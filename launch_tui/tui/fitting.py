"""What fits the terminal that one sits at, from what it says of itself, where nobody says else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.tui import palettes, theme

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """The theme, whether to keep to ASCII, and whether anything may move."""

    theme: str = palettes.DARK.name
    ascii: bool = False
    motion: bool = True


def fitting(environ: Mapping[str, str], encoding: str) -> Fitting:
    """Return what fits a terminal.

    Args:
        environ: The environment.
        encoding: What its locale can encode.
    """
    return Fitting(
        theme=theme.fitting(environ),
        ascii=theme.needs_ascii(environ, encoding),
        # Each step of a movement is a frame to send, and arrives late.
        motion=not environ.get("SSH_CONNECTION"),
    )
