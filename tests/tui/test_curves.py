from __future__ import annotations

import math

import pytest

from launch_tui.store.series import SeriesWriter
from launch_tui.tui import curves as module
from launch_tui.tui.curves import Axis, Curves, Key

START = 1_795_000_000.0


def write(path, rows, stats=()):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = SeriesWriter(path)
    writer.append_history(rows)
    writer.append_stats(stats)
    writer.commit()
    writer.close()


def timed(step, seconds, **values):
    return step, {"_runtime": seconds, "_timestamp": START + seconds, **values}


@pytest.fixture
def place(tmp_path):
    return lambda run_id: tmp_path / run_id / "metrics.db"


@pytest.fixture
def curves(place):
    made = Curves(place)
    yield made
    made.close()


def looked(curves, *keys, axis=Axis.STEP, limit=64):
    curves.look_at_names()
    curves.look(keys, limit, axis)
    return list(curves.runs.values())


def test_keys_come_with_losses_first_and_the_system_last(curves, place):
    values = {"lr": 1, "val/acc": 1, "loss": 1, "aux_loss": 1, "_runtime": 1, "_wandb.x": 1}
    write(place("a"), [(0, values)], [(START, {"cpu": 1})])
    write(place("b"), [(0, {"loss": 1, "more": 2})])
    curves.follow(["a", "b"])
    titles = [key.title for key in curves.keys]
    assert titles == ["loss", "aux_loss", "val/acc", "lr", "more", "system/cpu"]


def test_x_is_what_the_run_can_tell(curves, place):
    write(place("a"), [(0, {"loss": 1})])
    curves.follow(["a"])
    assert curves.axes == (Axis.STEP,)
    write(place("b"), [timed(0, 1, **{"train/epoch": 0, "loss": 1})])
    curves.follow(["a", "b"])
    assert curves.axes == (Axis.STEP, Axis.TIME, Axis.EPOCH)


def test_curves_lie_on_step_time_and_epoch(curves, place):
    rows = [timed(10 * s, 3.0 * s, epoch=s // 2, loss=float(s)) for s in range(8)]
    write(place("a"), rows)
    curves.follow(["a"])
    loss = Key("loss")
    (run,) = looked(curves, loss)
    assert list(run.curve(loss, Axis.STEP).xs) == [10 * s for s in range(8)]
    (run,) = looked(curves, loss, axis=Axis.TIME)
    assert run.curve(loss, Axis.TIME).xs == pytest.approx([3.0 * s for s in range(8)])
    (run,) = looked(curves, loss, axis=Axis.EPOCH)
    assert run.curve(loss, Axis.EPOCH).xs == pytest.approx([s // 2 for s in range(8)])
    assert run.curve(loss, Axis.EPOCH).ends == [float(s) for s in range(8)]


def test_a_run_that_cannot_tell_the_time_has_no_curve_there(curves, place):
    write(place("a"), [(0, {"loss": 1}), (1, {"loss": 2})])
    write(place("b"), [timed(0, 1, loss=1), timed(1, 2, loss=2)])
    curves.follow(["a", "b"])
    loss = Key("loss")
    without, with_time = looked(curves, loss, axis=Axis.TIME)
    assert without.curve(loss, Axis.TIME).xs == ()
    assert with_time.curve(loss, Axis.TIME).xs == [1, 2]


def test_without_a_runtime_time_begins_with_the_first_stamp(curves, place):
    rows = [(s, {"_timestamp": START + 5 * s, "loss": s}) for s in range(3)]
    write(place("a"), rows)
    curves.follow(["a"])
    (run,) = looked(curves, Key("loss"), axis=Axis.TIME)
    assert run.curve(Key("loss"), Axis.TIME).xs == pytest.approx([0, 5, 10])


def test_system_metrics_lie_on_the_time_since_the_run_began(curves, place):
    rows = [timed(s, 100 + s, loss=s) for s in range(5)]
    write(place("a"), rows, [(START + 30, {"cpu": 1}), (START + 102, {"cpu": 2})])
    curves.follow(["a"])
    cpu = Key("cpu", True)
    (run,) = looked(curves, cpu, Key("loss"))
    assert run.curve(cpu, Axis.STEP).xs == pytest.approx([30, 102])
    assert curves.converted(2, Axis.STEP, Axis.TIME) == pytest.approx(102)
    assert curves.converted(102, Axis.TIME, Axis.STEP) == pytest.approx(2)
    assert run.span(cpu, Axis.STEP, (0, 50)) == pytest.approx((START, START + 50), abs=1e-3)


def test_system_metrics_alone_begin_with_the_first(curves, place):
    write(place("a"), [], [(START, {"cpu": 1}), (START + 9, {"cpu": 2})])
    curves.follow(["a"])
    (run,) = looked(curves, Key("cpu", True))
    assert run.curve(Key("cpu", True), Axis.STEP).xs == pytest.approx([0, 9])
    assert curves.converted(3, Axis.STEP, Axis.TIME) is None


def test_an_attempt_that_began_its_clock_anew_stands_still(curves, place):
    rows = [timed(s, t, loss=s) for s, t in enumerate((1, 2, 9, 1, 2, 12))]
    write(place("a"), rows)
    curves.follow(["a"])
    (run,) = looked(curves, Key("loss"), axis=Axis.TIME)
    xs = run.curve(Key("loss"), Axis.TIME).xs
    assert xs == [1, 2, 9, 9, 9, 12]


def test_only_keys_that_are_asked_for_are_read(curves, place, monkeypatch):
    read = []
    begin = module.Trace.begin
    monkeypatch.setattr(
        module.Trace, "begin", lambda self, *args: read.append(self.name) or begin(self, *args)
    )
    write(place("a"), [timed(s, s, **{f"k{n:04}": s for n in range(2_000)}) for s in range(30)])
    curves.follow(["a"])
    looked(curves, Key("k0007"), Key("k0012"))
    assert sorted(read) == ["_runtime", "_timestamp", "k0007", "k0012"]
    (run,) = looked(curves, Key("k1999"))
    assert read[4:] == ["k1999"]
    assert run.last(Key("k0007")) is None


def test_a_window_is_read_as_fine_as_it_is_drawn(curves, place):
    write(place("a"), [(s, {"loss": float(s % 2)}) for s in range(20_000)])
    curves.follow(["a"])
    loss = Key("loss")
    (run,) = looked(curves, loss)
    coarse = [x for x in run.curve(loss, Axis.STEP).xs if 10_000 <= x <= 10_050]
    assert len(coarse) <= 1
    curve = run.curve(loss, Axis.STEP, window=(10_000, 10_050), most=100)
    fine = [end for x, end in zip(curve.xs, curve.ends, strict=True) if 10_000 <= x <= 10_050]
    assert fine == [float(s % 2) for s in range(10_000, 10_051)]
    assert curve.xs[0] == 0
    assert curve.xs[-1] == 19_999


def test_changes_are_seen_once(curves, place):
    curves.follow(["a"])
    curves.changed()
    assert not curves.changed()
    write(place("a"), [(0, {"loss": 1})])
    assert curves.changed()
    looked(curves, Key("loss"))
    assert not curves.changed()


def test_what_did_not_fit_a_look_counts_as_a_change(curves, place, monkeypatch):
    monkeypatch.setattr(module, "LOOK_BUDGET", 0)
    write(place("a"), [(s, {"a": s, "b": s}) for s in range(3)])
    curves.follow(["a"])
    keys = Key("a"), Key("b")
    (run,) = looked(curves, *keys)
    assert [run.last(key) for key in keys] == [2, None]
    curves.changed()
    assert curves.changed()
    looked(curves, *keys)
    assert [run.last(key) for key in keys] == [2, 2]
    assert not curves.changed()


def test_a_value_that_is_no_number_is_the_last_all_the_same(curves, place):
    write(place("a"), [(0, {"loss": 1.0}), (1, {"loss": math.nan})])
    curves.follow(["a"])
    (run,) = looked(curves, Key("loss"))
    assert math.isnan(run.last(Key("loss")))
