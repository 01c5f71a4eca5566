from __future__ import annotations

import json

from launch_tui.tui.bundle import debug_bundle
from launch_tui.tui.screens.agent_log import AgentLogScreen
from launch_tui.tui.widgets.log_view import LogView
from tests.tui.conftest import settle, until
from tests.tui.frames import frame


async def test_the_bundle_has_what_helps_and_no_secret(busy_world, make_app, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")
    busy_world.launch.queues.update("gpu", config={"env": {"HF_TOKEN": "hunter2-hunter2"}})
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        copied = []
        monkeypatch.setattr(app, "copy", copied.append)
        await pilot.press("4", "Y")
        await until(pilot, lambda: copied)
        assert copied == [debug_bundle(app)]
    told = json.loads(copied[0])
    assert told["versions"]["textual"]
    assert told["terminal"]["TERM"] == "xterm-256color"
    assert told["terminal"]["SSH_CONNECTION"] is True
    assert told["runs"]["failed"] == 2
    assert {queue["name"] for queue in told["queues"]} == {"gpu", "cpu", "nightly"}
    assert told["events"]
    for secret in ("hunter2", "10.0.0.1"):
        assert secret not in copied[0]


async def test_the_agents_log_is_read_as_a_runs_is(busy_world, make_app):
    (busy_world.home.root / "agent.log").write_text("standing by\nserves all queues\n")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("colon", *"agent: show log", "enter")
        await until(pilot, lambda: isinstance(app.screen, AgentLogScreen))
        await until(pilot, lambda: "serves all queues" in frame(app))
        assert app.screen.query_one(LogView).has_focus
        await pilot.press("escape")
        await until(pilot, lambda: "Events" in frame(app))


async def test_without_a_log_of_the_agent_it_says_so(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        app.screen.action_agent_log()
        await until(pilot, lambda: "No agent without a screen" in frame(app))


async def test_looking_again_writes_nothing_read_only(busy_world, make_app):
    app = make_app(read_only=True)
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        before = busy_world.launch.changed()
        await pilot.press("ctrl+r")
        await settle(pilot)
        assert busy_world.launch.changed() == before


async def test_the_sidebar_goes_and_comes(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        assert "Queues ─" in frame(app)
        app.action_app_sidebar()
        await until(pilot, lambda: "Queues ─" not in frame(app))
        app.action_app_sidebar()
        await until(pilot, lambda: "Queues ─" in frame(app))
