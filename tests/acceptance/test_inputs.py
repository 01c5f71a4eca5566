"""What a job takes: declared by its script with real wandb, learnt, checked before a run waits."""

from __future__ import annotations

import json

import pytest

from tests.wandb_envs import wandb_python

# The first test that needs an environment builds it.
pytestmark = [pytest.mark.wandb, pytest.mark.timeout(600)]

SCRIPT = """
import json, pathlib, wandb, yaml
from pydantic import BaseModel, Field
from wandb.sdk import launch


class Model(BaseModel):
    layers: int = Field(ge=1, le=48, description="of the encoder")
    name: str = "small"


class Config(BaseModel):
    lr: float = Field(gt=0, le=1)
    model: Model
    steps: int | None = None


launch.manage_config_file("conf/data.json", include=["path", "split"], exclude=[r"split.te\\.st"])
launch.manage_config_file(
    "optim.yaml",
    schema={
        "type": "object",
        "properties": {"name": {"type": "string", "enum": ["adam", "sgd"], "required": True}},
    },
)
run = wandb.init(config={"lr": 0.5, "model": {"layers": 2}})
launch.manage_wandb_config(schema=Config)
pathlib.Path("seen.json").write_text("{}")
print("SEEN", json.dumps({
    "config": dict(run.config),
    "data": json.load(open("conf/data.json")),
    "optim": yaml.safe_load(open("optim.yaml")),
}))
wandb.log({"loss": 1})
"""
DATA = {"path": "/data", "split": {"train": 0.8, "te.st": 0.2}, "cache": True}


@pytest.fixture(params=["inputs", "inputs-0.19.11"])
def version(request):
    return request.param


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder ``train`` whose script declares ``wandb.config`` and two files."""
    folder = tmp_path / "train"
    (folder / "conf").mkdir(parents=True)
    (folder / "train.py").write_text(SCRIPT)
    (folder / "conf" / "data.json").write_text(json.dumps(DATA))
    (folder / "optim.yaml").write_text("name: adam\nbeta: 0.9\n")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def job(running, project, version):
    """The job of it, that ran once."""
    python = wandb_python(version)
    running.ok("job", "create", "code", project, "-E", "python train.py", "--python", python)
    running.ok("launch", "train", "-q", "q", "--wait")
    return running


def seen(world, run="@"):
    """Return what the script of a run found."""
    (line,) = (one for one in world.log(run).splitlines() if one.startswith("SEEN "))
    return json.loads(line.removeprefix("SEEN "))


def inputs_of(world, reference="train"):
    return world.ok("job", "show", reference, "--json").json["inputs"]


def refused(world, *words, **how):
    """Return the one line of a launch that was refused, with nothing enqueued."""
    before = [run["id"] for run in world.ok("runs", "--json").json]
    result = world.lt(*words, **how)
    assert result.status == 2, result
    assert [run["id"] for run in world.ok("runs", "--json").json] == before
    (line,) = result.err.splitlines()
    return line


def test_what_is_given_reaches_the_config_and_the_files(job):
    words = ("lr=0.25", "optim.yaml:name=sgd", "conf/data.json:split.train=0.9")
    job.ok("launch", "train", "-q", "q", "--wait", *words)
    assert seen(job) == {
        "config": {"lr": 0.25, "model": {"layers": 2}},
        "data": {**DATA, "split": {**DATA["split"], "train": 0.9}},
        "optim": {"name": "sgd", "beta": 0.9},
    }
    assert job.show()["config"] == {
        "lr": 0.25,
        "model": {"layers": 2},
        "optim.yaml:": {"name": "sgd"},
        "conf/data.json:": {"split": {"train": 0.9}},
    }


def test_a_launch_spec_of_wandb_names_files_too(job):
    spec = {
        "overrides": {
            "run_config": {"lr": 1e-3},
            "files": {"conf/data.json": {"split": {"te.st": 0.5}}},
        }
    }
    job.ok("launch", "train", "-q", "q", "--wait", "-c", json.dumps(spec), "optim.yaml:beta=0.5")
    found = seen(job)
    assert (found["config"]["lr"], found["data"]["split"]["te.st"]) == (1e-3, 0.5)
    assert found["optim"] == {"name": "adam", "beta": 0.5}


def test_what_the_script_declares_is_learnt(job):
    inputs = inputs_of(job)
    config = inputs["properties"]
    assert list(config) == ["lr", "model", "steps", "conf/data.json:", "optim.yaml:"]
    assert (config["lr"]["maximum"], config["lr"]["default"]) == (1, 0.5)
    assert config["model"]["properties"]["layers"]["description"] == "of the encoder"
    assert config["conf/data.json:"]["properties"] == {
        "path": {"type": "string", "default": "/data"},
        "split": {"type": "object", "properties": {"train": {"type": "number", "default": 0.8}}},
    }
    assert config["optim.yaml:"]["properties"] == {
        "name": {"type": "string", "enum": ["adam", "sgd"], "default": "adam"}
    }
    text = job.ok("job", "show", "train").out
    assert "input.lr  number · > 0 ≤ 1 = 0.5" in text
    assert "input.optim.yaml:name  string · one of adam, sgd = adam" in text


@pytest.mark.parametrize("version", ["inputs"])
def test_values_are_checked_when_a_run_is_enqueued(job, tmp_path):
    launch = ("launch", "train", "-q", "q")
    assert refused(job, *launch, "lr=2") == (
        "launch-tui: lr: 2 is greater than the maximum of 1 (allowed: at most 1)"
    )
    assert "model.layers: 0 is less than the minimum" in refused(job, *launch, "model.layers=0")
    assert "allowed: one of adam, sgd" in refused(job, *launch, "optim.yaml:name=rmsprop")
    assert 'split.train: "x" is a string' in refused(job, *launch, 'conf/data.json:split.train="x"')
    assert refused(job, *launch, "optim.yml:name=sgd") == (
        "launch-tui: optim.yml: is no file that the job manages"
        " (allowed: conf/data.json, optim.yaml)"
    )
    assert "at most 1" in refused(job, *launch, "--param", "lr=0.1,2")
    assert "one of adam, sgd" in refused(job, *launch, "--param", "optim.yaml:name=adam,x")
    assert "at most 1" in refused(job, *launch, "--dry-run", "lr=2")
    lines = tmp_path / "runs.jsonl"
    lines.write_text('{"config": {"lr": 0.1}}\n{"config": {"optim.yaml:": {"name": "x"}}}\n')
    assert "line 2: optim.yaml:name" in refused(job, *launch, "--file", lines)
    assert "at most 1" in refused(job, "rerun", "@", "lr=7")
    assert "at most 48" in refused(job, *launch, "-c", '{"model": {"layers": 99}}')


@pytest.mark.parametrize("version", ["inputs"])
def test_files_in_groups_reruns_and_edits(job, editor):
    launch = ("launch", "train", "-q", "q", "--wait")
    job.ok(*launch, "--param", "optim.yaml:name=adam,sgd", "lr=0.1")
    names = [seen(job, run)["optim"]["name"] for run in ("@~1", "@")]
    assert names == ["adam", "sgd"]
    job.ok("rerun", "@", "--wait", "conf/data.json:path=/other")
    found = seen(job)
    assert (found["optim"]["name"], found["data"]["path"]) == ("sgd", "/other")
    run = job.launch("train", "optim.yaml:name=sgd", "--begin", "+1h")
    editor("name: sgd", "name: rmsprop")
    assert "one of adam, sgd" in job.lt("edit", run).err
    editor("name: sgd", "name: adam")
    job.ok("edit", run)
    assert job.show(run)["config"] == {"optim.yaml:": {"name": "adam"}}


@pytest.mark.parametrize("version", ["inputs"])
def test_what_would_change_the_persons_own_file_is_refused(job, project):
    words = ("-q", "q", "--in-place", "optim.yaml:name=sgd", "--", "python", "train.py")
    assert "optim.yaml: would change optim.yaml in" in refused(job, "launch", *words, cwd=project)
    words = ("train", "-q", "q", "--link", "conf", "conf/data.json:path=x")
    assert "conf/data.json: lies in conf, which is linked" in refused(job, "launch", *words)
    for path in ("/etc/x.json", "../x.json"):
        line = refused(job, "launch", "train", "-q", "q", f"{path}:a=1")
        assert "is no managed file's path (allowed: a path below the job's folder)" in line


WAITS = """
import pathlib, time, wandb
from wandb.sdk import launch
launch.manage_wandb_config(schema={"type": "object", "properties": {
    "epochs": {"type": "integer", "minimum": 1, "maximum": 9},
}})
wandb.init(config={"epochs": 3})
while not pathlib.Path(wandb.config["until"]).exists():
    time.sleep(0.05)
"""


@pytest.mark.parametrize("version", ["inputs"])
def test_a_schema_holds_from_when_it_is_declared_and_breaks_nothing_that_waits(
    running, project, version, tmp_path
):
    (project / "train.py").write_text(WAITS)
    python = wandb_python(version)
    running.ok("job", "create", "code", project, "-E", "python train.py", "--python", python)
    running.ok("queue", "update", "q", "--max-running", "1")
    until = tmp_path / "until"
    first = running.launch("train", f"until={until}")
    waiting = running.launch("train", f"until={until}", "epochs=100")
    running.wait_until(lambda: inputs_of(running), what="what the first run declares")
    line = refused(running, "launch", "train", "-q", "q", "epochs=100")
    assert "epochs: 100 is greater than the maximum of 9 (allowed: at most 9)" in line
    until.touch()
    states = [running.until(run, timeout=60)["state"] for run in (first, waiting)]
    assert states == ["finished", "finished"]


UNMANAGED = """
import sys, wandb
wandb.init(config={"a": 1})
sys.exit(0)
"""


@pytest.mark.parametrize("version", ["inputs"])
def test_values_for_a_file_that_nobody_manages_are_told(running, project, version):
    (project / "train.py").write_text(UNMANAGED)
    python = wandb_python(version)
    running.ok("job", "create", "code", project, "-E", "python train.py", "--python", python)
    running.ok("launch", "train", "-q", "q", "--wait", "optim.yaml:name=sgd")
    events = running.ok("events", "@").out
    assert "inputs: optim.yaml: the launch gave values for it, and the script manages no" in events


@pytest.mark.parametrize("version", ["inputs"])
def test_the_next_version_is_not_held_to_what_the_last_one_declared(job, project):
    script = project / "train.py"
    script.write_text(script.read_text().replace("le=1)", "le=10)"))
    job.ok(
        "job",
        "create",
        "code",
        project,
        "-E",
        "python train.py",
        "--python",
        wandb_python("inputs"),
    )
    inputs = inputs_of(job)
    assert inputs["properties"]["lr"] == {"type": "number", "default": 0.5}
    job.ok("launch", "train", "-q", "q", "--wait", "lr=5")
    assert inputs_of(job)["properties"]["lr"]["maximum"] == 10
    assert inputs_of(job, "train:v0")["properties"]["lr"]["maximum"] == 1


@pytest.mark.parametrize("version", ["inputs"])
def test_a_persons_schema_beats_the_scripts(job, project, tmp_path):
    schema = tmp_path / "schema.json"
    schema.write_text(
        json.dumps(
            {
                "$defs": {"Rate": {"type": "number", "maximum": 0.7}},
                "type": "object",
                "properties": {"lr": {"$ref": "#/$defs/Rate", "required": True}},
            }
        )
    )
    create = (
        "job",
        "create",
        "code",
        project,
        "-E",
        "python train.py",
        "--python",
        wandb_python("inputs"),
        "--schema",
        schema,
    )
    assert job.ok(*create, "--json").json["outcome"] == "unchanged"
    inputs = inputs_of(job)
    assert inputs["properties"] == {"lr": {"type": "number", "maximum": 0.7}}
    assert inputs["required"] == ["lr"]
    assert refused(job, "launch", "train", "-q", "q") == (
        "launch-tui: lr: is required, and no value is given"
    )
    job.ok("launch", "train", "-q", "q", "--wait", "lr=0.6")
    assert inputs_of(job)["properties"]["lr"]["maximum"] == 0.7
    assert "at most 0.7" in refused(job, "launch", "train", "-q", "q", "lr=0.9")


def test_a_job_may_be_left_alone_and_has_its_own_sitecustomize(running, project, tmp_path):
    (project / "train.py").write_text(
        "import os, sys\nprint('SEEN', sys.modules['sitecustomize'].__file__,"
        " any('hook' in p for p in sys.path), os.environ.get('PYTHONPATH'))\n"
    )
    (project / "own").mkdir()
    (project / "own" / "sitecustomize.py").write_text("print('own sitecustomize')\n")
    python = wandb_python("inputs")
    running.ok("job", "create", "code", project, "-E", "python train.py", "--python", python)
    running.ok("launch", "train", "-q", "q", "--wait", "--setenv", "PYTHONPATH=own")
    assert "own sitecustomize\n" in running.log()
    assert "/own/sitecustomize.py False " in running.log()
    running.ok(
        "launch",
        "train",
        "-q",
        "q",
        "--wait",
        "--setenv",
        "PYTHONPATH=own",
        "--setenv",
        "LAUNCH_TUI_INPUTS=",
    )
    assert running.log().splitlines()[-1].endswith(" False own")


SECRET = """
import wandb
from wandb.sdk import launch
launch.manage_wandb_config(schema={"type": "object", "properties": {
    "token": {"type": "string", "format": "secret"}, "lr": {"type": "number"},
}})
run = wandb.init(config={"lr": 0.1, "token": ""})
print("SEEN", len(run.config["token"]), run.config["token"][::-1])
"""


@pytest.mark.parametrize("version", ["inputs"])
def test_a_secret_is_given_by_reference_and_stored_nowhere(world, project, version, monkeypatch):
    value = "s3cr3t-of-the-agent"
    with monkeypatch.context() as patch:
        patch.setenv("TOKEN", value)
        world.agent()
    (project / "train.py").write_text(SECRET)
    python = wandb_python(version)
    world.ok("job", "create", "code", project, "-E", "python train.py", "--python", python)
    launch = ("launch", "train", "-q", "q")
    world.ok(*launch, "--wait", "token=${secret:TOKEN}")
    assert f"SEEN {len(value)} {value[::-1]}" in world.log()
    assert world.show()["config"] == {"lr": 0.1, "token": "${secret:TOKEN}"}
    assert inputs_of(world)["properties"]["token"] == {"type": "string", "format": "secret"}
    line = refused(world, *launch, f"token={value}")
    assert line == (
        "launch-tui: token: is a secret, which is given by reference"
        " (allowed: ${secret:NAME}, the name of a secret of the agent's)"
    )
    for words in ("token=x${secret:TOKEN}", 'token=["${secret:TOKEN}"]'):
        refused(world, *launch, words)
    ours = [path for path in world.home.rglob("*") if path.is_file() and "wandb" not in path.parts]
    assert len(ours) > 5
    assert [path for path in ours if value.encode() in path.read_bytes()] == []
