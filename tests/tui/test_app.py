from __future__ import annotations

import os
import subprocess
import sys

import pytest
from textual.scrollbar import ScrollBar

from launch_tui.domain.run import RunState
from launch_tui.errors import LaunchError, StoreReadOnly
from launch_tui.store.agent_lock import AgentLock
from launch_tui.store.agents import register
from launch_tui.tui import keys
from launch_tui.tui.leaving import Leave, what_goes_on
from launch_tui.tui.screens.confirm import Choice, Confirm
from tests.tui.conftest import settle, until
from tests.tui.frames import escapes, frame
from tests.tui.world import NOW

HOSTILE = "\x1b]0;owned\x07[/red]\x1b[2Jjob\x9b31m\u202ename"


class StandIn:
    """The agent's handle, as far as the UI sees it."""

    def __init__(self):
        self.error = None
        self.started = 0

    def start(self):
        self.started += 1

    def leave(self):
        pass

    def join(self, timeout=None):
        pass

    def is_alive(self):
        return True


@pytest.fixture
def agent_here(world):
    """This process holds the agent lock, as with an agent inside."""
    lock = AgentLock(world.home)
    assert lock.acquire()
    register(world.launch.db, "here", queues=None, max_jobs=None)
    yield world
    lock.close()


def test_nothing_heavy_is_imported_before_the_first_paint():
    code = (
        "import sys, launch_tui.tui.app, launch_tui.tui.screens.home, launch_tui.cli.ui\n"
        "heavy = {'wandb', 'docker', 'httpx', 'sqlite_utils', 'git', 'jsonschema', 'yaml',"
        " 'watchfiles', 'numpy', 'launch_tui.agent.loop', 'launch_tui.builders.venv'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_table_of_keys_is_sound():
    assert len(keys.BY_ID) == len(keys.ACTIONS)
    assert {action.scope for action in keys.ACTIONS} <= set(keys.SCOPES)
    for scope in keys.SCOPES:
        bound = [k for a in keys.of_scopes([scope]) for k in a.keys.split(",") if k]
        assert len(bound) == len(set(bound)), scope
    assert all(action.help for action in keys.ACTIONS)


async def test_every_global_action_has_its_method(world, make_app):
    app = make_app()
    for action in keys.of_scopes(["global"]):
        assert hasattr(app, f"action_{action.name}"), action.id


async def test_the_agent_starts_after_the_first_paint(world, make_app):
    agent = StandIn()
    painted = []

    def make_agent(home, hear):
        painted.append(app.screen.is_mounted and app.screen.size.width > 0)
        hear("serves all queues")
        return agent

    app = make_app(make_agent=make_agent)
    async with app.run_test() as pilot:
        await until(pilot, lambda: agent.started)
        assert painted == [True]
        assert app.agent_words[-1][1] == "serves all queues"


async def test_an_agent_that_dies_is_told_once(world, make_app):
    agent = StandIn()
    app = make_app(make_agent=lambda home, hear: agent)
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await until(pilot, lambda: agent.started)
        agent.error = RuntimeError("boom")
        await until(pilot, lambda: "the agent here ended: boom" in frame(app))
        await settle(pilot)
        told = [e.message for e in world.launch.agents.events() if "boom" in e.message]
        assert len(told) == 1


async def test_read_only_starts_no_agent(world, make_app):
    agent = StandIn()
    app = make_app(read_only=True, make_agent=lambda home, hear: agent)
    async with app.run_test() as pilot:
        await settle(pilot)
    assert agent.started == 0


async def test_another_agent_is_shown_as_attached(world, make_app):
    code = (
        "import sys; from launch_tui.sdk import Launch; from launch_tui.store import agents;"
        "l = Launch(sys.argv[1]); k = agents.AgentLock(l.home); assert k.acquire();"
        "agents.register(l.db, 'other', queues=None, max_jobs=None);"
        "print('ready', flush=True); sys.stdin.read()"
    )
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        assert "agent ○ none" in frame(app)
        other = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-c", code, str(world.home.root)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert other.stdout.readline() == b"ready\n"
        await until(pilot, lambda: f"agent ● pid {other.pid} attached" in frame(app))
        other.communicate()
        await until(pilot, lambda: "agent ○ none" in frame(app))


async def test_what_is_told_is_an_event_too(world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        app.tell("a queue [gpu] was made")
        await until(pilot, lambda: "a queue [gpu] was made" in frame(app))
        await settle(pilot)
        assert world.launch.agents.events()[0].message == "a queue [gpu] was made"


async def test_an_error_of_what_was_asked_is_told_with_its_next_step(world, make_app):
    def refused(launch):
        raise LaunchError("no space left", next_step="free some")

    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        app.act(refused)
        await until(pilot, lambda: "no space left. free some" in frame(app))


async def test_a_read_only_ui_cannot_write(world, make_app):
    failures = []
    app = make_app(read_only=True)
    async with app.run_test() as pilot:
        await settle(pilot)
        app.act(lambda launch: launch.queues.create("x", "process"), failed=failures.append)
        await settle(pilot)
    assert isinstance(failures[0], StoreReadOnly)


async def test_quit_leaves_at_once_when_nothing_goes_on(agent_here, make_app):
    app = make_app(make_agent=lambda home, hear: StandIn())
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.agent)
        await pilot.press("q")
    assert app.return_value is Leave.HAND_OVER


@pytest.mark.parametrize(
    ("answer", "decision"),
    [("l", Leave.HAND_OVER), ("enter", Leave.HAND_OVER), ("s", Leave.STOP_ALL)],
)
async def test_quit_with_work_asks_what_becomes_of_it(agent_here, make_app, answer, decision):
    agent_here.queue("gpu")
    agent_here.run(RunState.QUEUED)
    app = make_app(make_agent=lambda home, hear: StandIn())
    async with app.run_test(size=(120, 34)) as pilot:
        await until(pilot, lambda: app.agent and app.glance.agent_is_ours)
        await pilot.press("q")
        await pilot.pause()
        assert "the queue goes on without a screen" in frame(app)
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.screen_stack) == 1
        await pilot.press("q")
        await pilot.pause()
        await pilot.press(answer)
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value is decision


async def test_quit_asks_about_work_that_the_screen_has_not_shown_yet(
    agent_here, make_app, monkeypatch
):
    app = make_app(make_agent=lambda home, hear: StandIn())
    async with app.run_test(size=(120, 34)) as pilot:
        await until(pilot, lambda: app.agent and app.glance.agent_is_ours)
        monkeypatch.setattr(app.pulse.store_changed, "publish", lambda _: None)
        agent_here.queue("gpu")
        agent_here.run(RunState.QUEUED)
        assert not app.glance.waiting
        await pilot.press("q")
        await pilot.pause()
        assert "the queue goes on without a screen" in frame(app)
        await pilot.press("s")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value is Leave.STOP_ALL


async def test_ctrl_q_leaves_from_anywhere(agent_here, make_app):
    agent_here.queue("gpu")
    agent_here.run(RunState.QUEUED)
    app = make_app()
    async with app.run_test() as pilot:
        await settle(pilot)
        app.ask(Confirm("?", "really", (Choice("yes", "Yes"),)), lambda _: None)
        await pilot.pause()
        await pilot.press("ctrl+q")
    assert app.return_value is Leave.HAND_OVER


def test_what_goes_on_is_one_sentence():
    assert what_goes_on(1, 0) == "1 run is active."
    assert what_goes_on(2, 1) == "2 runs are active and 1 waits."


async def test_keys_in_the_footer_can_be_clicked(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        last = frame(app).split("\n")[33]
        await pilot.click(offset=(last.index("active/all") + 2, 33))
        await until(pilot, lambda: "filter active" in frame(app))


async def test_hostile_names_are_harmless_on_every_screen(world, make_app):
    world.queue("gpu")
    run_id = world.run(
        RunState.FAILED, name=HOSTILE, phase="run", cause=HOSTILE, next_step=HOSTILE,
        config={HOSTILE: HOSTILE}, summary={HOSTILE: 1.5},
    )  # fmt: skip
    world.run(RunState.RUNNING, name=HOSTILE, progress=HOSTILE)
    world.log(run_id, HOSTILE + "\n")
    world.metrics(run_id, [{HOSTILE: float(n)} for n in range(5)])
    app = make_app()
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        assert not escapes(app)
        await pilot.press("j")
        await until(pilot, lambda: run_id in frame(app).split("Log  ")[-1])
        assert not escapes(app)
        await pilot.press("enter")
        for _ in range(5):
            await settle(pilot)
            assert not escapes(app)
            await pilot.press("]")
        await pilot.press("y")
        await settle(pilot)
        assert not escapes(app)
        await pilot.press("escape", "D")
        await settle(pilot)
        assert not escapes(app)
        await pilot.press("escape")
        app.tell(HOSTILE)
        await settle(pilot)
        assert not escapes(app)


async def test_ascii_mode_draws_with_ascii_alone(busy_world, make_app, monkeypatch):
    monkeypatch.setattr(ScrollBar, "renderer", ScrollBar.renderer)
    app = make_app(ascii_only=True)
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("j")
        await until(pilot, lambda: "step=199" in frame(app))
        strange = {c for c in frame(app) if not c.isascii()}
        assert not strange, strange
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("x")
        await settle(pilot)
        strange = {c for c in frame(app) if not c.isascii()}
        assert not strange, strange


async def test_an_ascii_application_leaves_its_scroll_bar_to_none_after_it(make_app, monkeypatch):
    monkeypatch.setattr(ScrollBar, "renderer", ScrollBar.renderer)
    usual = ScrollBar.renderer
    async with make_app(ascii_only=True).run_test():
        assert ScrollBar.renderer is not usual
    async with make_app().run_test():
        assert ScrollBar.renderer is usual


async def test_a_screen_under_an_opaque_one_is_not_drawn_with_it(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        home = app.screen
        await pilot.press("x")
        await until(pilot, lambda: app.screen is not home)
        assert home.is_current, "a dialog lets it show through"
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is home)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is not home)
        assert app.screen.is_current
        assert not home.is_current
        came = busy_world.run(name="newcomer")
        await settle(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is home)
        assert home.is_current
        await until(pilot, lambda: came in frame(app))


async def test_ages_tick_by_the_minute_while_a_run_is_live(busy_world, make_app):
    moment = [NOW]
    app = make_app(clock=lambda: moment[0])
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        assert " 12m " in frame(app)
        moment[0] += 120
        app.pulse.minute.publish(None)
        await settle(pilot)
        assert " 14m " in frame(app)


def test_the_process_is_its_own_agent_by_pid(agent_here):
    status = agent_here.launch.agents.status()
    assert status.running
    assert status.pid == os.getpid()
