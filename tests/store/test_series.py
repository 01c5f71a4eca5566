from __future__ import annotations

import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launch_tui.errors import StoreCorrupt, StoreError, StoreTooNew
from launch_tui.sdk.points import points_of, points_of_many
from launch_tui.store import series_read
from launch_tui.store.series import FileOffset, SeriesReader, SeriesWriter

ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.db"


def same(one, two):
    """Equality of points in which a NaN equals a NaN, and -0.0 is not 0.0."""
    return [(s, math.copysign(1, v), repr(v)) for s, v in one] == [
        (s, math.copysign(1, v), repr(v)) for s, v in two
    ]


def fill(path, rows, batch=100):
    writer = SeriesWriter(path)
    for at in range(0, len(rows), batch):
        writer.append_history(rows[at : at + batch])
        writer.commit({"a": FileOffset(attempt=1, offset=at + batch)})
    writer.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    points=st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), ANY_FLOAT), max_size=60),
    batch=st.integers(1, 20),
)
def test_points_come_back_exactly_and_in_order(tmp_path_factory, points, batch):
    path = tmp_path_factory.mktemp("any") / "metrics.db"
    fill(path, [(step, {"x": value, "_step": step}) for step, value in points], batch)
    with SeriesReader(path) as reader:
        assert same(reader.points("x"), points)


@pytest.mark.parametrize("batch", [7, 5_000, 200_000])
def test_points_come_back_exactly_through_every_way_of_storing(path, batch):
    randomness = random.Random(batch)
    steps = [0] * 10 + [*range(40_000), *range(100, 40_000, 3)]
    rows = [
        (s, {"a": randomness.random(), "b": math.nan if s % 7 else -math.inf}) for s in steps
    ] + [(10**15, {"a": 1})]
    fill(path, rows, batch)
    with SeriesReader(path) as reader:
        for key in ("a", "b"):
            assert same(reader.points(key), [(s, float(row[key])) for s, row in rows if key in row])


def test_keys_tell_what_each_came_to(path):
    rows = [
        (0, {"loss": 3, "text": "a", "seldom": 1.5}),
        (5, {"loss": math.nan, "ok": True}),
        (2, {"loss": -math.inf, "text": "b"}),
    ]
    fill(path, rows, 1)
    with SeriesReader(path) as reader:
        known = reader.keys()
    infos = {info.name: info for info in known}
    loss = infos["loss"]
    assert (loss.count, loss.gaps, loss.minimum, loss.maximum, loss.last) == (3, 2, 3, 3, -math.inf)
    assert (loss.first_step, loss.last_step) == (0, 2)
    assert (infos["ok"].last, infos["seldom"].count) == (1.0, 1)
    assert (infos["text"].count, infos["text"].others, infos["text"].last_other) == (0, 2, "b")
    assert list(infos) == sorted(infos)


def test_a_last_value_of_nan_is_nan(path):
    fill(path, [(0, {"x": math.nan})])
    with SeriesReader(path) as reader:
        (info,) = reader.keys()
    assert math.isnan(info.last)
    assert (info.minimum, info.maximum) == (None, None)


def test_values_that_are_no_numbers_are_kept_beside(path):
    picture = {"_type": "image-file", "path": "media/a.png", "size": 3}
    rows = [(1, {"x": 1, "pic": picture}), (2, {"x": "late"}), (3, {"x": None, "big": 10**400})]
    fill(path, [*rows, (4, {"pic": "y" * 300_000})])
    with SeriesReader(path) as reader:
        assert reader.points("x") == [(1, 1.0)]
        assert reader.others("x") == [(2, "late"), (3, None)]
        assert reader.others("pic")[0] == (1, picture)
        assert reader.others("pic")[1] == (4, {"_type": "too-large", "size": 300_002})
        assert reader.others("big") == [(3, 10**400)]
        assert reader.others("nothing") == []


def test_rows_without_a_step_follow_the_last(path):
    fill(path, [(None, {"x": 1}), (7, {"x": 2}), (None, {"x": 3}), (2**70, {"x": 4})])
    with SeriesReader(path) as reader:
        assert reader.points("x") == [(0, 1), (7, 2), (8, 3), (9, 4)]


def test_system_metrics_are_a_group_of_their_own(path):
    writer = SeriesWriter(path)
    writer.append_stats(
        [(1_700_000_000.5, {"cpu": 1, "gpu.0.temp": 60.5}), (1.7e9 + 15, {"cpu": 2})]
    )
    writer.append_history([(0, {"cpu": 9})])
    writer.commit()
    writer.close()
    with SeriesReader(path) as reader:
        assert [info.name for info in reader.stats_keys()] == ["cpu", "gpu.0.temp"]
        (only,) = reader.keys()
        assert only.name == "cpu"
        assert reader.stats_points("cpu") == [(1_700_000_000.5, 1), (1_700_000_015.0, 2)]
        (late,) = reader.stats_chart("cpu", 10, first=1.7e9 + 10)
        assert (late.last, late.first_step) == (2, 1_700_000_015_000_000)


def brute_force(points, buckets, first, last):
    width = last - first + 1
    bins = {}
    for step, value in points:
        if first <= step <= last:
            bins.setdefault((step - first) * buckets // width, []).append((step, value))
    return [
        (
            min(s for s, _ in some),
            max(s for s, _ in some),
            min((v for _, v in some if math.isfinite(v)), default=None),
            max((v for _, v in some if math.isfinite(v)), default=None),
            repr(some[-1][1]),
            len(some),
            sum(not math.isfinite(v) for _, v in some),
        )
        for _, some in sorted(bins.items())
    ]


def as_rows(chart):
    return [
        (
            b.first_step,
            b.last_step,
            None if math.isnan(b.minimum) else b.minimum,
            None if math.isnan(b.maximum) else b.maximum,
            repr(b.last),
            b.count,
            b.gaps,
        )
        for b in chart
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    points=st.lists(st.tuples(st.integers(-500, 500), ANY_FLOAT), min_size=1, max_size=80),
    buckets=st.integers(1, 50),
    span=st.tuples(st.integers(-600, 600), st.integers(0, 600)),
)
def test_a_small_chart_is_exact(tmp_path_factory, points, buckets, span):
    path = tmp_path_factory.mktemp("any") / "metrics.db"
    fill(path, [(step, {"x": value}) for step, value in points], 9)
    steps = [step for step, _ in points]
    first, last = span[0], span[0] + span[1]
    with SeriesReader(path) as reader:
        whole = brute_force(points, buckets, min(steps), max(steps))
        assert as_rows(reader.chart("x", buckets)) == whole
        part = brute_force(points, buckets, first, last)
        assert as_rows(reader.chart("x", buckets, first, last)) == part


def uneven(randomness):
    """Dense at first, sparse later, then back to the beginning, with gaps."""
    steps = [*range(150_000), *range(150_000, 9_000_000, 700), *range(0, 60_000, 2)]
    return [(s, math.nan if s % 1_000 == 3 else randomness.gauss(0, 1)) for s in steps]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "metrics.db"
    points = uneven(random.Random(5))
    fill(path, [(step, {"x": value}) for step, value in points], 50_000)
    return path, points


@pytest.mark.parametrize("buckets", [1, 80, 400, 4_096])
@pytest.mark.parametrize("span", [(None, None), (1_000, 40_000), (140_000, 200_000)])
def test_a_large_chart_is_exact_but_for_points_at_the_borders(large, buckets, span):
    path, points = large
    with SeriesReader(path) as reader:
        chart = reader.chart("x", buckets, *span)
    first = 0 if span[0] is None else span[0]
    last = max(step for step, _ in points) if span[1] is None else span[1]
    inside = [(s, v) for s, v in points if first <= s <= last]
    finite = [v for _, v in inside if math.isfinite(v)]
    assert sum(b.count for b in chart) == len(inside)
    assert sum(b.gaps for b in chart) == len(inside) - len(finite)
    assert min(b.minimum for b in chart if not math.isnan(b.minimum)) == min(finite)
    assert max(b.maximum for b in chart if not math.isnan(b.maximum)) == max(finite)
    assert len(chart) <= buckets
    # No bucket reaches further than the points of one node into its neighbour.
    width = (last - first + 1) / buckets
    assert all(b.last_step - b.first_step < width + max(128 * 2, width) for b in chart)


def test_a_chart_has_a_bounded_number_of_buckets(path):
    fill(path, [(0, {"x": 1})])
    with SeriesReader(path) as reader:
        for buckets in (0, 4_097):
            with pytest.raises(ValueError, match="4096"):
                reader.chart("x", buckets)
        assert reader.chart("nothing", 10) == []


@pytest.mark.parametrize("count", [100, 100_000])
def test_an_axis_gives_the_time_of_each_step(path, count):
    fill(path, [(s, {"x": 1, "_runtime": s * 0.5}) for s in range(0, count, 2)], 10_000)
    with SeriesReader(path) as reader:
        wanted = [0, 2, 50, count // 2, count - 2]
        assert reader.axis("_runtime", wanted) == pytest.approx([s * 0.5 for s in wanted])
        assert reader.axis("_runtime", [-5, count * 2]) == [0, (count - 2) * 0.5]
        assert math.isnan(reader.axis("nothing", [1])[0])


def test_two_thousand_keys(path):
    rows = [(step, {f"layer/{k}": step * k for k in range(2_000)}) for step in range(80)]
    fill(path, rows, 2)
    with SeriesReader(path) as reader:
        assert len(reader.keys()) == 2_000
        assert reader.points("layer/1999") == [(s, s * 1999.0) for s in range(80)]


def test_keys_that_come_in_another_order_in_each_row(path):
    randomness = random.Random(1)
    rows = []
    for step in range(300):
        names = ["a", "b", "c", "d"]
        randomness.shuffle(names)
        rows.append((step, {name: step + ord(name) for name in names}))
    fill(path, rows, 10)
    with SeriesReader(path) as reader:
        assert reader.points("c") == [(s, s + ord("c")) for s in range(300)]


def test_offsets_and_state_are_what_was_committed_last(path):
    writer = SeriesWriter(path)
    assert (writer.offsets(), writer.state(1)) == ({}, {})
    writer.commit({"a": FileOffset(attempt=1, offset=5, skipped=2)}, attempt=1, state={"n": 1})
    writer.append_history([(0, {"x": 1})])
    writer.close()
    writer = SeriesWriter(path)
    assert writer.offsets() == {"a": FileOffset(attempt=1, offset=5, skipped=2)}
    assert (writer.state(1), writer.state(2)) == ({"n": 1}, {})
    writer.commit({"b": FileOffset(attempt=2, offset=1)}, attempt=2, state={"x": math.inf})
    assert (writer.state(1), writer.state(2)) == ({"n": 1}, {"x": math.inf})
    writer.close()
    with SeriesReader(path) as reader:
        assert reader.points("x") == []


def test_a_run_without_metrics_reads_as_empty(path):
    with SeriesReader(path) as reader:
        assert reader.keys() == reader.points("x") == reader.chart("x", 5) == []
        fill(path, [(0, {"x": 1})])
        assert reader.points("x") == [(0, 1)]


def test_a_damaged_file_is_told_by_readers_and_begun_anew_by_the_writer(path):
    path.write_bytes(b"no database at all" * 500)
    reader = SeriesReader(path)
    with pytest.raises(StoreCorrupt):
        reader.keys()
    writer = SeriesWriter(path)
    assert writer.begun_anew
    assert writer.offsets() == {}
    assert path.with_name("metrics.db.damaged").read_bytes().startswith(b"no database")
    writer.append_history([(0, {"x": 1})])
    writer.commit()
    writer.close()
    assert reader.points("x") == [(0, 1)]
    reader.close()


def test_damage_inside_is_told(path):
    fill(path, [(s, {"x": random.random()}) for s in range(200_000)], 100_000)
    data = bytearray(path.read_bytes())
    data[8_192 : len(data) - 4_096] = bytes(len(data) - 12_288)
    path.write_bytes(data)
    with SeriesReader(path) as reader, pytest.raises(StoreError):
        reader.points("x")


def test_a_file_of_a_newer_version_is_left_alone(path):
    fill(path, [(0, {"x": 1})])
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreTooNew):
        SeriesWriter(path)
    with SeriesReader(path) as reader, pytest.raises(StoreTooNew):
        reader.keys()


def test_readers_see_whole_commits_while_rows_arrive(path):
    batch, batches = 500, 120
    errors = []
    done = threading.Event()

    def read():
        with SeriesReader(path) as reader:
            seen = 0
            while not errors and (not done.is_set() or seen < batch * batches):
                points = reader.points("x")
                whole = [(s, float(s)) for s in range(len(points))]
                if points != whole or len(points) % batch or len(points) < seen:
                    errors.append((len(points), seen))
                charted = reader.chart("x", 50)
                if sum(bucket.count for bucket in charted) % batch:
                    errors.append("chart")
                seen = len(points)

    thread = threading.Thread(target=read)
    thread.start()
    fill(path, [(s, {"x": s, "y": 0, "z": 1}) for s in range(batch * batches)], batch)
    done.set()
    thread.join(40)
    assert not thread.is_alive()
    assert errors == []


KILLED = """
import sys
from pathlib import Path
from launch_tui.sdk.points import points_of, points_of_many
from launch_tui.store import series_read
from launch_tui.store.series import FileOffset, SeriesWriter

writer = SeriesWriter(Path(sys.argv[1]))
saved = writer.offsets().get("source")
at = saved.offset if saved else 0
assert writer.state(1).get("at", 0) == at
print("ready", flush=True)
while True:
    size = 1 + at * 7 % 3000
    writer.append_history((n, {"x": n / 3, "y": -n, "_step": n}) for n in range(at, at + size))
    at += size
    writer.commit({"source": FileOffset(attempt=1, offset=at)}, attempt=1, state={"at": at})
"""


def test_sigkill_at_any_moment_neither_loses_nor_doubles_a_row(path):
    randomness = random.Random(os.getpid())
    reached = 0
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        moment = time.monotonic() + randomness.random() * 0.3
        with SeriesReader(path) as reader:
            while time.monotonic() < moment:
                points = reader.points("x")
                assert len(points) >= reached
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        writer = SeriesWriter(path)
        saved = writer.offsets().get("source")
        writer.close()
        count = saved.offset if saved else 0
        assert count >= reached
        reached = count
        with SeriesReader(path) as reader:
            assert reader.points("x") == [(n, n / 3) for n in range(count)]
            assert reader.points("y") == [(n, -n) for n in range(count)]
    assert reached


@pytest.mark.slow
def test_a_million_points_are_small_and_charted_whole(path):
    count = 1_000_000
    randomness = random.Random(3)
    fill(path, [(s, {"loss": randomness.random(), "lr": 0.1}) for s in range(count)], 20_000)
    assert path.stat().st_size / count < 10
    for buckets in (400, 4_096):
        with SeriesReader(path) as reader:
            chart = reader.chart("loss", buckets)
        assert sum(bucket.count for bucket in chart) == count
        assert len(chart) == buckets


@pytest.mark.parametrize("at_once", [1, 300, 10**9])
@pytest.mark.parametrize("batch", [7, 200_000])
def test_many_keys_are_read_as_each_alone_is(path, monkeypatch, batch, at_once):
    monkeypatch.setattr(series_read, "POINTS_AT_ONCE", at_once)
    rows = [
        (step, {f"k{step % 5}": step, "a": -step, f"t{step % 3}": "text"}) for step in range(400)
    ]
    fill(path, rows, batch)
    with SeriesReader(path) as reader:
        known = reader.keys()
        asked = [*(info.name for info in known), "none"]
        found = list(reader.points_of_many(asked))
        assert [key for key, _ in found] == asked[:-1]
        assert all(same(points, reader.points(key)) for key, points in found)
        assert list(points_of_many(reader, known)) == [
            (key, points_of(reader, key)) for key in asked[:-1]
        ]


def test_no_metrics_have_no_points_of_any_key(path):
    with SeriesReader(path) as reader:
        assert list(reader.points_of_many(["a"])) == []


def test_twenty_thousand_keys_are_read_in_a_few_passes(path):
    keys = 20_000
    rows = [
        (step, {f"layer.{at}": at + step for at in range(low, low + 500)})
        for step in range(3)
        for low in range(0, keys, 500)
    ]
    fill(path, rows, 40)
    with SeriesReader(path) as reader:
        known = reader.keys()
        asked: list[str] = []
        reader._connection.set_trace_callback(asked.append)
        found = dict(reader.points_of_many(info.name for info in known))
    assert len(found) == keys
    assert found["layer.19999"] == [(0, 19_999.0), (1, 20_000.0), (2, 20_001.0)]
    assert sum("FROM tail" in statement for statement in asked) == 1
