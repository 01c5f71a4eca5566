from __future__ import annotations

import os
import stat

import pytest

from launch_tui.devices.history import HistoryWriter, HostLook
from launch_tui.domain.run import RunState
from launch_tui.store import agents
from launch_tui.tui.queue_settings import read_settings, settings_document
from launch_tui.tui.screens.new_queue import EditQueue, NewQueue
from launch_tui.tui.screens.queues import QueuesScreen
from launch_tui.tui.widgets.field_row import FieldRow
from launch_tui.tui.widgets.window_table import WindowTable
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.frames import assert_frame, frame
from tests.tui.world import NOW


def told(world, text):
    """Whether a toast said so: each is an event too."""
    return any(text in event.message for event in world.launch.agents.events())


def table(app):
    return app.screen.query_one("#queue-table", WindowTable)


@pytest.mark.parametrize("size", SIZES)
async def test_the_queues_look_as_they_did(busy_world, make_app, size):
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("3")
        await settle(pilot)
        await assert_frame(pilot, GOLDEN / f"queues-{size[0]}x{size[1]}.txt")


async def test_a_queue_says_when_it_was_polled_also_when_the_agent_stands_still(
    busy_world, make_app
):
    lock = agents.AgentLock(busy_world.home)
    assert lock.acquire()
    agents.register(busy_world.launch.db, "a", queues=["gpu", "cpu"], max_jobs=None)
    times = [NOW + 10]
    app = make_app(clock=lambda: times[0])
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("3")
        await until(pilot, lambda: "polled       not yet" in frame(app))
        HistoryWriter(busy_world.home).add(
            HostLook(at=NOW + 9, cpu=0, cpus=1, load=0, memory_used=0, memory_total=1,
                     disk_free=1, disk_total=1, polled_at=NOW + 9)
        )  # fmt: skip
        await until(pilot, lambda: "polled       just now" in frame(app))
        times[0] += 180
        await until(pilot, lambda: "polled       3m ago" in frame(app))
        await pilot.press("G")
        await until(pilot, lambda: "polled       not by this agent" in frame(app))
        await pilot.press("4")
        await until(pilot, lambda: "polled       3m ago" in frame(app))
        assert "nightly      0/1 +2  paused  not served" in frame(app)
        times[0] += 60
        await until(pilot, lambda: "polled       4m ago" in frame(app))
        lock.close()
        await until(pilot, lambda: "polled       4m ago, no agent now" in frame(app))


async def test_no_queue_says_the_next_key(world, make_app):
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("3")
        await settle(pilot)
        assert "N  make one" in frame(app)


async def test_pause_and_limits_are_one_key_each(busy_world, make_app):
    queue = lambda: busy_world.launch.queues.get("gpu")  # noqa: E731
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("3")
        await settle(pilot)
        await pilot.press("P")
        await until(pilot, lambda: queue().paused)
        await until(pilot, lambda: app.glance.queues[0].paused)
        await pilot.press("P")
        await until(pilot, lambda: not queue().paused)
        await pilot.press("plus")
        await until(pilot, lambda: queue().max_running == 3)
        for limit in (2, 1):
            await until(pilot, lambda: app.glance.queues[0].max_running == limit + 1)  # noqa: B023
            await pilot.press("minus")
            await until(pilot, lambda: queue().max_running == limit)  # noqa: B023
        await until(pilot, lambda: app.glance.queues[0].max_running == 1)
        await pilot.press("minus")
        await settle(pilot)
        assert queue().max_running == 1


async def test_a_queue_with_runs_is_not_deleted_and_it_is_told(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("3")
        await settle(pilot)
        name = table(app).cursor_key
        await pilot.press("D", *"other", "enter")
        await until(pilot, lambda: f"This is not {name}" in frame(app))
        assert len(busy_world.launch.queues.list()) == 3
        await pilot.press("ctrl+u", *name, "enter")
        await until(pilot, lambda: told(busy_world, "at work"))
        assert len(busy_world.launch.queues.list()) == 3


async def test_a_queue_goes_with_its_runs_once_its_name_is_typed(world, make_app):
    world.queue("old")
    world.run(queue="old")
    over = world.run(RunState.FINISHED, queue="old")
    folder = world.home.run(over)
    folder.mkdir(parents=True, exist_ok=True)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("3")
        await settle(pilot)
        await pilot.press("D", *"old", "enter")
        await until(pilot, lambda: not world.launch.queues.list())
        assert world.launch.runs.count() == 0
        assert not folder.exists()
        await until(pilot, lambda: told(world, "deleted queue old with 2 runs"))


async def test_an_empty_queue_is_deleted_after_asking(busy_world, make_app):
    busy_world.queue("spare")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("3", "G")
        await settle(pilot)
        await pilot.press("D", "escape")
        await settle(pilot)
        assert len(busy_world.launch.queues.list()) == 4
        await pilot.press("D", "d")
        await until(pilot, lambda: table(app).row_count == 3)


def an_editor(tmp_path, monkeypatch, script):
    """Make ``EDITOR`` a shell script that is given the file."""
    path = tmp_path / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("EDITOR", str(path))
    monkeypatch.delenv("VISUAL", raising=False)


async def test_settings_are_edited_in_the_editor(busy_world, make_app, tmp_path, monkeypatch):
    an_editor(tmp_path, monkeypatch, 'sed -i "s/max_running: 2/max_running: 7/" "$1"')
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        with_suspend(app, monkeypatch)
        await pilot.press("3")
        await settle(pilot)
        await pilot.press("e")
        await until(pilot, lambda: busy_world.launch.queues.get("gpu").max_running == 7)


async def test_a_bad_edit_is_told_and_kept_for_the_next(
    busy_world, make_app, tmp_path, monkeypatch
):
    seen = tmp_path / "seen"
    script = f'cp "$1" {seen}; sed -i "s/max_running: .*/max_running: none/" "$1"'
    an_editor(tmp_path, monkeypatch, script)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        with_suspend(app, monkeypatch)
        await pilot.press("3")
        await settle(pilot)
        await pilot.press("e")
        await until(pilot, lambda: told(busy_world, "not a whole number"))
        assert "max_running: 2" in seen.read_text()
        script = f'cp "$1" {seen}; sed -i "s/max_running: .*/max_running: 5/" "$1"'
        an_editor(tmp_path, monkeypatch, script)
        await pilot.press("e")
        await until(pilot, lambda: busy_world.launch.queues.get("gpu").max_running == 5)
        assert "# Not taken: max_running" in seen.read_text()
        assert "max_running: none" in seen.read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("max_running: 0", "1 to 1,000,000"),
        ("max_running: true", "whole number"),
        ("tracking: maybe", "required, optional"),
        ("paused: sometimes", "true, false"),
        ("color: red", "is no setting"),
        ("- a", "is a list"),
        ("a: [", "YAML"),
        ("prioritized: 1", "true, false"),
        ("on_reboot: run away", "lost, requeue"),
        ("config: 3", "config.*an object"),
        ("config: {gpuz: 1}", "gpuz.*did you mean gpus"),
        ("config: {gpus: -1}", "gpus"),
        ("config: {cpus: '{{n}}'}", "n.*is not declared"),
        ("template_variables: {n: {type: integer}}", "n.*is used by no hole"),
        ("config: {cpus: '{{n}}'}\ntemplate_variables: {n: {type: sausage}}", "n.*sausage"),
    ],
)
def test_what_cannot_be_a_setting_is_refused_by_name(world, text, told):
    queue = world.queue("gpu")
    with pytest.raises(Exception, match=told):
        read_settings(text, queue)


def test_settings_that_are_not_changed_change_nothing(world):
    queue = world.queue("gpu", max_running=3)
    assert read_settings(settings_document(queue), queue) == {}


CONFIG = {
    "resource_args": {
        "local-process": {
            "cpus": "{{n}}", "memory": "16G", "env": {"LR": "1e-3", "MY_TOKEN": "abcdefghijkl"},
            "setup": "module load cuda\nulimit -a",
        }
    }
}  # fmt: skip
VARIABLES = {"n": {"type": "integer", "minimum": 1, "maximum": 8, "default": 2, "description": "C"}}


def test_settings_of_any_kind_read_back_as_they_are(world):
    queue = world.queue("gpu", config=CONFIG, template_variables=VARIABLES, prioritized=True)
    text = settings_document(queue)
    assert read_settings(text, queue) == {}
    assert "#   gpus " in text
    assert "gpu_sharing" in text
    assert "setup: |" in text
    assert "minimum: 1" in text


def test_a_configuration_of_wandb_pastes_in_unchanged(world):
    import json

    queue = world.queue("gpu")
    edited = json.dumps({"config": CONFIG, "template_variables": VARIABLES})
    changes = read_settings(edited, queue)
    assert changes["config"]["memory"] == "16G"
    assert changes["template_variables"]["n"]["schema"]["maximum"] == 8
    assert read_settings("config:\ntemplate_variables:\n", queue) == {}


async def test_the_page_of_a_queue_tells_its_configuration(world, make_app):
    world.queue("gpu", config=CONFIG, template_variables=VARIABLES, prioritized=True)
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("3")
        await settle(pilot)
        shown = frame(app)
        for text in (
            "by priority", "memory       16G", "env.MY_TOKEN (hidden)",
            "int · 1..8, default 2",
        ):  # fmt: skip
            assert text in shown
        assert "abcdefghijkl" not in shown


async def test_the_settings_are_changed_in_a_form(busy_world, make_app):
    queue = lambda: busy_world.launch.queues.get("gpu")  # noqa: E731
    busy_world.launch.queues.update("gpu", config={"memory": "1M"})
    app = make_app()
    async with app.run_test(size=(120, 44)) as pilot:
        await settle(pilot)
        await pilot.press("3")
        await settle(pilot)
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, EditQueue))
        rows = {row.field.key: row for row in app.screen.query(FieldRow)}
        assert rows["config"].text == "memory: 1M\n"
        assert rows["max_running"].text == "2"
        assert "name" not in rows
        rows["config"].set_text("memory: 2M\ncpus: '{{n}}'\n")
        rows["template_variables"].set_text("n: {type: integer, default: 1}")
        rows["prioritized"].editor.value = True
        rows["max_running"].set_text("5")
        await pilot.pause()
        assert app.screen.errors == {}
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, QueuesScreen))
        assert queue().config == {"memory": "2M", "cpus": "{{n}}"}
        assert (queue().prioritized, queue().max_running) == (True, 5)
        await until(pilot, lambda: app.glance.queues[0].max_running == 5)
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, EditQueue))
        rows = {row.field.key: row for row in app.screen.query(FieldRow)}
        rows["config"].set_text("")
        await pilot.pause()
        assert "is used by no hole" in app.screen.errors["template_variables"]
        rows["template_variables"].set_text("")
        await pilot.pause()
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, QueuesScreen))
        assert (queue().config, queue().template_variables) == ({}, {})
        assert (queue().prioritized, queue().max_running) == (True, 5)


async def test_a_new_queue_is_made_and_the_cursor_is_on_it(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("3", "N")
        await until(pilot, lambda: isinstance(app.screen, NewQueue))
        await pilot.press(*"late", "f5")
        await until(pilot, lambda: isinstance(app.screen, QueuesScreen))
        await until(pilot, lambda: table(app).cursor_key == "late")


def with_suspend(app, monkeypatch):
    """Let the editor run as it does where a terminal can be left to it: a test has none."""
    from contextlib import nullcontext

    assert os.environ["EDITOR"]
    monkeypatch.setattr(app, "suspend", nullcontext)
