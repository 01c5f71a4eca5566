"""What a file of agent settings may say, and the one line for everything else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.agent.config import MAX_BYTES, AgentConfig, config_of, default_path, load
from launch_tui.agent.config_images import destination_of
from launch_tui.domain.text import printable
from launch_tui.errors import UsageError
from launch_tui.store.paths import Home

DOCS = Path(__file__).parents[2] / "docs" / "agent-configuration.md"
WANDB_KEYS = (
    "entity", "queues", "max_jobs", "max_schedulers", "secure_mode", "verbosity",
    "stopped_run_timeout", "registry", "environment", "builder",
)  # fmt: skip
OWN_KEYS = (
    "start_timeout", "macro_environment", "gpu_order", "gpu_exclude", "gpu_busy_memory", "cpus",
    "memory", "disk_budget", "notify",
)  # fmt: skip
OF_WANDB = """
# as `wandb launch-agent` reads it
entity: my-team
queues:
  - gpu
  - cpu
  - gpu
max_jobs: -1
max_schedulers: 8
secure_mode: yes
verbosity: 1
stopped_run_timeout: 120
registry:
  type: ecr
  account_id: 123456789012
  region: us-east-1
  repository: launch
environment:
  type: aws
  region: us-east-1
builder:
  type: kaniko
  destination: https://us-east1-docker.pkg.dev/project/repository/image
  platform: linux/amd64
  build-context-store: s3://bucket/prefix
  build-job-name: build
  secret-name: aws-secret
  secret-key: credentials
  kaniko-image: gcr.io/kaniko-project/executor:latest
  kaniko-config:
    spec:
      template: {spec: {tolerations: []}}
"""


@pytest.fixture
def read(tmp_path):
    """Returns ``read(text) -> AgentConfig``."""

    def made(text):
        path = tmp_path / "agent.yaml"
        path.write_text(text, "utf-8")
        return load(path)

    return made


@pytest.fixture
def refused(read, tmp_path):
    """Returns ``refused(text) -> str``: the one line, without the file that it begins with."""

    def line(text):
        with pytest.raises(UsageError) as caught:
            read(text)
        said = str(caught.value)
        assert caught.value.exit_status == 2
        assert said.startswith(f"{tmp_path / 'agent.yaml'}")
        assert "\n" not in said
        assert len(said) < 400
        return said.removeprefix(str(tmp_path / "agent.yaml")).lstrip(": ")

    return line


def test_a_file_of_wandb_is_read_as_it_is(read):
    config = read(OF_WANDB)
    assert config.queues == ("gpu", "cpu")
    assert (config.entity, config.max_jobs, config.secure_mode) == ("my-team", None, True)
    assert (config.verbosity, config.stopped_run_timeout) == (1, 120)
    assert config.registry["account_id"] == "123456789012"
    assert config.environment == {"type": "aws", "region": "us-east-1"}
    assert config.builder["destination"] == "us-east1-docker.pkg.dev/project/repository/image"
    assert config.builder["kaniko-config"]["spec"]["template"]["spec"] == {"tolerations": []}
    assert config.notes[0].startswith("max_schedulers, environment: no effect")
    assert config.notes[1].startswith("builder.type: images are built by this machine's Docker")
    assert config.notes[2].startswith("builder.build-context-store, builder.build-job-name,")
    assert len(config.notes) == 3


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ("", ""),
        ("builder: {destination: 'localhost:5000/team/jobs'}", "localhost:5000/team/jobs"),
        ("registry: {uri: registry.example.org/jobs}", "registry.example.org/jobs"),
        (
            "builder: {destination: first.example/jobs}\nregistry: {uri: second.example/jobs}",
            "first.example/jobs",
        ),
        (
            "registry: {type: ecr, account_id: 1, region: us-east-1, repository: jobs}",
            "1.dkr.ecr.us-east-1.amazonaws.com/jobs",
        ),
        (
            "registry: {type: gcr, project: p, region: eu, repository: r, image-name: i}",
            "eu-docker.pkg.dev/p/r/i",
        ),
        ("registry: {type: gcr, region: eu, repository: r, image-name: i}", ""),
    ],
)
def test_where_built_images_go(read, text, destination):
    config = read(text)
    assert destination_of(config.builder, config.registry) == destination


def test_our_own_keys(read):
    config = read(
        "start_timeout: 30m\nmacro_environment: [USER, CLUSTER_1]\n"
        "gpu_order: [2, GPU-4a0e]\ngpu_exclude: [0]\ngpu_busy_memory: 1.5G\ncpus: 14.5\nmemory: 64G"
    )
    assert (config.start_timeout, config.macro_environment) == (1800, ("USER", "CLUSTER_1"))
    assert (config.gpu_order, config.gpu_exclude) == (("2", "GPU-4a0e"), ("0",))
    assert (config.gpu_busy_memory, config.cpus) == (1536 * 2**20, 14.5)
    assert config.memory == 64 * 2**30
    assert config.notes == ()


def test_nothing_is_the_defaults_and_null_is_left_out(read, tmp_path):
    path = tmp_path / "agent.yaml"
    assert read("") == read("# nothing\n") == read("{}") == AgentConfig(path=path)
    nothing = "\n".join(f"{key}: null" for key in (*WANDB_KEYS, *OWN_KEYS))
    assert read(nothing) == AgentConfig(path=path)


def test_json_is_read_too(read):
    assert read('{"queues": ["q"], "max_jobs": 2}').max_jobs == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("max_job: 3", "max_job: there is no such key; did you mean max_jobs?"),
        ("queue: gpu", "queue: there is no such key; did you mean queues?"),
        ("zzz: 1", "zzz: there is no such key (allowed: entity, queues, max_jobs,"),
        ("max_jobs: 0", "max_jobs: 0 is no number of jobs (allowed: 1 or more, -1: no limit)"),
        ("max_jobs: -2", "max_jobs: -2 is out of bounds (allowed: 1 or more, -1: no limit)"),
        ("max_jobs: true", "max_jobs: True is not a whole number (allowed: 1 or more"),
        ("max_jobs: 1.5", "max_jobs: 1.5 is not a whole number"),
        ("max_jobs: many", "max_jobs: 'many' is not a whole number"),
        ("max_schedulers: -3", "max_schedulers: -3 is out of bounds"),
        ("queues: gpu", "queues: 'gpu' is not a list (allowed: a list of names of queues)"),
        ("queues: [a, {b: c}]", "queues[1]: {'b': 'c'} is not one (allowed: a list of names"),
        ("queues: [a, ' ']", "queues[1]: ' ' is not one"),
        ("entity: [a]", "entity: ['a'] is not a text"),
        ("secure_mode: maybe", "secure_mode: 'maybe' is neither (allowed: true, false)"),
        ("secure_mode: 2", "secure_mode: 2 is neither"),
        ("verbosity: 3", "verbosity: 3 is out of bounds (allowed: 0, 1, 2)"),
        ("stopped_run_timeout: -1", "stopped_run_timeout: -1 is not a duration (allowed: seconds"),
        ("stopped_run_timeout: .nan", "stopped_run_timeout: nan is not a finite number"),
        ("start_timeout: 0", "start_timeout: leaves no time at all"),
        ("macro_environment: [A-B]", "macro_environment[0]: 'A-B' is not one"),
        ("gpu_order: 0", "gpu_order: 0 is not a list (allowed: a list of GPUs by index or UUID)"),
        ("gpu_exclude: [true]", "gpu_exclude[0]: True is not one"),
        ("gpu_busy_memory: 12 apples", "gpu_busy_memory: '12 apples' is not a size"),
        ("cpus: 0", "cpus: 0 is no number of processors (allowed: a number above 0)"),
        ("cpus: true", "cpus: True is no number of processors"),
        ("cpus: '1e999'", "cpus: '1e999' is no number of processors"),
        ("memory: 0", "memory: nothing can run in 0 bytes"),
        ("builder: docker", "builder: 'docker' is not a section (allowed: key: value)"),
        ("builder: {type: buildah}", "builder.type: 'buildah' is not known (allowed: docker, kan"),
        ("builder: {destinaton: a/b}", "builder.destinaton: there is no such key; did you mean d"),
        ("builder: {platform: linux/386}", "builder.platform: 'linux/386' is not known"),
        ("builder: {destination: 'r.io/a:1'}", "builder.destination: ends in ':1' (allowed: no"),
        ("builder: {destination: 'r.io/a@sha256:1'}", "builder.destination: ends in '@sha256:1'"),
        ("builder: {destination: a-docker.pkg.dev/p/r}", "builder.destination: 'a-docker.pkg.dev"),
        ("builder: {destination: x.azurecr.io}", "builder.destination: 'x.azurecr.io' is incompl"),
        ("builder: {destination: 'a b'}", "builder.destination: 'a b' is no image name"),
        ("builder: {build-context-store: /tmp}", "builder.build-context-store: '/tmp' is no place"),
        ("builder: {kaniko-config: [1]}", "builder.kaniko-config: [1] is not a section"),
        ("registry: {type: hub}", "registry.type: 'hub' is not known (allowed: ecr, gcr, acr)"),
        ("registry: {type: acr}", "registry.uri: is missing"),
        ("registry: {region: r}", "registry.uri: is missing"),
        ("registry: {type: ecr, region: r}", "registry.account_id: is missing (allowed: this key"),
        ("registry: {type: ecr, image-name: i}", "registry.image-name: there is no such key"),
        (
            "registry: {type: gcr, uri: a-docker.pkg.dev/p/r/i, region: a}",
            "registry: uri stands together with its parts",
        ),
        ("environment: {region: r}", "environment.type: is missing"),
        ("environment: {type: aws}", "environment.region: is missing"),
        ("environment: {type: local}", "environment.type: 'local' is not known"),
        ("[1, 2]", "is a list, no object"),
        ("max_jobs: 1\nmax_jobs: 2", "max_jobs: is given twice (line 2)"),
        ("max_jobs: [1", "cannot be read: "),
        ("1: 2", "1: is a key that is no text"),
    ],
)
def test_anything_wrong_is_one_line_with_the_file_the_key_and_what_is_allowed(refused, text, line):
    said = refused(text)
    assert said.startswith(line), said


def test_what_wandb_only_warns_of_is_told(read):
    notes = read("environment: {type: azure, regoin: x}").notes
    assert notes[1] == "environment.regoin is not known, and has no effect; did you mean region?"


def test_a_registry_in_parts_by_either_name_of_the_repository(read):
    parts = "registry: {type: ecr, account_id: a, region: r, %s: x}"
    assert read(parts % "repo_name").registry == read(parts % "repository").registry


def test_files_that_cannot_be_read(refused, tmp_path):
    for path, said in (
        (tmp_path / "none.yaml", "cannot be read: No such file or directory"),
        (tmp_path, "is no file"),
    ):
        with pytest.raises(UsageError, match=re.escape(f"{path}: {said}")):
            load(path)
    assert refused("#" * (MAX_BYTES + 1)).startswith("has more than 64 KiB")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"queues: [\xff]")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        load(binary)


def test_aliases_that_stand_for_much_are_refused_at_once(refused):
    ten = "[{}]".format(", ".join(["*a{}"] * 10))
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} {ten.replace('{}', str(n - 1))}" for n in range(1, 9)]
    assert "stands for more than" in refused("\n".join(lines))


def test_the_command_line_beats_the_file(read):
    config = read("queues: [a]\nmax_jobs: 3")
    assert config.overridden() == config
    assert config.overridden(queues=("b",)).queues == ("b",)
    assert config.overridden(max_jobs=7).max_jobs == 7
    assert config.overridden(max_jobs=-1).max_jobs is None


def test_an_empty_list_of_queues_needs_one_of_the_command_line(read):
    config = read("queues: []")
    assert config.overridden(queues=("b",)).queues == ("b",)
    with pytest.raises(UsageError, match=r"agent\.yaml: queues: the list is empty"):
        config.overridden()


def test_the_default_file_is_in_the_data_directory(tmp_path):
    assert default_path(Home(tmp_path)) == tmp_path / "agent.yaml"


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
KEYS = st.sampled_from([*WANDB_KEYS, *OWN_KEYS]) | st.text(max_size=6)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_whatever_a_file_holds_it_is_settings_or_one_line(values):
    said, config = "", AgentConfig()
    try:
        config = config_of(values, Path("/a.yaml"))
    except UsageError as error:
        said = str(error)
    assert said == printable(said)
    assert not said or said.startswith("/a.yaml: ")
    assert config.max_jobs is None or config.max_jobs > 0
    assert config.stopped_run_timeout >= 0
    assert config.verbosity in (0, 1, 2)


def test_the_docs_have_every_key_and_no_other():
    rows = re.findall(r"^\| `([\w.-]+)` \|", DOCS.read_text("utf-8"), re.MULTILINE)
    top = [row for row in rows if "." not in row]
    assert top == [*WANDB_KEYS, *OWN_KEYS]
    for row in (row for row in rows if "." in row):
        section, _, key = row.partition(".")
        with pytest.raises(UsageError) as caught:
            config_of({section: {key: object()}}, Path("/a.yaml"))
        assert "no such key" not in str(caught.value)
