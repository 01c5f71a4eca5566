from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager

import pytest

from launch_tui.domain.run import RunState
from launch_tui.sdk.shell import ContainerShell
from launch_tui.tui import shell
from tests.tui.conftest import settle, until
from tests.tui.frames import frame


@pytest.fixture
def opened(monkeypatch):
    """Shells that were opened, while the UI stood aside: command, folder, environment."""
    shells = []
    aside = []

    @contextmanager
    def suspend(_):
        aside.append(True)
        yield
        aside.pop()

    def run(command, *, cwd, env, check):
        assert aside
        shells.append((command, cwd, env))

    monkeypatch.setattr("launch_tui.tui.app.LaunchApp.suspend", suspend)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("SHELL", "/bin/mysh")
    return shells


async def test_a_shell_opens_where_the_run_works(busy_world, make_app, opened):
    run_id = busy_world.running
    source = busy_world.home.attempt(run_id, 1) / "source"
    source.mkdir(parents=True)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        shell.open_shell(app, run_id)
        await until(pilot, lambda: opened)
        [(command, folder, environ)] = opened
        assert (command, folder) == (["/bin/mysh"], str(source))
        assert environ["LAUNCH_TUI_RUN_ID"] == run_id
        assert environ["DEBUG"] == "1", "what the launch set is there as its job has it"


async def test_where_there_is_nothing_to_open_it_says_so(busy_world, make_app, opened):
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        shell.open_shell(app, "run00008")
        await until(pilot, lambda: "its folder is not" in frame(app))
        busy_world.launch.db.execute("UPDATE queues SET resource = 'slurm' WHERE name = 'gpu'")
        shell.open_shell(app, "run00006")
        await until(pilot, lambda: "not available yet for runs on slurm" in frame(app))
        assert opened == []


async def test_a_run_in_a_folder_as_it_is_opens_that(busy_world, make_app, opened, tmp_path):
    run_id = busy_world.run(spec={"in_place": str(tmp_path)})
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        shell.open_shell(app, run_id)
        await until(pilot, lambda: opened)
        assert opened[0][1] == str(tmp_path)


async def test_a_run_in_a_container_that_waits_has_no_shell_yet(world, make_app, opened):
    world.launch.queues.create("boxes", "local-container")
    run_id = world.run(RunState.QUEUED, queue="boxes")
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        shell.open_shell(app, run_id)
        await until(pilot, lambda: "is queued (allowed" in frame(app))
        assert opened == []


async def test_without_a_docker_command_the_program_itself_carries_the_terminal(
    busy_world, make_app, monkeypatch, opened
):
    found = ContainerShell(
        engine=None, container="launch-tui-x", command=("/bin/sh",), variables={}, place="x"
    )
    monkeypatch.setattr(shell, "shell_of", lambda *_, **__: found)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        shell.open_shell(app, busy_world.running)
        await until(pilot, lambda: opened)
        home, run_id = str(busy_world.home.root), busy_world.running
        words = [sys.executable, "-m", "launch_tui", "--home", home, "shell", run_id]
        assert opened[0][0] == words
