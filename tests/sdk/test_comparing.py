from __future__ import annotations

import math
import subprocess
from dataclasses import replace

import pytest

from launch_tui.domain.job import JobKind
from launch_tui.errors import UsageError
from launch_tui.sdk import LaunchRequest
from launch_tui.sdk.comparing import check_number, compare, differ, source_diff
from launch_tui.sdk.jobs import JobRequest


def test_only_what_differs_unless_all_is_asked_for(launch, job):
    made = [
        launch.launch(LaunchRequest(job=job.name, queue="default", config=config)).id
        for config in ({"lr": 1, "same": 0, "model": {"depth": 1}}, {"lr": 2, "same": 0})
    ]
    runs = [launch.runs.get(run_id) for run_id in made]
    found = compare(runs)
    assert found.config == {"lr": [1, 2], "model.depth": [1, None]}
    assert found.run == {}
    assert list(found.parts) == ["run", "config", "summary"]
    everything = compare(runs, everything=True, more=[{"took": "1s"}, {"took": "1s"}])
    assert everything.config["same"] == [0, 0]
    assert everything.run["took"] == ["1s", "1s"]
    assert "took" not in compare(runs, more=[{"took": "1s"}, {"took": "1s"}]).run


def test_nan_is_the_same_as_nan():
    assert not differ([math.nan, math.nan])
    assert differ([math.nan, 1.0])
    assert differ([1.0, math.nan])
    assert differ([1, None])


@pytest.mark.parametrize(
    ("count", "good"), [(0, False), (1, False), (2, True), (6, True), (7, False)]
)
def test_two_to_six_runs_stand_beside_each_other(count, good):
    if good:
        check_number(count)
        return
    with pytest.raises(UsageError, match="two to 6 runs"):
        check_number(count)


def test_runs_of_two_versions_differ_in_their_files(launch, folder):
    old = run_of(launch, folder, "import wandb\nprint('old')\n")
    new = run_of(launch, folder, "import wandb\nprint('new')\n")
    same = run_of(launch, folder, "import wandb\nprint('new')\n")
    diff = source_diff(launch, old, new)
    assert "-print('old')\n+print('new')\n" in diff.text
    assert ("job", "my_project:v0", "my_project:v1") in diff.fields
    assert source_diff(launch, new, same) == replace(diff, fields=(), text="")


def test_the_files_are_compared_though_the_job_is_gone(launch, folder):
    old = run_of(launch, folder, "import wandb\n1\n")
    new = run_of(launch, folder, "import wandb\n2\n")
    for run_id in (old, new):
        launch.runs.cancel(run_id)
    launch.jobs.delete("my_project")
    assert "-1\n+2\n" in source_diff(launch, old, new).text


def test_what_has_no_snapshot_says_so(launch, folder):
    snapshot = run_of(launch, folder, "import wandb\n")
    in_place = launch.launch(
        LaunchRequest(in_place=str(folder), entry_point="python train.py", queue="default")
    ).id
    diff = source_diff(launch, snapshot, in_place)
    assert diff.text == ""
    assert "in place" in diff.reason
    assert "source" in [name for name, _, _ in diff.fields]


def test_a_lost_snapshot_is_told(launch, folder):
    old = run_of(launch, folder, "import wandb\n1\n")
    new = run_of(launch, folder, "import wandb\n2\n")
    manifests = [path for path in launch.home.artifacts.rglob("*") if path.is_file()]
    for path in manifests:
        path.chmod(0o600)
        path.unlink()
    diff = source_diff(launch, old, new)
    assert diff.text == ""
    assert diff.reason


def test_commits_of_a_repository_are_compared(launch, tmp_path):
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "-q")
    runs = []
    for text in ("print(1)\n", "print(2)\n"):
        (repository / "train.py").write_text(text)
        git(repository, "add", "--all")
        git(
            repository,
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@example.invalid",
            "commit",
            "-qm",
            "x",
        )
        request = JobRequest(place=str(repository), kind=JobKind.GIT, entry_point="python train.py")
        job = launch.jobs.create(request).job
        reference = f"{job.name}:{job.version}"
        runs.append(launch.launch(LaunchRequest(job=reference, queue="default")).id)
    diff = source_diff(launch, *runs)
    assert "-print(1)\n+print(2)\n" in diff.text
    assert "commit" in [name for name, _, _ in diff.fields]


def git(folder, *words):
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def run_of(launch, folder, text):
    (folder / "train.py").write_text(text)
    job = launch.jobs.create(JobRequest(place=str(folder), venv="none")).job
    return launch.launch(LaunchRequest(job=f"{job.name}:{job.version}", queue="default")).id
