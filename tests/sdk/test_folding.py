from __future__ import annotations

import random

import pytest

from launch_tui.domain.run import ACTIVE, ENDED, WAITING, RunState
from launch_tui.sdk import Launch, folding
from launch_tui.sdk.folding import Folding, Group, Part
from launch_tui.store.enqueuing import NewRun, enqueue
from tests.tui.world import World

LIVE_FIRST = (Part.ACTIVE, Part.WAITING, Part.OVER)


@pytest.fixture
def world(private_home, monkeypatch):
    made = World(private_home, monkeypatch)
    made.queue("gpu")
    made.queue("cpu")
    yield made
    made.close()


def of_group(world, group, states, **more):
    return [world.run(state, group=group, **more) for state in states]


def keys(rows):
    return [row.id for row in rows]


def whole(fold, parts=LIVE_FIRST, **chosen):
    fold.look()
    blocks = fold.blocks(parts, **chosen)
    return fold.page(blocks, 0, 10_000, **chosen)


def part_of(members):
    states = {run.state for run in members}
    if states <= ENDED:
        return Part.OVER
    return Part.WAITING if states <= WAITING else Part.ACTIVE


def model(runs, parts, unfolded):
    """The list by its definition, from all runs in the order of their enqueueing."""
    groups = {}
    for run in runs:
        groups.setdefault(run.group or run.id, []).append(run)

    def items(part):
        for key, members in groups.items():
            if not members[0].group:
                if not part.states or members[0].state in part.states:
                    yield [key]
            elif part in (Part.ALL, part_of(members)):
                yield [key, *(run.id for run in members if key in unfolded)]

    listed = []
    for part in parts:
        ordered = list(items(part)) if part is Part.WAITING else list(items(part))[::-1]
        listed += [key for item in ordered for key in item]
    return listed


@pytest.mark.parametrize("seed", range(6))
def test_the_list_is_the_one_of_the_definition(world, seed):
    chance = random.Random(seed)
    fold = Folding(world.launch)
    states = [RunState.QUEUED, RunState.HELD, RunState.RUNNING, RunState.FINISHED, RunState.FAILED]
    for number in range(12):
        some = chance.sample(states, chance.randint(1, 2))
        if chance.random() < 0.5:
            size = chance.randint(1, 4)
            of_group(world, f"g-{number}", [chance.choice(some) for _ in range(size)])
        else:
            world.run(chance.choice(some))
        if chance.random() < 0.3:
            fold.unfolded ^= {f"g-{chance.randint(0, number)}"}
        runs = list(world.launch.runs.every())[::-1]
        for parts in (LIVE_FIRST, LIVE_FIRST[:2], (Part.ALL,)):
            wanted = model(runs, parts, fold.unfolded)
            assert keys(whole(fold, parts)) == wanted
            blocks = fold.blocks(parts)
            assert sum(block.size for block in blocks) == len(wanted)
            paged = [key for at in range(0, len(wanted), 3) for key in
                     keys(fold.page(blocks, at, 3))]  # fmt: skip
            assert paged == wanted


def test_a_group_tells_how_its_runs_stand_and_is_followed(world):
    runs = world.launch.runs
    ids = of_group(world, "g-a", [RunState.RUNNING, RunState.FAILED, RunState.QUEUED])
    fold = Folding(world.launch)
    (group,) = whole(fold)
    assert isinstance(group, Group)
    assert (group.size, group.bad, group.state) == (3, 1, RunState.RUNNING)
    assert group.among(ACTIVE) == 1
    assert fold.liveliest(group).id == ids[0]
    runs.stop(ids[2])
    (group,) = whole(fold)
    assert group.counts == {RunState.RUNNING: 1, RunState.FAILED: 1, RunState.STOPPED: 1}
    runs.delete(ids[1])
    (group,) = whole(fold)
    assert group.size == 2


def test_the_row_of_a_group_stays_where_it_is_while_its_runs_take_turns(world):
    _, second = of_group(world, "g-a", [RunState.FINISHED, RunState.QUEUED])
    world.run(RunState.RUNNING)
    world.run(RunState.QUEUED)
    fold = Folding(world.launch)
    before = keys(whole(fold))
    world._advance(second, RunState.RUNNING, {})
    assert keys(whole(fold)) == before
    assert before.index("g-a") == 1


def test_only_the_groups_of_the_queue_and_the_job(world):
    of_group(world, "g-a", [RunState.QUEUED] * 2)
    of_group(world, "g-b", [RunState.QUEUED] * 2, queue="cpu", job="evaluate")
    lone = world.run(RunState.FINISHED, queue="cpu")
    fold = Folding(world.launch)
    assert keys(whole(fold, queue="cpu")) == ["g-b", lone]
    assert keys(whole(fold, job="train")) == ["g-a", lone]
    assert keys(whole(fold, job="train:v9")) == []


def test_a_group_with_other_runs_among_its_own_is_not_folded(world):
    ids = of_group(world, "g-a", [RunState.QUEUED])
    ids.append(world.run(RunState.QUEUED))
    ids += of_group(world, "g-a", [RunState.QUEUED])
    fold = Folding(world.launch)
    assert keys(whole(fold)) == ids


def test_a_long_history_is_not_folded_under_a_filter(world, monkeypatch):
    monkeypatch.setattr(folding, "FILTERED_UP_TO", 1)
    of_group(world, "g-a", [RunState.QUEUED] * 2)
    fold = Folding(world.launch)
    fold.look()
    assert fold.folds(filtered=False)
    assert not fold.folds(filtered=True)


def test_without_groups_nothing_is_folded(world):
    world.run(RunState.QUEUED)
    fold = Folding(world.launch)
    fold.look()
    assert not fold.folds(filtered=False)


def test_a_page_among_a_hundred_groups_reads_only_what_it_shows(world, monkeypatch):
    spec = world.launch.runs.spec(world.run(RunState.QUEUED))
    new = NewRun(queue="gpu", job="train", version="v0", name="t", project="p", spec=spec)
    news = [
        NewRun(queue="gpu", job="train", version="v0", name="t", project="p", spec=new.spec,
               group=f"g-{n // 20:03d}") for n in range(2000)
    ]  # fmt: skip
    enqueue(world.launch.db, news)
    fold = Folding(Launch(world.home.root))
    fold.look()
    blocks = fold.blocks(LIVE_FIRST)
    read = []
    monkeypatch.setattr(
        folding.groups, "head", lambda db, span: read.append(span) or world.launch.runs.get("@")
    )
    assert len(fold.page(blocks, 50, 10)) == 10
    assert len(read) == 10


def test_what_waits_is_in_the_order_of_being_claimed(world, monkeypatch):
    runs = world.launch.runs
    world.launch.queues.update("gpu", prioritized=True)
    first, second, third = (world.run() for _ in range(3))
    of_group(world, "g-a", [RunState.QUEUED] * 2)
    last = world.run(RunState.HELD)
    members = [run.id for run in runs.group("g-a")]
    fold = Folding(world.launch)
    runs.priority(third, "high")
    assert keys(whole(fold)) == [third, first, second, "g-a", last]
    runs.priority(members[1], "critical")
    fold.unfolded.add("g-a")
    assert keys(whole(fold)) == ["g-a", *members, third, first, second, last]
    runs.front(last)
    runs.priority(second, "high")
    assert keys(whole(fold, queue="gpu"))[:1] == [last]
    assert keys(whole(fold, job="nosuch")) == []
    blocks = fold.blocks(LIVE_FIRST)
    assert keys(fold.page(blocks, 4, 2)) == [second, third]
    monkeypatch.setattr(folding, "IN_ORDER_UP_TO", 3)
    assert keys(whole(fold)) == [first, second, third, "g-a", *members, last]
