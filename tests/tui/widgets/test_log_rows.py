from __future__ import annotations

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launch_tui.tui.widgets.log_find import Finder, pattern_of
from launch_tui.tui.widgets.log_rows import MARK, LogRows


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["hit", "miss", "hit again"]), max_size=40),
    st.sampled_from(["", "hit", "!hit", "again", "!absent", "absent"]),
    st.booleans(),
    st.integers(0, 45),
    st.integers(0, 20),
)
def test_rows_are_the_lines_that_a_filter_leaves(tmp_path, lines, typed, ended, first, count):
    path = tmp_path / "log"
    path.write_text("\n".join(lines) + ("\n" if ended and lines else ""))
    rows = LogRows(path)
    finder = Finder(rows)
    rows.index.advance()
    finder.show_only(typed)
    while finder.lags:
        finder.advance(16)
    word = typed.lstrip("!")
    wanted = [
        (at, line)
        for at, line in enumerate(lines)
        if not typed or (word in line) != typed.startswith("!")
    ]
    assert rows.count == len(wanted)
    found = rows.read(first, count)
    assert [(row.number, row.text) for row in found] == wanted[first : first + count]
    for at, (number, _) in enumerate(wanted):
        assert rows.line_of(at) == number
        assert rows.row_of(number) == at
    rows.index.close()


def test_only_the_unfinished_line_is_not_settled(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthr")
    rows = LogRows(path)
    rows.index.advance()
    assert [row.settled for row in rows.read(0, 9)] == [True, True, False]


def test_a_mark_stands_above_a_replaced_log(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\n")
    rows = LogRows(path)
    rows.index.advance()
    path.write_bytes(b"new\n")
    rows.index.advance()
    mark, line = rows.read(0, 9)
    assert mark.number == MARK
    assert line.text == "new"
    assert rows.row_of(0) == 1
    assert rows.whole(0) == "new"
    assert rows.whole(7) == ""


def test_patterns():
    assert pattern_of("") is None
    assert pattern_of("!", may_hide=True) is None
    assert pattern_of("!a").hides is False
    assert pattern_of("!a", may_hide=True).hides is True
    assert pattern_of("error").raw.flags & re.IGNORECASE
    assert not pattern_of("Error").raw.flags & re.IGNORECASE
    assert pattern_of("a(").shown.search("xa(")
    assert pattern_of("é").raw.search("café".encode())
