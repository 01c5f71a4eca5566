from __future__ import annotations

import pytest
from textual import events

from launch_tui.domain.run import RunState
from launch_tui.store import write
from launch_tui.tui.news import NewsTeller, sequences, told
from launch_tui.tui.settings import News
from tests.tui.conftest import settle
from tests.tui.world import OWNER, World

BOTH = News(on=frozenset({"finished", "failed", "lost"}), by=frozenset({"bell", "desktop"}))


@pytest.fixture
def told_of(world):
    """A teller whose words are kept, and that is told what is wanted and whether one looks."""
    said = []
    teller = NewsTeller(
        world.launch, wanted=lambda: teller.want, write=said.append, watched=lambda: teller.watched
    )
    teller.want, teller.watched, teller.said = BOTH, False, said
    return teller


def end(world: World, run_id, state=RunState.FINISHED, **changes):
    write.transition(world.launch.db, run_id, RunState.RUNNING, state, owner=OWNER, actor=OWNER,
                     changes=changes)  # fmt: skip


def test_what_had_ended_before_is_no_news(world, told_of):
    world.queue("gpu")
    world.run(RunState.FINISHED)
    told_of.look()
    told_of.look()
    assert told_of.said == []


def test_an_end_rings_and_shows_a_line(world, told_of):
    world.queue("gpu")
    run = world.run(RunState.RUNNING, name="lr-1")
    told_of.look()
    end(world, run, RunState.FAILED, cause="out of memory; really")
    told_of.look()
    line = f"launch-tui: run {run} train lr-1 failed: out of memory, really"
    assert told_of.said == [f"\x1b]9;{line}\x07\x1b]777;notify;launch-tui;{line[12:]}\x07\x07"]
    told_of.look()
    assert len(told_of.said) == 1


def test_what_ends_together_is_told_together(world, told_of):
    world.queue("gpu")
    runs = [world.run(RunState.RUNNING) for _ in range(3)]
    told_of.look()
    end(world, runs[0])
    end(world, runs[1], RunState.FAILED)
    end(world, runs[2])
    told_of.look()
    (said,) = told_of.said
    assert "3 runs ended: 2 finished, 1 failed" in said


def test_only_what_is_wanted_is_told(world, told_of):
    world.queue("gpu")
    runs = [world.run(RunState.RUNNING) for _ in range(2)]
    told_of.want = News(on=frozenset({"failed"}), by=frozenset({"bell"}))
    told_of.look()
    end(world, runs[0])
    told_of.look()
    assert told_of.said == []
    end(world, runs[1], RunState.FAILED)
    told_of.look()
    assert told_of.said == ["\x07"]


def test_a_retry_is_no_end(world, told_of):
    world.queue("gpu")
    run = world.run(RunState.RUNNING)
    told_of.look()
    write.requeue(world.launch.db, run, RunState.RUNNING, owner=OWNER, message="again", attempt=2,
                  through=RunState.FAILED)  # fmt: skip
    told_of.look()
    assert told_of.said == []


def test_who_looks_is_not_told_unless_always(world, told_of):
    world.queue("gpu")
    runs = [world.run(RunState.RUNNING) for _ in range(2)]
    told_of.watched = True
    told_of.look()
    end(world, runs[0])
    told_of.look()
    assert told_of.said == []
    told_of.want = News(on=BOTH.on, by=BOTH.by, always=True)
    end(world, runs[1])
    told_of.look()
    assert len(told_of.said) == 1


def test_nothing_is_looked_for_that_nobody_wants(world, told_of, monkeypatch):
    told_of.want = News()
    monkeypatch.setattr(world.launch.agents, "events", lambda limit: 1 / 0)
    told_of.look()


def test_hostile_names_ring_nothing(world):
    world.queue("gpu")
    run = world.run(RunState.FINISHED, name="\x1b]0;owned\x07\x9cx", job="a\nb")
    line = told([world.launch.runs.get(run)])
    assert line.isprintable()
    said = sequences(line, frozenset({"desktop"}), {})
    assert said.count("\x1b") == said.count("\x07") == 2


def test_tmux_hands_it_on():
    said = sequences("x", frozenset({"desktop", "bell"}), {"TMUX": "/tmp/t,1,0"})
    assert said.startswith("\x1bPtmux;\x1b\x1b]9;launch-tui: x\x07\x1b\\")
    assert said.endswith("\x07")


async def test_the_focus_counts_once_the_terminal_tells_of_it(world, make_app):
    (world.home.root / "ui.yaml").write_text("notify: {on: finished, by: bell}")
    world.queue("gpu")
    runs = [world.run(RunState.RUNNING) for _ in range(3)]
    app = make_app()
    rung = []
    async with app.run_test() as pilot:
        app.manners._news._write = rung.append
        await settle(pilot)
        end(world, runs[0])
        await settle(pilot)
        # Nothing was told of the focus: better once too often.
        assert rung == ["\x07"]
        app.post_message(events.AppFocus())
        await settle(pilot)
        end(world, runs[1])
        await settle(pilot)
        assert rung == ["\x07"]
        app.post_message(events.AppBlur())
        await settle(pilot)
        end(world, runs[2])
        await settle(pilot)
        assert rung == ["\x07"] * 2
