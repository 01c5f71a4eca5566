"""W&B Launch's functions under their own names: the signatures of the real wandb, and real runs."""

from __future__ import annotations

import inspect
import json
import signal
import subprocess
import sys

import pytest

import launch_tui
from launch_tui import (
    LaunchAgent,
    LaunchError,
    NotAvailable,
    UsageError,
    create_run_queue,
    launch,
    launch_add,
)
from tests.wandb_envs import wandb_python

SIGNATURES = """\
import inspect, json, wandb
from wandb.sdk.launch import launch, launch_add
from wandb.sdk.launch.agent import LaunchAgent
found = {"launch": launch, "launch_add": launch_add, "create_run_queue": wandb.Api.create_run_queue,
         "LaunchAgent": LaunchAgent.__init__}
print(json.dumps({
    name: [p.name for p in inspect.signature(function).parameters.values() if p.name != "self"]
    for name, function in found.items()
}))
"""


@pytest.fixture
def made(folder, world):
    """A job called ``proj`` which need not use wandb."""
    world.ok("job", "create", "code", ".", "--venv", "none", "--tracking", "optional", "-E",
             f"{sys.executable} train.py")  # fmt: skip
    return "proj"


@pytest.mark.wandb
def test_the_arguments_are_those_of_the_real_wandb():
    python = wandb_python("newest")
    theirs = json.loads(subprocess.check_output([python, "-c", SIGNATURES], text=True))
    ours = {name: list(inspect.signature(getattr(launch_tui, name)).parameters) for name in theirs}
    assert ours == theirs


def test_a_run_is_added_to_a_queue(made, running):
    queue = create_run_queue("w", "local-process", prioritization_mode="V0", config={"nice": 1})
    assert (queue.name, queue.prioritized, queue.config) == ("w", True, {"nice": 1})
    run = launch_add(
        job=made,
        config={"lr": 0.1},
        queue_name="w",
        entity="me",
        name="named",
        priority=0,
        resource="local-process",
        resource_args={"nice": 2},
    )
    run.wait_until_running()
    run.wait_until_finished()
    shown = running.show(run.id)
    assert (shown["state"], shown["name"], shown["priority"]) == ("finished", "named", "critical")
    assert shown["config"] == {"lr": 0.1}


def test_a_launch_spec_is_followed(made, world):
    spec = {
        "overrides": {
            "run_config": {"lr": 2},
            "files": {"model.yaml": {"layers": 9}},
            "args": ["--fast"],
        },
        "queue": "q",
        "project": "p",
        "author": "somebody",
    }
    run = launch_add(job=made, config=spec)
    given = {"lr": 2, "model.yaml:": {"layers": 9}}
    assert (run.info.queue, run.info.project, run.config) == ("q", "p", given)


def test_a_folder_is_made_into_a_job_and_launched(folder, running):
    with pytest.warns(launch_tui.LaunchWarning, match="wandb is not in the job's environment"):
        run = launch_add(uri=str(folder), entry_point=[sys.executable, "train.py"], queue_name="q")
    assert run.wait_until_finished(timeout=30).state == "finished"
    assert list(run.logs()) == ["trained"]


def test_a_launch_waits_for_its_run(made, running):
    running.ok("queue", "create", "default", "-r", "process", "--tracking", "optional")
    run = launch(object(), job=made, config={"lr": 1})
    assert run.state == "finished"
    assert launch(job=made, synchronous=False).info.queue == "default"


def test_a_launch_that_would_wait_for_ever_is_refused(made, world):
    with pytest.raises(LaunchError, match="no agent is running here"):
        launch(job=made)
    assert world.ok("runs", "--json").json == []


@pytest.mark.parametrize(
    ("call", "given"),
    [
        (launch_add, {"run_id": "abc"}),
        (launch_add, {"project_queue": "p"}),
        (launch_add, {"build": True}),
        (launch_add, {"repository": "r"}),
        (launch_add, {"sweep_id": "s"}),
        (launch_add, {"author": "me"}),
        (launch_add, {"version": "main"}),
        (launch, {"run_id": "abc"}),
        (launch, {"repository": "r"}),
        (launch, {"version": "v1"}),
    ],
)
def test_what_means_nothing_here_is_refused_by_name(made, world, call, given):
    with pytest.raises(NotAvailable) as caught:
        call(job=made, **given)
    assert [caught.value.field] == list(given)
    assert "\n" not in str(caught.value)
    assert world.ok("runs", "--json").json == []


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: launch_add(job="proj", uri="."), "job"),
        (lambda: launch_add(job="proj", queue_name="nowhere"), "queue"),
        (lambda: launch_add(job="proj", priority=7), "priority"),
        (lambda: launch_add(job="proj", queue_name="q", resource="docker"), "resource_args"),
        (lambda: launch_add(job="proj", config={"overrides": {"files": {"a": {}}}}), "config"),
        (lambda: launch(job="proj", resource="mainframe", synchronous=False), "resource"),
        (lambda: create_run_queue("x", "mainframe"), "type"),
        (lambda: create_run_queue("x", "local-process", prioritization_mode="V1"),
         "prioritization_mode"),
        (lambda: LaunchAgent(config={"max_job": 1}), "config: max_job"),
    ],
)  # fmt: skip
def test_bad_input_names_the_argument(made, world, call, field):
    with pytest.raises(UsageError) as caught:
        call()
    assert caught.value.field == field


AGENT = """\
import asyncio, launch_tui
agent = launch_tui.LaunchAgent(api=None, config={"queues": ["q"], "max_jobs": 2})
asyncio.run(agent.loop())
"""


def test_the_agent_runs_on_an_event_loop(made, world):
    run = launch_add(job=made, queue_name="q")
    program = subprocess.Popen([sys.executable, "-c", AGENT])
    try:
        assert run.wait_until_finished(timeout=30).state == "finished"
        status = world.ok("agent", "status", "--json").json
        assert (status["queues"], status["max_jobs"]) == (["q"], 2)
    finally:
        program.send_signal(signal.SIGTERM)
        assert program.wait(timeout=20) == 0
