r"""Text from outside, made safe where it is shown.

Names, log lines and errors come from jobs and files, and a terminal obeys what is in them. Nothing
here changes what is stored: these functions stand between a value and the screen. ``printable`` is
for names and cells, ``log_line`` for a line of a log, ``SafeStream`` for a log copied to a
terminal as it grows. All take time in proportion to their input, whatever is in it; bounding the
input is the caller's part.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TAB_WIDTH = 8

REPLACEMENT = "\ufffd"
"""Stands for a character that would do something rather than show something."""

LINE_BREAK = "\u23ce"
"""Stands for a line break inside a name."""

_STRING = (
    r"(?:\x1b[P\]X^_k]|[\x90\x9d\x98\x9e\x9f])"
    r"[^\x07\n\r\x18\x1a\x1b\x9c]*(?:\x1b\\|[\x07\x18\x1a\x9c])?"
)
"""OSC, DCS, SOS, PM, APC and the screen title, ended or not: an escape or a line end ends them."""
_CSI = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
_OTHER = r"\x1b[ -/]*[0-~]?"
# A colour takes a few numbers; a sequence with more is no colour, and parsing it costs.
_SGR = r"\x1b\[[0-9;:]{0,64}m"
_CONTROL = r"[\x00-\x1f\x7f-\x9f]"
# Direction overrides and isolates, line separators, invisible tags, interlinear annotation, and
# the halves of surrogate pairs that `surrogateescape` leaves: no terminal can be sent those.
_DECEPTIVE = (
    r"[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u206f\ud800-\udfff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)

_SGR_ONLY = re.compile(rf"({_SGR})|{_STRING}|{_CSI}|{_OTHER}|{_CONTROL}|{_DECEPTIVE}")
_KEEP_LAYOUT = re.compile(rf"({_SGR}|[\n\r\t])|{_STRING}|{_CSI}|{_OTHER}|{_CONTROL}|{_DECEPTIVE}")
_SEQUENCE = re.compile(rf"{_STRING}|{_CSI}|{_OTHER}")
_COLOUR = re.compile(_SGR)
_TOKEN = re.compile(rf"{_STRING}|{_CSI}|{_OTHER}|.", re.DOTALL)
_BREAK = re.compile(r"\r\n|[\n\r\v\f\x85\u2028\u2029]")
_HARMFUL = re.compile(rf"{_CONTROL}|{_DECEPTIVE}")

# What moves the cursor to the first column or empties the line, as progress bars write it.
_RETURN = re.compile(r"\r|\x1b\[[01]?G|\x1b\[[12]K")
_ERASES = re.compile(rf"(?:{_SGR})*\x1b\[0?[KJ]")
_COLOURS_KEPT = 8
_PENDING_LIMIT = 4096


def printable(text: str) -> str:
    """Return a name as it can be shown in a cell: one line, nothing that acts on the terminal.

    Colours vanish, every other control sequence and control character leaves a visible mark, and
    a line break becomes ``⏎``.
    """
    if text.isprintable():
        return text
    text = _SEQUENCE.sub(_mark_of_sequence, text)
    text = _BREAK.sub(LINE_BREAK, text).replace("\t", " ")
    return _HARMFUL.sub(_mark_of_character, text)


def sgr_only(line: bytes | str) -> str:
    """Return one line with its colours (SGR) and nothing else that a terminal would obey.

    Control sequences go whole, also those that never end; tabs become spaces.
    """
    text = _decoded(line)
    if text.isprintable():
        return text
    if "\t" in text:
        text = expand_tabs(text)
    return _SGR_ONLY.sub(r"\1", text)


def plain(line: bytes | str) -> str:
    """Return one line without colours or anything else that a terminal would obey."""
    return _COLOUR.sub("", sgr_only(line))


def collapse_carriage_returns(line: str) -> str:
    r"""Return what a terminal would show of a line that was drawn over itself.

    What follows the last ``\r`` with content is kept, with the colours that were in force there;
    a trailing ``\r`` (Windows line ends, tqdm) hides nothing. Backspaces step back and are drawn
    over. Erasing the line and going to its first column count as ``\r``. Cursor-up, with which
    nested tqdm bars go back to the outer bar, cannot reach another line here: each line shows
    what was last drawn in it.
    """
    if _RETURN.search(line) is not None:
        line = _last_drawing(line)
    return _overstruck(line) if "\b" in line else line


def expand_tabs(line: str) -> str:
    """Return the line with tabs as spaces, control sequences taking no room."""
    if "\t" not in line:
        return line
    if "\x1b" not in line and "\x9b" not in line:
        return line.expandtabs(TAB_WIDTH)
    column = 0
    out: list[str] = []
    for token in _TOKEN.findall(line):
        if token == "\t":
            token = " " * (TAB_WIDTH - column % TAB_WIDTH)
        out.append(token)
        column += len(token) if token[0] >= " " else 0
    return "".join(out)


def log_line(line: bytes | str) -> str:
    """Return one raw line of a log as it is shown: collapsed, coloured, harmless."""
    text = _decoded(line)
    if text.isprintable():
        return text
    return sgr_only(collapse_carriage_returns(text))


class SafeStream:
    """Makes a growing log harmless chunk by chunk, for a terminal that shows it as it comes.

    Colours, line ends, carriage returns and tabs pass, so progress bars move; nothing else does.
    """

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._pending = ""

    def feed(self, chunk: bytes, *, final: bool = False) -> str:
        """Return what of the chunk, and of what was held back before, can be shown.

        Args:
            chunk: The next bytes of the log.
            final: Whether nothing follows: then nothing is held back.
        """
        text = self._pending + self._decode(chunk, final)
        self._pending = ""
        if not final:
            text, self._pending = _split_unfinished(text)
        return _KEEP_LAYOUT.sub(r"\1", text)


def _decoded(line: bytes | str) -> str:
    return line if isinstance(line, str) else line.decode("utf-8", "replace")


def _mark_of_sequence(match: re.Match[str]) -> str:
    return "" if _COLOUR.fullmatch(match.group()) else "\u241b"


def _mark_of_character(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code == 0x7F:
        return "\u2421"
    return chr(0x2400 + code) if code < 0x20 else REPLACEMENT


def _last_drawing(line: str) -> str:
    for start, text, erased in _drawings_backwards(line):
        if erased or _shows(text):
            return _colours_in(line[:start]) + text
    return ""


def _drawings_backwards(line: str) -> Iterator[tuple[int, str, bool]]:
    """Yield (offset, text, whether the line was emptied before it), the last drawing first."""
    returns = [(match.start(), match.end()) for match in _RETURN.finditer(line)]
    end = len(line)
    for at, start in reversed(returns):
        yield start, line[start:end], line[at:start].endswith("K")
        end = at
    yield 0, line[:end], False


def _shows(text: str) -> bool:
    return bool(text) and (_ERASES.match(text) is not None or _SGR_ONLY.sub("", text) != "")


def _colours_in(text: str) -> str:
    if "\x1b" not in text:
        return ""
    return "".join(_COLOUR.findall(text)[-_COLOURS_KEPT:])


def _overstruck(line: str) -> str:
    """Draw the line cell by cell, a backspace stepping back and the next character replacing."""
    cells: list[str] = []
    cursor = 0
    colours = ""
    for token in _TOKEN.findall(line):
        if token == "\b":
            cursor = max(0, cursor - 1)
        elif len(token) > 1 or token == "\x1b":
            if len(colours) < _PENDING_LIMIT and _COLOUR.fullmatch(token):
                colours += token
        else:
            cells[cursor : cursor + 1] = [colours + token]
            colours = ""
            cursor += 1
    return "".join(cells) + colours


def _split_unfinished(text: str) -> tuple[str, str]:
    """Split off a control sequence that the end of the text cuts, unless it is absurdly long."""
    last = None
    for match in _SEQUENCE.finditer(text):
        last = match
    if last is None or last.end() < len(text) or len(last.group()) > _PENDING_LIMIT:
        return text, ""
    return text[: last.start()], last.group()
