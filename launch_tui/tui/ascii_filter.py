"""Keeps everything that is drawn to ASCII, whoever drew it, for terminals that have no more.

Widgets have marks of their own for ASCII where a better one can be chosen. This is what stands
behind them: names of jobs, texts of Textual's own widgets, whatever a widget forgot. A character
takes as many cells after it as before, so that nothing moves.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from textual.filter import LineFilter

from launch_tui.tui.theme import LOOKS

if TYPE_CHECKING:
    from textual.color import Color

_PLAIN = {
    "…": ".", "·": ".", "•": "*", "°": " ", "\u00d7": "x", "÷": "/", "±": "~", "µ": "u",
    "\u2013": "-", "\u2014": "-", "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"',
    "«": "<", "»": ">",
    "←": "<", "→": ">", "↑": "^", "↓": "v", "↺": "^", "↩": "<", "▸": ">", "▶": ">", "▾": "v",
    "▼": "v", "▲": "^", "◀": "<", "●": "*", "○": "o", "■": "#", "□": "-", "✓": "+", "✗": "!",
    "✔": "+", "⏎": "<", "⏸": "=", "‖": "=", "␛": "^", "\ufffd": "?", "≥": ">", "≤": "<", "≠": "!",
    "░": ".", "▒": ":", "▓": "#", "█": "#", "▔": "-", "▕": "|", "▏": "|", "▎": "|", "▍": "|",
    "▌": "|", "▐": "|", "▁": "_", "▂": "_", "▃": ".", "▄": "-", "▅": "=", "▆": "+", "▇": "#",
    "▀": "-", "━": "-", "╸": "-", "╺": "-", "┃": "|",
}  # fmt: skip
_BRAILLE = range(0x2800, 0x2900)
_BOX = range(0x2500, 0x2580)
_ACROSS = frozenset("─━╌╍┄┅┈┉═╴╶╸╺╼╾")
_DOWN = frozenset("│┃╎╏┆┇┊┋║╵╷╹╻╽╿")
_DOTS = " .::++##@"
"""For braille, by how many of the eight dots there are."""


class _Table(dict[int, str]):
    """Character -> what stands for it; made as it is asked for."""

    def __missing__(self, code: int) -> str:
        self[code] = found = _ascii(chr(code))
        return found


class AsciiFilter(LineFilter):
    """Turns what is no ASCII into what resembles it most."""

    def __init__(self) -> None:
        super().__init__()
        marks = {look.glyph: look.ascii for look in LOOKS.values()}
        self._table = _Table({ord(key): value for key, value in (_PLAIN | marks).items()})

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return segments in ASCII; the same where they are already."""
        if all(segment.text.isascii() for segment in segments):
            return segments
        return [
            segment
            if segment.text.isascii()
            else Segment(segment.text.translate(self._table), segment.style, segment.control)
            for segment in segments
        ]


def _ascii(character: str) -> str:
    code = ord(character)
    if code < 0x80:
        return character
    if code in _BRAILLE:
        return _DOTS[(code - _BRAILLE.start).bit_count()]
    if code in _BOX:
        return "-" if character in _ACROSS else "|" if character in _DOWN else "+"
    width = cell_len(character)
    letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return letters if letters and len(letters) == width else "?" * width
