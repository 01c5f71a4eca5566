from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launch_tui.store.log_folds import Folds
from launch_tui.store.logs import BlockIndex


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


def shown(index, folds):
    """The log as rows of text."""
    lines = index.read(0, index.line_count)
    rows, at = [], 0
    for fold in folds.all:
        rows += [text_of(line) for line in lines[at : fold.first]]
        rows += [text_of(line) for _, line in fold.rows]
        at = fold.first + fold.taken
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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    for fold in folds.all:
        assert fold.first >= end
        assert fold.taken > 0
        end = fold.first + fold.taken


def test_a_truncated_log_is_folded_anew(log):
    log.write_bytes(b"\router" + b"".join(map(step, range(9))))
    index, folds = folded(log)
    log.write_bytes(b"new\n")
    index.advance()
    while folds.behind:
        folds.advance()
    assert folds.all == []
    assert shown(index, folds) == ["new"]
    index.close()
