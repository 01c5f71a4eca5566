from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.store.line_set import LineSet
from launch_tui.store.log_scan import bitmap

numbers = st.sets(st.integers(0, 20_000), max_size=60)


@given(numbers, numbers, st.integers(0, 70), st.integers(0, 21_000))
def test_it_answers_as_a_sorted_list_does(added, taken_out, first, line):
    lines = LineSet()
    lines.add(first, bitmap(added))
    assert len(lines) == len(added)
    for number in taken_out:
        lines.discard(number)
    left = sorted({first + number for number in added} - taken_out)
    assert len(lines) == len(left)
    assert [lines.member(at) for at in range(len(left))] == left
    assert lines.rank(line) == sum(number < line for number in left)
    assert (line in lines) == (line in left)
    others = [number for number in range(21_000) if number not in set(left)]
    for at in (0, 1, 7, 4095, 4096, 9_999, 20_500):
        assert lines.other(at) == others[at]
    with pytest.raises(IndexError):
        lines.member(len(left))


@given(numbers, st.integers(0, 20_100), st.integers(0, 300), st.booleans())
def test_numbers_that_follow_each_other_are_added_and_taken_out_at_once(added, first, many, adds):
    lines = LineSet()
    lines.add(0, bitmap(added))
    these = range(first, first + many)
    assert len(lines) == len(added)
    (lines.add_all if adds else lines.discard_all)(these)
    left = sorted(added | set(these) if adds else added - set(these))
    assert [lines.member(at) for at in range(len(lines))] == left


def test_ten_million_lines_of_which_all_are_members_are_little():
    lines = LineSet()
    for first in range(0, 10_000_000, 10_000):
        lines.add(first, b"\xff" * 1250)
    assert len(lines) == 10_000_000
    assert lines.member(9_876_543) == 9_876_543
    assert len(lines.copy_of_bits()) < 1_300_000
