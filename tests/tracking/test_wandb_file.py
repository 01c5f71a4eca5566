from __future__ import annotations

import os
import random
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launch_tui.tracking.records import History
from launch_tui.tracking.wandb_file import WandbFile
from tests.tracking import encoding

ROWS = 40


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run-abc12345.wandb"


def rows_of(records):
    return [(row.step, dict(row.values)) for row in records if isinstance(row, History)]


def read_all(reader, budget=1):
    records = reader.read(budget)
    while reader.more:
        records += reader.read(budget)
    return records


def some_rows(sizes):
    """History rows, each with a text of the wanted size, so that records meet block borders."""
    return [(step, {"a": step + 0.5, "pad": "x" * size}) for step, size in enumerate(sizes)]


def written(rows):
    return encoding.log(encoding.history(step, values) for step, values in rows)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    sizes=st.lists(
        st.one_of(
            st.integers(0, 200), st.integers(32_600, 32_800), st.sampled_from([70_000, 200_000])
        ),
        max_size=30,
    ),
    budget=st.integers(1, 300_000),
)
def test_reads_what_was_written_whatever_the_sizes_and_the_budget(file, sizes, budget):
    rows = some_rows(sizes)
    file.write_bytes(written(rows))
    reader = WandbFile(file)
    assert rows_of(read_all(reader, budget)) == rows
    assert (reader.skipped, reader.torn, reader.offset) == (0, False, file.stat().st_size)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cuts=st.lists(st.integers(0, 140_000), max_size=12), again=st.booleans())
def test_a_growing_file_gives_each_row_once(file, cuts, again):
    rows = some_rows([10, 32_700, 90_000, 5, 0, 300])
    data = written(rows)
    got, reader = [], WandbFile(file)
    for cut in [*sorted(cuts), len(data)]:
        file.write_bytes(data[:cut])
        if again:
            # What a tracker does after a crash: a new reader at the saved offset.
            reader = WandbFile(file, offset=reader.offset)
        got += rows_of(read_all(reader))
    assert got == rows
    assert reader.skipped == 0


def test_a_tail_cut_at_any_byte_is_read_later(file):
    rows = some_rows([3] * ROWS)
    data = written(rows)
    for cut in range(len(data) + 1):
        file.write_bytes(data[:cut])
        first = WandbFile(file)
        before = rows_of(first.read())
        assert before == rows[: len(before)]
        assert first.skipped == 0
        saved = first.offset
        file.write_bytes(data)
        assert before + rows_of(first.read()) == rows
        assert before + rows_of(WandbFile(file, offset=saved).read()) == rows


def test_damage_costs_one_block_and_is_counted(file):
    rows = some_rows([400] * 400)
    data = bytearray(written(rows))
    assert len(data) > 4 * encoding.BLOCK
    data[encoding.BLOCK + 5_000] ^= 0xFF
    file.write_bytes(data)
    reader = WandbFile(file)
    got = rows_of(reader.read())
    missing = [step for step, _ in rows if step not in {step for step, _ in got}]
    assert reader.skipped == 1
    assert 0 < len(missing) * 450 < encoding.BLOCK
    assert missing == list(range(missing[0], missing[-1] + 1))


def test_damage_in_a_block_that_is_still_written_waits(file):
    data = bytearray(written(some_rows([100] * 20)))
    data[-30] ^= 0xFF
    file.write_bytes(data)
    reader = WandbFile(file)
    assert len(rows_of(reader.read())) == 19
    assert (reader.skipped, reader.torn) == (0, True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(seed=st.integers(0, 2**32))
def test_random_damage_never_stops_it(file, seed):
    randomness = random.Random(seed)
    rows = some_rows(randomness.choices([0, 50, 3_000, 40_000], k=20))
    data = bytearray(written(rows))
    for _ in range(randomness.randrange(1, 30)):
        at = randomness.randrange(len(data))
        data[at : at + randomness.randrange(1, 9)] = randomness.randbytes(randomness.randrange(9))
    file.write_bytes(data)
    got = rows_of(read_all(WandbFile(file)))
    assert all(row in rows for row in got)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(payload=st.binary(max_size=400))
def test_hostile_payloads_with_right_checksums_never_stop_it(file, payload):
    good = encoding.history(7, {"a": 1})
    file.write_bytes(encoding.log([payload, encoding.sized(2, payload), good]))
    rows = rows_of(WandbFile(file).read())
    assert rows[-1] == (7, {"a": 1})


@pytest.mark.parametrize("content", [b"", b":W&", b"not a log of wandb's at all", bytes(100_000)])
def test_what_is_no_log_gives_nothing(file, content):
    file.write_bytes(content)
    assert read_all(WandbFile(file)) == []


def test_a_file_that_does_not_exist_yet_gives_nothing(file):
    reader = WandbFile(file)
    assert reader.read() == []
    file.write_bytes(written(some_rows([1])))
    assert len(reader.read()) == 1


def test_a_record_over_the_limit_is_stepped_over_without_holding_it(file):
    rows = some_rows([10, 3_000_000, 10])
    file.write_bytes(written(rows))
    reader = WandbFile(file, max_record=200_000)
    tracemalloc.start()
    try:
        got = rows_of(read_all(reader))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert got == [rows[0], rows[2]]
    assert reader.skipped == 1
    assert peak < 1_000_000


def test_one_call_reads_no_more_than_its_budget(file):
    file.write_bytes(written(some_rows([1_000] * 1_000)))
    reader = WandbFile(file)
    reader.read(100_000)
    assert reader.more
    assert 60_000 < reader.offset <= 100_000


def test_it_never_asks_for_write_permission(file, monkeypatch):
    file.write_bytes(written(some_rows([1])))
    flags = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, mode, *a: flags.append(mode) or real(path, mode))
    assert WandbFile(file).read()
    assert [mode & os.O_ACCMODE for mode in flags] == [os.O_RDONLY]
