"""What jobs log as artifacts with real wandb is known with its files, which lie with the run."""

from __future__ import annotations

import gzip
import json

import pytest

from launch_tui.domain.output import Output, OutputFile
from launch_tui.tracking import outputs as keeping
from launch_tui.tracking.outputs import NAME, STAGING, keep_staged, outputs_of, place_of

LOGGING = """
import os, wandb
run = wandb.init()
os.makedirs("model/sub")
open("model/w.bin", "wb").write(b"x" * 5000)
open("model/sub/c.json", "w").write("{}")
model = wandb.Artifact("my-model", type="model", metadata={"acc": 0.9}, description="best so far")
model.add_dir("model")
model.add_reference("http://127.0.0.1:9/weights", checksum=False, name="far")
run.log_artifact(model, aliases=["best"])
# What is logged is what was there then.
open("model/w.bin", "wb").write(b"changed")
again = wandb.Artifact("my-model", type="model")
again.add_file("model/w.bin")
run.log_artifact(again)
wandb.finish()
"""


@pytest.mark.wandb
@pytest.mark.timeout(600)
def test_what_real_wandb_logs_offline(job):
    status, _ = job.run(LOGGING)
    assert status == 0, job.output()
    root = job.directory.parent
    first, second = outputs_of(root, 1)
    assert (first.full_name, first.type, first.aliases) == ("my-model:v0", "model", ("best",))
    assert (first.metadata, first.description) == ({"acc": 0.9}, "best so far")
    assert [(f.path, f.size, f.reference) for f in first.files] == [
        ("far", 0, "http://127.0.0.1:9/weights"),
        ("sub/c.json", 2, ""),
        ("w.bin", 5000, ""),
    ]
    assert (second.full_name, second.aliases) == ("my-model:v1", ("latest",))
    staged = [place_of(root, first, file) for file in first.files[1:]]
    assert [place.parent for place in staged] == [job.directory / STAGING] * 2
    assert staged[1].read_bytes() == b"x" * 5000
    assert place_of(root, second, second.files[0]).read_bytes() == b"changed"


def note(directory, outputs):
    keeping.note(directory, outputs, working_directory=directory / "source")


def output(name="m", digest="d", client="c", **more):
    return Output(name=name, type="model", attempt=1, digest=digest, client_id=client, **more)


def test_a_line_that_was_not_finished_costs_only_itself(tmp_path):
    (tmp_path / "1").mkdir()
    note(tmp_path / "1", [output("a", client="1")])
    with (tmp_path / "1" / NAME).open("a") as file:
        file.write('{"name": "b", "ty')
    note(tmp_path / "1", [output("a", client="1"), output("c", client="2")])
    assert [each.full_name for each in outputs_of(tmp_path, 1)] == ["a:v0", "c:v0"]


def test_the_same_content_again_is_no_new_version(tmp_path):
    (tmp_path / "1").mkdir()
    logged = [
        output(digest="1", client="1", aliases=("best",)),
        output(digest="2", client="2"),
        output(digest="2", client="3", aliases=("best",)),
    ]
    note(tmp_path / "1", logged)
    found = [(each.full_name, each.aliases) for each in outputs_of(tmp_path, 1)]
    assert found == [("m:v0", ()), ("m:v1", ("best", "latest"))]


def test_the_attempts_of_a_run_go_on_counting(tmp_path):
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        note(tmp_path / str(number), [output(digest=str(number), client=str(number))])
    found = [(each.full_name, each.attempt) for each in outputs_of(tmp_path, 2)]
    assert found == [("m:v0", 1), ("m:v1", 2)]


def test_a_place_in_the_run_is_kept_relative(tmp_path):
    attempt = tmp_path / "1"
    attempt.mkdir()
    inside, outside = attempt / "wandb" / "x", tmp_path / "elsewhere"
    files = tuple(OutputFile(path="p", local=str(p)) for p in (inside, outside, "model/w", ""))
    note(attempt, [output(files=files)])
    (found,) = outputs_of(tmp_path, 1)
    places = [file.local for file in found.files]
    assert places == ["wandb/x", str(outside), "source/model/w", ""]


def test_a_manifest_in_a_file_of_its_own_is_read_from_wandbs_place_only(tmp_path):
    folder = tmp_path / "1" / STAGING / "artifact_manifests"
    folder.mkdir(parents=True)
    entries = [{"path": "a", "digest": "x", "size": 3, "local_path": "/l"}, [], {"path": 1}]
    with gzip.open(folder / "m.jl.gz", "wt") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in entries)
    note(tmp_path / "1", [output(manifest="/somewhere/else/m.jl.gz")])
    (found,) = outputs_of(tmp_path, 1)
    assert found.files == (OutputFile(path="a", size=3, local="/l"),)


def test_staged_contents_outlive_their_removal_by_wandb(tmp_path):
    staged = tmp_path / "1" / STAGING / "tmpabc"
    staged.parent.mkdir(parents=True)
    staged.write_text("weights")
    note(tmp_path / "1", [output(files=(OutputFile(path="w", size=7, local=str(staged)),))])
    keep_staged(tmp_path / "1")
    keep_staged(tmp_path / "1")
    staged.unlink()
    (found,) = outputs_of(tmp_path, 1)
    assert place_of(tmp_path, found, found.files[0]).read_text() == "weights"
