from __future__ import annotations

import math
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launch_tui.store import series_follow
from launch_tui.store.series import SeriesReader, SeriesWriter
from launch_tui.store.series_follow import SeriesFollower, Trace

ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.db"


def append(path, rows, stats=()):
    writer = SeriesWriter(path)
    writer.append_history(rows)
    writer.append_stats(stats)
    writer.commit()
    writer.close()


def sums(buckets):
    """What does not depend on how points are divided into buckets."""
    return (
        sum(b.count for b in buckets),
        sum(b.gaps for b in buckets),
        min((b.minimum for b in buckets if not math.isnan(b.minimum)), default=None),
        max((b.maximum for b in buckets if not math.isnan(b.maximum)), default=None),
        min(b.first_step for b in buckets),
        max(b.last_step for b in buckets),
    )


def wanted(points):
    finite = [v for _, v in points if math.isfinite(v)]
    steps = [s for s, _ in points]
    gaps = len(points) - len(finite)
    low, high = min(finite, default=None), max(finite, default=None)
    return len(points), gaps, low, high, min(steps), max(steps)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    points=st.lists(st.tuples(st.integers(-(2**62), 2**62), ANY_FLOAT), min_size=1, max_size=80),
    batch=st.integers(1, 30),
    limit=st.integers(2, 40),
)
def test_each_look_has_all_points_in_bounded_buckets(tmp_path_factory, points, batch, limit):
    path = tmp_path_factory.mktemp("any") / "metrics.db"
    trace = Trace("x", limit)
    with SeriesFollower(path) as follower:
        for at in range(0, len(points), batch):
            append(path, [(step, {"x": v, "other": 1}) for step, v in points[at : at + batch]])
            assert follower.look([trace])
            assert sums(trace.buckets) == wanted(points[: at + batch])
            assert len(trace.buckets) <= limit
            order = [b.first_step for b in trace.buckets]
            assert order == sorted(order)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    jumps=st.lists(st.tuples(st.integers(0, 50), ANY_FLOAT), min_size=1, max_size=120),
    batch=st.integers(1, 40),
)
def test_following_comes_to_the_same_as_reading_at_once(tmp_path_factory, jumps, batch):
    path = tmp_path_factory.mktemp("any") / "metrics.db"
    step, rows = 0, []
    for jump, value in jumps:
        step += jump
        rows.append((step, {"x": value}))
    followed, fresh = Trace("x", 16), Trace("x", 16)
    with SeriesFollower(path) as follower:
        for at in range(0, len(rows), batch):
            append(path, rows[at : at + batch])
            follower.look([followed])
        follower.look([fresh])
    assert repr(followed.buckets) == repr(fresh.buckets)


@pytest.fixture(scope="module")
def million(tmp_path_factory):
    """A file with a key of 1,000,000 points, and one with a key of 10,000."""
    paths = {}
    for count in (10_000, 1_000_000):
        paths[count] = path = tmp_path_factory.mktemp("m") / "metrics.db"
        writer = SeriesWriter(path)
        for at in range(0, count, 50_000):
            rows = range(at, min(at + 50_000, count))
            writer.append_history([(s, {"loss": 1 / (s + 1), "acc": s}) for s in rows])
            writer.commit()
        writer.close()
    return paths


class Work:
    """Counts what a look costs: instructions of SQLite, and points that are unpacked."""

    def __init__(self, follower, monkeypatch):
        self.follower = follower
        self.instructions = self.points = 0
        for name in ("unpack_values", "unpack_nodes"):
            self._count(name, monkeypatch)

    def _count(self, name, monkeypatch):
        real = getattr(series_follow, name)

        def counted(data):
            found = list(real(data)) if name == "unpack_nodes" else real(data)
            self.points += len(found)
            return found

        monkeypatch.setattr(series_follow, name, counted)

    def of(self, traces):
        self.follower.names()
        before = self.instructions, self.points
        self.follower._connection.set_progress_handler(self._step, 1)
        assert self.follower.look(traces)
        self.follower._connection.set_progress_handler(None, 1)
        return self.instructions - before[0], self.points - before[1]

    def _step(self):
        self.instructions += 1
        return 0


def test_what_came_since_costs_the_same_after_a_million_points(million, monkeypatch):
    costs = {}
    for count, path in million.items():
        traces = [Trace("loss", 120), Trace("acc", 120)]
        with SeriesFollower(path) as follower:
            work = Work(follower, monkeypatch)
            work.of(traces)
            costs[count] = []
            for step in range(count, count + 300, 10):
                rows = range(step, step + 10)
                append(path, [(s, {"loss": 2.0, "acc": s}) for s in rows])
                costs[count].append(work.of(traces))
        assert traces[0].seen == traces[1].seen == count + 300
        assert sum(b.count for b in traces[0].buckets) == count + 300
    for small, large in zip(costs[10_000], costs[1_000_000], strict=True):
        assert large[0] <= small[0] + 50
        assert large[1] <= small[1] + 4_096
    assert max(instructions for instructions, _ in costs[1_000_000]) < 400
    assert sum(points == 0 for _, points in costs[1_000_000]) > 25


def test_a_million_points_are_begun_from_the_summaries_of_their_chunks(million, monkeypatch):
    with SeriesFollower(million[1_000_000]) as follower:
        work = Work(follower, monkeypatch)
        trace = Trace("loss", 120)
        instructions, points = work.of([trace])
    assert instructions < 10_000
    # A summary stands for 128 points; without summaries of chunks there would be 7,813.
    assert points < 4_000
    assert 60 <= len(trace.buckets) <= 120


def test_a_chart_of_a_million_points_is_exact_but_at_the_borders(million):
    trace = Trace("acc", 120)
    with SeriesFollower(million[1_000_000]) as follower:
        assert follower.look([trace])
    width = 1_000_000 / 60
    for bucket in trace.buckets:
        assert bucket.minimum == bucket.first_step
        assert bucket.maximum == bucket.last_step == bucket.last
        assert bucket.last_step - bucket.first_step < width + 128


def test_points_are_found_in_chunks_once_the_tail_has_moved(path):
    rows = [(s, {"x": float(s), **{f"k{n}": 1.0 for n in range(40)}}) for s in range(6_000)]
    trace, seldom = Trace("x", 64), Trace("seldom", 64)
    with SeriesFollower(path) as follower:
        for at in range(0, len(rows), 700):
            append(path, [*rows[at : at + 700], (at, {"seldom": 1.0})])
            assert follower.look([trace, seldom])
            assert sum(b.count for b in trace.buckets) == len(rows[: at + 700])
    assert [b.last for b in trace.buckets] == [b.maximum for b in trace.buckets]
    assert seldom.seen == 9


def test_more_than_fits_a_look_comes_with_the_next(path):
    append(path, [(s, {f"k{n}": s for n in range(10)}) for s in range(3_000)])
    traces = [Trace(f"k{n}", 64) for n in range(10)]
    looks = 0
    with SeriesFollower(path) as follower:
        while not follower.look(traces, budget=1):
            looks += 1
            assert sum(trace.seen > 0 for trace in traces) == looks
    assert looks == 9
    assert {trace.seen for trace in traces} == {3_000}


def test_names_and_what_they_came_to(path):
    with SeriesFollower(path) as follower:
        assert follower.names() == ((), ())
        assert follower.look([Trace("b", 8)])
        append(path, [(0, {"b": 1, "a": math.nan, "text": "x"})], [(5.0, {"cpu": 3})])
        assert follower.names() == (("a", "b"), ("cpu",))
        append(path, [(1, {"b": -2, "c": 1, "text": 7})])
        assert follower.names() == (("a", "b", "c", "text"), ("cpu",))
        infos = follower.infos(["b", "a", "nothing"])
        assert set(infos) == {"a", "b"}
        assert (infos["b"].minimum, infos["b"].last_step) == (-2, 1)
        assert follower.infos(["cpu"], stats=True)["cpu"].last == 3


def test_system_metrics_are_followed_beside_a_key_of_the_same_name(path):
    append(path, [(0, {"cpu": 9})], [(5.0, {"cpu": 3})])
    own, system = Trace("cpu", 8), Trace("cpu", 8, stats=True)
    with SeriesFollower(path) as follower:
        assert follower.look([own, system])
        append(path, [(1, {"cpu": 8})], [(6.0, {"cpu": 4})])
        assert follower.look([own, system])
    assert [b.last for b in own.buckets] == [9, 8]
    assert [(b.first_step, b.last) for b in system.buckets][-1] == (6_000_000, 4)


def test_a_file_that_was_begun_anew_is_read_anew(path):
    append(path, [(s, {"x": s}) for s in range(10)])
    trace = Trace("x", 64)
    with SeriesFollower(path) as follower:
        follower.look([trace])
        for name in path.parent.iterdir():
            name.replace(path.parent / f"damaged-{name.name}")
        append(path, [(s, {"x": -s}) for s in range(20)])
        follower.look([trace])
    assert sum(b.count for b in trace.buckets) == 20
    assert trace.buckets[-1].last == -19


def test_nothing_new_leaves_the_buckets_as_they_are(path):
    append(path, [(s, {"x": s}) for s in range(10)])
    trace = Trace("x", 64)
    with SeriesFollower(path) as follower:
        follower.look([trace])
        before = trace.buckets
        append(path, [(11, {"y": 1})])
        follower.look([trace])
        assert trace.buckets is before


def test_a_growing_run_of_many_layouts(path):
    randomness = random.Random(3)
    traces = [Trace(f"k{n}", 50) for n in range(6)]
    with SeriesFollower(path) as follower:
        for at in range(0, 3_000, 25):
            rows = []
            for step in range(at, at + 25):
                names = randomness.sample(range(6), randomness.randint(1, 6))
                rows.append((step, {f"k{n}": randomness.random() for n in names}))
            append(path, rows)
            if randomness.random() < 0.3:
                follower.look(traces)
        follower.look(traces)
    with SeriesReader(path) as reader:
        for trace in traces:
            assert sums(trace.buckets) == wanted(reader.points(trace.name))
