"""Jobs of W&B, as wandb itself writes them, made jobs here; and jobs in conda environments."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wandb_envs import wandb_python

MAKER = Path(__file__).parent.parent / "make_wandb_job.py"
SCRIPT = "import sys\nprint('RAN', *sys.argv[1:])\n"
PATCH = """\
--- a/train.py
+++ b/train.py
@@ -1,2 +1,3 @@
 import sys
 print('RAN', *sys.argv[1:])
+print('PATCHED')
"""
METADATA = {"codePathLocal": "train.py", "codePath": "train.py", "python": "3.11",
            "entrypoint": ["python3.11", "train.py"]}  # fmt: skip
HERE = ("--python", sys.executable)


@pytest.fixture
def artifact(tmp_path):
    """Returns ``artifact(kind, **told)``: a downloaded job artifact that wandb made."""

    def make(kind, **told):
        out = tmp_path / "artifacts" / "job-mnist:v3"
        told.setdefault("metadata", METADATA)
        python = wandb_python("inputs")
        subprocess.run([python, MAKER, kind, out, json.dumps(told)], check=True)
        return out

    return make


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A clone with a script, and its commit."""
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "train.py").write_text(SCRIPT)
    who = ("-c", "user.name=T", "-c", "user.email=t@example.invalid")
    for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "x")):
        subprocess.run(["git", *words], cwd=clone, check=True)
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clone, capture_output=True, check=True)
    return clone, done.stdout.decode().strip()


def git_metadata(commit, remote="https://example.invalid/me/mnist.git"):
    return {**METADATA, "git": {"remote": remote, "commit": commit}}


def ran(world, job="mnist"):
    """Launch a job and return what it printed."""
    world.ok("launch", job, "-q", "q", "--wait")
    return world.log().splitlines()


@pytest.mark.wandb
@pytest.mark.timeout(600)
class TestAsWandbWritesThem:
    def test_a_repository_at_a_commit(self, running, artifact, repository):
        clone, commit = repository
        place = artifact("git", metadata=git_metadata(commit), config={"lr": 0.1, "opt": {"n": 1}})
        made = running.ok("job", "import", place, "--files", clone, *HERE, "--json").json
        assert (made["name"], made["kind"], made["outcome"]) == ("mnist", "git", "created")
        assert made["source"]["commit"] == commit
        assert made["entry_point"] == ["python", "train.py"]
        assert made["inputs"]["properties"] == {
            "lr": {"type": "number"},
            "opt": {"type": "object", "properties": {"n": {"type": "number"}}},
        }
        assert ran(running) == ["RAN"]
        again = running.ok("job", "import", place / "wandb-job.json", "--files", clone, *HERE)
        assert again.out == "No changes detected for mnist:v0\n"
        refused = running.lt("launch", "mnist", "-q", "q", "lr=x")
        assert (refused.status, refused.err) == (
            2, 'launch-tui: lr: "x" is a string (allowed: a number)\n'
        )  # fmt: skip

    def test_with_uncommitted_changes_and_the_packages_of_the_run(
        self, running, artifact, repository
    ):
        clone, commit = repository
        place = artifact(
            "git", metadata=git_metadata(commit), diff=PATCH, requirements=["six==1.17.0"]
        )
        made = running.ok("job", "import", place, "--files", clone, *HERE, "--json").json
        assert made["kind"] == "code"
        assert made["source"]["path"] == f"https://example.invalid/me/mnist.git at {commit[:12]}"
        assert ran(running) == ["RAN", "PATCHED"]
        source = Path(running.show()["directory"], "1", "source")
        assert (source / "requirements.txt").read_text() == "six==1.17.0"
        assert (clone / "train.py").read_text() == SCRIPT

    def test_a_code_artifact(self, running, artifact, tmp_path):
        place = artifact("code", requirements=["wandb"], build={"dockerfile": "Dockerfile.x"})
        refused = running.lt("job", "import", place)
        assert refused.status == 2
        assert refused.err == (
            "launch-tui: wandb-job.json: source.artifact: its files are in another artifact,"
            " wandb-artifact://_id/QXJ0aWZhY3Q6MQ== (allowed: --files DIR with that artifact:"
            " wandb artifact get NAME --root DIR)\n"
        )
        files = tmp_path / "files"
        files.mkdir()
        (files / "train.py").write_text(SCRIPT)
        refused = running.lt("job", "import", place, "--files", files, *HERE)
        assert (refused.status, "there is no Dockerfile.x" in refused.err) == (2, True)
        (files / "Dockerfile.x").write_text("FROM scratch\n")
        made = running.ok("job", "import", place, "--files", files, *HERE, "--json").json
        assert made["environment"]["dockerfile"] == "Dockerfile.x"
        assert ran(running) == ["RAN"]
        assert sorted(path.name for path in files.iterdir()) == ["Dockerfile.x", "train.py"]

    def test_an_image(self, world, artifact):
        place = artifact(
            "image", metadata={"docker": "busybox:1.36", "python": "3.11"},
            services={"redis": "always"},
        )  # fmt: skip
        made = world.ok("job", "import", place, "-n", "box", "--json")
        assert (made.json["kind"], made.json["source"]) == ("image", {"image": "busybox:1.36"})
        assert "start the service redis beside it; here nothing does" in made.err


DEFINITION = {
    "_version": "v0",
    "source_type": "artifact",
    "source": {"artifact": "wandb-artifact://_id/x", "entrypoint": ["python", "train.py"]},
    "input_types": {},
    "output_types": {},
    "runtime": "3.11",
}


def written(tmp_path, **changes):
    folder = tmp_path / "job-x:v0"
    folder.mkdir(exist_ok=True)
    document = {**DEFINITION, **changes}
    (folder / "wandb-job.json").write_text(json.dumps(document))
    return folder


def test_a_notebook_runs_as_a_script(running, tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    cells = [
        {"cell_type": "markdown", "source": ["# Title"]},
        {"cell_type": "code", "source": ["!pip install x\n", "%matplotlib inline\n", "a = 1\n"]},
        {"cell_type": "code", "source": "print('RAN', a)"},
    ]
    (files / "train.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}))
    source = {**DEFINITION["source"], "entrypoint": ["python", "train.ipynb"], "notebook": True}
    place = written(tmp_path, source=source)
    running.ok("job", "import", place, "--files", files, "-n", "mnist", *HERE)
    assert ran(running) == ["RAN 1"]
    assert [path.name for path in files.iterdir()] == ["train.ipynb"]


def test_a_schema_is_held_to(running, tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    (files / "train.py").write_text(SCRIPT)
    schema = {"type": "object", "properties": {"lr": {"type": "number", "maximum": 1}}}
    place = written(tmp_path, input_schemas={"@wandb.config": schema, "c.yaml": schema})
    running.ok("job", "import", place, "--files", files, *HERE)
    for word in ("lr=2", "c.yaml:lr=2"):
        refused = running.lt("launch", "x", "-q", "q", word)
        assert (refused.status, "at most 1" in refused.err) == (2, True)


GIT = {"entrypoint": ["python", "train.py"], "git": {"remote": "https://h/x", "commit": "0" * 40}}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"source_type": "zip"}, "source_type: 'zip' is no kind of source (allowed: repo,"),
        ({"source_type": ["repo"]}, "source_type: is no text"),
        ({"source": 3}, "source: is no object"),
        ({"source": {}}, "source.entrypoint: is missing"),
        ({"source": {"entrypoint": "python x"}}, "source.entrypoint: is no list of texts"),
        ({"source": {"entrypoint": ["../x"]}}, "source.entrypoint: leads out of the job's files"),
        ({"source": {"entrypoint": ["a\0"]}}, "source.entrypoint: holds a NUL character"),
        ({"source": {"entrypoint": ["a"]}}, "source.artifact: is missing"),
        ({"source": {**GIT, "dockerfile": "/etc/x"}}, "source.dockerfile: '/etc/x' leads out"),
        ({"runtime": "2.7"}, "runtime: '2.7' is no Python version (allowed: 3.X)"),
        ({"source_type": "image", "source": {}}, "source.image: is missing"),
        ({"source_type": "image", "source": {"image": "\x1b[31m"}}, "holds control characters"),
        ({"source_type": "image", "source": {"image": "-v /:/x"}}, "IMAGE: "),
        ({"source_type": "repo", "source": {"entrypoint": ["a"]}}, "source.git.remote: is missing"),
    ],
)
def test_a_definition_that_is_wrong_is_refused(world, tmp_path, changes, says):
    result = world.lt("job", "import", written(tmp_path, **changes))
    assert result.status == 2, result
    (line,) = result.err.splitlines()
    assert says in line
    assert world.ok("job", "list", "--json").json == []


@pytest.mark.parametrize(
    ("remote", "commit", "says"),
    [
        ("/etc", "0" * 40, "source.git.remote: a path of this machine is refused here"),
        ("file:///etc", "0" * 40, "source.git.remote: "),
        ("ext::sh -c id", "0" * 40, "source.git.remote: the transport ext:: is refused"),
        ("--upload-pack=x", "0" * 40, "source.git.remote: "),
        ("http://h/x", "0" * 40, "source.git.remote: "),
        ("https://h/x", "main", "source.git.commit: 'main' is no commit"),
        ("https://h/x", "--help", "source.git.commit: '--help' is no commit"),
        ("https://h/x", "", "source.git.commit: is missing"),
    ],
)
def test_a_hostile_repository_is_refused(world, tmp_path, remote, commit, says):
    source = {**GIT, "git": {"remote": remote, "commit": commit}}
    result = world.lt("job", "import", written(tmp_path, source_type="repo", source=source))
    assert result.status == 2, result
    (line,) = result.err.splitlines()
    assert says in line


HOSTILE_PATCHES = {
    "out of the folder": "--- /dev/null\n+++ b/../../evil.txt\n@@ -0,0 +1 @@\n+x\n",
    "through a link": (
        "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/tmp\n"
        "\\ No newline at end of file\n"
        "diff --git a/l/evil.txt b/l/evil.txt\nnew file mode 100644\n--- /dev/null\n"
        "+++ b/l/evil.txt\n@@ -0,0 +1 @@\n+x\n"
    ),
    "no patch": "rubbish\n",
}


@pytest.mark.parametrize("patch", HOSTILE_PATCHES.values(), ids=HOSTILE_PATCHES)
def test_a_hostile_patch_is_refused(world, tmp_path, repository, patch):
    clone, commit = repository
    source = {**GIT, "git": {"remote": "https://h/x", "commit": commit}}
    place = written(tmp_path, source_type="repo", source=source)
    (place / "diff.patch").write_text(patch)
    result = world.lt("job", "import", place, "--files", clone, *HERE)
    assert result.status == 2, result
    (line,) = result.err.splitlines()
    assert "diff.patch: does not fit the source: " in line
    assert not list(tmp_path.rglob("evil.txt"))
    assert not Path("/tmp/evil.txt").exists()


def test_links_beside_a_definition_are_not_followed(world, tmp_path, repository):
    clone, commit = repository
    source = {**GIT, "git": {"remote": "https://h/x", "commit": commit}}
    place = written(tmp_path, source_type="repo", source=source)
    (place / "requirements.frozen.txt").symlink_to("/etc/hostname")
    result = world.lt("job", "import", place, "--files", clone, *HERE)
    assert result.err == (
        "launch-tui: requirements.frozen.txt: is no plain file (allowed: a file of the artifact)\n"
    )


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": ', "\xff", "[" * 100_000])
def test_what_is_no_definition_is_refused(world, tmp_path, text):
    (tmp_path / "wandb-job.json").write_bytes(text.encode("latin-1"))
    result = world.lt("job", "import", tmp_path / "wandb-job.json")
    assert result.status == 2, result
    (line,) = result.err.splitlines()
    assert line.startswith("launch-tui: wandb-job.json")
    assert world.lt("job", "import", tmp_path / "nowhere").err == (
        f"launch-tui: PATH: there is no wandb-job.json at {tmp_path / 'nowhere'}"
        " (allowed: a downloaded job artifact)\n"
    )


@pytest.fixture
def conda(tmp_path, monkeypatch):
    """A home with environments laid out as conda does it, whose Python is this machine's."""
    home = tmp_path / "conda-home"
    root = home / "miniforge3"
    (root / "condabin").mkdir(parents=True)
    for prefix in (root, root / "envs" / "torch", root / "envs" / "empty", tmp_path / "far"):
        (prefix / "conda-meta").mkdir(parents=True)
        (prefix / "bin").mkdir()
        if prefix.name != "empty":
            python = prefix / "bin" / "python"
            python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
            python.chmod(0o755)
    state = {"env_vars": {"FROM_CONDA": "yes", "GONE": "***unset***"}}
    (root / "envs" / "torch" / "conda-meta" / "state").write_text(json.dumps(state))
    (home / ".conda").mkdir()
    (home / ".conda" / "environments.txt").write_text(f"{tmp_path / 'far'}\n/nowhere\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for name in ("CONDA_EXE", "MAMBA_EXE", "CONDA_ENVS_PATH", "MAMBA_ROOT_PREFIX", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    return root


TELLS = """
import os
names = ("CONDA_PREFIX", "CONDA_DEFAULT_ENV", "FROM_CONDA", "GONE", "VIRTUAL_ENV")
print("SEEN", *(os.environ.get(name) for name in names), os.environ["PATH"].split(":")[0])
"""


def test_a_job_runs_in_the_conda_environment_of_a_name(conda, world, folder):
    world.agent()
    (folder / "train.py").write_text(TELLS)
    made = world.ok("job", "create", "code", folder, "--venv", "conda:torch", "--json").json
    torch = conda / "envs" / "torch"
    assert made["environment"]["interpreter"] == str(torch / "bin" / "python")
    assert ran(world, "proj") == [f"SEEN {torch} torch yes None None {torch / 'bin'}"]


@pytest.mark.parametrize(("name", "where"), [("base", ""), ("far", "../../far")])
def test_environments_are_found_wherever_they_are(conda, world, folder, name, where):
    for spelled in (name, (conda / where).resolve()):
        made = world.ok("job", "create", "code", folder, "--venv", f"conda:{spelled}", "--json")
        python = (conda / where).resolve() / "bin" / "python"
        assert made.json["environment"]["interpreter"] == str(python)


@pytest.mark.parametrize(
    ("venv", "says"),
    [
        (
            "conda:tourch",
            "--venv: there is no conda environment 'tourch'"
            " (allowed: conda:base, conda:empty, conda:far, conda:torch)",
        ),
        ("conda:empty", "--venv: conda environment 'empty' has no python"
         " (allowed: conda install -n empty python)"),
        ("conda:/usr", "--venv: /usr is no conda environment (allowed: one's folder)"),
        ("conda:", "--venv: names no conda environment (allowed: conda:NAME)"),
        ("poetry", "--venv: 'poetry' is none (allowed: current, none, conda:NAME)"),
    ],
)  # fmt: skip
def test_an_environment_that_is_not_there_is_refused(conda, world, folder, venv, says):
    result = world.lt("job", "create", "code", folder, "--venv", venv)
    assert (result.status, result.err) == (2, f"launch-tui: {says}\n")


def test_a_tool_is_asked_where_the_files_know_nothing(conda, world, folder, tmp_path, monkeypatch):
    hidden = tmp_path / "hidden" / "jax"
    shutil.copytree(conda / "envs" / "torch", hidden)
    tool = tmp_path / "bin" / "micromamba"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\necho '{json.dumps({'envs': [str(hidden)]})}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("MAMBA_EXE", str(tool))
    made = world.ok("job", "create", "code", folder, "--venv", "conda:jax", "--json").json
    assert made["environment"]["interpreter"] == str(hidden / "bin" / "python")
