from __future__ import annotations

import json
import re
import time

import pytest

from launch_tui.domain.run import RunState
from launch_tui.store import agents, write
from launch_tui.store.clock import iso
from launch_tui.tui.screens.run import RunScreen
from launch_tui.tui.widgets.log_view import LogView
from launch_tui.tui.widgets.window_table import WindowTable
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.devices import four_gpus
from tests.tui.frames import assert_frame, assert_text, frame


def table(app):
    return app.screen_stack[0].query_one("#runs", WindowTable)


def shown(app):
    """The ids in the table's lines, in order."""
    lines = frame(app).split("\n")
    words = [word for line in lines for word in line.split() if word.startswith("run0")]
    return list(dict.fromkeys(words))


@pytest.mark.parametrize("size", SIZES)
async def test_home_looks_as_it_did(busy_world, make_app, size):
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await until(pilot, lambda: app.screen.query("#preview-log"))
        await pilot.press("j")
        log = app.screen.query_one("#preview-log", LogView)
        if size[1] >= 20:
            await until(pilot, lambda: log.source and busy_world.running in str(log.source))
        await settle(pilot)
        await assert_frame(pilot, GOLDEN / f"home-{size[0]}x{size[1]}.txt")


@pytest.mark.parametrize("size", SIZES)
async def test_an_empty_home_says_what_to_do(world, make_app, size):
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await assert_frame(pilot, GOLDEN / f"home-empty-{size[0]}x{size[1]}.txt")


async def test_a_terminal_too_small_is_told_what_is_needed(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(38, 20)) as pilot:
        await settle(pilot)
        assert frame(app).split() == ["needs", "40x10"]
        await pilot.resize_terminal(80, 9)
        await settle(pilot)
        assert frame(app).split() == ["needs", "40x10"]
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert "run00006" in frame(app)


async def test_what_runs_comes_first_then_the_queue_in_its_order(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        keys = table(app).keys_in_view
        assert keys[:6] == ["run00007", "run00006", "run00008", "run00009", "run00010", "run00011"]
        await pilot.press("s")
        assert table(app).keys_in_view == [f"run{n:05d}" for n in range(11, 0, -1)]


async def test_the_note_of_what_waits_is_its_place(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        text = frame(app)
        for note in ("2nd in line", "held by you", "queue nightly is", "loss 0.2981",
                     "killed by SIGKILL"):  # fmt: skip
            assert note in text


async def test_the_preview_follows_the_cursor(busy_world, make_app):
    busy_world.log("run00007", "collecting torch\n", name="build.log")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await until(pilot, lambda: app.screen.query("#preview-log"))
        await settle(pilot)
        log = app.screen.query_one("#preview-log", LogView)
        assert log.source.name == "build.log"
        assert "collecting torch" in frame(app)
        await pilot.press("j")
        await until(pilot, lambda: "step=199" in frame(app))
        assert "loss 0.005" in frame(app)


async def test_a_change_in_the_store_is_shown_and_the_cursor_stays_on_its_run(world, make_app):
    world.queue("gpu")
    first = world.run(RunState.QUEUED)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        second = world.run(RunState.RUNNING)
        await until(pilot, lambda: second in table(app).keys_in_view)
        assert table(app).keys_in_view == [second, first]
        assert table(app).cursor_key == first


async def test_a_filter_by_state_and_queue_and_one_by_words(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"state:failed")
        await until(pilot, lambda: table(app).keys_in_view == ["run00003", "run00002"])
        await pilot.press("enter")
        assert table(app).has_focus
        assert "filter state:failed" in frame(app)
        await pilot.press("escape")
        await until(pilot, lambda: table(app).row_count == 11)

        await pilot.press("slash", *"q:nightly lr-3e-4", "enter")
        await until(pilot, lambda: "hides 11 runs" in frame(app))
        await pilot.press("escape", "slash", *"lr-3e-4 config.lr<0.01", "enter")
        await until(pilot, lambda: table(app).keys_in_view == ["run00006"])


async def test_a_filter_that_cannot_be_read_says_so(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"statee:failed")
        await until(pilot, lambda: "did you mean 'state'" in frame(app))
        assert table(app).row_count == 11


async def test_active_failures_and_all(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("a")
        assert table(app).row_count == 6
        await pilot.press("f")
        assert table(app).keys_in_view == ["run00003", "run00002"]
        await pilot.press("f")
        assert table(app).row_count == 11


async def test_choosing_a_queue_shows_its_runs(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.click("#queues", offset=(4, 4))
        await settle(pilot)
        assert table(app).keys_in_view == ["run00010", "run00011"]
        assert "filter q:nightly" in frame(app)
        await pilot.press("escape")
        assert table(app).row_count == 11


async def test_pausing_a_queue_from_the_side(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        app.screen.query_one("#queues").focus()
        await pilot.press("j", "P")
        await settle(pilot)
        assert busy_world.launch.queues.get("gpu").paused
        await pilot.press("P")
        await settle(pilot)
        assert not busy_world.launch.queues.get("gpu").paused


async def test_stop_asks_and_does_what_is_answered(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("j", "x")
        await pilot.pause()
        assert "Stop run00006" in frame(app)
        await pilot.press("enter")
        await settle(pilot)
        assert len(app.screen_stack) == 1
        assert not busy_world.launch.db.all("SELECT 1 FROM runs WHERE stop_mode IS NOT NULL")
        await pilot.press("x", "k")
        await settle(pilot)
        row = busy_world.launch.db.one("SELECT stop_mode FROM runs WHERE id = 'run00006'")
        assert row["stop_mode"] == "now"


async def test_marked_runs_are_stopped_together(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("j", "j", "space", "space", "x")
        await pilot.pause()
        assert "Stop 2 runs" in frame(app)
        await pilot.press("s")
        await settle(pilot)
        states = [busy_world.launch.runs.get(i).state for i in ("run00008", "run00009")]
        assert states == [RunState.STOPPED, RunState.STOPPED]
        assert not table(app).marks


async def test_hold_release_and_front(busy_world, make_app):
    runs = busy_world.launch.runs
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("j", "j", "H")
        await settle(pilot)
        assert runs.get("run00008").state is RunState.HELD
        await pilot.press("H")
        await settle(pilot)
        assert runs.get("run00008").state is RunState.QUEUED
        await pilot.press("j", "F")
        await settle(pilot)
        assert runs.why("run00008").reason == "2nd in line"


async def test_delete_asks_and_removes_the_directory(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        busy_world.log("run00001", "old\n")
        await pilot.press("G", "D")
        await pilot.pause()
        assert "Delete run00001" in frame(app)
        await pilot.press("d")
        await settle(pilot)
        assert table(app).row_count == 10
        assert not busy_world.home.run("run00001").exists()


async def test_a_verb_that_does_not_fit_says_why(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("D")
        await until(pilot, lambda: "has not ended" in frame(app))


async def test_edit_changes_a_waiting_run(busy_world, make_app, monkeypatch):
    monkeypatch.setattr(
        "launch_tui.tui.editing.edit_text",
        lambda _app, text: text.replace("lr: 0.001", "lr: 0.1"),
    )
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("j", "j", "e")
        await settle(pilot)
        assert busy_world.launch.runs.get("run00008").config["lr"] == 0.1


async def test_read_only_changes_nothing(busy_world, make_app):
    app = make_app(read_only=True)
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        assert "read-only" in frame(app)
        await pilot.press("j", "j", "x", "H", "F")
        await settle(pilot)
        assert len(app.screen_stack) == 1
        assert busy_world.launch.runs.get("run00008").state is RunState.QUEUED


async def test_enter_and_a_double_click_open_a_run(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        await pilot.press("escape")
        await pilot.click("#runs", offset=(20, 3), times=2)
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        assert app.screen.run_id == "run00006"


async def test_zoom_gives_one_pane_the_screen(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("z")
        await settle(pilot)
        assert "Queues ─" not in frame(app)
        assert "Build ─" not in frame(app)
        assert "run00001" in frame(app)
        await pilot.press("z")
        await settle(pilot)
        assert "Queues ─" in frame(app)


def sweep(world, states, **more):
    """A group of runs that differ by lr; returns their ids."""
    rates = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
    return [
        world.run(state, group="g-sweep1", config={"seed": 7, "opt": {"lr": rate}}, **more)
        for state, rate in zip(states, rates, strict=False)
    ]


RUNNING, FAILED, QUEUED, HELD = (
    RunState.RUNNING,
    RunState.FAILED,
    RunState.QUEUED,
    RunState.HELD,
)


@pytest.fixture
def swept(busy_world):
    """A busy world with priorities, a sweep, retries and GPUs."""
    launch = busy_world.launch
    launch.queues.update("gpu", prioritized=True)
    launch.queues.resume("nightly")
    gpus = four_gpus(busy_world.home)
    busy_world.run(FAILED, ago=500, job="evaluate", failure="gpu-oom",
                   cause="CUDA out of memory in loss.backward()")  # fmt: skip
    busy_world.sweep = sweep(busy_world, (FAILED, RUNNING, QUEUED, QUEUED), ago=50)
    write.observe(launch.db, busy_world.sweep[0], {"summary": {"loss": 0.25}})
    write.observe(launch.db, busy_world.sweep[1], {"summary": {"loss": 0.21}, "progress": "loss 1"})
    launch.db.execute(
        "UPDATE runs SET gpus = ? WHERE id = ?", (json.dumps([gpus[2].uuid]), busy_world.sweep[1])
    )
    launch.db.execute(
        "UPDATE runs SET retried = 1, attempt = 2, not_before = ?, waits = 1,"
        " spec = json_set(spec, '$.retries', 3) WHERE id = ?",
        (iso(time.time() + 600), busy_world.sweep[3]),
    )
    launch.runs.priority("run00009", "high")
    return busy_world


@pytest.mark.parametrize("size", SIZES)
async def test_groups_look_as_they_did(swept, make_app, size):
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await until(pilot, lambda: "g-sweep1" in frame(app))
        await settle(pilot)
        await assert_frame(pilot, GOLDEN / f"home-groups-{size[0]}x{size[1]}.txt")
        assert table(app).select("g-sweep1")
        await pilot.press("right")
        await settle(pilot)
        text = re.sub(r"until \d\d:\d\d:\d\d", "until 14:20:00", frame(app))
        assert_text(text, GOLDEN / f"home-unfolded-{size[0]}x{size[1]}.txt")


async def test_a_group_is_one_row_that_unfolds(swept, make_app):
    app = make_app()
    async with app.run_test(size=(160, 40)) as pilot:
        await settle(pilot)
        assert not set(swept.sweep) & set(table(app).keys_in_view)
        assert "train x4" in frame(app)
        assert "● 1 ○ 2 ✗ 1  best loss 0.21" in frame(app)
        table(app).select("g-sweep1")
        await pilot.press("enter")
        await settle(pilot)
        keys = table(app).keys_in_view
        at = keys.index("g-sweep1")
        assert keys[at + 1 : at + 5] == swept.sweep
        assert table(app).cursor_key == "g-sweep1"
        text = frame(app)
        tried = "try 2/4  back-off before"
        for told in (" lr=0.03", "GPU 2  running, and no agent", tried):
            assert told in text
        await pilot.press("j", "j", "left")
        await settle(pilot)
        assert table(app).cursor_key == "g-sweep1"
        assert not set(swept.sweep) & set(table(app).keys_in_view)


async def test_failures_are_shown_one_by_one_with_their_kind(swept, make_app):
    app = make_app()
    async with app.run_test(size=(160, 40)) as pilot:
        await settle(pilot)
        await pilot.press("f")
        await settle(pilot)
        assert swept.sweep[0] in table(app).keys_in_view
        assert "gpu-oom: CUDA out of memory" in frame(app)


async def test_a_group_is_stopped_as_one_after_its_numbers_are_told(swept, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        table(app).select("g-sweep1")
        await pilot.press("x")
        await pilot.pause()
        assert "Stop group g-sweep1 (3 runs of 4)" in frame(app)
        assert "1 of them active, 2 waiting." in frame(app)
        await pilot.press("s")
        await settle(pilot)
        runs = [swept.launch.runs.get(run_id) for run_id in swept.sweep]
        states = [run.state for run in runs]
        assert states == [FAILED, RUNNING, RunState.STOPPED, RunState.STOPPED]
        asked = swept.launch.db.all("SELECT id FROM runs WHERE stop_mode IS NOT NULL")
        assert swept.sweep[1] in [row["id"] for row in asked]


async def test_a_group_is_held_released_brought_to_the_front_and_given_a_priority(swept, make_app):
    runs = swept.launch.runs
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        table(app).select("g-sweep1")
        await pilot.press("H")
        await settle(pilot)
        assert [runs.get(i).state for i in swept.sweep[2:]] == [HELD, HELD]
        await pilot.press("H")
        await settle(pilot)
        assert [runs.get(i).state for i in swept.sweep[2:]] == [QUEUED, QUEUED]
        await pilot.press("F")
        await settle(pilot)
        rows = swept.launch.db.all(
            "SELECT id FROM runs WHERE state = 'queued' AND queue_id ="
            " (SELECT id FROM queues WHERE name = 'gpu') ORDER BY rank, place"
        )
        assert [row["id"] for row in rows][:2] == swept.sweep[2:]
        await pilot.press("plus")
        await settle(pilot)
        assert [runs.get(i).priority for i in swept.sweep[2:]] == ["high", "high"]


async def test_the_failed_runs_of_a_group_are_rerun_as_a_new_one(swept, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        table(app).select("g-sweep1")
        await pilot.press("r")
        await pilot.pause()
        text = frame(app)
        assert "Rerun group g-sweep1" in text
        assert "All 4" in text
        assert "The 1 that failed" in text
        await pilot.press("f")
        await until(pilot, lambda: (table(app).cursor_key or "") not in ("", "g-sweep1"))
        new = swept.launch.runs.get("@")
        assert new.group not in ("", "g-sweep1")
        assert new.config["opt"] == {"lr": 0.1}
        assert table(app).cursor_key == new.group


async def test_priorities_have_a_column_where_a_queue_has_them(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        assert "PRIO" not in frame(app)
        table(app).select("run00008")
        await pilot.press("plus")
        await until(pilot, lambda: "queue gpu has no priorities" in frame(app))
        busy_world.launch.queues.update("gpu", prioritized=True)
        await until(pilot, lambda: "PRIO" in frame(app))
        await pilot.press("plus", "plus")
        await settle(pilot)
        await pilot.press("minus", "minus", "minus")
        await settle(pilot)
        await until(pilot, lambda: busy_world.launch.runs.get("run00008").priority == "low")
        assert re.search(r"run00008 .* queued +low", frame(app))


async def test_the_death_of_an_agent_is_seen_in_the_notes(busy_world, make_app):
    lock = agents.AgentLock(busy_world.home)
    assert lock.acquire()
    agents.register(busy_world.launch.db, "a", queues=None, max_jobs=None)
    app = make_app()
    async with app.run_test(size=(160, 34)) as pilot:
        await settle(pilot)
        assert "max_running 2/2" in frame(app)
        lock.close()
        await until(pilot, lambda: "no agent is running" in frame(app))


async def test_what_has_ended_of_a_group_is_deleted_and_its_id_copied(swept, make_app, monkeypatch):
    copied = []
    app = make_app()
    monkeypatch.setattr(type(app), "copy", lambda _, text: copied.append(text))
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        table(app).select("g-sweep1")
        await pilot.press("y", "e")
        await until(pilot, lambda: "unfold it" in frame(app))
        assert copied == ["g-sweep1"]
        await pilot.press("D")
        await pilot.pause()
        assert "Delete group g-sweep1 (1 run of 4)" in frame(app)
        await pilot.press("d")
        await until(pilot, lambda: "train x3" in frame(app))


async def test_marking_all_means_a_group_once(swept, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        table(app).select("g-sweep1")
        await pilot.press("right", "asterisk")
        await settle(pilot)
        assert "g-sweep1" in table(app).marks
        assert not set(swept.sweep) & table(app).marks
        await pilot.press("H")
        await settle(pilot)
        assert [swept.launch.runs.get(i).state for i in swept.sweep[2:]] == [HELD, HELD]


async def test_a_new_run_of_a_folded_group_is_gone_to_by_its_group(swept, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        app.screen.go_to(swept.sweep[2])
        assert table(app).cursor_key == "g-sweep1"
