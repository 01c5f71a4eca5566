from __future__ import annotations

import pytest

from launch_tui.domain.job import JobKind, VenvMode
from launch_tui.domain.queue import Resource
from launch_tui.errors import UsageError
from launch_tui.sdk import LaunchRequest
from launch_tui.sdk.jobs import JobRequest
from launch_tui.sdk.request import command_line

IMAGE = "ghcr.io/team/train:2.1"


def image(place=IMAGE, **more):
    return JobRequest(place=place, kind=JobKind.IMAGE, **more)


@pytest.fixture
def docker(launch):
    """A queue that runs containers."""
    launch.queues.create("docker", resource=Resource.LOCAL_CONTAINER)
    return "docker"


def test_an_image_is_named_after_itself_and_its_tag_is_an_alias(launch):
    job = launch.jobs.create(image()).job
    assert (job.name, job.version, job.kind) == ("team_train", "v0", JobKind.IMAGE)
    assert (job.source.image, job.entry_point) == (IMAGE, ())
    assert set(job.aliases) == {"latest", "2.1"}
    assert job.environment.mode is VenvMode.NONE
    assert launch.jobs.create(image()).outcome == "unchanged"
    assert launch.jobs.create(image("ghcr.io/team/train:2.2")).job.version == "v1"
    assert launch.jobs.get("team_train:2.1").version == "v0"


@pytest.mark.parametrize(
    ("place", "name", "aliases"),
    [
        ("python", "python", {"latest"}),
        ("python:3.11-slim", "python", {"latest", "3.11-slim"}),
        ("localhost:5000/a/b", "a_b", {"latest"}),
        ("x:v3", "x", {"latest"}),
        ("x@sha256:" + "a" * 64, "x", {"latest"}),
    ],
)
def test_names_and_aliases_of_images(launch, place, name, aliases):
    job = launch.jobs.create(image(place)).job
    assert (job.name, set(job.aliases)) == (name, aliases)


@pytest.mark.parametrize("place", ["", "Python", "a b", "x\nRUN evil", "-v", "x:", "x@sha256:1"])
def test_what_is_no_image(launch, place):
    with pytest.raises(UsageError, match="IMAGE: "):
        launch.jobs.create(image(place))
    assert launch.jobs.list() == []


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ({"python_version": "3.11"}, "-r"),
        ({"python": "/usr/bin/python3"}, "--python"),
        ({"venv": "current"}, "--venv"),
        ({"links": ("data",)}, "--link"),
        ({"base_image": "x"}, "-B"),
        ({"dockerfile": "Dockerfile"}, "-D"),
        ({"context": "docker"}, "-b"),
    ],
)
def test_flags_that_mean_nothing_for_an_image(launch, given, flag):
    with pytest.raises(UsageError) as caught:
        launch.jobs.create(image(**given))
    assert caught.value.field == flag


def test_a_code_job_says_what_its_image_is_built_from(launch, folder):
    (folder / "docker").mkdir()
    (folder / "docker" / "Dockerfile").write_text("FROM python:3.11\n")
    job = launch.jobs.create(
        JobRequest(place=str(folder), dockerfile="Dockerfile", context="./docker/")
    ).job
    assert (job.environment.dockerfile, job.environment.context) == ("Dockerfile", "docker")
    based = launch.jobs.create(JobRequest(place=str(folder), base_image="python:3.11")).job
    assert (based.environment.base_image, based.version) == ("python:3.11", "v1")
    fields = {name for name, _, _ in launch.jobs.diff(f"{job.name}:v0", f"{job.name}:v1").fields}
    assert {"base_image", "dockerfile", "context"} <= fields


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"base_image": "a b"}, "-B: "),
        ({"base_image": "x", "dockerfile": "Dockerfile"}, "-B: cannot stand together with -D"),
        ({"base_image": "x", "context": "."}, "-B: cannot stand together with -b"),
        ({"dockerfile": "nothing"}, "-D: there is no nothing"),
        ({"dockerfile": "../Dockerfile"}, "-D: '../Dockerfile' is not inside the job's files"),
        ({"dockerfile": "/etc/passwd"}, "-D: '/etc/passwd' is not inside"),
        ({"context": "a/../.."}, "-b: 'a/../..' is not inside"),
        ({"dockerfile": "x\ny"}, "-D: 'x\\ny' is not inside"),
    ],
)
def test_what_a_job_cannot_say_of_its_image(launch, folder, given, line):
    with pytest.raises(UsageError) as caught:
        launch.jobs.create(JobRequest(place=str(folder), venv="none", **given))
    assert str(caught.value).startswith(line)


def spec_of(launch, request):
    return launch.runs.spec(launch.launch(request).id)


def test_an_image_runs_without_a_job(launch, docker):
    request = LaunchRequest(
        image="python:3.11", queue=docker, entry_point="python -u", arguments=("-c", "print(1)")
    )
    run = launch.runs.get(launch.launch(request).id)
    assert (run.job, run.version, run.resource) == ("python", "image", "local-container")
    spec = launch.runs.spec(run.id)
    assert (spec.kind, spec.command) == (JobKind.IMAGE, ("python", "-u"))
    assert spec.arguments == ("-c", "print(1)")
    assert command_line(request) == (
        "launch-tui launch -d python:3.11 -q docker -E 'python -u' -- -c 'print(1)'"
    )
    again = launch.runs.spec(launch.rerun(run.id).id)
    assert (again.source, again.arguments) == (spec.source, spec.arguments)
    launch.launch(LaunchRequest(image="python:3.11", queue=docker, config={"lr": 1}))


def test_a_launch_of_a_job_with_its_own_image(launch, docker, folder):
    (folder / "Dockerfile").write_text("FROM python:3.12\n")
    job = launch.jobs.create(JobRequest(place=str(folder), venv="none")).job
    spec = spec_of(launch, LaunchRequest(job=job.name, queue=docker, base_image="python:3.12"))
    assert (spec.environment.base_image, spec.command_given) == ("python:3.12", False)
    spec = spec_of(
        launch,
        LaunchRequest(job=job.name, queue=docker, dockerfile="a/../Dockerfile", keep=True,
                      arguments=("--lr", "1")),
    )  # fmt: skip
    assert (spec.environment.dockerfile, spec.keep) == ("Dockerfile", True)
    assert (spec.command[-2:], spec.command_given) == (("--lr", "1"), True)
    assert spec.arguments is None
    missing = LaunchRequest(job=job.name, queue=docker, dockerfile="no/Dockerfile")
    with pytest.raises(UsageError, match="-D: there is no no/Dockerfile"):
        launch.launch(missing)
    with pytest.raises(UsageError, match="-D: there is no no/Dockerfile"):
        launch.rerun("@", missing)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"job": "JOB", "image": "x"}, "-d: the job is"),
        ({"image": "x y"}, "IMAGE: "),
        ({"image": "x", "links": ("data",)}, "--link: an image has no folder here"),
        ({"image": "x", "base_image": "y"}, "-B: the job is an image already"),
        ({"image": "x", "dockerfile": "y"}, "-D: the job is an image already"),
        ({"job": "JOB", "base_image": "x", "dockerfile": "y"}, "-B: cannot stand together with -D"),
        ({"job": "JOB", "dockerfile": "../y"}, "-D: '../y' is not inside"),
        ({"job": "JOB", "links": ("train.py",)}, "--link: a container does not see"),
        ({"in_place": ".", "entry_point": "python x.py"}, "--in-place: a container gets a copy"),
    ],
)
def test_launches_that_a_container_cannot_do(launch, docker, job, given, line):
    given = {key: job.name if value == "JOB" else value for key, value in given.items()}
    with pytest.raises(UsageError) as caught:
        launch.launch(LaunchRequest(queue=docker, **given))
    assert str(caught.value).startswith(line)
    assert list(launch.runs.every()) == []


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"image": "x"}, "-q: 'default' runs on local-process, and images run in containers"),
        ({"job": "JOB", "base_image": "x"}, "-B: means nothing on local-process"),
        ({"job": "JOB", "dockerfile": "x"}, "-D: means nothing on local-process"),
        ({"job": "JOB", "keep": True}, "--keep: means nothing on local-process"),
    ],
)
def test_launches_that_need_a_container(launch, job, given, line):
    given = {key: job.name if value == "JOB" else value for key, value in given.items()}
    with pytest.raises(UsageError) as caught:
        launch.launch(LaunchRequest(**given))
    assert str(caught.value).startswith(line)


def test_a_rerun_on_another_target_is_checked_too(launch, docker):
    run = launch.launch(LaunchRequest(image="x", queue=docker)).id
    with pytest.raises(UsageError, match="images run in containers"):
        launch.rerun(run, LaunchRequest(queue="default"))


def test_a_plan_says_where_the_image_comes_from(launch, docker, folder):
    (folder / "D").write_text("FROM x\n")
    job = launch.jobs.create(JobRequest(place=str(folder), venv="none")).job

    def plan(**given):
        return launch.plan(LaunchRequest(queue=docker, **given))

    assert plan(image="x:1").build == "pull x:1"
    assert plan(image="x:1").command == "the image's entry point and command"
    assert plan(image="x:1", entry_point="a b", arguments=("c",)).command == "a b c"
    assert plan(job=job.name, base_image="x").build.startswith("pull x, mount the code")
    assert plan(job=job.name, dockerfile="D").build == "image from D, unless it exists"
    assert "else generated" in plan(job=job.name).build
