from __future__ import annotations

import subprocess
from contextlib import contextmanager

import pytest

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
        [(command, folder, environ)] = opened
        assert (command, folder) == (["/bin/mysh"], source)
        assert environ["LAUNCH_TUI_RUN_ID"] == run_id


async def test_where_there_is_nothing_to_open_it_says_so(busy_world, make_app, opened):
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        shell.open_shell(app, "run00008")
        await until(pilot, lambda: "run00008 has no working directory" in frame(app))
        busy_world.launch.db.execute("UPDATE queues SET resource = 'slurm' WHERE name = 'gpu'")
        shell.open_shell(app, "run00006")
        await until(pilot, lambda: "no process of this machine: slurm" in frame(app))
        assert opened == []


async def test_a_run_in_a_folder_as_it_is_opens_that(busy_world, make_app, opened, tmp_path):
    run_id = busy_world.run(spec={"in_place": str(tmp_path)})
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        shell.open_shell(app, run_id)
        assert opened[0][1] == tmp_path
