"""What a person does with it, from the first command to a tracked, finished run."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.wandb_envs import wandb_python

SCRIPT = """
import sys, wandb
run = wandb.init(config={"lr": 0.5, "epochs": 3})
for epoch in range(run.config.epochs):
    wandb.log({"epoch": epoch, "val": {"acc": epoch / 10}, "loss": run.config.lr / (epoch + 1)})
    print("epoch", epoch, flush=True)
wandb.summary["best"] = 0.2
open("model.txt", "w").write("weights")
"""


@pytest.fixture
def with_wandb(monkeypatch):
    """An environment with wandb is in use, as after ``source venv/bin/activate``."""
    python = wandb_python("newest")
    monkeypatch.setenv("VIRTUAL_ENV", str(python.parent.parent))
    monkeypatch.setenv("PATH", f"{python.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.wandb
@pytest.mark.timeout(300)
def test_an_own_script_in_three_commands(world, folder, with_wandb):
    (folder / "train.py").write_text(SCRIPT)
    world.ok("launch", "lr=0.1", "--", "python", "train.py")
    world.agent()
    followed = world.ok("logs", "-f", "@", timeout=120)
    assert [line for line in followed.out.splitlines() if line.startswith("epoch")] == [
        "epoch 0", "epoch 1", "epoch 2",
    ]  # fmt: skip
    run = world.show()
    assert (run["state"], run["tracked"], run["exit_code"]) == ("finished", True, 0)
    assert run["config"] == {**run["config"], "lr": 0.1, "epochs": 3}
    assert run["summary"]["best"] == 0.2
    metrics = world.ok("metrics", "@", "loss", "val.acc", "--json").json
    assert metrics["val.acc"] == [[0, 0.0], [1, 0.1], [2, 0.2]]
    assert metrics["loss"] == [[0, 0.1], [1, 0.05], [2, pytest.approx(0.1 / 3)]]

    job = world.ok("job", "show", "proj", "--json").json
    assert job["inputs"]["properties"]["lr"]["type"] == "number"
    assert "best" in job["outputs"]["properties"]
    wrong = world.lt("launch", "proj", "lr=fast")
    assert wrong.status == 2
    assert "lr" in wrong.err

    world.ok("cp", "@:model.txt", folder / "copied.txt")
    assert (folder / "copied.txt").read_text() == "weights"
    again = world.ok("rerun", "@", "lr=0.9", "--wait", "--json", timeout=120).json["id"]
    assert world.show(again)["config"]["lr"] == 0.9
    assert world.show(again)["version"] == "v0"
    compared = world.ok("compare", "@~1", "@", "--json").json
    assert compared["config"]["lr"] == [0.1, 0.9]


@pytest.mark.wandb
@pytest.mark.timeout(300)
def test_no_wandb_init_is_told_at_once_and_the_log_is_kept(running, folder, seconds):
    (folder / "train.py").write_text(
        "import time, pathlib\nprint('did nothing')\n"
        "pathlib.Path('../ended').write_text(str(time.time()))\n"
    )
    running.ok("queue", "create", "strict", "-r", "process")
    waited = running.lt(
        "launch", "-q", "strict", "--in-place", "--wait", "--", "python", "train.py"
    )
    assert waited.status == 1
    run = running.show()
    assert (run["state"], run["phase"], run["exit_code"], run["tracked"]) == (
        "failed", "tracking", 0, False,
    )  # fmt: skip
    assert run["cause"] == "exited successfully but never called wandb.init"
    assert run["cause"] in waited.err
    assert seconds(run["ended_at"]) - float((folder / "../ended").read_text()) < 1
    assert running.log() == "did nothing\n"


def test_tracking_can_be_optional_for_a_job_or_a_queue(running, folder):
    running.ok("queue", "create", "strict", "-r", "process")
    running.ok(
        "job", "create", "code", ".", "--venv", "none", "--tracking", "optional", "-n", "free"
    )
    running.ok("launch", "free", "-q", "strict", "--wait")
    run = running.show()
    assert (run["state"], run["tracked"]) == ("finished", False)
    running.ok("job", "create", "code", ".", "--venv", "none", "-n", "bound")
    assert running.lt("launch", "bound", "-q", "strict", "--wait").status == 1
    assert running.lt("launch", "bound", "-q", "q", "--wait").status == 0


def test_in_place_runs_in_the_folder_itself(running, folder):
    run = running.shell("echo made > here; pwd", "--wait")
    assert (folder / "here").read_text() == "made\n"
    assert running.log(run) == f"{folder}\n"
    assert running.show(run)["version"] == "in-place"


def test_a_folder_runs_as_it_was_when_enqueued_and_unchanged_is_no_new_version(world, folder):
    first = world.launch("--", "python", "train.py", "one")
    second = world.launch("--", "python", "train.py", "two")
    (folder / "train.py").write_text("print('changed')\n")
    third = world.launch("--", "python", "train.py")
    world.agent()
    versions = [world.until(run)["version"] for run in (first, second, third)]
    assert versions == ["v0", "v0", "v1"]
    assert [world.log(run) for run in (first, second, third)] == [
        "trained one\n", "trained two\n", "changed\n",
    ]  # fmt: skip
    assert not (folder / "wandb").exists()


def test_a_git_job_is_pinned_when_it_is_enqueued(world, folder):
    def git(*words):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "one")
    world.ok("job", "create", "git", str(folder), "--venv", "none", "-n", "repo", "-g", "main")
    first = world.launch("repo")
    (folder / "train.py").write_text("print('second commit')\n")
    git("commit", "-qam", "two")
    second = world.launch("repo")
    (folder / "train.py").write_text("print('never committed')\n")
    third = world.lt("launch", "repo", "-q", "q", "--json")
    world.agent()
    assert world.until(first)["version"] == "v0"
    assert world.until(second)["version"] == "v1"
    assert world.log(first) == "trained\n"
    assert world.log(second) == "second commit\n"
    assert world.until(third.json["id"])["version"] == "v1"
    assert len(world.ok("job", "show", "repo", "--json").json["source"]["commit"]) == 40


def test_wait_and_follow_exit_with_the_outcome(running, folder):
    good = running.lt("launch", "-q", "q", "--follow", "--in-place", "--", "sh", "-c", "echo hello")
    assert (good.status, good.out.splitlines()[1:]) == (0, ["hello"])
    assert "finished" in good.err
    bad = running.lt("launch", "-q", "q", "--wait", "--in-place", "--", "sh", "-c", "exit 3")
    assert bad.status == 1
    run = running.show()
    assert (run["state"], run["phase"], run["exit_code"]) == ("failed", "run", 3)
    assert bad.err.splitlines()[-1].startswith(f"{run['id']}  failed")
    assert "exit status 3" in bad.err
    gone = running.lt("launch", "-q", "q", "--wait", "--in-place", "--", "./no-such-command")
    assert gone.status == 1
    assert running.show()["phase"] == "start"


def test_logs_follow_live_and_end_with_the_run(running, folder):
    run = running.shell("echo one; while [ ! -e go ]; do sleep 0.01; done; echo two")
    following = running.start("logs", "-f", run)
    assert following.stdout.readline() == "one\n"
    (folder / "go").touch()
    rest, _ = following.communicate(timeout=30)
    assert rest == "two\n"
    assert following.returncode == 0


def test_bulk_and_configuration_reach_the_jobs(running, folder, tmp_path):
    (folder / "train.py").write_text("import os\nprint(os.environ['WANDB_CONFIG'])\n")
    lines = [{"config": {"seed": n}, "name": f"run-{n}"} for n in range(8)]
    path = tmp_path / "runs.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    running.ok("job", "create", "code", ".", "--venv", "none")
    runs = running.ok("launch", "proj", "--file", path, "-q", "q", "lr=0.5", "--json").json
    assert [run["job"] for run in runs] == ["proj"] * 8
    for number, run in enumerate(runs):
        assert running.until(run["id"])["state"] == "finished"
        assert json.loads(running.log(run["id"]))["seed"] in (number, {"value": number})


def test_variables_reach_the_job_and_secrets_stay_out_of_the_store(world, folder, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    run = world.shell(
        "echo $GIVEN-$CUDA_VISIBLE_DEVICES-$PASSED; echo $MASTER_PORT; ls -d $LAUNCH_TUI_RUN_DIR",
        "--setenv", "GIVEN=a b", "--pass-env", "PASSED",
    )  # fmt: skip
    monkeypatch.setenv("PASSED", "hunter2-of-the-agent")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    world.agent()
    world.until(run, "finished")
    first, port, shared = world.log(run).splitlines()
    assert first == "a b-3-hunter2-of-the-agent"
    assert int(port) > 0
    assert shared == str(world.home / "runs" / run / "shared")
    for path in [*world.home.glob("launch.db*"), world.home / "runs" / run / "spec.json"]:
        assert b"hunter2" not in path.read_bytes()


def test_watch_launches_again_when_the_folder_changes(running, folder):
    watching = running.start("launch", "-q", "q", "--watch", "--json", "--", "python", "train.py")
    first = json.loads(watching.stdout.readline())
    assert first["version"] == "v0"
    assert any("watching" in line for line in iter(watching.stderr.readline, ""))
    running.until(first["id"])
    (folder / "train.py").write_text("print('changed')\n")
    second = json.loads(watching.stdout.readline())
    assert second["version"] == "v1"
    assert running.until(second["id"])["state"] == "finished"
    assert running.log(second["id"]) == "changed\n"
    watching.send_signal(2)
    assert watching.wait(20) == 130
    assert len(running.ok("runs", "--json").json) == 2


def test_an_interrupted_wait_leaves_the_run(running, folder):
    waiting = running.start(
        "launch", "-q", "q", "--wait", "--in-place", "--", "sh", "-c",
        "while [ ! -e go ]; do sleep 0.01; done",
    )  # fmt: skip
    run = waiting.stdout.readline().split()[0]
    running.until(run, "running")
    waiting.send_signal(2)
    assert waiting.wait(20) == 130
    assert f"{run} goes on" in waiting.stderr.read()
    (folder / "go").touch()
    assert running.until(run)["state"] == "finished"
