"""From a run to the container it becomes: command, variables, mounts. No engine is needed."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from launch_tui.agent.config import AgentConfig
from launch_tui.agent.container_environment import container_variables
from launch_tui.agent.container_way import CODE, ContainerWay
from launch_tui.agent.setting import keeps_container, setting_of
from launch_tui.domain.container import BuiltImage, Mount
from launch_tui.domain.job import CodeSource, Environment, GitSource, ImageSource, JobKind
from launch_tui.domain.run import Run, RunState
from launch_tui.domain.spec import RunSpec, dump_spec, load_spec
from launch_tui.errors import BuildFailed, StartFailed
from launch_tui.store.paths import Home

IMAGE = BuiltImage(
    reference="train:1",
    id="sha256:" + "a" * 64,
    digest="sha256:" + "b" * 64,
    entry_point=("python", "own.py"),
    command=("--own",),
    working_directory="/job",
)
BARE = BuiltImage(reference="bare:1", id=IMAGE.id, digest=IMAGE.digest)
SOURCES = {
    JobKind.CODE: CodeSource(digest="d" * 64, path="/x"),
    JobKind.GIT: GitSource(url="u", commit="c" * 40, subdirectory="sub"),
    JobKind.IMAGE: ImageSource(image="train:1"),
}


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def run(home):
    return Run(
        id="abcd1234",
        name="n",
        project="p",
        job="j",
        version="v0",
        queue="q",
        resource="local-container",
        state=RunState.BUILDING,
        gpus=("GPU-1",),
        created_at="",
        directory=str(home.run("abcd1234")),
    )


def spec(kind=JobKind.IMAGE, command=(), **changes):
    environment = changes.pop("environment", Environment())
    return RunSpec(
        kind=kind, source=SOURCES[kind], command=command, environment=environment, **changes
    )


@pytest.fixture
def way(home, run, monkeypatch):
    """Returns ``way(spec)``; the agent runs as an ordinary user, on an engine of root's."""
    monkeypatch.setattr(os, "getuid", lambda: 1234)

    async def facts():
        return SimpleNamespace(rootless=False)

    def made(given, config=None):
        context = SimpleNamespace(
            db=SimpleNamespace(home=home),
            config=lambda: config or AgentConfig(),
            engine=SimpleNamespace(facts=facts),
        )
        return ContainerWay(context, run, given, setting_of(run, given, ()))

    return made


async def ready(way, given, image=IMAGE, source=None):
    made = way(given)
    place = source or made._directory
    place.mkdir(parents=True, exist_ok=True)
    return await made.ready(place, image, {"lr": 1})


@pytest.mark.parametrize(
    ("given", "image", "command"),
    [
        (spec(), IMAGE, ("python", "own.py", "--own")),
        (spec(arguments=()), IMAGE, ("python", "own.py")),
        (spec(arguments=("a", "b")), IMAGE, ("python", "own.py", "a", "b")),
        (spec(command=("sh",)), IMAGE, ("sh",)),
        (spec(command=("sh",), arguments=("-c", "x")), IMAGE, ("sh", "-c", "x")),
        (spec(resources={"entrypoint": "ls -l"}), IMAGE, ("ls", "-l")),
        (spec(command=("sh",), resources={"entrypoint": "ls -l"}), IMAGE, ("sh",)),
        (spec(arguments=("x",)), BARE, ("x",)),
        # What is built from a Dockerfile has its entry point, unless the launch gave one.
        (spec(JobKind.CODE, ("python", "train.py")), IMAGE, ("python", "own.py", "--own")),
        (spec(JobKind.CODE, ("python", "train.py")), BARE, ("python", "train.py")),
        (
            spec(JobKind.CODE, ("python", "train.py"), command_given=True),
            IMAGE,
            ("python", "train.py"),
        ),
        (
            spec(JobKind.GIT, ("make",), environment=Environment(base_image="train:1")),
            IMAGE,
            ("make",),
        ),
    ],
)
async def test_the_command(way, given, image, command):
    assert (await ready(way, given, image)).attempt.command == command


async def test_an_image_without_any_command_says_how_to_give_one(way):
    with pytest.raises(StartFailed, match="bare:1 has no entry point and no command") as caught:
        await ready(way, spec(), BARE)
    assert "-E" in caught.value.next_step


async def test_what_is_recorded_and_shared(way, run, home):
    made = await ready(way, spec())
    directory = home.attempt(run.id, 1)
    assert made.changes == {"image": "train:1", "image_digest": IMAGE.digest}
    container = made.attempt.container
    assert (container.image, container.gpus, container.working_directory) == (IMAGE, ("GPU-1",), "")
    places = (directory / "wandb", home.shared(run.id), directory / "home")
    assert container.mounts == (
        *(Mount(source=place, target=str(place)) for place in places),
        Mount(source=directory / "workdir" / "wandb", target="/job/wandb"),
    )
    assert all(mount.source.is_dir() for mount in container.mounts)
    assert made.attempt.working_directory == directory / "workdir"
    assert made.attempt.environment["HOME"] == str(directory / "home")
    assert made.message == "python own.py --own"


async def test_code_is_mounted_into_a_base_image(way, home, run):
    environment = Environment(base_image="train:1")
    made = await ready(way, spec(JobKind.GIT, ("make",), environment=environment))
    source = home.attempt(run.id, 1) / "source"
    assert made.attempt.container.mounts[-1] == Mount(source=source, target=CODE)
    assert made.attempt.container.working_directory == f"{CODE}/sub"
    assert made.attempt.working_directory == source / "sub"


async def test_a_package_called_wandb_is_not_hidden(way, tmp_path):
    source = tmp_path / "files"
    (source / "wandb").mkdir(parents=True)
    made = await ready(way, spec(JobKind.CODE, ("make",)), source=source)
    assert "/job/wandb" not in [mount.target for mount in made.attempt.container.mounts]


async def test_another_user_may_write_where_the_job_writes(way):
    made = await ready(way, spec(resources={"user": "4321:4321"}))
    for mount in made.attempt.container.mounts:
        assert mount.source.stat().st_mode & 0o777 == 0o777
    own = await ready(way, spec(resources={"user": "1234"}))
    assert own.attempt.container.mounts


async def test_the_place_where_it_starts_decides_where_wandb_is_looked_for(way):
    made = await ready(way, spec(resources={"workdir": "/other"}))
    assert made.attempt.container.mounts[-1].target == "/other/wandb"


async def test_root_has_the_home_of_the_image(way):
    made = await ready(way, spec(resources={"user": "root"}))
    assert "HOME" not in made.attempt.environment


async def test_the_name_of_the_image_is_a_macro(way):
    made = await ready(way, spec(resources={"env": {"I": "${image_uri}"}}))
    assert made.attempt.environment["I"] == "train:1"
    assert made.attempt.container.options["env"] == {"I": "train:1"}


def test_variables_come_from_the_image_and_the_launch_alone(run, home):
    given = spec(
        captured={"PATH": "/opt/conda/bin", "TZ": "UTC", "NCCL_DEBUG": "INFO", "HF_HOME": "/data"},
        setenv={"A": "1"},
        pass_env=("B",),
        secrets=("TOKEN",),
    )
    environ = {"B": "2", "TOKEN": "hush", "HOME": "/home/me", "LD_LIBRARY_PATH": "/cuda"}
    found = container_variables(run, given, home, {"lr": 1}, None, image="i", environ=environ)
    assert found.keys().isdisjoint({"PATH", "HF_HOME", "HOME", "LD_LIBRARY_PATH"})
    expected = {"TZ": "UTC", "NCCL_DEBUG": "INFO", "A": "1", "B": "2", "TOKEN": "hush"}
    assert found.items() >= expected.items()
    assert (found["WANDB_MODE"], found["WANDB_DOCKER"]) == ("offline", "i")
    assert found["WANDB_DIR"] == str(home.attempt(run.id, 1) / "wandb")
    assert "hush" not in dump_spec(given)


def test_what_is_missing_for_a_variable_is_told(run, home):
    with pytest.raises(StartFailed, match="--pass-env B"):
        container_variables(run, spec(pass_env=("B",)), home, {}, None, image="", environ={})


async def test_an_agent_that_builds_nothing_says_so(way, tmp_path):
    made = way(spec(JobKind.CODE, ("make",)), AgentConfig(builder={"type": "noop"}))
    with pytest.raises(BuildFailed, match="builds no images") as caught:
        await made.build(tmp_path, tmp_path / "log", print)
    assert "-B IMAGE" in caught.value.next_step


def test_whose_container_is_kept():
    assert keeps_container(spec(keep=True))
    assert keeps_container(spec(resources={"rm": False}))
    assert keeps_container(spec(resources={"rm": "no"}))
    assert not keeps_container(spec(resources={"rm": True}))
    assert not keeps_container(spec())


def test_a_spec_is_read_back_as_it_was():
    given = spec(command=("a",), arguments=("b", "c"), command_given=True, keep=True)
    assert load_spec(dump_spec(given)) == given
    assert load_spec(dump_spec(spec())).arguments is None
