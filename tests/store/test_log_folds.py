from __future__ import annotations

import os
import re
import signal
import time
from array import array

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from launch_tui.store import fold_list, log_folds, log_screen
from launch_tui.store.fold_list import Fold, FoldList
from launch_tui.store.log_folds import Folds
from launch_tui.store.log_screen import Screen
from launch_tui.store.logs import BlockIndex

function_scoped = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def log(tmp_path):
    return tmp_path / "output.log"


def folded(path, budget=1 << 18):
    index = BlockIndex(path)
    while index.advance():
        pass
    folds = Folds(index)
    while folds.behind:
        folds.advance(budget)
    return index, folds


def all_of(folds):
    return [*folds.settled, *folds.live]


def shown(index, folds):
    """The log as rows of text."""
    lines = index.read(0, index.line_count)
    rows, at = [], 0
    for fold in all_of(folds):
        rows += [text_of(line) for line in lines[at : fold.first]]
        rows += [text_of(folds.drawn(span)) for _, span in fold.rows]
        at = fold.end
    return rows + [text_of(line) for line in lines[at:]]


def text_of(line):
    return line.rpartition(b"\r")[2].strip().decode()


def terminal(data):
    """What a terminal shows, as far as these logs go."""
    rows, at = [""], 0
    for token in re.findall(rb"\x1b\[\d*A|\n|\r|[^\x1b\n\r]+", data):
        if token.startswith(b"\x1b"):
            at = max(0, at - int(token[2:-1] or 1))
        elif token == b"\n":
            at += 1
            if at == len(rows):
                rows.append("")
        elif token != b"\r":
            rows[at] = token.decode().strip()
    return rows[:-1] if rows[-1] == "" and data.endswith(b"\n") and at == len(rows) - 1 else rows


def step(inner, outer=None):
    bar = b"\n\rinner %d\x1b[A" % inner
    return bar if outer is None else bar + b"\router %d" % outer


def test_nested_bars_are_two_lines(log):
    steps = [step(n, n // 10 if n % 10 == 9 else None) for n in range(99)]
    data = b"start\n\router 0" + b"".join(steps)
    log.write_bytes(data)
    index, folds = folded(log)
    assert index.line_count == 101
    assert shown(index, folds) == ["start", "outer 8", "inner 98"]
    index.close()


def test_bars_that_grow_stay_two_lines_and_what_follows_is_a_line(log):
    log.write_bytes(b"\router 0")
    index, folds = folded(log)
    for n in range(20):
        with log.open("ab") as file:
            file.write(step(n))
        index.advance()
        while folds.behind:
            folds.advance()
        assert shown(index, folds) == ["outer 0", f"inner {n}"]
    with log.open("ab") as file:
        file.write(b"\n\n" + b"".join(b"line %d\n" % n for n in range(3)))
    index.advance()
    while folds.behind:
        folds.advance()
    assert shown(index, folds) == ["outer 0", "inner 19", "line 0", "line 1", "line 2"]
    index.close()


def test_bars_beside_each_other_keep_their_places(log):
    data = b""
    for n in range(30):
        for place in (2, 0, 1):
            data += b"\n" * place + b"\rbar %d at %d" % (place, n) + b"\x1b[A" * place
    log.write_bytes(data)
    index, folds = folded(log, budget=200)
    assert shown(index, folds) == ["bar 0 at 29", "bar 1 at 29", "bar 2 at 29"]
    index.close()


parts = st.lists(
    st.sampled_from(
        [b"plain\n", step(1), step(2, 3), b"\n", b"\router 9", b"x\n\ny\x1b[2A", b"\x1b[7A"]
    ),
    max_size=25,
)


@function_scoped
@given(parts, st.integers(64, 300))
def test_a_log_shows_what_a_terminal_would(tmp_path, parts, budget):
    log = tmp_path / "log"
    log.write_bytes(b"".join(parts))
    index, folds = folded(log, budget)
    rows = shown(index, folds)
    # What nothing was drawn in is no line of a file, and may be one of a terminal.
    assert [row for row in rows if row] == [row for row in terminal(b"".join(parts)) if row]
    index.close()


def test_a_fold_that_began_long_ago_is_never_within_another(log):
    """Bars between many lines: the cursor comes back into a fold whose beginning is forgotten."""
    data = b"x\n" * 65 + b"a\x1b[1A\nb\x1b[2A\n\r" + b"x\n" * 64 + b"a\x1b[99A\nb\x1b[1A\n\r"
    log.write_bytes(data)
    _, folds = folded(log)
    end = 0
    for fold in all_of(folds):
        assert fold.first >= end
        assert fold.taken > 0
        end = fold.end


def test_a_truncated_log_is_folded_anew(log):
    log.write_bytes(b"\router" + b"".join(map(step, range(9))))
    index, folds = folded(log)
    log.write_bytes(b"new\n")
    index.advance()
    while folds.behind:
        folds.advance()
    assert all_of(folds) == []
    assert shown(index, folds) == ["new"]
    index.close()


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_at_the_beginning_of_a_log_there_is_nothing_above_to_draw_over(log, end):
    log.write_bytes(b"")
    index, folds = folded(log)
    for size in range(len(UP + b"plain" + end)):
        log.write_bytes((UP + b"plain" + end)[: size + 1])
        advanced(index, folds)
    assert shown(index, folds) == ["plain"]
    assert [fold[:2] for fold in all_of(folds)] == [(0, 1)]
    index.close()


def test_a_fold_that_grows_without_end_is_parted_and_shows_the_same(log):
    data = b"".join(b"row %d\n\x1b[2Aover %d\n\n" % (n, n) for n in range(900))
    log.write_bytes(data)
    index, folds = folded(log, 500)
    assert [row for row in shown(index, folds) if row] == [row for row in terminal(data) if row]
    assert len(folds.settled) > 9
    assert max(len(fold.rows) for fold in all_of(folds)) <= log_screen.TALLEST
    assert all(fold.taken > 0 for fold in all_of(folds))
    assert len(folds._shown.screen.state()) < 1000
    index.close()


def in_one_go(path):
    """The folds of a log that is drawn from its beginning to its end at once."""
    data = path.read_bytes()
    screen = Screen(0)
    screen.draw(data, 0)
    folds = FoldList()
    folds.add(screen.folds())
    return list(folds)


def found_whole(folds, until=20.0):
    deadline = time.monotonic() + until
    while folds.seeks:
        assert time.monotonic() < deadline
        if not folds.find_whole() and folds.waits:
            time.sleep(0.001)


def advanced(index, folds, budget=1 << 18):
    while index.advance():
        pass
    while folds.behind:
        folds.advance(budget)


UP = b"\x1b[7A"
# Bars, and lines that are longer than what of one is drawn, which the tests make little.
pieces = st.lists(
    st.sampled_from([
        b"plain\n", b"plain\n" * 70, b"\n" * 130, b"x" * 150, b"y" * 700 + b"\n", b"\n", b"\r",
        b"\x1b[", b"A", b"\x1b[31mred\x1b[0m\n", b"over\x1b[99A", b"\x1b[0Aone", UP, b"ab" + UP,
        *(step(n, n) for n in range(3)), *(b"\n\rbar %d\x1b[2A" % n for n in range(3)),
        (b"\n\rtall\x1b[60A" + b"\n" * 61) * 3,
    ]),
    max_size=20,
)  # fmt: skip


@pytest.fixture
def little(monkeypatch):
    """Small measures, so that small logs are large."""
    monkeypatch.setattr(log_folds, "BYTES", 300)
    monkeypatch.setattr(log_folds, "STEP", 64)
    monkeypatch.setattr(log_screen, "WIDEST", 100)


@function_scoped
@given(pieces, st.lists(pieces, max_size=4), st.integers(1, 400), st.integers(0, 9))
@example([], [[UP + b"plain"]], 64, 0)
@example([b"plain\n" * 70, UP], [[b"\x1b", b"[7Aplain\n"]], 64, 1)
def test_the_folds_of_a_whole_log_are_those_of_reading_it_in_one_go(
    tmp_path, little, first, more, cut, steps
):
    """While it grows, cut anywhere, whenever what is before its end is looked at."""
    log = tmp_path / "log"
    data = b""
    index = BlockIndex(log)
    folds = Folds(index)
    for part in (first, *more):
        data += b"".join(part)
        log.write_bytes(data)
        advanced(index, folds, cut)
        for _ in range(steps):
            folds.find_whole()
    event(f"whole {folds.whole}")
    while folds.seeks:
        folds.find_whole()
    assert folds.whole
    assert all_of(folds) == in_one_go(log)
    index.close()


@function_scoped
@given(pieces, pieces, st.integers(1, 400))
@example([], [UP + b"plain"], 64)
def test_what_another_process_draws_goes_on_here(tmp_path, little, first, more, cut):
    log = tmp_path / "log"
    log.write_bytes(b"".join(first))
    told = []
    with pytest.MonkeyPatch.context() as patch, log.open("rb") as file:
        patch.setattr(log_screen, "CHUNK", cut)
        asked = {"fd": file.fileno(), "state": Screen(0).state(), "start": 0}
        asked["stop"] = log.stat().st_size
        log_screen.serve(asked, lambda *piece: told.append(piece))
    start, end, state = told.pop()
    assert start == end
    with log.open("ab") as file:
        file.write(b"".join(more))
    screen, folds = Screen.of(array("Q", state)), FoldList()
    screen.draw(log.read_bytes()[start:], start)
    for _, _, found in told:
        folds.add(array("Q", found))
    folds.add(screen.folds())
    assert list(folds) == in_one_go(log)


def rows_from(rows, line):
    return rows[rows.index(line) :]


@function_scoped
@given(pieces, pieces, st.data())
def test_a_page_shows_what_it_would_if_the_log_began_earlier_by_less(tmp_path, before, page, data):
    """No cursor comes from further above than a terminal is high."""
    calm = b"\n" * 2 + b"".join(b"calm %d\n" % n for n in range(200))
    lines = b"".join(before) + calm + b"".join(page)
    starts = [0, *(at.end() for at in re.finditer(rb"\n", b"".join(before)))]
    start = data.draw(st.sampled_from(starts))
    log, later = tmp_path / "log", tmp_path / "later"
    log.write_bytes(lines)
    later.write_bytes(lines[start:])
    pages = []
    for path in (log, later):
        index, folds = folded(path)
        pages.append(rows_from(shown(index, folds), "calm 100"))
        index.close()
    assert pages[0] == pages[1]


def bars(many):
    return b"".join(step(n, n) for n in range(many)) + b"\n\n"


def test_a_process_finds_what_is_before_the_end_of_a_large_log(log, monkeypatch):
    monkeypatch.setattr(log_folds, "BYTES", 100_000)
    monkeypatch.setattr(log_folds, "_APART_FROM", 1000)
    log.write_bytes(b"first\n" + (bars(3000) + b"between\n" * 5000) * 30 + bars(99))
    index, folds = folded(log)
    assert not folds.whole
    assert folds.seeks
    assert folds.settled.at_line(10_000) == -1
    version = folds.version
    folds.find_whole()
    assert folds.waits
    with log.open("ab") as file:
        file.write(bars(9))
    while not folds.whole:
        advanced(index, folds)
        found_whole(folds)
    assert not folds.waits
    assert folds.progress > 0.99
    assert folds.version == version + 1
    assert all_of(folds) == in_one_go(log)
    assert shown(index, folds)[:4] == ["first", "outer 2999", "inner 2999", "between"]
    index.close()


def test_the_folds_of_the_end_have_to_do_where_the_process_is_killed(log, monkeypatch):
    monkeypatch.setattr(log_folds, "BYTES", 100_000)
    log.write_bytes(bars(200_000))
    index, folds = folded(log)
    known = all_of(folds)
    folds.find_whole()
    os.kill(folds._process.pid, signal.SIGKILL)
    found_whole(folds)
    assert not folds.whole
    assert not folds.waits
    assert all_of(folds) == known
    index.close()


def test_a_log_that_is_replaced_meanwhile_is_folded_anew(log, monkeypatch):
    monkeypatch.setattr(log_folds, "BYTES", 100_000)
    log.write_bytes(bars(200_000))
    index, folds = folded(log)
    folds.find_whole()
    assert folds.waits
    log.write_bytes(b"first\n" + bars(9))
    advanced(index, folds)
    assert folds.whole
    assert not folds.waits
    assert shown(index, folds) == ["first", "outer 8", "inner 8"]
    index.close()


def test_bars_are_drawn_a_few_at_a_time_and_plain_lines_by_their_bytes(log):
    log.write_bytes(b"plain\n" * 50_000 + bars(20_000))
    index = BlockIndex(log)
    index.advance()
    folds = Folds(index)
    folds.advance(300_000, drawn=10)
    assert folds.behind
    steps = 0
    while folds.behind:
        folds.advance(1 << 20, drawn=10)
        steps += 1
    assert steps > 3
    assert all_of(folds) == in_one_go(log)
    index.close()


def test_what_closes_ends_its_process(log, monkeypatch):
    monkeypatch.setattr(log_folds, "BYTES", 100_000)
    log.write_bytes(bars(200_000))
    index, folds = folded(log)
    folds.find_whole()
    process = folds._process._process
    folds.close()
    assert process.poll() is not None
    assert not folds.seeks
    assert not folds.find_whole()
    index.close()


def test_the_oldest_folds_are_dropped_where_there_are_too_many(monkeypatch):
    monkeypatch.setattr(fold_list, "MOST", 100)
    folds = FoldList()
    for n in range(50):
        folds.add(array("Q", [10 * n, 5, 1, 10 * n + 4, n]))
    assert folds.lost > 1
    assert 0 < len(folds) < 25
    left = list(folds)
    assert left[-1] == Fold(490, 5, [(494, 49)])
    first = left[0].first
    assert [fold.first for fold in left] == list(range(first, 500, 10))
    for at, fold in enumerate(left):
        # Each takes five lines and is one row; what is before the first one is as in the file.
        assert folds.start(at) == fold.first - 4 * at
        assert folds.at_row(folds.start(at)) == folds.at_line(fold.first + 4) == at
        assert folds.gain_behind(at) == -4 * (at + 1)
    assert folds.at_line(first - 1) == folds.at_row(first - 1) == -1
    assert folds.gain_behind(-1) == 0
    assert folds.gain == -4 * len(folds)
