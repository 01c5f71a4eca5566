from __future__ import annotations

import pytest

from launch_tui.domain.job import VenvMode
from launch_tui.errors import NotFound, UsageError
from launch_tui.sdk import LaunchRequest
from launch_tui.sdk.jobs import JobRequest


def request(folder, **more):
    return JobRequest(place=str(folder), **{"venv": "none", **more})


def test_an_unchanged_folder_is_no_new_version(launch, folder):
    first = launch.jobs.create(request(folder))
    assert (first.outcome, first.job.version) == ("created", "v0")
    assert launch.jobs.create(request(folder)).outcome == "unchanged"
    (folder / "more.py").write_text("")
    changed = launch.jobs.create(request(folder))
    assert (changed.outcome, changed.job.version) == ("updated", "v1")
    assert [j.version for j in launch.jobs.versions(changed.job.name)] == ["v1", "v0"]


def test_aliases_move_and_latest_is_always_the_newest(launch, folder):
    name = launch.jobs.create(request(folder, aliases=("prod",))).job.name
    (folder / "more.py").write_text("")
    launch.jobs.create(request(folder))
    assert launch.jobs.get(f"{name}:prod").version == "v0"
    assert launch.jobs.get(name).version == launch.jobs.get(f"{name}:latest").version == "v1"
    launch.jobs.set_alias(f"{name}:v1", "prod")
    assert launch.jobs.get(f"{name}:prod").version == "v1"
    for alias in ("latest", "v3", "a b", ""):
        with pytest.raises(UsageError):
            launch.jobs.set_alias(f"{name}:v0", alias)


def test_a_folder_gone_back_to_an_earlier_state_is_a_new_version(launch, folder):
    script = (folder / "train.py").read_text()
    launch.jobs.create(request(folder))
    (folder / "train.py").write_text("print(2)\n")
    launch.jobs.create(request(folder))
    (folder / "train.py").write_text(script)
    again = launch.jobs.create(request(folder)).job
    assert again.version == "v2"
    assert again.source.digest == launch.jobs.get(f"{again.name}:v0").source.digest


def test_what_differs_between_two_versions(launch, folder):
    name = launch.jobs.create(request(folder)).job.name
    (folder / "train.py").write_text("print(2)\n")
    launch.jobs.create(request(folder, entry_point="python train.py -v"))
    diff = launch.jobs.diff(f"{name}:v0", f"{name}:v1")
    assert [(a, b) for _, a, b in diff.fields if "-v" in b]
    assert diff.files is not None
    assert "train.py" in str(diff.files)


def test_a_job_with_runs_that_wait_is_not_deleted(launch, job):
    run_id = launch.launch(LaunchRequest(job=job.name)).id
    with pytest.raises(UsageError, match="wait or run"):
        launch.jobs.delete(job.name)
    launch.runs.cancel(run_id)
    launch.jobs.delete(job.name)
    with pytest.raises(NotFound):
        launch.jobs.get(job.name)


def test_which_environment_a_folder_means(launch, folder):
    plain = launch.jobs.create(JobRequest(place=str(folder), name="plain")).job
    assert plain.environment.mode is VenvMode.CURRENT
    (folder / "requirements.txt").write_text("")
    built = launch.jobs.create(JobRequest(place=str(folder), name="built")).job
    assert built.environment.mode is VenvMode.BUILD
    with pytest.raises(UsageError, match="--python"):
        launch.jobs.create(JobRequest(place=str(folder), python="/nowhere/python"))


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"name": "a b"}, "-n"),
        ({"aliases": ("v1",)}, "alias"),
        ({"tracking": "sometimes"}, "--tracking"),
        ({"venv": "some"}, "--venv"),
    ],
)
def test_bad_input_makes_no_job(launch, folder, more, word):
    with pytest.raises(UsageError, match=word):
        launch.jobs.create(request(folder, **more))
    assert launch.jobs.list() == []
