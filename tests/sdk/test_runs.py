from __future__ import annotations

import itertools
import threading

import pytest

from launch_tui.domain.run import RunState
from launch_tui.errors import LaunchError, NotFound, UsageError
from launch_tui.sdk import Launch, LaunchRequest
from launch_tui.store import agents, write
from launch_tui.store.agents import AgentLock


@pytest.fixture
def run_id(launch, job):
    return launch.launch(LaunchRequest(job=job.name)).id


@pytest.fixture
def active_agent(launch):
    """An agent as others see it: it holds the lock and has said who it is."""
    lock = AgentLock(launch.home)
    assert lock.acquire()

    numbers = itertools.count(1)

    def describe(**more):
        name = f"here:{next(numbers)}:agent"
        agents.register(launch.db, name, **{"queues": None, "max_jobs": None, **more})
        return name

    yield describe
    lock.close()


def kinds(launch, run_id):
    reason = launch.runs.why(run_id)
    assert reason.reason
    assert reason.id == run_id
    return reason.kind


def test_why_a_run_waits(launch, job, run_id, active_agent):
    active_agent()
    second = launch.launch(LaunchRequest(job=job.name)).id
    assert (kinds(launch, run_id), kinds(launch, second)) == ("next", "position")
    launch.runs.hold(run_id)
    assert (kinds(launch, run_id), kinds(launch, second)) == ("held", "next")
    launch.queues.pause("default")
    assert kinds(launch, second) == "paused"
    launch.queues.resume("default")
    active_agent(queues=["other"])
    assert kinds(launch, second) == "not_served"


def test_why_a_run_waits_for_a_place(launch, job, run_id, active_agent, claim):
    active_agent()
    second = launch.launch(LaunchRequest(job=job.name)).id
    claim()
    assert kinds(launch, second) == "max_running"
    launch.queues.update("default", max_running=5)
    active_agent(max_jobs=1)
    assert kinds(launch, second) == "max_jobs"


def test_why_without_an_agent(launch, run_id):
    assert kinds(launch, run_id) == "no_agent"
    with pytest.raises(LaunchError, match="no agent is running"):
        launch.agents.drain()
    with pytest.raises(LaunchError, match="no agent is running"):
        launch.agents.look_again()


def test_why_a_run_is_over(launch, run_id):
    launch.runs.cancel(run_id)
    assert launch.runs.why(run_id).reason == "stopped: cancelled before it started"


def test_an_agent_is_asked_to_drain_to_resume_and_to_stop(launch, active_agent):
    name = active_agent()
    asked = launch.agents
    for ask, word in ((asked.drain, "drain"), (asked.resume, "resume"), (asked.stop, "stop")):
        ask()
        assert agents.requested(launch.db, name) == word


def test_an_agent_is_woken_by_a_commit(launch, active_agent):
    active_agent()
    launch.agents.look_again()
    assert launch.agents.events(limit=1)[0].message == "asked to look again"


def test_the_runs_that_came_to_an_end_after_an_event(launch, run_id, claim):
    newest, ended = launch.agents.ends_after(0, (RunState.FAILED,))
    assert ended == []
    launch.runs.cancel(run_id)
    after, ended = launch.agents.ends_after(newest, (RunState.FAILED, RunState.STOPPED))
    assert (after, ended) == (newest + 1, [run_id])
    assert launch.agents.ends_after(after, (RunState.STOPPED,)) == (after, [])


def test_tags_are_added_and_taken_away(launch, run_id):
    assert launch.runs.tag(run_id, ["a", "b", "a"]) == ("a", "b")
    assert launch.runs.tag("@", ["c", "-a", "-nowhere"]) == ("b", "c")
    launch.runs.note(run_id, "kept")
    assert (launch.runs.get(run_id).tags, launch.runs.get(run_id).note) == (("b", "c"), "kept")


def test_a_waiting_run_can_be_edited_and_no_other(launch, run_id, claim):
    launch.runs.edit(run_id, {"name": "new", "config": {"lr": 2}})
    assert (launch.runs.get(run_id).name, launch.runs.get(run_id).config) == ("new", {"lr": 2})
    assert claim().run.config == {"lr": 2}
    with pytest.raises(UsageError, match="still waits"):
        launch.runs.edit(run_id, {"name": "late"})


def test_only_a_waiting_run_is_cancelled(launch, run_id, claim):
    claim()
    with pytest.raises(UsageError, match="see stop"):
        launch.runs.cancel(run_id)
    assert launch.runs.stop(run_id) is RunState.CLAIMED


def test_wait_returns_the_run_that_has_ended(launch, run_id, claim):
    claim()
    with pytest.raises(TimeoutError):
        launch.runs.wait(run_id, timeout=0.01)

    def end():
        with Launch(launch.home.root) as other:
            write.settle(
                other.db,
                run_id,
                RunState.CLAIMED,
                RunState.FAILED,
                owner="here:1:agent",
                actor="agent",
                changes={"cause": "gone"},
            )

    agent = threading.Thread(target=end)
    agent.start()
    run = launch.runs.wait(run_id, timeout=20)
    agent.join()
    assert (run.state, run.cause) == (RunState.FAILED, "gone")
    assert launch.runs.wait(run_id, timeout=0) == run


def test_a_deleted_run_leaves_no_directory(launch, run_id):
    directory = launch.home.run(run_id)
    (directory / "1").mkdir(parents=True)
    (directory / "1" / "output.log").write_text("x")
    assert [str(p) for p in launch.runs.files(run_id)] == ["1/output.log"]
    launch.runs.cancel(run_id)
    launch.runs.delete(run_id)
    assert not directory.exists()
    with pytest.raises(NotFound):
        launch.runs.get(run_id)


def test_logs_of_attempts_that_there_are(launch, run_id):
    assert launch.runs.log_path(run_id).name == "output.log"
    assert launch.runs.log_path(run_id, build=True).name == "build.log"
    with pytest.raises(NotFound, match="attempt 2"):
        launch.runs.log_path(run_id, attempt=2)


def test_reading_only_writes_nothing(launch, job, run_id):
    with Launch(launch.home.root, read_only=True) as reader:
        assert reader.runs.get(run_id).state is RunState.QUEUED
        with pytest.raises(LaunchError):
            reader.runs.hold(run_id)
