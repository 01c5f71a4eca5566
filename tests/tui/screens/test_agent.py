from __future__ import annotations

import os

import pytest

from launch_tui.devices import record
from launch_tui.devices.record import Devices
from launch_tui.domain.run import RunState
from launch_tui.domain.slots import Machine
from launch_tui.store import agents, outbox, write
from launch_tui.tui.screens.run import RunScreen
from launch_tui.tui.widgets.window_table import WindowTable
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.devices import four_gpus
from tests.tui.frames import assert_frame, escapes, frame
from tests.tui.world import NOW, OWNER


def why(app):
    return app.screen.query_one("#agent-why").visual.plain


@pytest.fixture
def held(busy_world):
    """An agent holds the lock, and says that it is this process."""
    lock = agents.AgentLock(busy_world.home)
    assert lock.acquire()
    agents.register(busy_world.launch.db, "a", queues=None, max_jobs=None)
    yield busy_world
    lock.close()


@pytest.mark.parametrize("size", SIZES)
async def test_the_agent_looks_as_it_did(busy_world, make_app, size):
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        await assert_frame(pilot, GOLDEN / f"agent-{size[0]}x{size[1]}.txt")


async def test_without_an_agent_it_says_that_nothing_is_started(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        assert "4 runs wait and nothing will be started" in why(app)


async def test_with_an_agent_it_says_who_and_what_is_waited_for(held, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        assert str(os.getpid()) in frame(app)
        assert "gpu is full, 2/2" in why(app)
        assert "nightly is paused" in why(app)
        held.launch.queues.update("gpu", max_running=3)
        await until(pilot, lambda: "The next of gpu is started" in why(app))
        agents.set_state(held.launch.db, "a", "draining")
        await until(pilot, lambda: "The agent is draining" in why(app))


async def test_what_the_first_in_line_lacks_is_why_nothing_happens(held, make_app):
    held.launch.queues.update("gpu", max_running=3)
    held.launch.runs.stop("run00010")
    held.launch.runs.stop("run00011")
    lacks = "waits for GPU: 0 free of 4, needs 1"
    held.launch.db.execute("UPDATE runs SET blocked = ? WHERE id = 'run00008'", (f"gpu: {lacks}",))
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await until(pilot, lambda: f"Nothing more is started: run00008 {lacks}." in why(app))
        held.launch.db.execute("UPDATE runs SET waits = 1 WHERE queue_id = 1")
        await until(pilot, lambda: "or waits for a time" in why(app))


@pytest.mark.parametrize(("key", "asked"), [("d", "drain"), ("s", "stop")])
async def test_drain_and_stop_are_asked_before_they_are_asked_for(held, make_app, key, asked):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        await pilot.press("P", "escape")
        await settle(pilot)
        assert agents.requested(held.launch.db, "a") is None
        await pilot.press("P", key)
        await until(pilot, lambda: agents.requested(held.launch.db, "a") == asked)


async def test_an_agent_that_drains_is_resumed_by_the_same_key(held, make_app):
    agents.set_state(held.launch.db, "a", "draining")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        await pilot.press("P")
        await until(pilot, lambda: agents.requested(held.launch.db, "a") == "resume")


async def test_the_agent_is_asked_to_look_again_and_all_is_read_anew(held, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "asked to look again" in frame(app))


async def test_the_report_of_an_events_run_is_copied(busy_world, make_app, monkeypatch):
    copied = []
    app = make_app()
    monkeypatch.setattr(type(app), "copy", lambda _, text: copied.append(text))
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        await pilot.press("g", "R")
        await until(pilot, lambda: copied)
        assert "launch_tui report of run run000" in copied[0]


async def test_every_toast_is_an_event_and_an_event_opens_its_run(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        app.tell("something nobody saw")
        await until(pilot, lambda: "something nobody saw" in frame(app))
        table = app.screen.query_one("#agent-events", WindowTable)
        await pilot.press("g", "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, RunScreen))
        assert table.row_count > 2


async def test_what_the_agent_in_here_says_is_shown(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        app._hear("took the lock")
        await pilot.press("4")
        await settle(pilot)
        assert "took the lock" in frame(app)


async def test_hostile_events_do_nothing(world, make_app):
    bad = "\x1b]0;pwned\x07[/b]\x9b2J"
    world.queue("gpu")
    world.job("train")
    world.run(RunState.FAILED, cause=bad)
    world.launch.agents.note(bad)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        app._hear(bad)
        await pilot.press("4")
        await settle(pilot)
        assert escapes(app) == set()


@pytest.mark.parametrize("size", SIZES)
async def test_the_gpus_look_as_they_did(busy_world, make_app, size):
    four_gpus(busy_world.home)
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        await assert_frame(pilot, GOLDEN / f"agent-gpus-{size[0]}x{size[1]}.txt")


async def test_gpus_tell_their_runs_and_strangers_and_follow_the_record(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        assert "no agent has looked" in frame(app)
        four_gpus(busy_world.home)
        await until(pilot, lambda: "GPUs  4" in frame(app))
        text = frame(app)
        for told in ("pid 4711 of alice  30G", "a process that cannot be seen",
                     "run run00006  60G", "15G of 20G", "61G/80G", "97%", "71°C", "free",
                     "2 of 4 have a run"):  # fmt: skip
            assert told in text
        four_gpus(busy_world.home, trouble="the driver has not answered for 40 s")
        await until(pilot, lambda: "not answered for 40 s" in frame(app))
        record.write(busy_world.home, Devices(sampled_at=NOW, machine=Machine(cpus=8)))
        await until(pilot, lambda: "no GPU found" in frame(app))
        assert "GPUs  4" not in frame(app)


async def test_a_gpu_opens_its_run(busy_world, make_app):
    four_gpus(busy_world.home, shared=("run00007", "run00006"))
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await until(pilot, lambda: "GPUs  4" in frame(app))
        app.screen.query_one("#agent-gpus").focus()
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert app.screen.run_id == "run00007"


async def test_what_runs_hold_of_the_machine_and_where_the_settings_are_from(held, make_app):
    four_gpus(held.home)
    held.run(RunState.RUNNING, spec={"resources": {"cpus": 6, "memory": "24G"}})
    agents.configure(held.launch.db, "a", queues=None, max_jobs=3, config="/etc/agent.yaml",
                     problem="max_jobs: 'many' is no number")  # fmt: skip
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        text = frame(app)
        for told in ("6 of 32 given", "24G of 256G given", "/etc/agent.yaml", "not followed"):
            assert told in text


async def test_the_filter_of_the_events_leaves_the_gpus(busy_world, make_app):
    four_gpus(busy_world.home)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4", "slash", *"run00011", "enter")
        await settle(pilot)
        assert app.screen.query_one("#agent-events").has_focus
        assert app.screen.query_one("#agent-events", WindowTable).row_count == 1
        assert "pid 4711" in frame(app)


async def test_whom_it_tells_of_ends_is_shown_with_what_went_wrong(held, make_app):
    db = held.launch.db
    outbox.subscribe(db, [("${WEBHOOK_URL}", ("failed",))])
    run = held.running
    write.transition(db, run, RunState.RUNNING, RunState.FAILED, owner=OWNER, actor=OWNER)
    outbox.failed(db, outbox.due(db, "${WEBHOOK_URL}"), "HTTP 500", "2026-01-01T10:00:00Z")
    app = make_app()
    async with app.run_test(size=(160, 60)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        assert "Tells" in frame(app)
        text = " ".join(
            app.screen.query_one("#agent-facts").query_one("Static").visual.plain.split()
        )
        assert "${WEBHOOK_URL}" in text
        assert "of failed; 0 delivered; 1 waiting, next try 10:00:00; last try: HTTP 500" in text
