"""What a run gives is listed and can be taken out; what is hostile in it is refused."""

from __future__ import annotations

import json

import pytest

from tests.wandb_envs import wandb_python

SCRIPT = """
import os, wandb
run = wandb.init()
os.makedirs("model/sub")
open("model/w.bin", "wb").write(b"x" * 5000)
open("model/sub/c.json", "w").write("{}")
model = wandb.Artifact("my-model", type="model", metadata={"acc": 0.9})
model.add_dir("model")
model.add_reference("http://127.0.0.1:9/weights", checksum=False, name="far")
run.log_artifact(model, aliases=["best"])
kept = wandb.Artifact("kept", type="dataset")
kept.add_file("model/w.bin", policy="immutable")
run.log_artifact(kept)
open("model/w.bin", "ab").write(b"more")
wandb.log({"loss": 1})
"""


@pytest.fixture
def logged(running, folder):
    """A run that has logged two artifacts with real wandb."""
    (folder / "train.py").write_text(SCRIPT)
    running.ok("queue", "create", "tracked", "-r", "process")
    python = wandb_python("newest")
    running.ok("job", "create", "code", ".", "-n", "t", "-E", "python train.py", "--python", python)
    run = running.launch("t", queue="tracked")
    ended = running.until(run, timeout=60)
    assert ended["state"] == "finished", ended
    return run


@pytest.mark.wandb
@pytest.mark.timeout(600)
def test_artifacts_are_listed_and_copied(running, logged, tmp_path):
    entries = running.ok("files", logged, "--json").json
    first = [entry for entry in entries if entry.get("artifact") == "my-model:v0"]
    assert [(e["path"], e["size"], e["reference"], e["present"]) for e in first] == [
        ("my-model:v0/far", 0, "http://127.0.0.1:9/weights", False),
        ("my-model:v0/sub/c.json", 2, None, True),
        ("my-model:v0/w.bin", 5000, None, True),
    ]
    assert first[0]["aliases"] == ["best", "latest"]
    assert "my-model:v0/w.bin" in running.ok("files", logged).out.splitlines()
    assert not [e for e in entries if "/artifacts/" in e["path"]]
    (model, kept) = running.show(logged)["outputs"]
    assert (model["name"], model["version"], model["files"], model["size"]) == (
        "my-model", "v0", 3, 5002,
    )  # fmt: skip
    assert (model["metadata"], kept["type"]) == ({"acc": 0.9}, "dataset")
    told = running.ok("show", logged).out
    assert "output.my-model:v0  (best, latest)  model, 3 files, 4.9K" in told

    # One file by each of its names, a folder of it, and the whole.
    for name in ("my-model/w.bin", "my-model:v0/w.bin", "my-model:best/w.bin"):
        running.ok("cp", f"{logged}:{name}", tmp_path / "one")
        assert (tmp_path / "one").read_bytes() == b"x" * 5000
    (tmp_path / "into").mkdir()
    running.ok("cp", f"{logged}:my-model/sub", tmp_path / "into")
    assert (tmp_path / "into" / "sub" / "c.json").read_text() == "{}"
    whole = running.ok("cp", f"{logged}:my-model:latest", tmp_path / "whole")
    assert whole.out.strip() == str(tmp_path / "whole")
    assert "'far' was logged by reference" in whole.err
    assert sorted(p.name for p in (tmp_path / "whole").rglob("*")) == ["c.json", "sub", "w.bin"]
    assert running.ok("cp", f"{logged}:my-model/sub/c.json", "-").out == "{}"
    # What is copied is the person's to change.
    (tmp_path / "one").write_text("changed")

    far = running.lt("cp", f"{logged}:my-model/far", tmp_path / "far")
    assert (far.status, "get it: http://127.0.0.1:9/weights" in far.err) == (2, True)
    none = running.lt("cp", f"{logged}:my-model:v7/w.bin", tmp_path / "far")
    assert (none.status, "no artifact 'my-model:v7/w.bin'" in none.err) == (2, True)
    # Logged where it is: what it is now is not what was logged.
    changed = running.lt("cp", f"{logged}:kept/w.bin", tmp_path / "far")
    assert (changed.status, "has changed since it was logged" in changed.err) == (1, True)

    schema = running.ok("job", "show", "t", "--json").json["outputs"]
    assert schema["artifacts"] == {"my-model": {"type": "model"}, "kept": {"type": "dataset"}}


@pytest.fixture
def ended(running, folder):
    """A run that has ended, with its directory."""
    run = running.launch("--", "true")
    running.until(run)
    return run, running.home / "runs" / run


def write_outputs(root, *files, name="evil"):
    """Say what a job of any kind could have logged."""
    value = {
        "name": name, "type": "model", "attempt": 1, "number": 0, "aliases": [],
        "description": "", "metadata": {}, "digest": "d", "client_id": "c", "manifest": "",
        "files": [{"path": p, "size": s, "reference": "", "local": str(at)} for p, s, at in files],
    }  # fmt: skip
    (root / "1" / "outputs.jsonl").write_text(json.dumps(value) + "\n")


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out", "a\0b"])
def test_names_that_lead_out_are_refused(running, ended, tmp_path, name):
    run, root = ended
    (root / "1" / "content").write_text("x")
    write_outputs(root, (name, 1, "content"), ("good", 1, "content"))
    (tmp_path / "dest").mkdir()
    before = set(tmp_path.rglob("*"))
    refused = running.lt("cp", f"{run}:evil", tmp_path / "dest")
    assert refused.status == 2
    assert "which leads out of it" in refused.err
    assert set(tmp_path.rglob("*")) == before


def test_terminal_codes_in_names_are_harmless(running, ended):
    run, root = ended
    write_outputs(root, ("a\x1b[31mb", 1, "content"), name="x\x1b]0;title\x07")
    assert "\x1b" not in running.ok("show", run).out


def test_a_link_out_of_the_run_is_refused(running, ended, tmp_path):
    run, root = ended
    (root / "shared").mkdir(exist_ok=True)
    (root / "shared" / "secret").symlink_to("/etc/passwd")
    (root / "shared" / "up").symlink_to("/etc")
    (root / "shared" / "gone").symlink_to("nothing")
    for name in ("secret", "up/passwd", "up", "../../../etc/passwd"):
        refused = running.lt("cp", f"{run}:{name}", tmp_path / "got")
        assert (refused.status, "out of the run" in refused.err) == (2, True), name
    assert "is a link to nothing" in running.lt("cp", f"{run}:gone", tmp_path / "got").err
    assert not (tmp_path / "got").exists()


def test_a_pipe_is_no_file(running, ended, tmp_path):
    import os

    run, root = ended
    os.mkfifo(root / "1" / "pipe")
    refused = running.lt("cp", f"{run}:pipe", tmp_path / "got")
    assert (refused.status, "is no file" in refused.err) == (2, True)
    write_outputs(root, ("p", 0, "pipe"))
    refused = running.lt("cp", f"{run}:evil/p", tmp_path / "got")
    assert (refused.status, "is no file" in refused.err) == (2, True)
