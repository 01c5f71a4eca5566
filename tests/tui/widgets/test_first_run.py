from __future__ import annotations

import pytest

from launch_tui.tui.screens.launch_form import LaunchForm
from launch_tui.tui.screens.new_job import NewJob
from launch_tui.tui.screens.new_queue import NewQueue
from launch_tui.tui.widgets import first_run
from launch_tui.tui.widgets.first_run import FirstRun, first_run_content, look_around
from launch_tui.tui.widgets.window_table import WindowTable
from tests.tui.conftest import settle, until
from tests.tui.frames import frame


async def test_the_card_leads_from_nothing_to_a_run(world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        card = app.screen.query_one(FirstRun)
        assert card.has_focus
        await pilot.press("enter")
        await until(pilot, lambda: [q.name for q in world.launch.queues.list()] == ["default"])
        await until(pilot, lambda: "✓  a queue   where it runs     default" in frame(app))
        world.job("digits")
        await until(pilot, lambda: "✓  a job     what runs         digits" in frame(app))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LaunchForm))
        await settle(pilot)
        await pilot.press("f5")
        table = app.screen_stack[0].query_one("#runs", WindowTable)
        await until(pilot, lambda: table.row_count == 1 and table.has_focus)
        assert not card.display


async def test_its_keys_open_the_forms(world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        for key, form in (("N", NewQueue), ("A", NewJob)):
            await pilot.press(key)
            await until(pilot, lambda form=form: isinstance(app.screen, form))
            await pilot.press("escape")
            await settle(pilot)


async def test_a_click_does_what_the_key_does(world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.click(FirstRun, offset=(36, 4))
        await until(pilot, lambda: world.launch.queues.list())


async def test_d_launches_the_demo_in_its_queue(world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("d")
        await until(pilot, lambda: world.launch.runs.count() == 3, timeout=20)
        queue = world.launch.queues.get("demo")
        assert (str(queue.resource), queue.max_running) == ("local-process", 2)
        runs = world.launch.runs.list()
        assert {run.name for run in runs} == {"small-network", "wide-network", "fast-learner"}
        await until(pilot, lambda: "small-network" in frame(app) or "small-ne" in frame(app))


async def test_a_paused_demo_queue_is_told(world, make_app):
    world.queue("demo")
    world.launch.queues.pause("demo")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("d")
        events = world.launch.agents.events
        await until(pilot, lambda: any("queue demo is paused" in e.message for e in events()))
        assert world.launch.runs.count() == 0


async def test_read_only_makes_nothing(world, make_app):
    app = make_app(read_only=True)
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("enter", "d", "N", "A")
        await settle(pilot)
        assert not world.launch.queues.list()
        assert len(app.screen_stack) == 1


def test_what_is_found_is_looked_for_and_told(monkeypatch, tmp_path):
    tool = tmp_path / "sbatch"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert {name: there for name, there, _ in look_around()} == {
        "docker": False, "sbatch": True, "nvidia-smi": False, "wandb": False,
    }  # fmt: skip
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password x\n")
    assert look_around()[-1] == ("wandb", True, "logged in")
    text = first_run_content([], [], look_around(), "~/data", key=str, ascii_only=True).plain
    assert "+ sbatch" in text
    assert "- docker" in text
    assert text.isascii()


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo 27.1.1", ("docker", True, "27.1.1")),
        ("echo no daemon >&2; exit 1", ("docker", False, "no engine answers")),
        ("exec sleep 60", ("docker", False, "does not answer")),
        ("printf '\\033]0;x\\007'", ("docker", True, "\u241b")),
    ],
)
def test_docker_is_there_when_its_engine_answers(monkeypatch, tmp_path, script, found):
    monkeypatch.setattr(first_run, "ANSWER_S", 1.0)
    tool = tmp_path / "docker"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert first_run._docker() == found
