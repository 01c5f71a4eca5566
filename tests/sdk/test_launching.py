from __future__ import annotations

import pytest

from launch_tui.domain.queue import Queue, Resource
from launch_tui.domain.run import RunState
from launch_tui.errors import NotAvailable, NotFound, UsageError
from launch_tui.sdk import LaunchRequest
from launch_tui.sdk.jobs import JobRequest
from launch_tui.sdk.request import command_line
from launch_tui.store import jobs
from launch_tui.store import queues as stored_queues


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
    with pytest.raises(NotAvailable, match="slurm is not built yet"):
        launch.queues.create("cluster", "slurm")
    # A store that another version wrote may hold one.
    stored_queues.create(launch.db, Queue(name="cluster", resource=Resource.SLURM))
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


def test_a_run_can_be_waited_for_in_one_way_only(launch, job):
    first = launch.launch(LaunchRequest(job=job.name)).id
    with pytest.raises(UsageError, match=r"--after: run .* is named twice"):
        launch.launch(LaunchRequest(job=job.name, after=(first, f"{first}:any")))
    assert launch.runs.count() == 1


def test_the_resources_of_a_run_are_frozen_when_it_is_enqueued(launch, job):
    launch.queues.create(
        "gpu",
        "process",
        config={"resource_args": {"local-process": {"nice": 5, "env": {"A": "{{level}}"}}}},
        template_variables={"level": {"schema": {"type": "integer", "default": 3}}},
    )
    request = LaunchRequest(
        job=job.name,
        queue="gpu",
        resource_args={"env": {"B": "2"}},
        template_variables={"level": "7"},
    )
    plan = launch.plan(request)
    assert plan.resources == {"nice": 5, "env": {"A": 7, "B": "2"}}
    assert plan.origins == {"nice": "queue", "env.A": "queue", "env.B": "launch"}
    run_id = launch.launch(request).id
    launch.queues.update("gpu", config={"nice": 1}, template_variables={})
    assert launch.runs.spec(run_id).resources == plan.resources
    again = launch.runs.spec(launch.rerun(run_id, LaunchRequest(queue="")).id)
    assert again.resources == {"nice": 1, "env": {"B": "2"}}


def test_what_this_machine_can_never_give_is_refused(launch, job):
    with pytest.raises(UsageError, match=r"--cpus: .*60000"):
        launch.launch(LaunchRequest(job=job.name, resource_args={"cpus": 60_000}))
    assert launch.runs.count() == 0


def test_a_priority_needs_a_queue_that_has_them(launch, job):
    launch.queues.create("plain", "process")
    launch.queues.create("levels", "process", prioritized=True)
    with pytest.raises(UsageError, match="-P: queue 'plain' has no priorities"):
        launch.launch(LaunchRequest(job=job.name, queue="plain", priority="high"))
    with pytest.raises(UsageError, match="-P: 'urgent' is no priority"):
        launch.launch(LaunchRequest(job=job.name, queue="levels", priority="urgent"))
    low = launch.launch(LaunchRequest(job=job.name, queue="levels", priority="low"))
    high = launch.launch(LaunchRequest(job=job.name, queue="levels", priority="HIGH"))
    assert (low.position, high.position) == (1, 1)
    assert launch.runs.get(high.id).priority == "high"
    assert launch.runs.why(low.id).reason == "2nd in line"


def test_a_product_of_parameters_is_one_group(launch, job):
    request = LaunchRequest(
        job=job.name, config={"a": {"b": 1}}, params={"lr": [0.1, 0.2], "a.c": [1, 2, 3]}
    )
    assert launch.plan(request).runs == 6
    runs = [launch.runs.get(e.id) for e in launch.launch_many([request])]
    assert [(r.config["lr"], r.config["a"]) for r in runs] == [
        (lr, {"b": 1, "c": c}) for lr in (0.1, 0.2) for c in (1, 2, 3)
    ]
    (group,) = {run.group for run in runs}
    assert [run.id for run in launch.runs.group(group)] == [run.id for run in runs]
    with pytest.raises(UsageError, match=r"no run of .* ended badly"):
        launch.rerun_group(group, failed_only=True)
    again = launch.rerun_group(group)
    assert {launch.runs.get(e.id).group for e in again} not in ({group}, {""})


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"retries": 101}, "--retries"),
        ({"retries": -1}, "--retries"),
        ({"retries": 1, "backoff": 1e9}, "--backoff"),
        ({"retries": 1, "retry_on": ("oops",)}, "--retry-on"),
        ({"begin": "soon"}, "--begin"),
        ({"after": ("nothere",)}, "--after"),
        ({"after": (":ok",)}, "--after"),
        ({"resource_args": {"nise": 1}}, "-R"),
        ({"template_variables": {"x": 1}}, "--set-var"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_enqueued(launch, job, fields, field):
    with pytest.raises((UsageError, NotFound)) as caught:
        launch.launch(LaunchRequest(job=job.name, **fields))
    assert str(caught.value).startswith(field)
    assert launch.runs.count() == 0


def test_a_run_that_waits_can_be_edited_in_all_that_decides_about_its_start(launch, job):
    launch.queues.create("gpu", "process", prioritized=True)
    first = launch.launch(LaunchRequest(job=job.name, queue="gpu")).id
    second = launch.launch(LaunchRequest(job=job.name, queue="gpu", after=(first,))).id
    launch.runs.edit(
        second,
        {"config": {"lr": 2}, "resource_args": {"nice": 3}, "priority": "critical", "after": []},
    )
    run, spec = launch.runs.get(second), launch.runs.spec(second)
    assert (run.config, run.priority, run.after) == ({"lr": 2}, "critical", ())
    assert spec.resources == {"nice": 3}
    assert launch.runs.why(first).reason == "2nd in line"
    with pytest.raises(UsageError, match="waits for"):
        launch.runs.edit(first, {"after": [f"{second}:any", first]})
    launch.runs.edit(first, {"after": [second]})
    with pytest.raises(UsageError, match=f"{first} waits for {second} itself"):
        launch.runs.edit(second, {"after": [first]})
    assert launch.runs.get(second).after == ()


def test_a_required_input_may_come_from_the_parameters(launch, job):
    schema = {"type": "object", "properties": {"lr": {"type": "number"}}, "required": ["lr"]}
    jobs.learn(launch.db, f"{job.name}:v0", schema, {})
    with pytest.raises(UsageError, match="lr"):
        launch.launch(LaunchRequest(job=job.name, config={"a": 1}))
    product = LaunchRequest(job=job.name, config={"a": 1}, params={"lr": [1, 2]})
    assert len(launch.launch_many([product])) == 2
    with pytest.raises(UsageError, match="lr"):
        launch.launch(LaunchRequest(job=job.name, params={"lr": [1, "high"]}))


def test_the_command_gives_a_template_variable_its_value_as_it_stands():
    request = LaunchRequest(job="j", queue="q", template_variables={"word": "8", "on": True})
    assert "-v word=8 -v on=true" in command_line(request)
