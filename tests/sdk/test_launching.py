from __future__ import annotations

import pytest

from launch_tui.domain.run import RunState
from launch_tui.errors import NotAvailable, NotFound, UsageError
from launch_tui.sdk import LaunchRequest
from launch_tui.sdk.jobs import JobRequest
from launch_tui.store import jobs


def test_a_launch_pins_everything_that_the_run_needs(launch, job, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("HF_TOKEN", "hunter2")
    enqueued = launch.launch(
        LaunchRequest(
            job=job.name,
            config={"lr": 0.1},
            setenv={"SEED": "1"},
            pass_env=("API_KEY",),
            tags=("a",),
            note="n",
        )
    )
    assert (enqueued.queue, enqueued.position) == ("default", 1)
    assert (enqueued.job, enqueued.version) == ("my_project", "v0")
    run, spec = launch.runs.get(enqueued.id), launch.runs.spec(enqueued.id)
    assert (run.state, run.config, run.tags, run.note) == (
        RunState.QUEUED,
        {"lr": 0.1},
        ("a",),
        "n",
    )
    assert spec.command == ("python", "train.py")
    assert spec.source == job.source
    assert spec.captured["CUDA_VISIBLE_DEVICES"] == "1"
    assert "HF_TOKEN" not in spec.captured
    assert (spec.setenv, spec.pass_env) == ({"SEED": "1"}, ("API_KEY",))


def test_a_later_version_of_the_job_does_not_change_a_waiting_run(launch, job, folder):
    run_id = launch.launch(LaunchRequest(job=job.name)).id
    (folder / "train.py").write_text("print(2)\n")
    later = launch.jobs.create(JobRequest(place=str(folder), venv="none")).job
    assert later.version == "v1"
    assert launch.runs.get(run_id).version == "v0"
    assert launch.runs.spec(run_id).source == job.source != later.source
    assert launch.launch(LaunchRequest(job=f"{job.name}:v0")).version == "v0"


def test_a_plan_says_what_would_happen_and_does_nothing(launch, job):
    launch.queues.create("gpu", "process")
    launch.launch(LaunchRequest(job=job.name, queue="gpu"))
    plan = launch.plan(
        LaunchRequest(
            job=job.name,
            queue="gpu",
            entry_point="python train.py --fast",
            config={"lr": 1},
            setenv={"MY_TOKEN": "hunter2", "SEED": "1"},
            pass_env=("OTHER",),
        )
    )
    assert (plan.queue, plan.resource, plan.position) == ("gpu", "local-process", 2)
    assert plan.command == "python train.py --fast"
    assert plan.environment["SEED"] == "1"
    assert "hunter2" not in str(plan)
    assert plan.environment["OTHER"] == plan.environment["MY_TOKEN"]
    assert launch.runs.count() == 1


def test_a_plan_for_the_default_queue_does_not_make_it(launch, job):
    assert launch.plan(LaunchRequest(job=job.name)).position == 1
    assert launch.queues.list() == []


def test_a_bulk_is_launched_as_a_whole_or_not_at_all(launch, job):
    requests = [LaunchRequest(job=job.name, config={"n": n}) for n in range(3)]
    enqueued = launch.launch_many(requests)
    assert [e.position for e in enqueued] == [1, 2, 3]
    assert [launch.runs.get(e.id).config["n"] for e in enqueued] == [0, 1, 2]
    with pytest.raises(NotFound):
        launch.launch_many([*requests, LaunchRequest(job="nowhere")])
    assert launch.runs.count() == 3


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (LaunchRequest(), "JOB"),
        (LaunchRequest(job="nowhere"), "job"),
        (LaunchRequest(job="my_project:v9"), "job"),
        (LaunchRequest(job="my_project:prod"), "job"),
        (LaunchRequest(job="my_project", queue="nowhere"), "queue"),
        (LaunchRequest(job="my_project", pass_env=("1X",)), "--pass-env"),
        (LaunchRequest(job="my_project", secrets=("A B",)), "--secret"),
        (LaunchRequest(in_place="/nowhere", entry_point="true"), "--in-place"),
    ],
)
def test_bad_input_names_its_field_and_enqueues_nothing(launch, job, request_, field):
    with pytest.raises(UsageError) as raised:
        launch.launch(request_)
    assert raised.value.field == field
    assert launch.runs.count() == 0


def test_a_value_that_the_job_does_not_take_is_refused(launch, job):
    schema = {"type": "object", "properties": {"lr": {"type": "number"}}}
    jobs.learn(launch.db, f"{job.name}:{job.version}", schema, {})
    with pytest.raises(UsageError, match="lr"):
        launch.launch(LaunchRequest(job=job.name, config={"lr": "fast"}))
    launch.launch(LaunchRequest(job=job.name, config={"lr": 1, "new": "x"}))


def test_a_queue_of_a_target_that_is_not_built_is_refused(launch, job):
    try:
        launch.queues.create("cluster", "slurm")
    except NotAvailable:
        return
    with pytest.raises(NotAvailable, match="slurm"):
        launch.launch(LaunchRequest(job=job.name, queue="cluster"))


def test_in_place_needs_no_job(launch, folder):
    enqueued = launch.launch(
        LaunchRequest(in_place=str(folder), entry_point=("python", "train.py"))
    )
    assert launch.runs.spec(enqueued.id).in_place == str(folder)
    assert launch.jobs.list() == []


def test_a_queue_can_turn_the_tracking_rule_off(launch, job):
    launch.queues.create("free", "process", tracking="optional")
    run_id = launch.launch(LaunchRequest(job=job.name, queue="free")).id
    assert launch.queues.get("free").tracking == "optional"
    assert launch.runs.get(run_id).queue == "free"


def test_a_rerun_is_the_same_but_for_what_is_changed(launch, job, folder):
    first = launch.launch(
        LaunchRequest(
            job=job.name, config={"lr": 0.1, "n": 1}, name="one", tags=("a",), setenv={"S": "1"}
        )
    )
    (folder / "train.py").write_text("print(2)\n")
    launch.jobs.create(JobRequest(place=str(folder), venv="none"))
    again = launch.rerun(first.id)
    old, new = launch.runs.get(first.id), launch.runs.get(again.id)
    assert new.id != old.id
    assert (new.config, new.name, new.tags, new.version) == (
        old.config,
        old.name,
        old.tags,
        old.version,
    )
    assert launch.runs.spec(new.id) == launch.runs.spec(old.id)
    changed = launch.rerun(
        "@", LaunchRequest(queue="", config={"lr": 0.2}, entry_point="python train.py -v")
    )
    assert launch.runs.get(changed.id).config == {"lr": 0.2, "n": 1}
    assert launch.runs.spec(changed.id).command == ("python", "train.py", "-v")
    assert launch.runs.spec(changed.id).source == job.source


def test_a_run_whose_job_was_deleted_can_be_run_again(launch, job):
    run_id = launch.launch(LaunchRequest(job=job.name, config={"lr": 1})).id
    launch.runs.cancel(run_id)
    launch.jobs.delete(job.name)
    again = launch.rerun(run_id)
    assert launch.runs.spec(again.id).source == job.source
