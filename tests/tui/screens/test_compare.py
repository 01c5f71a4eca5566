from __future__ import annotations

import pytest
from textual.scrollbar import ScrollBar
from textual.widgets import Input

from launch_tui.domain.run import RunState
from launch_tui.sdk import LaunchRequest
from launch_tui.sdk.jobs import JobRequest
from launch_tui.store import write
from launch_tui.tui.compare_rows import fit
from launch_tui.tui.curves import Key
from launch_tui.tui.screens.compare import CompareScreen
from launch_tui.tui.screens.edit_value import EditValue
from launch_tui.tui.screens.home import HomeScreen
from launch_tui.tui.screens.launch_form import LaunchForm
from launch_tui.tui.screens.run import RunScreen
from launch_tui.tui.widgets.field_row import FieldRow
from launch_tui.tui.widgets.text_lines import TextLines
from launch_tui.tui.widgets.window_table import WindowTable
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.frames import assert_frame, escapes, frame

INPUTS = {
    "type": "object",
    "properties": {"lr": {"type": "number"}, "batch": {"type": "integer"}},
}


@pytest.fixture
def three(world):
    """Runs of one job with other values, the oldest first."""
    world.queue("gpu", max_running=2)
    world.job("train", inputs=INPUTS)
    made = []
    for number, lr in enumerate((0.1, 0.01, 0.001)):
        run_id = world.run(
            RunState.FINISHED, ago=300 - 60 * number, name=f"lr-{lr}", lasted=60 + number,
            config={"lr": lr, "batch": 32, "data": {"name": "digits"}},
            summary={"loss": lr * 3, "val": {"acc": 0.9}, "_step": 40, "best": 0.9},
        )  # fmt: skip
        rows = [{"loss": lr * 3 + 1 / (s + 1), "val.acc": s / 50, "grad": s} for s in range(40)]
        world.metrics(run_id, rows)
        made.append(run_id)
    return made


def table(app):
    return app.screen.query_one("#compare-table", WindowTable)


def charts(app):
    return app.screen.query_one("#charts")


async def compared(pilot, *keys):
    """Mark all and compare them."""
    await settle(pilot)
    await pilot.press("asterisk", "c")
    await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
    await settle(pilot)
    await pilot.press(*keys)
    await settle(pilot)


async def at_row(pilot, name):
    """Put the cursor on a value's row."""
    part, key = name.split("/", 1)
    assert table(pilot.app).select(f"{part}\0{key}")
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "keys"),
    [("values", ()), ("all", ("a", "l", "l")), ("curves", ("c", "enter")), ("source", ("[",))],
)
async def test_a_comparison_looks_as_it_did(world, three, make_app, size, name, keys):
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await compared(pilot, *keys)
        await until(pilot, lambda: "comparing" not in frame(app))
        await assert_frame(pilot, GOLDEN / f"compare-{name}-{size[0]}x{size[1]}.txt")


async def test_the_oldest_of_the_marked_runs_is_first(world, three, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await compared(pilot)
        assert app.screen.run_ids == tuple(three)
        await pilot.press("escape")
        assert isinstance(app.screen, HomeScreen)


async def test_one_run_is_compared_with_the_one_of_its_job_before_it(world, three, make_app):
    world.run(RunState.FINISHED, ago=10, job="other")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        assert app.screen.query_one("#runs", WindowTable).select(three[1])
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        assert app.screen.run_ids == (three[0], three[1])


async def test_from_a_run_it_is_compared_with_those_that_are_marked(world, three, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        app.screen.query_one("#runs", WindowTable).mark([three[2]])
        app.push_screen(RunScreen(three[0]))
        await settle(pilot)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        assert app.screen.run_ids == (three[0], three[2])
        await pilot.press("escape")
        assert isinstance(app.screen, RunScreen)


async def test_the_palette_compares_what_is_marked(world, three, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("asterisk", "colon", *"compare", "enter")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        assert len(app.screen.run_ids) == 3


async def test_too_few_and_too_many_are_refused_with_the_key_that_helps(world, make_app):
    world.queue("gpu")
    world.run(RunState.FINISHED, ago=90)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        said = []
        app.notify = lambda text, **_: said.append(text)
        await settle(pilot)
        await pilot.press("c")
        for ago in range(7):
            world.run(RunState.FINISHED, ago=ago)
        await settle(pilot)
        await pilot.press("asterisk", "c")
        await settle(pilot)
        assert isinstance(app.screen, HomeScreen)
        assert said == [
            "1 run cannot be compared: mark two to 6 (space)",
            "8 runs cannot be compared: mark two to 6 (space)",
        ]


async def test_a_group_stands_for_its_runs(world, make_app):
    world.queue("gpu")
    runs = [
        world.run(RunState.FINISHED, ago=9 - n, group="g-few", config={"lr": n}) for n in range(3)
    ]
    for n in range(9):
        world.run(RunState.FINISHED, ago=90 + n, group="g-many", config={"lr": n})
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        said = []
        app.notify = lambda text, **_: said.append(text)
        await settle(pilot)
        rows = app.screen.query_one("#runs", WindowTable)
        assert rows.select("g-many")
        await pilot.press("c")
        assert "group g-many has 9 runs" in said[0]
        assert rows.select("g-few")
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        assert app.screen.run_ids == tuple(runs)


async def test_only_what_differs_or_all(world, three, make_app):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await compared(pilot)
        shown = frame(app)
        assert "lr-0.01" in shown
        assert "batch" not in shown
        assert "val.acc  " not in shown.split("╭─ loss")[0]
        await pilot.press("a")
        await settle(pilot)
        assert "batch" in frame(app)
        assert "data.name" in frame(app)
        assert "_step" not in frame(app)


async def test_nothing_that_differs_says_so(world, make_app):
    world.queue("gpu")
    for _ in range(2):
        world.run(RunState.FINISHED, ago=90)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await compared(pilot)
        assert "Nothing differs: a shows all values" in frame(app)


async def test_a_filter_keeps_rows_with_all_words(world, three, make_app):
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await compared(pilot, "slash", *"lr 0.01")
        keys = [row.key for row in app.screen._rows.rows]
        assert keys == ["\0run", "run\0name", "\0config", "config\0lr"]
        assert "filter lr 0.01" in frame(app)
        await pilot.press("ctrl+u", *"none so")
        await settle(pilot)
        assert "Filter none so hides all values  esc" in frame(app)
        await pilot.press("enter", "escape")
        await settle(pilot)
        assert app.screen.filter_in_force == ""
        assert isinstance(app.screen, CompareScreen)


async def test_values_follow_the_runs(world, three, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await compared(pilot)
        write.observe(world.launch.db, three[2], {"summary": {"loss": 0.125}})
        await until(pilot, lambda: "0.125" in frame(app))


async def test_a_result_shows_its_curve_over_all_runs(world, three, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await compared(pilot)
        await at_row(pilot, "summary/loss")
        await pilot.press("enter")
        await settle(pilot)
        assert charts(app).full
        assert charts(app).chosen == Key("loss")
        assert charts(app).runs == tuple(three)
        assert "loss  1 0.325  2 0.055  3 0.028" in frame(app)
        await pilot.press("escape")
        await settle(pilot)
        assert not charts(app).full
        assert isinstance(app.screen, CompareScreen)


async def test_marked_results_are_the_curves_that_are_shown(world, three, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        said = []
        app.notify = lambda text, **_: said.append(text)
        await compared(pilot, "a")
        for name in ("summary/loss", "summary/val.acc", "summary/best", "config/lr"):
            await at_row(pilot, name)
            await pilot.press("space")
        await settle(pilot)
        assert [key.name for key in charts(app).listed()] == ["loss", "val.acc"]
        assert said == ["only results with a curve are marked"] * 2
        await pilot.press("c")
        await settle(pilot)
        assert charts(app).has_focus
        assert "2 chosen" in frame(app)
        await pilot.press("escape")
        await settle(pilot)
        assert len(charts(app).listed()) == 3
        assert table(app).marks == set()


async def test_one_value_is_changed_and_the_run_enqueued_again(world, three, make_app):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await compared(pilot, "l")
        assert app.screen.run_id == three[2]
        await at_row(pilot, "config/lr")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, EditValue))
        assert f"{three[0]} has 0.1" in frame(app)
        field = app.screen.query_one(Input)
        assert field.value == "0.001"
        field.value = "0.003"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LaunchForm))
        await settle(pilot)
        rows = {row.field.key: row for row in app.screen.query(FieldRow)}
        assert rows["config.lr"].text == "0.003"
        assert [key for key, row in rows.items() if row.is_changed] == ["config.lr"]
        assert f"Rerun {three[2]}" in frame(app)
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        made = app.launch.runs.list(limit=1)[0]
        assert made.config == {"lr": 0.003, "batch": 32, "data": {"name": "digits"}}
        assert made.state is RunState.QUEUED


async def test_enter_on_a_value_edits_it_and_what_is_no_number_stays_text(world, three, make_app):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await compared(pilot, "a")
        await at_row(pilot, "config/data.name")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, EditValue))
        app.screen.query_one(Input).value = "mnist 2"
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, LaunchForm))
        await settle(pilot)
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        assert app.launch.runs.list(limit=1)[0].config["data"] == {"name": "mnist 2"}


async def test_what_is_no_config_is_not_edited(world, three, make_app):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        said = []
        app.notify = lambda text, **_: said.append(text)
        await compared(pilot)
        await at_row(pilot, "summary/loss")
        await pilot.press("e")
        assert said == ["a value of config is edited: put the cursor on one"]


async def test_read_only_neither_edits_nor_reruns(world, three, make_app):
    app = make_app(read_only=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await compared(pilot)
        await at_row(pilot, "config/lr")
        await pilot.press("e", "r", "enter")
        await settle(pilot)
        assert isinstance(app.screen, CompareScreen)


async def test_the_chosen_run_is_launched_again_or_opened(world, three, make_app):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await compared(pilot, "h", "h", "h", "i")
        assert isinstance(app.screen, RunScreen)
        assert app.screen.run_id == three[0]
        await pilot.press("escape", "r")
        await until(pilot, lambda: isinstance(app.screen, LaunchForm))
        await settle(pilot)
        assert f"Rerun {three[0]}" in frame(app)


async def test_the_page_of_the_chosen_run_is_opened_or_copied_or_it_is_said_why_not(
    world, three, make_app, monkeypatch
):
    opened, copied, said = [], [], []
    monkeypatch.setattr("textual.app.App.open_url", lambda _, url: opened.append(url))
    monkeypatch.setenv("DISPLAY", ":0")
    app = make_app()
    app.copy = copied.append
    app.tell = lambda text, **_: said.append(text)
    async with app.run_test(size=(120, 34)) as pilot:
        await compared(pilot, "o")
        await until(pilot, lambda: said)
        assert said == [f"{three[1]} has no page in W&B: it has not called wandb.init"]
        pages = [f"https://wandb.ai/team/p/runs/{run_id}" for run_id in three]
        for run_id, page in zip(three, pages, strict=True):
            world.log(run_id, f"wandb: View run at {page}\n")
        await pilot.press("l", "o")
        await until(pilot, lambda: opened == [pages[2]])
        await pilot.press("h", "colon", *"open in W&B", "enter")
        await until(pilot, lambda: opened == [pages[2], pages[1]])
        # Also from the curves and the source, whatever has the focus there.
        monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")
        for tab in ("curves", "source"):
            app.screen.show_tab(tab)
            copied.clear()
            await pilot.press("o")
            await until(pilot, lambda: copied == [pages[1]])


@pytest.fixture
def versions(world, tmp_path):
    """Two runs of two versions of a job that is a folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    made = []
    for number in (1, 2):
        (folder / "train.py").write_text(f"print({number})\n# [/b] \x1b]0;x\x07\n")
        job = world.launch.jobs.create(JobRequest(place=str(folder), venv="none")).job
        request = LaunchRequest(job=f"{job.name}:{job.version}", queue="default")
        made.append(world.launch.launch(request).id)
    return made


async def test_the_sources_of_two_versions_are_compared(world, versions, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await compared(pilot, "[")
        await until(pilot, lambda: "+print(2)" in frame(app))
        shown = frame(app)
        assert "-print(1)" in shown
        assert "project:v1" in shown
        assert f"Source  {versions[0]} to {versions[1]}" in shown
        assert escapes(app) == set()
        lines = dict(app.screen.query_one("#compare-source", TextLines).lines)
        assert lines["-print(1)"] == "removed"
        assert lines["+print(2)"] == "added"


async def test_what_can_be_copied(world, versions, make_app):
    app = make_app()
    copied = []
    app.copy = copied.append
    async with app.run_test(size=(120, 34)) as pilot:
        await compared(pilot, "[")
        await until(pilot, lambda: "+print(2)" in frame(app))
        for key in ("t", "c", "s"):
            await pilot.press("y", key)
            await settle(pilot)
    csv, command, diff = copied
    assert csv.splitlines()[0] == f",{versions[0]},{versions[1]}"
    assert "version,v0,v1" in csv
    assert command == f"launch-tui compare {versions[0]} {versions[1]}"
    assert "+print(2)" in diff


async def test_another_run_that_is_chosen_is_compared_with_the_first(world, three, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await compared(pilot, "[")
        await until(pilot, lambda: f"{three[0]} to {three[1]}" in frame(app))
        await pilot.press("l")
        await until(pilot, lambda: f"{three[0]} to {three[2]}" in frame(app))
        assert "The same source, command and environment" in frame(app)


async def test_a_run_that_is_deleted_meanwhile_stays_as_it_was(world, three, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await compared(pilot)
        world.launch.runs.delete(three[1])
        await settle(pilot)
        assert "lr-0.01" in frame(app)


async def test_hostile_values_do_nothing(world, make_app):
    world.queue("gpu")
    for number in range(2):
        hostile = f"\x1b]0;pwned\x07[/b]{number}"
        world.run(RunState.FINISHED, ago=9, name=hostile, config={hostile: hostile, "a": hostile})
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await compared(pilot)
        assert "[/b]" in frame(app)
        assert escapes(app) == set()
        await at_row(pilot, "config/a")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, EditValue))
        assert escapes(app) == set()


async def test_ascii_keeps_to_ascii(world, three, make_app, monkeypatch):
    monkeypatch.setattr(ScrollBar, "renderer", ScrollBar.renderer)
    app = make_app(ascii_only=True)
    async with app.run_test(size=(120, 34)) as pilot:
        await compared(pilot)
        assert frame(app).isascii()
        await pilot.press("c")
        await settle(pilot)
        assert frame(app).isascii()


def test_as_many_runs_as_fit_with_the_chosen_one_among_them():
    assert list(fit(200, 6, 0).places) == [0, 1, 2, 3, 4, 5]
    assert list(fit(50, 6, 0).places) == [0, 1]
    assert list(fit(50, 6, 3).places) == [2, 3]
    assert list(fit(50, 6, 2, before=2).places) == [2, 3]
    assert list(fit(50, 6, 5, before=0).places) == [4, 5]
    assert list(fit(10, 2, 1).places) == [1]
