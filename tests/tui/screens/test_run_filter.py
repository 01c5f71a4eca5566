"""Filters, orders, saved filters, and how the table shows progress."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest
from textual.scrollbar import ScrollBar

from launch_tui.domain.run import RunState
from launch_tui.sdk import search as search_module
from launch_tui.store import searching, write
from launch_tui.store.series import SeriesWriter
from launch_tui.tui.palette import Palette
from launch_tui.tui.screens.ask_name import AskName
from launch_tui.tui.screens.confirm import Confirm
from launch_tui.tui.screens.menu import Menu
from launch_tui.tui.screens.run import RunScreen
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.frames import assert_frame, escapes, frame
from tests.tui.screens.test_home import table
from tests.tui.world import NOW

QUEUED, RUNNING, FINISHED, FAILED = (
    RunState.QUEUED,
    RunState.RUNNING,
    RunState.FINISHED,
    RunState.FAILED,
)


@pytest.fixture
def rated(world):
    """Runs whose names, queues and losses sort differently; oldest first."""
    world.queue("gpu", max_running=4)
    world.queue("cpu")
    world.job("train")
    rows = (
        ("beta", "gpu", 0.5),
        ("Alpha", "cpu", 0.25),
        ("gamma", "gpu", None),
        ("alpha", "cpu", 0.75),
    )
    world.ids = [
        world.run(FINISHED, ago=900 - at, name=name, queue=queue, config={"lr": at / 1000, "n": at},
                  **({"summary": {"loss": loss}} if loss else {}))
        for at, (name, queue, loss) in enumerate(rows)
    ]  # fmt: skip
    return world


def names(app):
    runs = (app.launch.runs.get(key) for key in table(app).keys_in_view)
    return [run.name for run in runs]


async def test_s_goes_through_the_orders_and_capital_s_turns_them(rated, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        seen = []
        for _ in range(5):
            text = frame(app)
            title = text.split("\n")[1].partition("Runs  4")[2].strip("─╮ ")
            seen.append((title, names(app)))
            await pilot.press("s")
            await settle(pilot)
        newest = ["alpha", "gamma", "Alpha", "beta"]
        assert seen == [
            ("", newest),
            ("newest first", newest),
            ("by queue", ["alpha", "Alpha", "gamma", "beta"]),
            ("by name", ["alpha", "Alpha", "beta", "gamma"]),
            ("by metric", ["Alpha", "beta", "alpha", "gamma"]),
        ]
        assert names(app) == newest
        await pilot.press("s", "S")
        await settle(pilot)
        assert names(app) == newest[::-1]
        assert "oldest first" in frame(app)
        await pilot.press("s", "s", "s", "S")
        await settle(pilot)
        assert names(app) == ["alpha", "beta", "Alpha", "gamma"]
        assert "by metric reversed" in frame(app)


async def test_orders_hold_under_a_filter_of_states(rated, make_app):
    rated.run(FAILED, name="delta", queue="gpu", summary={"loss": 0.1}, cause="x")
    rated.run(FAILED, name="Chi", queue="cpu", summary={"loss": 0.9}, cause="x")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("f", "s", "s", "s")
        await until(pilot, lambda: names(app) == ["Chi", "delta"])
        await pilot.press("s")
        await until(pilot, lambda: names(app) == ["delta", "Chi"])
        await pilot.press("S")
        await until(pilot, lambda: names(app) == ["Chi", "delta"])


async def test_a_click_on_a_label_sorts_and_a_second_one_turns(rated, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        line = frame(app).split("\n")[2]
        at = line.index("METRIC") - line.index("││") - 2
        await pilot.click("#runs", offset=(at + 1, 1))
        await settle(pilot)
        assert names(app) == ["Alpha", "beta", "alpha", "gamma"]
        await pilot.click("#runs", offset=(at + 1, 1))
        await settle(pilot)
        assert names(app) == ["alpha", "beta", "Alpha", "gamma"]


async def test_groups_stay_one_row_when_the_order_is_turned(rated, make_app):
    members = [rated.run(QUEUED, group="g-swept1", config={"lr": n}) for n in range(3)]
    last = rated.run(QUEUED, name="last")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        straight = table(app).keys_in_view
        assert straight[:2] == ["g-swept1", last]
        await pilot.press("S")
        await settle(pilot)
        assert table(app).keys_in_view == straight[::-1]
        assert table(app).select("g-swept1")
        await pilot.press("right")
        await settle(pilot)
        keys = table(app).keys_in_view
        at = keys.index("g-swept1")
        assert keys[at + 1 : at + 4] == members[::-1]


async def test_a_filter_by_key_metric_state_and_tag(rated, make_app):
    tagged = rated.run(FAILED, name="tagged", config={"lr": 1}, summary={"loss": 0.1}, cause="x")
    rated.launch.runs.tag(tagged, ["debug"])
    plain = rated.run(FAILED, name="plain", config={"lr": 1}, summary={"loss": 0.1}, cause="x")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"lr>=1e-3 state:failed -tag:debug loss<0.3", "enter")
        await until(pilot, lambda: table(app).keys_in_view == [plain])
        assert " lr>=1e-3 state:failed -tag:debug loss<0.3 ─╯" in frame(app)
        # What is changed or comes later is found as well.
        later = rated.run(FAILED, name="later", config={"lr": 1}, summary={"loss": 0.2}, cause="x")
        await until(pilot, lambda: table(app).keys_in_view == [later, plain])
        await pilot.press("escape")
        await until(pilot, lambda: table(app).row_count == 7)


async def test_finds_are_shown_while_the_rest_is_looked_through(world, make_app, monkeypatch):
    world.queue("gpu")
    for number in range(12):
        world.run(config={"n": number})
    gate = threading.Semaphore(0)
    search = searching.search

    def slowly(*arguments, **how):
        if "first" in how:
            return
        for stretch in search(*arguments, **how):
            assert gate.acquire(timeout=20)
            yield stretch

    monkeypatch.setattr(searching, "FIRST_STRETCH", 4)
    monkeypatch.setattr(searching, "STRETCH_S", 0.0)
    monkeypatch.setattr(search_module, "TOLD_EVERY_S", 0.0)
    monkeypatch.setattr(search_module, "SHARE", float("inf"))
    monkeypatch.setattr(searching, "search", slowly)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("s", "slash", *"n>=2", "enter")
        await until(pilot, lambda: "filtering 0 %" in frame(app))
        gate.release()
        await until(pilot, lambda: table(app).row_count == 4)
        await until(pilot, lambda: "filtering 33 %" in frame(app))
        gate.release()
        await until(pilot, lambda: table(app).row_count == 8)
        await until(pilot, lambda: "filtering 66 %" in frame(app))
        await pilot.press("j", "j")
        assert table(app).cursor_row == 2
        gate.release()
        await until(pilot, lambda: table(app).row_count == 10)
        assert "filtering" not in frame(app)
        assert table(app).cursor_row == 2


async def test_a_filter_that_is_not_wanted_any_more_ends(world, make_app, monkeypatch):
    world.queue("gpu")
    for number in range(12):
        world.run(config={"n": number})
    asked = []
    search = searching.search
    go_on = threading.Event()

    def counted(*arguments, **how):
        if "first" in how:
            return
        for stretch in search(*arguments, **how):
            asked.append(stretch)
            assert go_on.wait(20)
            yield stretch

    monkeypatch.setattr(searching, "FIRST_STRETCH", 1)
    monkeypatch.setattr(searching, "STRETCH_S", 0.0)
    monkeypatch.setattr(searching, "search", counted)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"n>=2", "enter")
        await until(pilot, lambda: asked)
        await pilot.press("escape")
        await until(pilot, lambda: table(app).row_count == 12)
        go_on.set()
        threads = [t for t in threading.enumerate() if t.name == "act"]
        for thread in threads:
            await asyncio.to_thread(thread.join, 10)
        assert len(asked) < 12


async def palette(pilot, text):
    await pilot.press("colon")
    await until(pilot, lambda: isinstance(pilot.app.screen, Palette))
    for letter in text:
        await pilot.press({" ": "space", ":": "colon"}.get(letter, letter))
    await pilot.press("enter")


@pytest.mark.parametrize(
    ("entry", "in_force"),
    [
        ("filter: failed", "failures"),
        ("filter: active", "active"),
        ("filter: last hour", "age<1h"),
        ("filter: queue cpu", "queue=cpu"),
        ("filter: job train", "job=train"),
    ],
)
async def test_the_palette_filters(rated, make_app, entry, in_force):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await palette(pilot, entry)
        await until(pilot, lambda: app.screen_stack[0].filter_in_force == in_force)
        await palette(pilot, "filter: clear")
        await until(pilot, lambda: app.screen_stack[0].filter_in_force == "")


async def test_mine_are_the_runs_that_this_person_launched(rated, make_app, monkeypatch):
    monkeypatch.setenv("USER", "ada")
    mine = rated.run(spec={"author": "ada"})
    rated.run(spec={"author": "bob"})
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await palette(pilot, "filter: mine")
        await until(pilot, lambda: table(app).keys_in_view == [mine])


async def test_a_filter_is_saved_applied_and_forgotten(rated, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        await palette(pilot, "filter: save")
        await until(pilot, lambda: "no filter is in force" in frame(app))
        await pilot.press("slash", *"loss<0.6", "enter")
        await until(pilot, lambda: table(app).row_count == 2)
        await palette(pilot, "filter: save")
        await until(pilot, lambda: isinstance(app.screen, AskName))
        await pilot.press(*"good", "enter")
        await until(pilot, lambda: rated.launch.filters.list() == {"good": "loss<0.6"})
        await pilot.press("escape")
        await until(pilot, lambda: table(app).row_count == 4)
        await pilot.press("2")
        await palette(pilot, "filter: good")
        await until(pilot, lambda: app.current_mode == "runs" and table(app).row_count == 2)
        await palette(pilot, "filter: forget good")
        await until(pilot, lambda: not rated.launch.filters.list())


async def test_a_filter_by_keys_is_saved_as_one_would_type_it(rated, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("f")
        assert app.screen.filter_text == "(state:failed or state:lost)"
        await pilot.press("a")
        assert app.screen.filter_text == "(state:active)"
        app.screen.filter_by(app.screen.filter_text)
        await settle(pilot)
        assert table(app).row_count == 0


async def test_all_that_a_filter_shows_is_marked(rated, make_app):
    for number in range(150):
        rated.run(FINISHED, config={"n": number}, name=f"x{number}")
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"n<120 name:x", "enter")
        await until(pilot, lambda: table(app).row_count == 120)
        await pilot.press("asterisk")
        assert len(table(app).marks) == 120
        await pilot.press("asterisk")
        assert not table(app).marks
        await pilot.press("escape")
        await until(pilot, lambda: table(app).row_count == 154)
        await pilot.press("asterisk")
        assert len(table(app).marks) == 154


async def test_more_than_can_be_marked_is_said(rated, make_app, monkeypatch):
    monkeypatch.setattr("launch_tui.tui.screens.home.MOST_MARKED", 3)
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("asterisk")
        await until(pilot, lambda: "4 runs are shown" in frame(app))
        assert not table(app).marks


@pytest.fixture
def training(world):
    """A run with epochs, a curve and a bar in its log; one with a bar alone; one that failed."""
    world.queue("gpu", max_running=4)
    world.job("train")
    first = world.run(RUNNING, ago=200, name="digits", config={"epochs": 20})
    world.home.run(first).mkdir(parents=True)
    writer = SeriesWriter(world.home.metrics(first))
    writer.append_history(
        (n, {"loss": 1 / (n + 1), "epoch": n, "_timestamp": NOW - 195 + n * 20}) for n in range(10)
    )
    writer.commit()
    writer.close()
    write.observe(world.launch.db, first, {"summary": {"loss": 0.1}, "progress": "loss 0.1"})
    second = world.run(RUNNING, ago=190, name="bar")
    world.log(second, "\r 45%|████▌     | 450/1000 [02:00<02:26, 3.75it/s]")
    log = world.home.attempt(second, 1) / "output.log"
    os.utime(log, (NOW - 1, NOW - 1))
    world.run(FAILED, ago=100, phase="run", failure="oom", exit_code=137, cause="killed by SIGKILL",
              next_step="use a smaller batch", summary={"loss": 0.7})  # fmt: skip
    return world


@pytest.mark.parametrize("size", [*SIZES, (200, 60)])
async def test_progress_looks_as_it_did(training, make_app, size):
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await until(pilot, lambda: "10/20" in frame(app) or size[0] < 80)
        await settle(pilot)
        await assert_frame(pilot, GOLDEN / f"home-progress-{size[0]}x{size[1]}.txt")


async def test_progress_in_ascii(training, make_app, monkeypatch):
    monkeypatch.setattr(ScrollBar, "renderer", ScrollBar.renderer)
    app = make_app(ascii_only=True)
    async with app.run_test(size=(200, 40)) as pilot:
        await settle(pilot)
        await until(pilot, lambda: "10/20" in frame(app))
        line = next(line for line in frame(app).split("\n") if "digits" in line)
        assert line.replace("\ufffd", "").isascii()
        assert "loss 0.1 #" in line


async def test_progress_follows_the_files_of_the_run(training, make_app, monkeypatch):
    monkeypatch.setattr("launch_tui.tui.progress.EVERY_S", 0.0)
    app = make_app()
    async with app.run_test(size=(200, 40)) as pilot:
        await settle(pilot)
        await until(pilot, lambda: "10/20" in frame(app))
        assert "~" not in frame(app).split("digits")[1].split("\n")[0]
        writer = SeriesWriter(training.home.metrics("run00001"))
        writer.append_history([(10, {"loss": 0.05, "epoch": 10, "_timestamp": NOW})])
        writer.commit()
        writer.close()
        await until(pilot, lambda: "11/20" in frame(app) and "loss 0.05" in frame(app))


async def test_why_a_run_failed_stands_over_its_log_on_the_home_screen(training, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("G")
        await until(pilot, lambda: "launch: failed in run after 1m, exit 137: oom" in frame(app))
        assert "Next: use a smaller batch" in " ".join(frame(app).split())
        await pilot.press("g")
        await until(pilot, lambda: "launch: failed" not in frame(app))


def is_event(world, text):
    return any(text in event.message for event in world.launch.agents.events())


async def test_many_failures_are_one_toast_and_an_event(rated, make_app, monkeypatch):
    monkeypatch.setattr("launch_tui.tui.failures.GATHERED_S", 0.0)
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        for _ in range(4):
            rated.run(FAILED, phase="run", cause="x")
        await until(pilot, lambda: "4 runs failed on gpu" in frame(app))
        await until(pilot, lambda: is_event(rated, "4 runs failed on gpu"))


async def test_every_warning_is_an_event(rated, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("H")
        await until(pilot, lambda: "does not wait" in frame(app))
        await until(pilot, lambda: is_event(rated, "does not wait"))


@pytest.fixture
def copied(monkeypatch):
    texts = []
    monkeypatch.setattr("launch_tui.tui.app.LaunchApp.copy", lambda _, text: texts.append(text))
    return texts


async def test_the_copy_menu_copies_by_letter(training, make_app, copied):
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        table(app).select("run00002")
        for key in "iclmtd":
            await pilot.press("y")
            await until(pilot, lambda: isinstance(app.screen, Menu))
            await pilot.press(key)
            await settle(pilot)
        assert len(copied) == 6
        assert copied[0] == "run00002"
        assert copied[3].startswith("launch-tui launch train:v0 -q gpu")
        assert "450/1000" in copied[4]
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        await pilot.press("u")
        await until(pilot, lambda: "run00002 has no URL" in frame(app))


async def test_the_palette_copies_by_name(training, make_app, copied):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        table(app).select("run00001")
        await palette(pilot, "run: copy directory")
        await until(pilot, lambda: copied)
        assert copied[0].endswith("run00001")


async def test_the_page_of_a_run_is_opened_or_copied_or_it_is_said_why_not(
    training, make_app, copied, monkeypatch
):
    opened = []
    monkeypatch.setattr("textual.app.App.open_url", lambda _, url: opened.append(url))
    monkeypatch.setenv("DISPLAY", ":0")
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        table(app).select("run00001")
        await pilot.press("o")
        await until(pilot, lambda: "has no page in W&B" in frame(app))
        url = "https://wandb.ai/team/p/runs/run00001"
        training.log("run00001", f"wandb: View run at {url}\n")
        await pilot.press("o")
        await until(pilot, lambda: opened == [url])
        monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")
        await pilot.press("o")
        await until(pilot, lambda: copied == [url])


async def test_the_failure_report_is_copied_or_written(
    training, make_app, copied, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("G", "Y")
        await until(pilot, lambda: copied)
        assert "next step   use a smaller batch" in copied[0]
        assert "hunter2" not in copied[0]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("Y")
        await until(pilot, lambda: len(copied) == 2)
        await palette(pilot, "save failure report")
        await until(pilot, lambda: list(tmp_path.glob("launch-tui-report-run00003.txt")))


async def test_killing_is_asked_for(training, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        table(app).select("run00001")
        await palette(pilot, "run: kill")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Kill run00001" in frame(app)
        await pilot.press("k")
        await settle(pilot)
        row = training.launch.db.one("SELECT stop_mode FROM runs WHERE id = 'run00001'")
        assert row["stop_mode"] == "now"


async def test_any_run_is_gone_to_by_a_part_of_its_name(rated, make_app, monkeypatch):
    monkeypatch.setattr("launch_tui.tui.palette.RECENT_RUNS", 1)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("colon", *"beta")
        await until(pilot, lambda: f"go: run {rated.ids[0]} train beta" in frame(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert app.screen.run_id == rated.ids[0]


async def test_hostile_filters_and_keys_do_nothing(world, make_app):
    world.queue("gpu")
    evil = "\x1b]0;pwned\x07[/b]\x9b2J"
    world.run(FINISHED, config={evil: 1}, summary={evil: 0.5})
    world.launch.db.execute("INSERT INTO filters VALUES (?, 'x', '2027')", (evil,))
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        assert escapes(app) == set()
        app.screen.filter_by(f'"{evil}"=1')
        await until(pilot, lambda: table(app).row_count == 1)
        assert escapes(app) == set()
        await pilot.press("colon", *"filter")
        await settle(pilot)
        assert escapes(app) == set()
        await pilot.press("escape", "y", "c")
        await settle(pilot)
        assert escapes(app) == set()


async def test_a_filter_is_told_of_while_it_is_typed_and_the_runs_stay(rated, make_app):
    rated.run(FAILED, name="delta", cause="x")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"state:fai")
        await until(pilot, lambda: names(app) == ["delta"])
        await pilot.press("x")
        await until(pilot, lambda: "'faix' is no state" in frame(app))
        assert "allowed: queued, held" in frame(app)
        assert names(app) == ["delta"]
        app.screen.refresh_live()
        assert "'faix' is no state" in frame(app)
        await pilot.press("backspace")
        await until(pilot, lambda: " state:fai ─╯" in frame(app))
        await pilot.press("x", "enter", "backspace", "l", "enter")
        await until(pilot, lambda: not app.screen.query_one("#filter").has_class("-open"))
        assert "state:fail " in frame(app)
