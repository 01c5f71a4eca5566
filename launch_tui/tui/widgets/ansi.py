"""Turns a line with colours (SGR) into segments to draw.

The line has been through ``domain.text``: it holds colours and nothing else that acts. What blinks
or hides is shown like any other text. Colours do not run on from one line to the next, so that a
line looks the same wherever the reading begins.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment
from rich.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SGR = re.compile(r"\x1b\[([0-9;:]{0,64})m")
_COLOUR_SPACE = re.compile(r"([34]8)[:;]2::")

_PLAIN = Style.null()
_ATTRIBUTES = {
    1: Style(bold=True),
    2: Style(dim=True),
    3: Style(italic=True),
    4: Style(underline=True),
    7: Style(reverse=True),
    9: Style(strike=True),
    21: Style(underline=True),
    22: Style(bold=False, dim=False),
    23: Style(italic=False),
    24: Style(underline=False),
    27: Style(reverse=False),
    29: Style(strike=False),
    39: Style(color="default"),
    49: Style(bgcolor="default"),
}


def painted(line: str, base: Style, limit: int) -> list[Segment]:
    """Return the segments of a line.

    Args:
        line: Text with SGR sequences.
        base: The style that the colours lie on.
        limit: Characters to draw; the rest is left out.
    """
    if "\x1b" not in line:
        return [Segment(line[:limit], base)]
    segments: list[Segment] = []
    style = _PLAIN
    at = drawn = 0
    for match in _SGR.finditer(line):
        text = line[at : min(match.start(), at + limit - drawn)]
        if text:
            segments.append(Segment(text, base + style))
            drawn += len(text)
            if drawn >= limit:
                return segments
        style = _after(style, match.group(1))
        at = match.end()
    if at < len(line):
        segments.append(Segment(line[at : at + limit - drawn], base + style))
    return segments


def without_colours(line: str) -> str:
    """Return the text alone: what offsets in the line count."""
    return _SGR.sub("", line) if "\x1b" in line else line


def overlaid(segments: Iterable[Segment], start: int, end: int, style: Style) -> list[Segment]:
    """Return the segments with a style laid over the characters from ``start`` to ``end``."""
    out: list[Segment] = []
    at = 0
    for text, own, _ in segments:
        low, high = max(start - at, 0), min(end - at, len(text))
        if low < high:
            parts = [(text[:low], own), (text[low:high], (own or _PLAIN) + style)]
            parts.append((text[high:], own))
            out += [Segment(part, look) for part, look in parts if part]
        else:
            out.append(Segment(text, own))
        at += len(text)
    return out


@lru_cache(maxsize=4096)
def _after(style: Style, parameters: str) -> Style:
    codes = _codes(parameters)
    for code in codes:
        if code == 0:
            style = _PLAIN
        elif code in (38, 48):
            style += _extended(code, codes)
        else:
            style += _simple(code)
    return style


def _codes(parameters: str) -> Iterator[int]:
    parameters = _COLOUR_SPACE.sub(r"\1;2;", parameters).replace(":", ";")
    return iter([min(int(code), 255) if code else 0 for code in parameters.split(";")])


def _simple(code: int) -> Style:
    attribute = _ATTRIBUTES.get(code)
    if attribute is not None:
        return attribute
    for first, number in ((30, 0), (90, 8)):
        if first <= code < first + 8:
            return Style.from_color(color=Color.from_ansi(code - first + number))
        if first + 10 <= code < first + 18:
            return Style.from_color(bgcolor=Color.from_ansi(code - first - 10 + number))
    return _PLAIN


def _extended(code: int, codes: Iterator[int]) -> Style:
    kind = next(codes, 0)
    if kind == 5:
        color = Color.from_ansi(next(codes, 0))
    elif kind == 2:
        color = Color.from_rgb(next(codes, 0), next(codes, 0), next(codes, 0))
    else:
        return _PLAIN
    return Style.from_color(color=color) if code == 38 else Style.from_color(bgcolor=color)
