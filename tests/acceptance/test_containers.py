"""Jobs in containers, from the command line to live metrics, on a real engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

TRAIN = """\
import os, sys, time, wandb
run = wandb.init()
for step in range(3):
    run.log({"loss": run.config["lr"] / (step + 1)})
print("logged", *sys.argv[1:], flush=True)
gate = os.path.join(os.environ["LAUNCH_TUI_RUN_DIR"], "go")
while not os.path.exists(gate):
    time.sleep(0.02)
run.finish()
"""


@pytest.fixture
def docker(world, docker_engine):
    """A queue whose runs are containers, two at a time, with tracking as it is by default."""
    # Nothing is asked of registries elsewhere for images that are here.
    words = ("--max-running", "2", "-c", '{"pull": "missing"}')
    world.ok("queue", "create", "docker", "-r", "docker", *words)
    world.agent()
    yield world
    remove_built(world)


@pytest.fixture
def plain(world, docker_engine):
    """The same for jobs that never call wandb.init."""
    words = ("--tracking", "optional", "--max-running", "4", "-c", '{"pull": "missing"}')
    world.ok("queue", "create", "plain", "-r", "docker", *words)
    world.agent()
    return world


def remove_built(world):
    """Remove the images that the runs had, but for those that other tests share."""
    for image in {run["image"] for run in world.ok("runs", "--json").json} - {None}:
        if not image.startswith("launch-tui-test/"):
            subprocess.run(("docker", "rmi", "-f", image), check=True, capture_output=True)


def metrics_while_it_runs(world, run):
    """Wait for the run's metrics while its job waits for the gate, then open it."""
    found = world.wait_until(
        lambda: world.ok("metrics", run, "--json").json.get("loss"), timeout=120, what="metrics"
    )
    assert world.show(run)["state"] == "running"
    Path(world.show(run)["directory"], "shared", "go").touch()
    return found


def finished(world, run, lr):
    """Go along with a tracked run and return it as it ended."""
    world.until(run, "running", "failed", timeout=240)
    assert world.show(run)["state"] == "running", (
        world.show(run),
        world.ok("logs", run, "--build"),
    )
    found = metrics_while_it_runs(world, run)
    assert found == [[0, lr], [1, lr / 2], [2, pytest.approx(lr / 3)]]
    ended = world.until(run)
    assert (ended["state"], ended["tracked"]) == ("finished", True), ended
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", ended["image_digest"].rpartition("@")[2])
    return ended


def containers(run):
    """Return the containers of a run that are on the engine, running or not."""
    words = ("docker", "ps", "-aq", "--filter", f"label=launch-tui.run={run}")
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()


def test_a_base_image_job(docker, folder, wandb_image):
    (folder / "train.py").write_text(TRAIN)
    docker.ok(
        "job", "create", "code", ".", "-n", "based", "-B", wandb_image, "-E", "python3 train.py"
    )
    run = docker.launch("based", "lr=0.5", queue="docker")
    ended = finished(docker, run, 0.5)
    assert ended["image"] == wandb_image
    assert "logged\n" in docker.log(run)
    docker.wait_until(lambda: not containers(run), what="its container to be removed")


def test_an_image_job_keeps_its_entry_point_and_takes_arguments(
    docker, folder, wandb_image, tmp_path
):
    (folder / "train.py").write_text(TRAIN)
    (folder / "Dockerfile").write_text(
        f"FROM {wandb_image}\nCOPY train.py /train.py\n"
        'ENTRYPOINT ["python3", "/train.py"]\nCMD ["own"]\n'
    )
    image = "127.0.0.1:9/launch-tui-test/image-job:1"
    subprocess.run(("docker", "build", "-q", "-t", image, "."), cwd=folder, check=True,
                   capture_output=True)  # fmt: skip
    docker.ok("queue", "update", "docker", "-c", '{"pull": "always"}')
    docker.ok("job", "create", "image", image, "-n", "packed")
    run = docker.launch("packed", "lr=2", queue="docker")
    own = finished(docker, run, 2)
    assert "logged own\n" in docker.log(run)
    assert own["image"] == image
    # It is on this engine and in no registry.
    assert (
        "could not be pulled; the one on the engine is taken"
        in docker.ok("logs", run, "--build").out
    )
    other = docker.ok(
        "launch", "-d", image, "-q", "docker", "--json", "lr=1", "--", "a", "b c"
    ).json
    finished(docker, other["id"], 1)
    assert "logged a b c\n" in docker.log(other["id"])


def test_a_generated_image_is_built_once(docker, folder, wandb_image):
    config = json.dumps({"builder": {"base_image": wandb_image}, "pull": "missing"})
    docker.ok("queue", "update", "docker", "-c", config)
    (folder / "train.py").write_text(TRAIN)
    (folder / "requirements.txt").write_text("wandb\n")
    docker.ok("job", "create", "code", ".", "-n", "generated", "-E", "python train.py")
    runs = [docker.launch("generated", "lr=1", queue="docker") for _ in range(2)]
    first = finished(docker, runs[0], 1)
    second = finished(docker, runs[1], 1)
    assert first["image"] == second["image"] != wandb_image
    assert first["image_digest"] == second["image_digest"]
    logs = [docker.ok("logs", run, "--build").out for run in runs]
    third = docker.launch("generated", "lr=4", queue="docker")
    finished(docker, third, 4)
    assert "pip install" not in docker.ok("logs", third, "--build").out
    assert sum("pip install" in log for log in logs) >= 1
    listed = docker.ok("image", "list", "--json").json
    assert any(first["image"] in str(each) for each in listed)


def test_a_git_job_with_its_own_dockerfile(docker, folder, wandb_image):
    (folder / "train.py").write_text(TRAIN)
    (folder / "Dockerfile.wandb").write_text(
        f"FROM {wandb_image}\n"
        "WORKDIR /job\n"
        "RUN --mount=type=cache,target=/var/cache/job echo from a cache >> /var/cache/job/seen\n"
        "COPY . .\n"
        'ENTRYPOINT ["python3", "train.py"]\n'
    )
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "x"]):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)
    docker.ok("job", "create", "git", folder.as_uri(), "-n", "gitted", "-E", "python3 train.py")
    run = docker.launch("gitted", "lr=3", queue="docker")
    finished(docker, run, 3)
    assert "Dockerfile.wandb" in docker.ok("logs", run, "--build").out


def in_container(world, script, *words, image, **how):
    """Launch a shell script in a container and return the run's id."""
    return world.ok(
        "launch", "-d", image, "-q", "plain", "--json", *words, "--", "sh", "-c", script, **how
    ).json["id"]


def test_files_belong_to_the_user_and_output_is_whole(plain, base_image):
    script = 'id -u; echo kept > "$LAUNCH_TUI_RUN_DIR/file"; printf "no newline"'
    run = in_container(plain, script, image=base_image)
    assert plain.until(run, timeout=60)["state"] == "finished"
    assert plain.log(run) == f"{os.getuid()}\nno newline"
    found = Path(plain.show(run)["directory"], "shared", "file").stat()
    assert (found.st_uid, found.st_gid) == (os.getuid(), os.getgid())


@pytest.mark.parametrize(
    ("script", "code", "cause"),
    [
        ("exit 7", 7, "exit status 7"),
        ("kill -SEGV $$", 139, "SIGSEGV"),
        ("nothing-is-called-so", 127, "not found"),
    ],
)
def test_how_a_container_ends(plain, base_image, script, code, cause):
    ended = plain.until(in_container(plain, script, image=base_image), timeout=60)
    assert (ended["state"], ended["phase"], ended["exit_code"]) == ("failed", "run", code)
    assert cause in ended["cause"]
    assert ended["next_step"]


def test_an_entry_point_that_the_image_does_not_have(plain, base_image):
    run = plain.launch("-d", base_image, "-E", "no-such-program -x", queue="plain")
    ended = plain.until(run, timeout=60)
    assert (ended["state"], ended["phase"]) == ("failed", "start")
    assert "command not found" in ended["cause"]
    assert "no-such-program" in ended["cause"]


def test_memory_is_enforced_and_told(plain, base_image):
    eat = "x = b''\nwhile True: x += bytes(10_000_000)"
    run = plain.launch(
        "-d", base_image, "--memory", "64M", "-E", f'python3 -c "{eat}"', queue="plain"
    )
    ended = plain.until(run, timeout=60)
    assert (ended["state"], ended["failure"]) == ("failed", "oom"), ended
    assert "out of memory" in ended["cause"]


def test_a_container_is_stopped_with_grace(plain, base_image):
    script = "trap 'echo asked; exit 3' INT; echo up; while :; do sleep 0.05; done"
    run = in_container(plain, script, image=base_image)
    plain.wait_until(lambda: "up" in plain.log(run), timeout=60, what="its first line")
    plain.ok("stop", run)
    assert plain.until(run)["state"] == "stopped"
    assert plain.log(run) == "up\nasked\n"
    plain.wait_until(lambda: not containers(run), what="its container to be removed")


def test_a_container_that_is_kept(plain, base_image):
    run = in_container(plain, "true", "--keep", image=base_image)
    assert plain.until(run, timeout=60)["state"] == "finished"
    (kept,) = containers(run)
    subprocess.run(("docker", "rm", kept), check=True, capture_output=True)


def test_what_the_image_is_told_of_this_machine(plain, base_image, monkeypatch):
    words = ("--setenv", "GIVEN=a b", "-R", '{"env": {"FROM_QUEUE": "1"}, "hostname": "boxed"}')
    run = in_container(plain, "env; hostname", *words, image=base_image)
    assert plain.until(run, timeout=60)["state"] == "finished"
    lines = plain.log(run).splitlines()
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    assert (told["GIVEN"], told["FROM_QUEUE"], lines[-1]) == ("a b", "1", "boxed")
    assert (told["WANDB_MODE"], told["WANDB_DOCKER"]) == ("offline", base_image)
    assert told["LAUNCH_TUI_RUN_DIR"].endswith("shared")
    assert "VIRTUAL_ENV" not in told
    assert told["PATH"] != os.environ["PATH"]


def test_a_missing_image_says_where_it_was_looked_for(plain):
    run = plain.launch("-d", "127.0.0.1:1/nothing/here:1", queue="plain")
    ended = plain.until(run, timeout=60)
    assert (ended["state"], ended["phase"]) == ("failed", "build")
    assert "127.0.0.1:1" in ended["cause"]
    assert ended["next_step"]


def test_runs_wait_for_an_engine_that_is_not_there(
    world, tmp_path, monkeypatch, docker_engine, base_image
):
    socket = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    words = ("--tracking", "optional", "-c", '{"pull": "missing"}')
    world.ok("queue", "create", "plain", "-r", "docker", *words)
    run = in_container(world, "echo ran", image=base_image)
    world.agent()
    told = ("engine", f"waits for the Docker engine: no Docker engine: {socket} does not exist")
    world.wait_until(
        lambda: world.why(run)[0] == told[0] and world.why(run)[1].startswith(told[1]),
        what="the reason to name the socket",
    )
    assert world.show(run)["state"] == "queued"
    socket.symlink_to(docker_engine.endpoint.url.removeprefix("unix://"))
    assert world.until(run, timeout=60)["state"] == "finished"
    assert world.log(run) == "ran\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("-d", "a b"), "IMAGE: "),
        (("-d", "x\ny"), "IMAGE: "),
        (("-d", "x", "-B", "y"), "-B: the job is an image already"),
        (("-d", "x", "-R", '{"nosuch": 1}'), "-R nosuch: is not a key of local-container"),
        (("-d", "x", "-R", '{"memory": "much"}'), "-R memory: "),
        (("-d", "x", "-R", '{"cpus": true}'), "-R cpus: "),
        (("-d", "x", "-R", '{"privileged": true}'), "-R privileged: is set by the queue's owner"),
        (("-d", "x", "-R", '{"volume": ["/:/host"]}'), "-R volume: is set by the queue's owner"),
        (("-d", "x", "-R", '{"network": "host"}'), "-R network: "),
        (("-d", "x", "-R", '{"restart": "always"}'), "-R restart: "),
        (("-d", "x", "-R", '{"name": "mine"}'), "-R name: "),
        (("--in-place", "--", "true"), "--in-place: a container gets a copy"),
    ],
)
def test_bad_input_is_refused_where_it_is_entered(world, folder, words, line):
    world.ok("queue", "create", "plain", "-r", "docker")
    found = world.lt("launch", "-q", "plain", *words)
    assert (found.status, found.out) == (2, ""), found
    assert found.err.startswith(f"launch-tui: {line}"), found.err
    assert found.err.count("\n") == 1
    assert world.ok("runs", "--json").json == []


def test_images_do_not_run_as_processes(world):
    found = world.lt("launch", "-d", "python:3.11", "-q", "q")
    assert found.status == 2
    assert "images run in containers" in found.err


DECLARES = """\
import yaml, wandb
from wandb.sdk import launch
launch.manage_config_file("model.yaml", exclude=["internal"])
run = wandb.init(config={"lr": 0.1, "other": 1})
launch.manage_wandb_config(include=["lr"])
print("SEEN", run.config["lr"], yaml.safe_load(open("model.yaml")))
run.finish()
"""


def test_what_a_script_in_a_container_declares_reaches_it_and_is_learnt(
    docker, folder, wandb_image
):
    (folder / "train.py").write_text(DECLARES)
    (folder / "model.yaml").write_text("layers: 4\ninternal: 1\n")
    docker.ok(
        "job", "create", "code", ".", "-n", "based", "-B", wandb_image, "-E", "python3 train.py"
    )
    words = ("launch", "based", "-q", "docker", "--wait", "lr=0.5", "model.yaml:layers=9")
    docker.ok(*words, timeout=120)
    assert "SEEN 0.5 {'internal': 1, 'layers': 9}" in docker.log()
    inputs = docker.ok("job", "show", "based", "--json").json["inputs"]["properties"]
    assert inputs["model.yaml:"]["properties"] == {"layers": {"type": "integer", "default": 4}}
    assert set(inputs) == {"lr", "model.yaml:"}
    refused = docker.lt("launch", "based", "-q", "docker", 'model.yaml:layers="x"')
    assert (refused.status, "a number, such as 4" in refused.err) == (2, True)


GIVES = """\
import os, wandb
run = wandb.init()
run.log({"loss": 1})
open("w.bin", "w").write("weights")
model = wandb.Artifact("model", type="model")
model.add_file("w.bin")
host = wandb.Artifact("host", type="file")
host.add_file("/etc/hostname", policy="immutable")
run.log_artifact(model)
run.log_artifact(host)
run.finish()
os.symlink("/etc/hostname", os.path.join(os.environ["LAUNCH_TUI_RUN_DIR"], "link"))
"""


def test_what_a_container_gives_stays_and_can_be_sent(
    docker, folder, wandb_image, tmp_path, monkeypatch
):
    from tests.wandb_envs import wandb_python
    from tests.wandb_server import WandbServer

    server = WandbServer()
    try:
        (folder / "train.py").write_text(GIVES)
        words = ("-n", "g", "-B", wandb_image, "-E", "python3 train.py")
        docker.ok("job", "create", "code", ".", *words)
        run = docker.launch("g", queue="docker")
        ended = docker.until(run, timeout=120)
        assert ended["state"] == "finished", docker.log(run)
        docker.ok("cp", f"{run}:model", tmp_path / "model")
        assert (tmp_path / "model" / "w.bin").read_text() == "weights"
        # A container's word about files of this machine counts for nothing.
        for hostile in ("host/hostname", "link"):
            refused = docker.lt("cp", f"{run}:{hostile}", tmp_path / "got")
            assert (refused.status, "is a link out of the run" in refused.err) == (2, True)
        assert not (tmp_path / "got").exists()
        # The agent has no wandb of its own here; the first python3 on the PATH has one.
        docker.ok("agent", "stop")
        docker.wait_until(lambda: docker.agent_pid() is None or not agent_runs(docker))
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", "local" + "0" * 40)
        places = [str(wandb_python("newest").parent), os.environ["PATH"]]
        monkeypatch.setenv("PATH", os.pathsep.join(places))
        docker.ok("sync", run, timeout=100)
        assert server.values(run, "loss") == [1]
    finally:
        server.close()


def agent_runs(world):
    return world.ok("agent", "status", "--json").json["running"]
