from __future__ import annotations

import re

import pytest

from launch_tui.domain.patterns import LONGEST_PATTERN, BadPattern, compiled, literal

RUN_AWAY = ["(a+)+$", "(a|aa)+$", "(a|a?)+b", "(.*a){20}b", "^(([a-z])+.)+[A-Z]([a-z])+$"]


@pytest.mark.parametrize("typed", RUN_AWAY)
def test_what_would_run_away_answers(typed):
    # Each of these takes `re` longer than the limit of a test.
    text = "a" * 40_000 + "!"
    assert compiled(typed).search(text) is None
    assert compiled(typed.encode()).search(text.encode()) is None


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("loss=0", "x loss=0.1 loss=0.2"), ("l.ss", "a loss"), ("^b", "a\nb"), ("a$", "ba\nc"),
        ("ä+x", "öääx"), ("(one|two) [0-9]+", "two 22, one 1"), ("[^a]+", "aab"), ("", "ab"),
        (r"\bit\b", "bit it"), ("日", "x日"),
    ],
)  # fmt: skip
def test_it_finds_what_re_finds(typed, text):
    expected = [match.span() for match in re.finditer(typed, text, re.MULTILINE)]
    assert [match.span() for match in compiled(typed).finditer(text)] == expected
    raw, sought = text.encode(), typed.encode()
    expected = [match.span() for match in re.finditer(sought, raw, re.MULTILINE)]
    if typed and typed.isascii():
        # RE2 sees characters also in bytes, `re` only bytes.
        assert [match.span() for match in compiled(sought).finditer(raw)] == expected


def test_letters_match_either_case_when_asked():
    for typed in ("loss", "lo.s"):
        assert compiled(typed).search("LOSS") is None
        assert compiled(typed, ignore_case=True).search("a LOSS").span() == (2, 6)


@pytest.mark.parametrize("typed", ["(", "[", "a{99999}", r"(a)\1", "(?=a)", "((a{99}){99}){99}"])
def test_what_cannot_be_answered_is_refused(typed):
    with pytest.raises(BadPattern) as caught:
        compiled(typed)
    assert "\n" not in str(caught.value)


def test_lookaround_is_told():
    with pytest.raises(BadPattern, match="lookaround and back-references are not taken"):
        compiled("(?!debug)")


@pytest.mark.parametrize("typed", [r"\C", r"a|\C+", r"\\\C", r"\Q\\E\C", rb"x\C", r"\B", r"a\Bb"])
def test_half_a_character_is_refused(typed):
    with pytest.raises(BadPattern, match="half a character"):
        compiled(typed)


@pytest.mark.parametrize(
    ("typed", "text"), [(r"\\C", r"a\C"), (r"\Q\C\E", r"a\C"), (r"\Q\C", r"a\C"), ("C", "aC")]
)
def test_what_only_looks_like_half_a_character_is_found(typed, text):
    assert compiled(typed).search(text).span() == (1, len(text))


def test_what_is_too_long_or_no_text_is_refused():
    with pytest.raises(BadPattern, match="longer than"):
        compiled("a" * (LONGEST_PATTERN + 1))
    with pytest.raises(BadPattern):
        compiled("a.\udc80")


def test_halves_of_characters_are_searched_around():
    assert compiled("b.").search("\udc80ä\ud800bc").span() == (3, 5)
    assert literal("a.").search("ab a.").span() == (3, 5)
