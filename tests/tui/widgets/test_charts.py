from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Region
from textual.scrollbar import ScrollBar

from launch_tui.domain.run import RunState
from launch_tui.store import series_follow
from launch_tui.store.series import SeriesWriter
from launch_tui.tui.curves import Axis, Key
from launch_tui.tui.screens.run import RunScreen
from launch_tui.tui.widgets import charts as charts_module
from launch_tui.tui.widgets.chart_view import View, merged
from launch_tui.tui.widgets.window_table import WindowTable
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.frames import assert_frame, escapes, frame

START = 1_795_000_000.0


@pytest.fixture
def run_id(world):
    world.queue("gpu")
    return world.run(RunState.RUNNING)


def write(world, run_id, rows, stats=()):
    path = world.home.metrics(run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = SeriesWriter(path)
    writer.append_history(rows)
    writer.append_stats(stats)
    writer.commit()
    writer.close()


def training(steps=60, begin=0, every=1, **more):
    """Rows as wandb's history has them, with an epoch every ten steps."""
    return [
        (
            s * every,
            {
                "_runtime": 5.0 + s,
                "_timestamp": START + 5 + s,
                "epoch": s // 10,
                "loss": 2 / (s + 1) + 0.1 * math.sin(s),
                "val/acc": 1 - 1 / (s + 1),
                "lr": 1e-3 / (s + 1),
                **more,
            },
        )
        for s in range(begin, begin + steps)
    ]


STATS = [(START + 15 * n, {"cpu": 50 + n, "gpu.0.temp": 60.0 + n % 3}) for n in range(5)]


async def opened(pilot, run_id, *keys):
    await settle(pilot)
    pilot.app.push_screen(RunScreen(run_id))
    await settle(pilot)
    pilot.app.screen.show_tab("metrics")
    await settle(pilot)
    await pilot.press(*keys)
    await settle(pilot)
    return pilot.app.screen.query_one("#charts")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("cross", ("v", "h", "h", "h", "h")),
        ("full", ("enter", "M", "t", "v", "h", "h")),
        ("table", ("T",)),
        ("filter", ("slash", "l")),
    ],
)
async def test_metrics_look_as_they_did(world, make_app, run_id, size, name, keys):
    write(world, run_id, training(), STATS)
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await opened(pilot, run_id, *keys)
        await assert_frame(pilot, GOLDEN / f"metrics-{name}-{size[0]}x{size[1]}.txt")


@pytest.mark.parametrize("size", SIZES)
async def test_an_overlay_looks_as_it_did(world, make_app, size):
    world.queue("gpu")
    for bend in (0.5, 1.0, 2.0):
        run_id = world.run(RunState.FINISHED, ago=100 * bend, name=f"bend-{bend}")
        write(world, run_id, [(s, {"loss": 1 / (1 + bend * s)}) for s in range(50)])
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("asterisk", "enter")
        await settle(pilot)
        app.screen.show_tab("metrics")
        await pilot.press("O")
        await settle(pilot)
        await assert_frame(pilot, GOLDEN / f"metrics-overlay-{size[0]}x{size[1]}.txt")


async def test_ascii_keeps_to_ascii(world, make_app, run_id, monkeypatch):
    monkeypatch.setattr(ScrollBar, "renderer", ScrollBar.renderer)
    write(world, run_id, training(), STATS)
    app = make_app(ascii_only=True)
    async with app.run_test(size=(120, 34)) as pilot:
        for keys in ((), ("v", "h"), ("enter",), ("T",)):
            await opened(pilot, run_id, *keys)
            assert frame(app).isascii(), keys


async def test_arrows_move_between_charts_and_pages_follow(world, make_app, run_id):
    write(world, run_id, [(s, {f"k{n:02}": s for n in range(12)}) for s in range(5)])
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        charts = await opened(pilot, run_id)
        assert charts.chosen == Key("k00")
        await pilot.press("right", "down")
        assert charts.chosen == Key("k04")
        await pilot.press("left", "k", "up", "left")
        assert charts.chosen == Key("k00")
        await pilot.press(*["right"] * 9)
        assert charts.chosen == Key("k09")
        await settle(pilot)
        assert "10-12 of 12" in frame(app)
        await pilot.press("pageup")
        assert charts.chosen == Key("k00")


async def test_system_metrics_are_pages_of_their_own(world, make_app, run_id):
    write(world, run_id, training(), STATS)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        charts = await opened(pilot, run_id)
        assert "system/" not in frame(app)
        await pilot.press("s")
        await settle(pilot)
        assert charts.chosen == Key("cpu", True)
        shown = frame(app)
        assert "system/cpu 54" in shown
        assert "system/gpu.0.temp" in shown
        assert "loss" not in shown
        await pilot.press("s")
        await settle(pilot)
        assert "system/" not in frame(app)


async def test_brackets_turn_pages_and_then_go_to_the_tab_beside(world, make_app, run_id):
    write(world, run_id, training(), STATS)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, run_id, "]")
        assert "system/cpu" in frame(app)
        await pilot.press("]")
        await until(pilot, lambda: app.screen.query_one("#build").has_focus)
        app.screen.show_tab("metrics")
        await pilot.press("[", "[")
        await until(pilot, lambda: app.screen.query_one("#log").has_focus)


async def test_a_grid_without_room_yet_has_no_page_to_turn(world, make_app, run_id):
    """The second of two brackets in one burst may come before the first one's tab is laid out."""
    write(world, run_id, training())
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        screen = RunScreen(run_id)
        await app.push_screen(screen)
        screen.show_tab("metrics")
        charts = screen.query_one("#charts")
        assert not charts.size
        assert len(charts.listed()) > 1
        chosen = charts.chosen
        screen.query_one("#metrics").action_metrics_next()
        assert charts.chosen == chosen
        await until(pilot, lambda: screen.query("#build:focus"))


async def test_one_chart_in_full_and_back(world, make_app, run_id):
    write(world, run_id, training(), STATS)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        charts = await opened(pilot, run_id, "right", "enter")
        assert charts._in_view() == (Key("val/acc"),)
        assert "min 0  max 0.9833  60 points" in frame(app)
        await pilot.press("right")
        await settle(pilot)
        assert charts._in_view() == (Key("epoch"),)
        await pilot.press("escape")
        await settle(pilot)
        assert len(charts._in_view()) == 4
        assert isinstance(app.screen, RunScreen)
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(app.screen, RunScreen)


async def test_the_cross_hair_goes_over_all_charts_and_tells_values(world, make_app, run_id):
    write(world, run_id, training(), STATS)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        charts = await opened(pilot, run_id, "v")
        cross = charts.view.cross
        assert (cross.x, cross.axis) == (59, Axis.STEP)
        while charts.view.cross.x > 30:
            await pilot.press("h")
        x = charts.view.cross.x
        await settle(pilot)
        shown = frame(app)
        assert f"epoch {x // 10} " in shown
        assert f"val/acc {1 - 1 / (x + 1):.4g}" in shown
        # On the system's pages it stands at the time of that step.
        await pilot.press("s")
        await settle(pilot)
        cell = next(c for c in charts._cells if c.key == Key("cpu", True))
        told = "".join(s.text for s in cell.drawing.rows[-2])
        assert f" {5 + x}s" in told
        assert "system/cpu 52" in frame(app)


async def test_without_a_cross_hair_h_and_l_go_to_the_tabs(world, make_app, run_id):
    write(world, run_id, training())
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        charts = await opened(pilot, run_id, "v", "l", "h")
        assert charts.has_focus
        await pilot.press("escape", "h")
        await until(pilot, lambda: app.screen.query_one("#log").has_focus)


async def test_zoom_is_around_the_cross_hair_which_takes_the_window_along(world, make_app, run_id):
    write(world, run_id, training(steps=200))
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        charts = await opened(pilot, run_id, "plus")
        assert charts.view.window[:2] == pytest.approx((99.5, 199))
        assert "zoomed" in frame(app)
        await pilot.press("v", *["h"] * 3)
        x = charts.view.cross.x
        await pilot.press("plus", "plus")
        left, right, _ = charts.view.window
        assert right - left == pytest.approx(199 / 8)
        assert left <= x <= right
        while charts.view.cross.x > left - 5:
            await pilot.press("h")
        moved = charts.view.window
        assert moved.left <= charts.view.cross.x <= moved.right
        assert moved.left < left
        assert moved.right - moved.left == pytest.approx(199 / 8)
        await pilot.press("minus", "minus", "minus")
        assert charts.view.window is None
        await pilot.press("plus", "0")
        assert charts.view.window is None


async def test_zoom_ends_where_there_is_nothing_finer(world, make_app, run_id):
    write(world, run_id, training())
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        charts = await opened(pilot, run_id, *["plus"] * 40)
        left, right, _ = charts.view.window
        assert right - left >= 2
        assert escapes(app) == set()


async def test_x_goes_through_what_there_is(world, make_app, run_id):
    write(world, run_id, training())
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        charts = await opened(pilot, run_id, "t")
        assert charts.view.axis is Axis.TIME
        assert " 64s " in frame(app)
        assert "x time" in frame(app)
        await pilot.press("t")
        await settle(pilot)
        assert charts.view.axis is Axis.EPOCH
        assert "x epoch" in frame(app)
        await pilot.press("t")
        assert charts.view.axis is Axis.STEP


async def test_without_time_and_epoch_x_stays_the_step(world, make_app, run_id):
    world.metrics(run_id, [{"loss": 1.0}, {"loss": 2.0}])
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        said = []
        app.notify = lambda text, **_: said.append(text)
        charts = await opened(pilot, run_id, "t")
        assert charts.view.axis is Axis.STEP
        assert said == ["this run tells no time and no epoch"]


async def test_smoothing_shows_the_line_over_its_values(world, make_app, run_id):
    write(world, run_id, [(s, {"loss": float(s % 2)}) for s in range(300)])
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        charts = await opened(pilot, run_id, "M", "M")
        assert charts.view.smoothing == 0.9
        smooth, raw = charts._cells[0].curves[0]
        assert 0.3 < min(smooth.ends[50:]) < max(smooth.ends[50:]) < 0.7
        assert set(raw.ends) == {0.0, 1.0}
        await pilot.press("M")
        assert charts.view == View()


async def test_a_filter_is_a_regular_expression_with_smart_case(world, make_app, run_id):
    write(world, run_id, [(s, {"train/Loss": s, "val/loss": s, "val/acc": s}) for s in range(3)])
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        charts = await opened(pilot, run_id, "slash", *"^val.*loss")
        assert [key.name for key in charts.listed()] == ["val/loss"]
        assert "/^val.*loss" in frame(app)
        await pilot.press("enter")
        await until(pilot, lambda: charts.has_focus)
        await pilot.press("slash", "ctrl+u", *"Loss", "enter")
        await until(pilot, lambda: [key.name for key in charts.listed()] == ["train/Loss"])
        await pilot.press("slash", "ctrl+u", *"nothing")
        await settle(pilot)
        assert "No key matches nothing  esc" in frame(app)
        await pilot.press("escape")
        await settle(pilot)
        assert len(charts.listed()) == 3


async def test_log_y_where_a_value_is_positive(world, make_app, run_id):
    write(world, run_id, [(s, {"lr": 10.0**-s, "reward": -1.0 - s}) for s in range(7)])
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, run_id, "L")
        shown = frame(app)
        assert "log y" in shown
        assert " 0.001 " in shown
        assert " -4 " in shown


async def test_the_table_goes_with_the_charts(world, make_app, run_id):
    write(world, run_id, training(), STATS)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        charts = await opened(pilot, run_id, "right", "T")
        table = app.screen.query_one("#summary")
        assert table.has_focus
        assert table.current == Key("val/acc")
        text = frame(app)
        assert "system/cpu" in text
        assert "AT STEP" in text
        await pilot.press("j", "enter")
        await settle(pilot)
        assert charts.full
        assert charts.has_focus
        assert charts.chosen == Key("epoch")
        await pilot.press("T", "escape")
        assert charts.has_focus


async def test_the_table_is_live(world, make_app, run_id):
    write(world, run_id, training(steps=5))
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, run_id, "T")
        write(world, run_id, training(steps=5, begin=5, fresh=7.5))
        await until(pilot, lambda: "fresh" in frame(app) and "7.5" in frame(app))


async def test_values_are_copied_as_csv(world, make_app, run_id):
    write(world, run_id, [(s, {"loss": s / 2}) for s in range(9)] + [(8, {"loss": math.nan})])
    app = make_app()
    copied = []
    app.copy = copied.append
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, run_id, "y")
        await pilot.press("plus", "y")
        await settle(pilot)
    ends = ["6,3.0", "7,3.5", "8,4.0", "8,nan"]
    before = ["0,0.0", "1,0.5", "2,1.0", "3,1.5"]
    rows = ["4,2.0", "5,2.5", *ends]
    assert copied[0].splitlines() == ["step,loss", *before, *rows]
    assert copied[1].splitlines() == ["step,loss", *rows]


async def test_several_runs_are_copied_beside_each_other(world, make_app):
    world.queue("gpu")
    first, second = (world.run(RunState.FINISHED, ago=ago) for ago in (90, 80))
    write(world, first, [(0, {"loss": 1}), (1, {"loss": 2})])
    write(world, second, [(1, {"loss": 3})])
    app = make_app()
    copied = []
    app.copy = copied.append
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, second, "O", "y")
        await settle(pilot)
    assert copied == [f"step,{first} loss,{second} loss\n0,1.0,\n1,2.0,3.0\n"]


async def test_an_overlay_needs_another_run(world, make_app, run_id):
    write(world, run_id, training())
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        said = []
        app.notify = lambda text, **_: said.append(text)
        charts = await opened(pilot, run_id, "O")
        assert charts.runs == (run_id,)
        assert said[0].startswith("1 run cannot be compared: mark")


async def test_an_overlay_keeps_the_chart_and_is_taken_away(world, make_app):
    world.queue("gpu")
    first, second = (world.run(RunState.FINISHED, ago=ago) for ago in (90, 80))
    for run_id in (first, second):
        write(world, run_id, training())
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        charts = await opened(pilot, second, "right", "enter", "O")
        assert charts.runs == (first, second)
        assert (charts.chosen, charts.full) == (Key("val/acc"), True)
        assert f"1 {first} train   2 {second} train" in frame(app)
        await pilot.press("O")
        assert charts.runs == (second,)


async def test_the_mouse_chooses_opens_and_turns(world, make_app, run_id):
    write(world, run_id, [(s, {f"k{n:02}": s for n in range(12)}) for s in range(5)])
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        charts = await opened(pilot, run_id)
        await pilot.click("#charts", offset=(60, 12))
        assert charts.chosen == Key("k04")
        await pilot.press("v")
        await pilot.click("#charts", offset=(60, 12))
        assert 0 < charts.view.cross.x < 4
        await pilot.press("v")
        await pilot.click("#charts", offset=(60, 12), times=2)
        await settle(pilot)
        assert charts.full


async def test_hostile_names_stay_text(world, make_app, run_id):
    name = "[/gpu] \x1b]52;c;x\x07\u202e"
    write(world, run_id, [(s, {name: s}) for s in range(3)], [(START, {name: 1})])
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        for keys in ((), ("T",), ("T", "slash", "g")):
            await opened(pilot, run_id, *keys)
            assert escapes(app) == set()
            assert "[/gpu]" in frame(app)


async def test_a_damaged_file_is_told(world, make_app, run_id):
    path = world.home.metrics(run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"SQLite format 3\0" + b"x" * 5_000)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, run_id)
        assert "damaged" in frame(app) or "not a file of metrics" in frame(app)


async def test_only_charts_in_view_are_read_and_only_what_changed_is_drawn(
    world, make_app, run_id, monkeypatch
):
    begun, drawn = [], []
    begin, draw = series_follow.Trace.begin, charts_module.draw
    monkeypatch.setattr(
        series_follow.Trace,
        "begin",
        lambda self, *args: begun.append(self.name) or begin(self, *args),
    )
    monkeypatch.setattr(
        charts_module,
        "draw",
        lambda picture, *args, **more: drawn.append(picture.title) or draw(picture, *args, **more),
    )
    write(world, run_id, [(s, {f"k{n:04}": s for n in range(2_000)}) for s in range(20)])
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, run_id)
        assert set(begun) == {f"k{n:04}" for n in range(9)}
        begun.clear()
        drawn.clear()
        for _ in range(5):
            app.pulse.tick()
            await pilot.pause()
        assert drawn == []
        write(world, run_id, [(20, {"k0003": 5.0})])
        await until(pilot, lambda: drawn)
        assert drawn == ["k0003"]
        assert begun == []
        await pilot.press("]")
        await settle(pilot)
        assert set(begun) == {f"k{n:04}" for n in range(9, 18)}


async def test_only_lines_that_differ_are_sent(world, make_app, run_id, monkeypatch):
    write(world, run_id, [(s, {"flat": 1.0, "loss": 1 / (s + 1)}) for s in range(50)])
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        charts = await opened(pilot, run_id)
        lines = []
        real = charts.refresh

        def refreshed(*regions, **more):
            lines.extend(regions)
            return real(*regions, **more)

        monkeypatch.setattr(charts, "refresh", refreshed)
        write(world, run_id, [(49, {"flat": 1.0})])
        await until(pilot, lambda: charts.curves.runs[run_id]._traces[Key("flat")].seen == 51)
        assert lines == []
        write(world, run_id, [(49, {"flat": 1.0, "loss": 0.0201})])
        await until(pilot, lambda: lines)
        assert {(region.y, region.height) for region in lines} == {(0, 1)}


async def test_lines_are_as_wide_as_they_say(world, make_app, run_id):
    write(world, run_id, [(s, {f"k{n}": s * n for n in range(4)}) for s in range(50)])
    app = make_app()
    async with app.run_test(size=(121, 34)) as pilot:
        charts = await opened(pilot, run_id)
        lines = [charts.render_line(y) for y in range(charts.size.height)]
        assert [sum(segment.cell_length for segment in line) for line in lines] == [
            line.cell_length for line in lines
        ]


lines_of_a_grid = st.sets(st.tuples(st.integers(0, 3), st.integers(0, 9))).map(
    lambda cells: [Region(x * 10, y, 10, 1) for x, y in cells]
)


@given(lines=lines_of_a_grid)
def test_merged_regions_cover_the_same_once(lines):
    joined = merged(lines)
    covered = [(x, y) for r in joined for x in range(r.x, r.right) for y in range(r.y, r.bottom)]
    wanted = [(x, r.y) for r in lines for x in range(r.x, r.right)]
    assert sorted(covered) == sorted(wanted)


def test_a_whole_grid_is_one_region():
    lines = [Region(x, y, 10, 1) for x in (0, 10, 20) for y in range(5)]
    assert merged(lines) == [Region(0, 0, 30, 5)]


async def test_the_preview_shows_the_two_most_telling(world, make_app, run_id):
    write(world, run_id, training())
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        app.screen.query_one("#runs", WindowTable).focus()
        await until(pilot, lambda: "val/acc 0.98" in frame(app) and "─ loss " in frame(app))
        assert "─ lr " not in frame(app)
