"""Finds the lines of a file that match: within a process of the UI, or as a process of its own.

A gigabyte is searched beside the UI and not within it (``log_child``), so the standard library is
all that may be imported here.

A line is matched as it is read by a person: without colours. Most of a file is never looked at
line by line: a line without the words that every match must hold is passed over by ``bytes.find``.
"""

from __future__ import annotations

import importlib
import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

CHUNK = 1 << 20
"""Bytes that are searched in one go."""

OVERLAP = 64 << 10
"""How much of a chunk is searched again with the next one, within a line without end."""

_QUIET = 16
"""Chunks without a match after which a record is written all the same: it tells how far."""
_MOST_WORDS = 40
_SAMPLE = 64 << 10
_MOST_RARE = 200
"""Bytes in a chunk that are looked at one by one."""
_MOST_MISSED = 8
_SGR = re.compile(rb"\x1b\[[0-9;:]{0,64}m")
_PARTS = re.compile(rb"[0-9A-Za-z]+|[^0-9A-Za-z]+")


class Matcher:
    """Says which lines of a piece of a file match.

    Args:
        pattern: A regular expression that compiles.
        flags: Its flags.
        search: Another engine's answer to whether a text matches, instead of that of ``re``.
    """

    def __init__(
        self, pattern: str, flags: int = 0, search: Callable[[str], object] | None = None
    ) -> None:
        regex = re.compile(pattern, flags)
        self._search = search or regex.search
        self._lowers = bool(regex.flags & re.IGNORECASE)
        words = _required(pattern, flags, ascii_only=self._lowers)
        self._is_word = words is not None and len(words) == 1 and words[0] == _whole(pattern, flags)
        self._words = [w.lower() if self._lowers else w for w in words or ()]
        self._parts: list[bytes] = []
        self._rare = [_RareByte(lowers=self._lowers) for _ in self._words]

    def matching(self, data: bytes, stop: int | None = None) -> list[int]:
        """Return the numbers of the matching lines of ``data``, from 0.

        Args:
            data: Lines.
            stop: Where to end: the start of a line; by default with the data.
        """
        stop = len(data) if stop is None else stop
        if not self._words:
            return self._of_all_lines(data[:stop])
        piece = _Piece(data, lowers=self._lowers)
        words = self._present(piece)
        if not words:
            return []
        if _are_frequent(words, piece.within[:_SAMPLE]):
            return self._of_all_lines(data[:stop])
        spans = [at for at in _lines_with(piece.within, words) if at[0] < stop]
        if not self._is_word or piece.coloured:
            texts = _visible_lines(data, spans)
            search = self._search
            spans = [at for at, text in zip(spans, texts, strict=True) if search(text)]
        found: list[int] = []
        line = counted = 0
        for start, _ in spans:
            line += data.count(b"\n", counted, start)
            counted = start
            found.append(line)
        return found

    def _present(self, piece: _Piece) -> list[bytes]:
        """Return the words that are in a piece, in what it is without its colours."""
        words = self._parts_for(piece) if piece.coloured else self._words
        found: list[bytes] = []
        for word, rare in zip(words, self._rare, strict=True):
            there = rare.holds(piece.data, word) if rare.helps else None
            if there is None:
                there = word in piece.within
            if there:
                found.append(word)
        return found

    def _of_all_lines(self, data: bytes) -> list[int]:
        if b"\x1b" in data:
            data = _SGR.sub(b"", data)
        lines = data.decode("utf-8", "replace").replace("\r\n", "\n").removesuffix("\n").split("\n")
        search = self._search
        return [number for number, text in enumerate(lines) if search(text)]

    def _parts_for(self, piece: _Piece) -> list[bytes]:
        """Return of each word the rarest part that a change of colour does not cut."""
        if not self._parts:
            sample = piece.within[:_SAMPLE]
            self._parts = [
                min(_PARTS.findall(word), key=lambda part: (sample.count(part), -len(part)))
                for word in self._words
            ]
        return self._parts


class _Piece:
    """A piece of a file, in lower case only once that is asked for."""

    def __init__(self, data: bytes, *, lowers: bool) -> None:
        self.data = data
        self.coloured = b"\x1b" in data
        self._within = None if lowers else data

    @property
    def within(self) -> bytes:
        """The piece as words are looked for in it."""
        if self._within is None:
            self._within = self.data.lower()
        return self._within


class _RareByte:
    """Looks for a word by that byte of it which is the rarest: ten times as fast, where one is.

    Args:
        lowers: Whether letters match either case; the word is in lower case then.
    """

    def __init__(self, *, lowers: bool) -> None:
        self.helps = True
        self._lowers = lowers
        self._word = b""
        self._at = 0
        self._missed = 0

    def holds(self, data: bytes, word: bytes) -> bool | None:
        """Say whether a word is in the data; None where its rarest byte is not rare there."""
        if word != self._word:
            self._choose(data[:_SAMPLE], word)
        left = _MOST_RARE
        for byte in self._forms(word[self._at : self._at + 1]):
            at = data.find(byte, self._at)
            while at >= 0:
                start = at - self._at
                piece = data[start : start + len(word)]
                if (piece.lower() if self._lowers else piece) == word:
                    return True
                left -= 1
                if left < 0:
                    self._missed += 1
                    self.helps = self._missed < _MOST_MISSED
                    return None
                at = data.find(byte, at + 1)
        return False

    def _choose(self, sample: bytes, word: bytes) -> None:
        counts = [sum(map(sample.count, self._forms(bytes([byte])))) for byte in word]
        self._word, self._at = word, counts.index(min(counts))

    def _forms(self, byte: bytes) -> set[bytes]:
        return {byte, byte.upper()} if self._lowers else {byte}


def scan(
    fd: int,
    matcher: Matcher,
    start: int,
    stop: int,
    give: Callable[[int, int, bytes], None],
    *,
    chunk: int = CHUNK,
) -> int:
    """Search whole lines of a file and return where the rest begins.

    Args:
        fd: The file.
        matcher: What to look for.
        start: Where to begin: the start of a line.
        stop: Where to end. A line without its end before there is not searched.
        give: Gets each piece: where it begins and ends, and the bitmap of its matching lines.
        chunk: Bytes to search in one go.
    """
    while start < stop:
        data = os.pread(fd, min(chunk, stop - start), start)
        whole = data.rfind(b"\n") + 1
        if not data or (whole == 0 and start + len(data) >= stop):
            break
        # Not a copy of the whole lines: a gigabyte of those takes longer than to look at them.
        found = matcher.matching(data, whole or None)
        if whole == 0:
            # A line longer than a chunk: what straddles two chunks is seen whole in the second.
            whole = len(data) - min(len(data) // 2, OVERLAP)
        give(start, start + whole, bitmap(found))
        start += whole
    return start


def bitmap(numbers: Iterable[int]) -> bytes:
    """Return numbers as bits, the lowest first."""
    bits = bytearray()
    for number in numbers:
        byte = number >> 3
        if byte >= len(bits):
            bits.extend(bytes(byte + 1 - len(bits)))
        bits[byte] |= 1 << (number & 7)
    return bytes(bits)


def serve(asked: dict[str, Any], tell: Callable[[int, int, bytes], None]) -> None:
    """Search as a process of its own: for ``pattern`` with ``flags``, from ``start`` to ``stop``.

    Args:
        asked: That, and the file, ``fd``.
        tell: Gets what ``scan`` gives, but for most pieces without a match.
    """
    quiet = 0

    def give(start: int, end: int, bits: bytes) -> None:
        nonlocal quiet
        quiet = 0 if bits else quiet + 1
        if bits or quiet % _QUIET == 0:
            tell(start, end, bits)

    matcher = Matcher(asked["pattern"], asked["flags"])
    end = scan(asked["fd"], matcher, asked["start"], asked["stop"], give)
    tell(end, end, b"")


def _visible_lines(data: bytes, spans: Sequence[tuple[int, int]]) -> list[str]:
    """Return lines of the data as a person reads them, all of them made ready at once."""
    if not spans:
        return []
    lines = b"\n".join([data[start:end] for start, end in spans])
    if b"\x1b" in lines:
        lines = _SGR.sub(b"", lines)
    # Within a line a carriage return stays: what it draws over can be looked for.
    texts = lines.decode("utf-8", "replace").split("\n")
    return [text.removesuffix("\r") for text in texts] if b"\r" in lines else texts


def _are_frequent(words: list[bytes], sample: bytes) -> bool:
    """Say whether looking at every line is quicker than finding those with the words."""
    return sum(map(sample.count, words)) * 6 > sample.count(b"\n") + 6


def _lines_with(data: bytes, words: list[bytes]) -> Iterator[tuple[int, int]]:
    """Yield where the lines begin and end that hold at least one of the words."""
    if len(words) == 1:
        yield from _lines_with_one(data, words[0])
        return
    nexts = [data.find(word) for word in words]
    at = 0
    while (hit := min((one for one in nexts if one >= 0), default=-1)) >= 0:
        start = data.rfind(b"\n", at, hit) + 1 or at
        end = data.find(b"\n", hit)
        end = len(data) if end < 0 else end
        yield start, end
        at = end + 1
        nexts = [
            one if one < 0 or one >= at else data.find(word, at)
            for one, word in zip(nexts, words, strict=True)
        ]


def _lines_with_one(data: bytes, word: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while (hit := data.find(word, at)) >= 0:
        start = data.rfind(b"\n", at, hit) + 1 or at
        end = data.find(b"\n", hit)
        if end < 0:
            end = len(data)
        yield start, end
        at = end + 1


def _whole(pattern: str, flags: int) -> bytes | None:
    """Return the text that a pattern stands for, None for one that is more than a text."""
    nodes = _parsed(pattern, flags)
    if not nodes or any(str(op) != "LITERAL" for op, _ in nodes):
        return None
    return "".join(chr(value) for _, value in nodes).encode("utf-8", "surrogateescape")


def _required(pattern: str, flags: int, *, ascii_only: bool) -> list[bytes] | None:
    """Return words of which every match holds at least one; None when there are none such."""
    words = _words_of(_parsed(pattern, flags), ascii_only=ascii_only)
    # A word that holds another one is found with that one.
    words = {word for word in words if not any(one in word for one in words - {word})}
    if not words or len(words) > _MOST_WORDS:
        return None
    return [word.encode("utf-8", "surrogateescape") for word in sorted(words)]


def _parsed(pattern: str, flags: int) -> list[Any]:
    # Python's own parser has no public name. Without it every line is looked at.
    try:
        return list(importlib.import_module("re._parser").parse(pattern, flags))
    except (ImportError, AttributeError, re.error, RecursionError):
        return []


def _words_of(nodes: Iterable[Any], *, ascii_only: bool) -> set[str]:
    """Return the best set of words of which one must be in what the nodes match."""
    best: set[str] = set()
    run = ""

    def offer(words: set[str]) -> None:
        nonlocal best
        if words and (_least(words), -len(words)) > (_least(best), -len(best)):
            best = words

    for op, value in nodes:
        kind = str(op)
        if kind == "LITERAL" and (value < 0x80 or not ascii_only):
            run += chr(value)
        elif kind != "AT":
            offer({run} if run else set())
            run = ""
            offer(_words_within(kind, value, ascii_only=ascii_only))
    offer({run} if run else set())
    return best


def _words_within(kind: str, value: Any, *, ascii_only: bool) -> set[str]:  # noqa: ANN401
    if kind == "SUBPATTERN" and not value[1] and not value[2]:
        return _words_of(value[3], ascii_only=ascii_only)
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") and value[0] >= 1:
        return _words_of(value[2], ascii_only=ascii_only)
    if kind == "BRANCH":
        branches = [_words_of(branch, ascii_only=ascii_only) for branch in value[1]]
        return set().union(*branches) if all(branches) else set()
    return set()


def _least(words: set[str]) -> int:
    return min(map(len, words), default=0)
