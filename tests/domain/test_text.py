from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.text import (
    SafeStream,
    collapse_carriage_returns,
    expand_tabs,
    log_line,
    plain,
    printable,
    sgr_only,
)

HOSTILE = [
    "\x1b]52;c;aGVsbG8=\x07",
    "\x1b]0;owned\x1b\\",
    "\x1b]0;never ends",
    "\x1b[2J\x1b[H",
    "\x1b[?1049h",
    "\x1bPq#0;2;0;0;0#0!100~-\x1b\\",
    "\x1b_Gi=1;AAAA\x1b\\",
    "\x9b31m\x9d0;owned\x9c",
    "\x1bc",
    "\x1b(0",
    "\x1bktitle\x1b\\",
    "\x1b[" + "1" * 5000 + "m",
    "\u202egnp.exe",
    "\udc80",
    "a\x00b\x07c\x7fd",
]

ACTS = re.compile(
    "[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
SGR = re.compile(r"\x1b\[[0-9;:]{0,64}m")

alphabet = st.one_of(
    st.sampled_from(list("\x1b\x9b\x9d\x90[]P_;m0123K\r\n\t\b\x07\\ abc\u202e\udc80é漢")),
    st.characters(),
)
anything = st.one_of(
    st.text(alphabet),
    st.lists(st.sampled_from([*HOSTILE, "\r", "\b", "\t", "\x1b[31m", "50%"])).map("".join),
)


@given(anything)
def test_printable_text_has_no_control_character_at_all(text):
    shown = printable(text)
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert "\t" not in shown
    assert ACTS.search(shown) is None
    shown.encode()


@given(anything)
def test_a_log_line_has_colours_and_nothing_else(text):
    for shown in (sgr_only(text), log_line(text)):
        bare = SGR.sub("", shown)
        assert "\x1b" not in bare
        assert "\n" not in bare
        assert "\t" not in bare
        assert ACTS.search(bare) is None
        shown.encode()


@given(st.binary())
def test_bytes_of_any_kind_are_shown_harmlessly(raw):
    assert "\x1b" not in SGR.sub("", log_line(raw))
    assert "\x1b" not in plain(raw)


@given(anything, st.lists(st.integers(0, 200)))
def test_a_stream_cut_anywhere_lets_only_colours_and_layout_pass(text, cuts):
    raw = text.encode("utf-8", "replace")
    stream = SafeStream()
    edges = sorted({0, len(raw), *(min(cut, len(raw)) for cut in cuts)})
    shown = "".join(stream.feed(raw[a:b]) for a, b in itertools.pairwise(edges))
    shown += stream.feed(b"", final=True)
    bare = SGR.sub("", shown)
    assert "\x1b" not in bare
    assert ACTS.search(bare.replace("\r", "").replace("\n", "")) is None


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_leaves_a_mark(text):
    assert printable(f"job{text}") not in {"job", f"job{text}"}


def test_a_name_stays_on_one_line_and_readable():
    assert printable("train\nnext\r\nlast") == "train⏎next⏎last"
    assert printable("\x1b[31mred\x1b[0m\ttab") == "red tab"
    assert printable("日本語 job [/gpu]") == "日本語 job [/gpu]"
    assert printable("a\x07b") == "a␇b"


def test_colours_stay_and_everything_else_goes_whole():
    line = "\x1b[1;31merror\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07 \x1b[5Cend"
    assert sgr_only(line) == "\x1b[1;31merror\x1b[0m link end"
    assert sgr_only(b"caf\xc3\xa9 \xff") == "café \ufffd"
    assert plain(line) == "error link end"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (" 10%|#   |\r 20%|##  |", " 20%|##  |"),
        ("100%|####|\r", "100%|####|"),
        ("windows line\r", "windows line"),
        ("gone\r    \r", "    "),
        ("gone\r\x1b[K", ""),
        ("gone\x1b[2K\rnew", "new"),
        ("gone\x1b[2K\r", ""),
        ("\x1b[31m10%\r20%", "\x1b[31m20%"),
        ("red\r\x1b[0m", "red"),
        ("spin |\b/\b-", "spin -"),
        ("\rinner 99%\x1b[A\router 20%", "outer 20%"),
        ("\rinner 5%\x1b[A", "inner 5%"),
        ("step 1\x1b[Gstep 2", "step 2"),
        ("\b\b\bx", "x"),
        ("", ""),
    ],
)
def test_a_line_drawn_over_itself_shows_its_last_state(raw, shown):
    assert sgr_only(collapse_carriage_returns(raw)) == shown


def test_tabs_align_and_colours_take_no_room():
    assert expand_tabs("ab\tc") == "ab      c"
    assert sgr_only("\x1b[31mab\x1b[0m\tc") == "\x1b[31mab\x1b[0m      c"


def test_a_stream_holds_back_a_sequence_that_a_chunk_cuts():
    stream = SafeStream()
    assert stream.feed(b"a\x1b[3") == "a"
    assert stream.feed(b"1mred\r50%\n") == "\x1b[31mred\r50%\n"
    assert stream.feed("é".encode()[:1]) == ""
    assert stream.feed("é".encode()[1:]) == "é"
    assert stream.feed(b"\x1b]52;c;aGV", final=True) == ""


@pytest.mark.parametrize(
    "unit", ["a", "\r", "\b", "\x1b", "\x1b[", "\x1b]", "\t", "\r\x1b[0m", "\x1b[1;", "1;", "a\b"]
)
def test_a_hostile_line_of_90000_characters_is_made_harmless(unit):
    line = (unit * 90_000)[:90_000] + "\tend"
    assert "\x1b" not in printable(line)
    assert "\x1b" not in SGR.sub("", log_line(line))
    assert "\x1b" not in SGR.sub("", SafeStream().feed(line.encode(), final=True))
