from __future__ import annotations

import os
import threading
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launch_tui.store import logs
from launch_tui.store.logs import BlockIndex, follow, tail_lines, tail_offset

chunks = st.lists(
    st.lists(st.sampled_from([b"\n", b"a", b"bb", b"step 1\r", b"x" * 40, b"\n\n\n"])).map(
        b"".join
    ),
    max_size=8,
)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(logs, "BLOCK", 16)
    monkeypatch.setattr(logs, "_DENSE", 2)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "output.log"


def lines_of(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    return lines[:-1] if data.endswith(b"\n") or not data else lines


def indexed(path, budget=16 << 20) -> BlockIndex:
    index = BlockIndex(path)
    while index.advance(budget):
        pass
    return index


function_scoped = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.usefixtures("small_blocks")
@function_scoped
@given(chunks, st.integers(0, 60), st.integers(0, 60), st.integers(1, 40))
def test_every_line_is_found_however_the_file_grows(tmp_path, parts, first, count, budget):
    path = tmp_path / "log"
    path.write_bytes(b"")
    index = BlockIndex(path)
    data = b""
    for part in parts:
        data += part
        path.write_bytes(data)
        while index.advance(budget):
            pass
        assert index.complete
        lines = lines_of(data)
        assert index.line_count == len(lines)
        assert index.partial is bool(data and not data.endswith(b"\n"))
        assert index.read(first, count) == lines[first : first + count]
        assert index.tail(count) == (lines[-count:] if count else [])
        assert tail_lines(path, count) == index.tail(count)
        wanted = kept(data)[-count:] if count else []
        assert data[tail_offset(path, count) :] == b"".join(wanted)
    index.close()


def kept(data: bytes) -> list[bytes]:
    """The lines with their newlines."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def test_no_file_is_an_empty_log_until_it_comes(log):
    index = BlockIndex(log)
    assert not index.advance()
    assert index.line_count == 0
    assert index.tail(5) == []
    assert tail_lines(log, 5) == []
    assert tail_offset(log, 5) == 0
    log.write_bytes(b"one\n")
    assert index.advance()
    assert index.read(0, 5) == [b"one"]


def test_a_truncated_file_is_read_anew(log):
    log.write_bytes(b"old\n" * 100)
    index = indexed(log)
    with log.open("r+b") as file:
        file.truncate(0)
        file.write(b"new\n")
    assert index.advance()
    assert index.generation == 1
    assert index.read(0, 10) == [b"new"]


def test_a_replaced_file_is_read_anew_and_a_deleted_one_stays_readable(log):
    log.write_bytes(b"old\n" * 3)
    index = indexed(log)
    fresh = log.with_name("fresh")
    fresh.write_bytes(b"new\n" * 30)
    os.replace(fresh, log)
    index.advance()
    assert index.generation == 1
    assert index.line_count == 30
    log.unlink()
    assert not index.advance()
    assert index.read(29, 5) == [b"new"]


def test_a_gigabyte_without_a_newline_stays_small_in_memory(log):
    with log.open("wb") as file:
        file.truncate(1 << 30)
    tracemalloc.start()
    try:
        index = BlockIndex(log)
        index.advance(8 << 20)
        assert index.line_count == 1
        (line,) = index.read(0, 50)
        (last,) = index.tail(50)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(line) < logs.LINE_LIMIT + 100
    assert len(last) < logs.LINE_LIMIT + 100
    assert line.endswith(b"more bytes]")
    assert peak < 20 << 20


def test_of_a_long_line_drawn_over_itself_the_end_is_kept(log):
    log.write_bytes(b"".join(b"\r%d%%|####" % i for i in range(100_000)) + b"\nend\n")
    index = indexed(log)
    bar, end = index.read(0, 2)
    assert bar.endswith(b"\r99999%|####")
    assert len(bar) <= logs.LINE_LIMIT
    assert end == b"end"
    assert index.tail(2)[0].endswith(b"\r99999%|####")


def test_the_index_of_a_gigabyte_takes_kilobytes(log):
    with log.open("wb") as file:
        file.truncate(256 << 20)
    index = indexed(log)
    assert len(index._before) * index._before.itemsize <= 8 * ((256 << 20) // logs.BLOCK + 1)


def test_follow_yields_everything_and_ends_with_the_writer(log):
    done = threading.Event()
    wrote = b"".join(b"line %d\n" % i for i in range(5000))

    def write():
        with log.open("wb", buffering=0) as file:
            for start in range(0, len(wrote), 1000):
                file.write(wrote[start : start + 1000])
        done.set()

    writer = threading.Thread(target=write)
    got = follow(log, ended=done.is_set)
    writer.start()
    assert b"".join(got) == wrote
    writer.join()


def test_follow_begins_at_the_offset_and_reads_the_last_bytes_after_the_end(log):
    log.write_bytes(b"one\ntwo\n")
    answers = iter([False, True, True])
    waits = []

    def ended():
        answer = next(answers)
        if answer and len(waits) == 1:
            with log.open("ab") as file:
                file.write(b"three\n")
            waits.append(0)
        return answer

    got = list(follow(log, ended=ended, offset=tail_offset(log, 1), wait=waits.append))
    assert b"".join(got) == b"two\nthree\n"


def test_follow_goes_on_after_truncation_and_replacement(log):
    log.write_bytes(b"a long first text\n")
    steps = iter(["truncate", "replace", "end", "end"])
    now = {"over": False}

    def wait(_seconds):
        match next(steps):
            case "truncate":
                log.write_bytes(b"short\n")
            case "replace":
                fresh = log.with_name("fresh")
                fresh.write_bytes(b"another\n")
                os.replace(fresh, log)
            case "end":
                now["over"] = True

    got = b"".join(follow(log, ended=lambda: now["over"], wait=wait))
    assert got == b"a long first text\nshort\nanother\n"


def test_follow_waits_longer_while_nothing_comes(log):
    waits = []

    def wait(seconds):
        waits.append(seconds)

    assert list(follow(log, ended=lambda: len(waits) >= 8, wait=wait)) == []
    assert waits == sorted(waits)
    assert waits[-1] == 0.1
