"""Webhooks are told of ends, by a server that answers, fails and hangs; no run waits for it."""

from __future__ import annotations

import asyncio
import json
import logging
import time

import pytest

from launch_tui.agent import outbox as delivering
from launch_tui.agent.letters import payload
from launch_tui.agent.outbox import LONGEST_PAUSE_S, Outbox, pause_after
from launch_tui.domain.run import RunState
from launch_tui.domain.webhook import Webhook
from launch_tui.errors import StoreError
from launch_tui.store import outbox, read, write
from launch_tui.store.clock import iso
from tests.tui.world import OWNER, World
from tests.webhook_server import Receiver


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def world(private_home, monkeypatch):
    made = World(private_home, monkeypatch)
    # Times are compared with this machine's clock here.
    monkeypatch.setattr("launch_tui.store.clock.time", time)
    made.queue("gpu")
    yield made
    made.close()


@pytest.fixture
def receiver():
    """Returns ``receiver(*answers)``: a server that takes posts."""
    made = []

    def make(*answers):
        made.append(Receiver(*answers))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
async def box(world):
    """The agent's outbox, with what it has said in ``said``."""
    said = []
    made = Outbox(world.launch.db, "agent", said.append)
    made.said = said
    yield made
    await made.close()


def hook(url, name="hook", on=(RunState.FINISHED, RunState.FAILED)):
    return Webhook(name=name, url=url, on=on)


def end(world, state=RunState.FINISHED, **changes):
    """End a run and return its id."""
    run = world.run(RunState.RUNNING, **changes)
    values = {"exit_code": 0, "cause": None if state is RunState.FINISHED else "exit status 3"}
    write.settle(world.launch.db, run, RunState.RUNNING, state, owner=OWNER, actor=OWNER,
                 changes=values)  # fmt: skip
    return run


async def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    return value


def standing(world):
    return outbox.standing(world.launch.db)


async def test_an_end_is_told_with_the_json_of_the_run(world, receiver, box):
    server = receiver()
    hooks = [hook(server.url)]
    box.look(hooks)
    run = end(
        world, RunState.FAILED, name="lr-1", config={"lr": 0.1, "hf_token": "hunter2-hunter2"}
    )
    box.look(hooks)
    await until(lambda: not standing(world)[0].pending)
    (post,) = server.posts
    assert post["event"] == "run.failed"
    assert post["key"] == server.keys[0] == f"{run}.1.failed"
    assert post["text"] == f"run {run} train lr-1 failed: exit status 3"
    assert post["run"]["config"] == {"lr": 0.1, "hf_token": "[hidden]"}
    assert (post["run"]["id"], post["run"]["state"], post["try"]) == (run, "failed", 1)
    # What the run was given in its environment is no part of it.
    assert "hunter2" not in json.dumps(post)
    assert server.headers[0]["Content-Type"] == "application/json"
    (told,) = standing(world)
    assert (told.delivered, told.error) == (1, "")


async def test_only_the_ends_that_are_wanted_are_told(world, receiver, box):
    server = receiver()
    hooks = [hook(server.url, on=(RunState.FAILED,))]
    box.look(hooks)
    end(world)
    run = end(world, RunState.FAILED)
    box.look(hooks)
    await until(lambda: server.posts and not standing(world)[0].pending)
    assert server.keys == [f"{run}.1.failed"]


async def test_a_failure_is_tried_again_until_it_is_answered(world, receiver, box, monkeypatch):
    monkeypatch.setattr(delivering, "FIRST_PAUSE_S", 0.02)
    server = receiver(500, 429, 302, 204)
    hooks = [hook(server.url)]
    box.look(hooks)
    run = end(world)
    box.look(hooks)
    await until(lambda: standing(world)[0].delivered)
    assert server.keys == [f"{run}.1.finished"] * 4
    assert [post["try"] for post in server.posts] == [1, 2, 3, 4]
    assert box.said[0] == f"webhook hook: HTTP 500; {run}.1.finished is tried again"
    assert box.said[-1] == f"webhook hook: told of {run}.1.finished at last"


async def test_what_failed_says_why_and_when_next(world, receiver, box):
    server = receiver(503)
    server.more_headers = {"Retry-After": "120"}
    hooks = [hook(server.url)]
    box.look(hooks)
    end(world)
    before = time.time()
    box.look(hooks)
    (told,) = await until(lambda: [s for s in standing(world) if s.error])
    assert told.error == "HTTP 503"
    assert iso(before + 119) < told.next_at < iso(time.time() + 121)


async def test_one_that_hangs_is_left_and_holds_up_no_other(world, receiver, box, monkeypatch):
    monkeypatch.setattr(delivering, "ANSWER_S", 0.3)
    hanging, well = receiver(0), receiver()
    hooks = [hook(hanging.url, "hangs"), hook(well.url, "well")]
    box.look(hooks)
    end(world)
    box.look(hooks)
    await until(lambda: standing(world)[1].delivered)
    assert hanging.posts
    (told, _) = await until(lambda: standing(world) if standing(world)[0].error else None)
    assert told.error == "no answer within 0.3 s"
    assert told.pending == 1


async def test_the_loop_is_never_held_up(world, receiver, box):
    server = receiver(0)
    hooks = [hook(server.url)]
    box.look(hooks)
    for _ in range(20):
        end(world)
    box.look(hooks)
    await until(lambda: server.posts)
    for _ in range(50):
        await asyncio.sleep(0.002)
        box.look(hooks)
    assert len(server.posts) == 1, "the loop went on while the first of twenty was not answered"


async def test_a_refused_connection_is_told_without_the_address(world, receiver, box, monkeypatch):
    server = receiver()
    server.close()
    monkeypatch.setenv("WEBHOOK_URL", server.url + "/s3cr3t-path")
    hooks = [hook("${WEBHOOK_URL}", "${WEBHOOK_URL}")]
    box.look(hooks)
    end(world)
    box.look(hooks)
    (told,) = await until(lambda: [s for s in standing(world) if s.error])
    assert "s3cr3t" not in told.error + "".join(box.said)
    assert told.error


async def test_an_address_is_looked_up_when_it_is_needed(world, receiver, box, monkeypatch, caplog):
    server = receiver()
    hooks = [hook("${WEBHOOK_URL}/${TOKEN}", "ref")]
    monkeypatch.delenv("WEBHOOK_URL", raising=False)
    box.look(hooks)
    end(world)
    with caplog.at_level(logging.DEBUG):
        box.look(hooks)
        (told,) = await until(lambda: [s for s in standing(world) if s.error])
        assert told.error == (
            "WEBHOOK_URL: neither the agent's environment nor secrets/WEBHOOK_URL has it"
        )
        monkeypatch.setenv("WEBHOOK_URL", server.url)
        secrets = world.home.root / "secrets"
        secrets.mkdir()
        (secrets / "TOKEN").write_text("s3cr3t-token\n")
        # Other settings, so that it is tried at once.
        box.look([hook("${WEBHOOK_URL}/${TOKEN}", "ref", on=(RunState.FINISHED,))])
        await until(lambda: standing(world)[0].delivered)
    assert server.paths == ["/hook/s3cr3t-token"]
    assert "s3cr3t" not in caplog.text
    dump = "\n".join(world.launch.db._connection.iterdump())
    assert "s3cr3t" not in dump


async def test_what_a_reference_stands_for_must_be_an_address(world, box, monkeypatch):
    monkeypatch.setenv("WEBHOOK_URL", "file:///etc/passwd")
    hooks = [hook("${WEBHOOK_URL}", "ref")]
    box.look(hooks)
    end(world)
    box.look(hooks)
    (told,) = await until(lambda: [s for s in standing(world) if s.error])
    assert told.error == "what ref stands for is no address"


async def test_after_a_day_it_is_given_up_and_that_is_an_event(world, receiver, box):
    server = receiver(404)
    hooks = [hook(server.url)]
    box.look(hooks)
    run = end(world)
    db = world.launch.db
    outbox.failed(db, outbox.due(db, "hook"), "HTTP 404", "")
    db.execute("UPDATE outbox SET first_tried_at = ?", (iso(time.time() - 25 * 3600),))
    box.look(hooks)
    (told,) = await until(lambda: [s for s in standing(world) if s.given_up])
    assert told.pending == 0
    event = read.latest_events(db, 1)[0]
    assert event.message == f"webhook hook was never told of {run}.1.finished: HTTP 404"


async def test_what_cannot_be_told_does_not_hold_up_the_rest(world, receiver, box, monkeypatch):
    server = receiver()
    hooks = [hook(server.url)]
    box.look(hooks)
    bad, good = end(world), end(world)

    def broken(db, letter):
        if letter.run_id == bad:
            raise TypeError("no JSON")
        return payload(db, letter)

    monkeypatch.setattr(delivering, "payload", broken)
    box.look(hooks)
    await until(lambda: standing(world)[0].delivered)
    assert server.keys == [f"{good}.1.finished"]
    # The one that went well has the last word of the subscriber, the other is still owed.
    assert standing(world)[0].pending == 1


async def test_a_deleted_run_is_told_by_what_is_left_of_it(world, receiver, box):
    server = receiver()
    hooks = [hook(server.url)]
    box.look(hooks)
    run = end(world)
    write.delete(world.launch.db, run)
    box.look(hooks)
    await until(lambda: server.posts)
    assert server.posts[0]["run"] == {"id": run, "attempt": 1, "state": "finished"}
    assert server.posts[0]["deleted"] is True


def test_values_of_the_runs_secrets_are_taken_out(world, monkeypatch):
    monkeypatch.setenv("MY_KEY", "hunter2-hunter2")
    outbox.subscribe(world.launch.db, [("a", ("failed",))])
    run = world.run(RunState.RUNNING, spec={"secrets": ("MY_KEY",)}, summary={"loss": float("nan")})
    write.settle(world.launch.db, run, RunState.RUNNING, RunState.FAILED, owner=OWNER, actor=OWNER,
                 changes={"cause": "401 for hunter2-hunter2"})  # fmt: skip
    told = payload(world.launch.db, outbox.due(world.launch.db, "a"))
    assert b"hunter2" not in told
    post = json.loads(told, parse_constant=lambda name: pytest.fail(name))
    assert post["run"]["cause"] == "401 for [hidden]"
    assert post["run"]["summary"] == {"loss": "NaN"}


async def test_who_leaves_with_nothing_to_do_waits_until_all_was_tried(world, receiver, box):
    server = receiver(500)
    hooks = [hook(server.url)]
    box.look(hooks)
    for _ in range(3):
        end(world)
    box.look(hooks)
    await box.flush()
    assert len(server.posts) == 3
    assert standing(world)[0].fresh == 0


async def test_nobody_is_loaded_who_posts_where_nobody_listens(world, box):
    box.look([])
    end(world)
    box.look([])
    assert box._tasks == {}


def test_pauses_grow_to_five_minutes():
    assert [pause_after(tries) for tries in (0, 1, 2, 8, 9, 5000)] == [1, 2, 4, 256, 300, 300]
    assert LONGEST_PAUSE_S == 300


async def test_a_retry_after_that_is_no_number_of_seconds_hides_no_reason(world, receiver, box):
    server = receiver(503)
    server.more_headers = {"Retry-After": "\N{SUPERSCRIPT TWO}"}
    box.look([hook(server.url)])
    end(world)
    box.look([hook(server.url)])
    (told,) = await until(lambda: [s for s in standing(world) if s.error])
    assert told.error == "HTTP 503"


async def test_each_outage_of_the_store_is_told_once_by_each_webhook(world, box, monkeypatch):
    monkeypatch.setattr(delivering, "RETRY_S", 0.01)
    hooks = [hook("http://127.0.0.1:9/", name) for name in ("one", "two")]
    told = [f"webhook {each.name} waits: database or disk is full" for each in hooks]
    tries = []

    def full(db, name):
        tries.append(name)
        raise StoreError("database or disk is full")

    def tried(times):
        return lambda: all(tries.count(each.name) >= times for each in hooks)

    works = outbox.due
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "due", full)
        box.look(hooks)
        await until(tried(3))
        assert sorted(box.said) == told
        working = []
        patch.setattr(outbox, "due", lambda db, name: working.append(name) or works(db, name))
        await until(lambda: set(working) == {"one", "two"})
        tries.clear()
        patch.setattr(outbox, "due", full)
        box.look(hooks)
        await until(tried(3))
    assert sorted(box.said) == sorted(told * 2)
