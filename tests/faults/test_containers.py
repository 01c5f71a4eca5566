"""Kill the agent at every step of a run in a container, go on, and look at what is left.

Two runs in each story: code whose image is built from a Dockerfile, and an image that is pulled
from a registry. Checked from outside: what the jobs wrote down themselves, how many containers the
engine ever started, the bytes of the log.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading

import pytest

from launch_tui import faults
from tests.faults.world import LINES, wait_until

OURS = {name for name in faults.POINTS if name.startswith(("image.", "container."))}
SHARED = {
    "build.before",
    "build.after",
    "start.intended",
    "start.answered",
    "running.recorded",
    "end.seen",
    "settle.before",
    "settle.after",
}
"""Points that runs of every target reach, at which a container may be there or not."""
BEFORE = {"container.voided": "container.created"}
"""Points that only an agent that takes up another's run can reach: where the other one died."""
PUSHED = {"image.pushed"}
"""Points that only an agent with a destination for its images reaches."""


class Engine:
    """What the engine tells of the containers that it starts while a story is told."""

    def __init__(self, home):
        self._starts = {}
        words = ("docker", "events", "--filter", "event=start", "--format", "{{json .Actor}}")
        label = ("--filter", f"label=launch-tui.home={home}")
        self._process = subprocess.Popen((*words, *label), stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def starts(self, run):
        return self._starts.get(run, [])

    def close(self):
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        self._process.stdout.close()

    def _read(self):
        for line in self._process.stdout:
            actor = json.loads(line)
            run = actor["Attributes"]["launch-tui.run"]
            self._starts.setdefault(run, []).append(actor["ID"])


def containers(run):
    words = ("docker", "ps", "-aq", "--filter", f"label=launch-tui.run={run}")
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture
def shipyard(world, docker_engine, base_image, registry):
    """The world with a docker queue, a Dockerfile beside its job, and the job in a registry."""
    dockerfile = f"FROM {base_image}\nWORKDIR /job\nCOPY . .\n"
    # Another image in each test, so that each of them builds and pulls one.
    unique = f"# {world.root}\n"
    (world.folder / "Dockerfile.wandb").write_text(dockerfile + unique)
    (world.folder / "requirements.txt").unlink()
    config = {"volume": [f"{world.marks}:{world.marks}"], "env": {"MARKS": str(world.marks)}}
    words = ("queue", "create", "docker", "-r", "docker", "--max-running", "2")
    done = world.cli(*words, "-c", json.dumps(config))
    assert done.returncode == 0, done.stderr.decode()
    world.image = f"{registry.host}/faults/{world.root.name.lower()}:1"
    build = ("docker", "build", "-q", "-t", world.image, "-f", "Dockerfile.wandb", ".")
    for command in (build, ("docker", "push", "-q", world.image), ("docker", "rmi", world.image)):
        subprocess.run(command, cwd=world.folder, check=True, capture_output=True)
    with contextlib.closing(Engine(world.home)) as engine:
        world.engine = engine
        yield world
        for run, row in world.rows().items():
            for container in containers(run):
                subprocess.run(("docker", "rm", "-f", container), check=True, capture_output=True)
            if row["image"]:
                words = ("docker", "rmi", "-f", row["image"])
                subprocess.run(words, check=True, capture_output=True)


@pytest.mark.parametrize("fault", sorted(OURS | SHARED))
def test_no_container_is_lost_or_started_twice(shipyard, fault):
    world = shipyard
    if fault in PUSHED:
        world.limit_agent(builder={"destination": world.image.rpartition(":")[0] + "-built"})
    built = world.launch("-u", str(world.folder), "-E", "python3 job.py", "-q", "docker")
    pulled = world.launch("-d", world.image, "-E", "python3 job.py", "-q", "docker")
    if fault in BEFORE:
        world.start_agent(BEFORE[fault]).wait(timeout=60)
    agent = world.start_agent(fault)
    wait_until(lambda: agent.poll() is not None, f"the agent to die at {fault}", 90)
    assert agent.returncode < 0
    world.start_agent()
    wait_until(world.all_ended, f"all runs ended after a kill at {fault}: {world.rows()}", 90)
    for run in (built, pulled):
        check(world, run)
    wait_until(lambda: not containers(built) + containers(pulled), "the containers to be removed")


def check(world, run):
    """Compare what the store says of a run with what the job and the engine say."""
    row = world.rows()[run]
    assert row["state"] == "finished", (row["phase"], row["cause"])
    assert world.started(run) == world.ended(run) == [str(row["attempt"])]
    assert len(world.engine.starts(run)) == 1
    assert (row["exit_code"], row["tracked"]) == (0, 1)
    assert row["image_digest"]
    lines = world.log(run, row["attempt"]).split(b"\n")
    assert lines == [f"line {number}".encode() for number in range(LINES)] + [b""]
    assert world.steps(run) == list(range(LINES))
