from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launch_tui.store import log_search
from launch_tui.store.log_scan import Matcher, scan
from launch_tui.store.log_search import LineSearch, Scan
from launch_tui.store.logs import BlockIndex

function_scoped = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
LINES = [b"", b"a", b"bb", b"step 1\r", b"x" * 40, b"\x1b[31merror\x1b[0m: x", b"\xc3\xa9 A"]
PATTERNS = ["a", "bb", "x+", "1", "^a$", "b|step", "(?i)ERR", "[^x]*b", r"\s", "er+or: ", "é"]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "output.log"


def indexed(path) -> BlockIndex:
    index = BlockIndex(path)
    while index.advance():
        pass
    return index


def finished(search, until=20.0):
    deadline = time.monotonic() + until
    while search.behind:
        assert time.monotonic() < deadline
        if not search.advance():
            time.sleep(0.001)
    return members(search)


def members(search):
    return [search.matches.member(n) for n in range(len(search.matches))]


def seen(line):
    """What a person reads of a line."""
    return re.sub(rb"\x1b\[[0-9;]*m", b"", line).removesuffix(b"\r").decode("utf-8", "replace")


@given(
    st.lists(st.sampled_from(LINES), max_size=30),
    st.sampled_from(PATTERNS),
    st.sampled_from([0, re.IGNORECASE]),
)
def test_a_matcher_finds_what_a_look_at_every_line_finds(lines, pattern, flags):
    data = b"".join(line + b"\n" for line in lines)
    wanted = [n for n, line in enumerate(lines) if re.search(pattern, seen(line), flags)]
    assert Matcher(pattern, flags).matching(data) == wanted
    # The same lines where the words are rare enough to be looked for by themselves.
    padded = data + b"nothing\n" * 400
    found = Matcher(pattern, flags).matching(padded)
    assert [n for n in found if n < len(lines)] == wanted


def test_a_piece_without_the_words_is_passed_over_whatever_its_rarest_byte_is_in():
    data = b"zebra quiz\n" * 50 + b"plain\n" * 1000
    for flags in (0, re.IGNORECASE):
        assert not Matcher("xyzzy", flags).matching(data)
        assert Matcher("quiz", flags).matching(data)
        assert not Matcher("qui z", flags).matching(data * 20)
        assert Matcher("ra qui", flags).matching(data * 20)


@function_scoped
@given(
    st.lists(st.lists(st.sampled_from(LINES), max_size=6), max_size=6),
    st.sampled_from(PATTERNS),
    st.integers(16, 60),
    st.booleans(),
)
def test_a_search_goes_on_with_what_is_appended(tmp_path, parts, pattern, budget, ended):
    path = tmp_path / "log"
    path.write_bytes(b"")
    index = BlockIndex(path)
    search = LineSearch(index, pattern)
    data = b""
    for part in parts:
        data += b"\n".join(part) + (b"\n" if ended and part else b"")
        path.write_bytes(data)
        while index.advance():
            pass
        while search.advance(max(budget, 64)):
            pass
        lines = data.removesuffix(b"\n").split(b"\n") if data else []
        wanted = [n for n, line in enumerate(lines) if re.search(pattern, seen(line))]
        if not data.endswith(b"\n") and lines:
            # A carriage return at the end of an unfinished line may be more than its end.
            wanted = [n for n in wanted if n < len(lines) - 1 or not lines[n].endswith(b"\r")]
            assert [n for n in members(search) if n in wanted] == wanted
        else:
            assert members(search) == wanted
        assert search.lines == len(lines)
        assert search.progress == 1.0
    search.close()
    index.close()


def test_a_large_part_is_searched_by_a_process_and_the_rest_here(log, monkeypatch):
    monkeypatch.setattr(log_search, "SCAN_FROM", 1000)
    log.write_bytes(b"".join(b"line %d\n" % n for n in range(300_000)) + b"line 7 at last")
    index = indexed(log)
    search = LineSearch(index, "line .*7$|at last")
    waited = False
    while search.behind:
        search.advance()
        waited = waited or search.waits
    assert waited
    assert members(search) == [*range(7, 300_000, 10), 300_000]
    with log.open("ab") as file:
        file.write(b"\nline 27\n")
    index.advance()
    assert finished(search)[-1] == 300_001
    assert not search.waits
    index.close()


def test_a_search_of_a_line_without_end_names_the_line_once(log, monkeypatch):
    log.write_bytes(b"first\n" + b"needle " * 500_000 + b"\nlast needle\n")
    index = indexed(log)
    assert finished(LineSearch(index, "needle")) == [1, 2]
    monkeypatch.setattr(log_search, "SCAN_FROM", 1000)
    assert finished(LineSearch(index, "needle")) == [1, 2]
    index.close()


def test_a_truncated_file_is_searched_anew(log):
    log.write_bytes(b"old needle\n" * 9)
    index = indexed(log)
    search = LineSearch(index, "needle")
    assert len(finished(search)) == 9
    log.write_bytes(b"new\nneedle\n")
    index.advance()
    assert finished(search) == [1]
    index.close()


def test_a_scan_that_is_killed_is_finished_here(log, monkeypatch):
    monkeypatch.setattr(log_search, "SCAN_FROM", 1000)
    log.write_bytes(b"needle\n" * 200_000)
    index = indexed(log)
    search = LineSearch(index, "needle")
    search.advance()
    os.kill(search._scan.pid, signal.SIGKILL)
    assert len(finished(search)) == 200_000
    index.close()


def gone(pid, until=10.0):
    deadline = time.monotonic() + until
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


def test_a_scan_ends_when_the_search_does(log):
    log.write_bytes(b"a" * 200_000 + b"!\n")
    index = indexed(log)
    scanning = Scan(index.fd, r"(a+)+$", 0, 0, index.size)
    assert not gone(scanning.pid, 0.3)
    scanning.close()
    assert gone(scanning.pid)
    index.close()


PARENT = """
import sys, time
from pathlib import Path
from launch_tui.store.log_search import Scan
from launch_tui.store.logs import BlockIndex
index = BlockIndex(Path(sys.argv[1]))
while index.advance():
    pass
print(Scan(index.fd, r"(a+)+$", 0, 0, index.size).pid, flush=True)
time.sleep(60)
"""


def test_a_scan_dies_with_whoever_started_it_even_in_the_middle_of_a_regex(log):
    log.write_bytes(b"a" * 200_000 + b"!\n")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(log)], stdout=subprocess.PIPE, text=True
    )
    try:
        pid = int(parent.stdout.readline())
        assert not gone(pid, 0.3)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    assert gone(pid)


def test_a_scan_leaves_the_unfinished_line(log):
    log.write_bytes(b"needle\nneedle")
    fd = os.open(log, os.O_RDONLY)
    found = []
    end = scan(fd, Matcher("needle"), 0, 13, lambda *piece: found.append(piece))
    os.close(fd)
    assert end == 7
    assert found == [(0, 7, b"\1")]
