from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from launch_tui.store import log_folds
from launch_tui.tui.widgets.log_find import Finder, pattern_of
from launch_tui.tui.widgets.log_marks import LogMarks
from launch_tui.tui.widgets.log_rows import MARK, LogRows, spot_of


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
    rows.advance(1 << 20)
    mark, line = rows.read(0, 9)
    assert mark.number == MARK
    assert line.text == "new"
    assert rows.row_of(0) == 1
    assert rows.whole(0) == "new"
    assert rows.whole(7) == ""


def texts(rows):
    return [row.text for row in rows.read(0, 99)]


def opened(path, marks):
    rows = LogRows(path, marks)
    rows.index.advance()
    rows.advance(1 << 20)
    return rows


def added(path, data):
    with path.open("ab") as file:
        file.write(data)


def grown(rows):
    rows.index.advance()
    return rows.advance(1 << 20)


def test_marks_outlast_the_rows_and_are_those_of_all_that_show_the_log(tmp_path):
    path, other = tmp_path / "1.log", tmp_path / "2.log"
    for each in (path, other):
        each.write_bytes(b"one\ntwo\n")
    marks = LogMarks()
    first, beside, elsewhere = (opened(each, marks) for each in (path, path, other))
    first.mark("── a ──")
    assert grown(beside)
    assert not grown(elsewhere)
    assert not grown(beside)
    added(path, b"three\n")
    beside.index.advance()
    beside.mark("── b ──")
    first.index.close()
    again = opened(path, marks)
    assert texts(again) == ["one", "two", "── a ──", "three", "── b ──"]
    assert texts(elsewhere) == ["one", "two"]
    assert [again.row_of(line) for line in (1, 2)] == [1, 3]
    for rows in (beside, again, elsewhere):
        rows.index.close()


def test_a_mark_waits_until_its_line_is_indexed(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthree\n")
    marks = LogMarks()
    opened(path, marks).mark("── a ──")
    rows = LogRows(path, marks)
    rows.index.advance(4)
    rows.advance(1 << 20)
    assert (rows.count, texts(rows)) == (1, ["one"])
    assert grown(rows)
    assert texts(rows) == ["one", "two", "three", "── a ──"]
    rows.index.close()


def test_a_mark_goes_with_the_file_it_was_put_into(tmp_path):
    path = tmp_path / "log"
    marks = LogMarks()
    early = LogRows(path, marks)
    early.mark("── before the first line ──")
    path.write_bytes(b"one\ntwo\n")
    grown(early)
    assert texts(early) == ["── before the first line ──", "one", "two"]
    early.mark("── old ──")
    late = opened(path, marks)
    path.write_bytes(b"new\n")
    grown(early)
    early.mark("── new ──")
    # Looks later, and takes nothing away of what is marked meanwhile.
    grown(late)
    assert texts(late)[1:] == texts(early)[1:] == ["new", "── new ──"]
    assert texts(opened(path, marks)) == ["new", "── new ──"]
    # Replaced while nobody looks, by a longer one.
    path.unlink()
    path.write_bytes(b"another\nand longer\n")
    assert texts(opened(path, marks)) == ["another", "and longer"]
    assert marks.of(path) == ()
    early.index.close()
    late.index.close()


def test_patterns():
    assert pattern_of("") is None
    assert pattern_of("!", may_hide=True) is None
    assert pattern_of("!a").hides is False
    assert pattern_of("!a", may_hide=True).hides is True
    assert pattern_of("error").shown.search("An ERROR")
    assert not pattern_of("Error").shown.search("an error")
    assert pattern_of(r"\Serr").shown.search("xERR")
    assert pattern_of("a(").shown.search("xa(")
    assert pattern_of("é").shown.search("CAFÉ")


def test_folded_bars_are_their_last_lines_with_marks_and_under_a_filter(tmp_path):
    path = tmp_path / "log"
    bars = b"".join(b"\n\rinner %d\x1b[A" % n for n in range(50))
    path.write_bytes(b"start\nloss 3\n\router 0" + bars + b"\n\nend, loss 1\n")
    rows = LogRows(path)
    rows.index.advance()
    rows.advance(1 << 20)
    assert [row.text for row in rows.read(0, 9)] == [
        "start", "loss 3", "outer 0", "inner 49", "end, loss 1"
    ]  # fmt: skip
    assert rows.count == 5
    assert [rows.line_of(row) for row in range(5)] == [0, 1, 2, 52, 54]
    assert [rows.row_of(line) for line in (0, 2, 30, 52, 53, 54)] == [0, 2, 3, 3, 3, 4]
    rows.mark("── 12:00 ──")
    with path.open("ab") as file:
        file.write(b"more\n")
    rows.index.advance()
    rows.advance(1 << 20)
    assert [row.text for row in rows.read(4, 9)] == ["end, loss 1", "── 12:00 ──", "more"]
    assert [rows.row_of(line) for line in (54, 55)] == [4, 6]
    finder = Finder(rows)
    for typed, wanted in [
        ("inner", ["inner 49"]),
        ("loss", ["loss 3", "end, loss 1"]),
        ("!inner|loss", ["start", "outer 0", "more"]),
    ]:
        finder.show_only(typed)
        while finder.lags:
            finder.advance(1 << 20)
        assert [row.text for row in rows.read(0, 99)] == wanted
    finder.look_for("inner")
    while finder.lags:
        finder.advance(1 << 20)
    assert finder.go(1, 0, around=True) == 52
    assert finder.status()[-1] == "/inner 1 of 1"
    finder.close()
    rows.index.close()


BARS = b"".join(b"\n\rinner %d\x1b[A\router %d" % (n, n) for n in range(8)) + b"\n\n"
PIECES = [b"loss 1\n", b"inner\n", BARS, b"\n\rinner 1\x1b[A", b"\n\nlast", b"l\n" * 70, b"\x1b[7A"]


def opened_in_steps(path):
    rows = LogRows(path)
    while rows.index.advance():
        pass
    while rows.folds.behind:
        rows.advance(64)
    return rows


def searched(rows, finder):
    while finder.lags:
        finder.advance(64)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(PIECES), max_size=12),
    st.sampled_from([b"", b"more\n", b"l\n" * 130, b"\n\rinner 9\x1b[A", b"\x1b[2Aover\n", BARS]),
    st.sampled_from(["", "inner", "!inner", "outer|l", "!l"]),
    st.sampled_from([64, 256, 1 << 20]),
    st.booleans(),
)
@example([b"\n\rinner 1\x1b[A", b"loss 1\n", b"\x1b[7A"], b"more\n", "!inner", 64, True)
def test_a_log_of_which_the_end_came_first_has_the_rows_of_one_that_is_read_from_its_beginning(
    tmp_path, parts, more, typed, end, before
):
    """With what is found in it, whether that was looked for before all was folded or behind."""
    path = tmp_path / "log"
    path.write_bytes(b"".join(parts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_folds, "BYTES", end)
        rows = opened_in_steps(path)
    finder = Finder(rows)
    if before:
        finder.look_for("inner")
        finder.show_only(typed)
        searched(rows, finder)
    while rows.folds.seeks:
        rows.find_whole()
    with path.open("ab") as file:
        file.write(more)
    rows.index.advance()
    rows.advance(1 << 20)
    if not before:
        finder.look_for("inner")
        finder.show_only(typed)
    searched(rows, finder)
    wanted = opened_in_steps(path)
    known = Finder(wanted)
    known.look_for("inner")
    known.show_only(typed)
    searched(wanted, known)
    assert rows.read(0, 999) == wanted.read(0, 999)
    assert rows.count == len(rows.read(0, 999))
    assert finder.status() == known.status()
    for row in range(rows.count):
        assert rows.line_of(row) == wanted.line_of(row)
        assert rows.row_of(rows.line_of(row)) == wanted.row_of(rows.line_of(row))
    finder.close()
    rows.close()
    wanted.close()


def test_hits_are_in_lines_that_are_shown_once_all_is_folded(tmp_path, monkeypatch):
    monkeypatch.setattr(log_folds, "BYTES", 100)
    path = tmp_path / "log"
    bars = b"".join(b"\rinner %d\n\x1b[A" % n for n in range(8)) + b"\n"
    path.write_bytes(b"outer\n" + bars + b"between\n" * 100 + b"outer\n" + bars + b"end\n")
    rows = opened_in_steps(path)
    finder = Finder(rows)
    finder.look_for("inner")
    searched(rows, finder)
    assert finder.status() == ["/inner 16"]
    while rows.folds.seeks:
        rows.find_whole()
    assert finder.lags
    searched(rows, finder)
    assert finder.status() == ["/inner 2"]
    lines = [finder.go(1, 0, around=True) for _ in "12"]
    assert [rows.row_of(line) for line in lines] == [1, 103]
    assert [row.text for row in rows.read(103, 9)] == ["inner 7", "end"]
    rows.close()


def test_a_bar_that_takes_in_lines_above_it_hides_their_hits(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"old %d\n" % n for n in range(9)) + b"a\nb\x1b[A\ra\n\n")
    rows = opened_in_steps(path)
    finder = Finder(rows)
    finder.look_for("old")
    searched(rows, finder)
    assert finder.status() == ["/old 9"]
    with path.open("ab") as file:
        file.write(b"\x1b[6A" + b"new\n" * 4)
    rows.index.advance()
    rows.advance(1 << 20)
    searched(rows, finder)
    assert [row.text for row in rows.read(0, 99)][4:9] == ["old 4"] + ["new"] * 4
    assert finder.status() == ["/old 5"]
    rows.close()


def test_a_mark_stays_where_it_is_when_lines_before_it_are_folded(tmp_path, monkeypatch):
    monkeypatch.setattr(log_folds, "BYTES", 64)
    path = tmp_path / "log"
    path.write_bytes(BARS + b"between\n" * 100)
    rows = opened_in_steps(path)
    rows.mark("── 12:00 ──")
    with path.open("ab") as file:
        file.write(b"more\n" * 3)
    rows.index.advance()
    rows.advance(1 << 20)
    row = rows.count - 4
    spot = spot_of(rows, row)
    while rows.folds.seeks:
        rows.find_whole()
    assert rows.count - 4 < row
    assert spot.row_in(rows) == rows.count - 4
    assert [row.text for row in rows.read(rows.count - 5, 9)] == [
        "between", "── 12:00 ──", "more", "more", "more"
    ]  # fmt: skip
    rows.close()


def test_what_an_unfinished_line_draws_over_is_found_again_when_it_does_not(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"top\nold 1\nx\n\x1b[2A\x1b[1")
    rows = opened_in_steps(path)
    finder = Finder(rows)
    finder.look_for("old|top")
    searched(rows, finder)
    assert finder.status() == ["/old|top 1"]
    with path.open("ab") as file:
        file.write(b"Anew\n")
    rows.index.advance()
    rows.advance(1 << 20)
    searched(rows, finder)
    assert [row.text for row in rows.read(0, 9)][:2] == ["new", "old 1"]
    assert finder.status() == ["/old|top 1"]
    assert finder.go(1, 0, around=True) == 1
    rows.close()
