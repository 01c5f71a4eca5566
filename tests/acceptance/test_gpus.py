"""GPUs, CPUs and memory as slots: what a job is given is what it reads back, and never twice."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.conftest import GIB

READ_BACK = "echo $CUDA_VISIBLE_DEVICES; while [ ! -e go ]; do sleep 0.02; done"
OTHERS = {"processes": [{"pid": 1, "memory": 9 * GIB}]}


@pytest.fixture
def gpus(machine, world):
    """A queue ``g`` on a machine with four GPUs, and an agent."""
    machine(4)
    world.ok("queue", "create", "g", "-r", "process", "--tracking", "optional",
             "--max-running", "8", "-c", '{"gpu_sharing": true}')  # fmt: skip
    return machine


def given(world, run):
    """Return the numbers of the GPUs that a running job reads back and its run tells."""
    world.until(run, "running", "finished")
    words = world.wait_until(lambda: world.log(run).split())[0].split(",")
    assert sorted(words) == sorted(world.show(run)["gpus"])
    return [int(word.split("-")[1]) for word in words]


def gpu_run(world, *flags):
    return world.shell(READ_BACK, *flags, queue="g")


def test_concrete_gpus_never_twice_and_strangers_are_left_alone(gpus, world, folder):
    gpus(4, {2: OTHERS})
    agent = world.agent()
    first, second = gpu_run(world, "--gpus", "1"), gpu_run(world, "--gpus", "1")
    assert sorted([*given(world, first), *given(world, second)]) == [0, 1]
    third, behind = gpu_run(world, "--gpus", "2"), gpu_run(world, "--gpus", "1")
    reason = world.until_why(third, "gpu")
    assert reason.startswith("waits for GPU: 1 free of 4, needs 2, GPU 2 used by pid 1 of root")
    assert world.why(behind) == ("position", "2nd in line")
    status = world.ok("agent", "status", "--json").json["gpus"]
    assert [[use["id"] for use in gpu["runs"]] for gpu in status[:2]] == [[first], [second]]
    assert status[2]["strangers"][0]["pid"] == 1
    assert "pid 1 of root" in world.ok("agent", "status").out

    # Another agent finds the runs of the one before it, and their GPUs taken.
    agent.kill()
    agent.wait()
    world.agent()
    world.until_why(third, "gpu")
    # As soon as the stranger has gone.
    gpus(4)
    assert sorted(given(world, third)) == [2, 3]
    assert world.until_why(behind, "gpu").startswith("waits for GPU: 0 free of 4, needs 1, GPU 0")
    (folder / "go").touch()
    for run in (first, second, third, behind):
        assert world.until(run)["state"] == "finished"
    assert len(given(world, behind)) == 1
    devices = json.loads((world.home / "devices.json").read_text())
    assert [gpu["index"] for gpu in devices["machine"]["gpus"]] == [0, 1, 2, 3]


def test_sharing_by_memory_order_exclusion_and_threshold(gpus, world, folder):
    (world.home / "agent.yaml").write_text(
        "gpu_order: [3, 2]\ngpu_exclude: [0]\ngpu_busy_memory: 10G\n"
    )
    gpus(4, {2: OTHERS})
    world.agent()
    whole = gpu_run(world, "--gpus", "1")
    assert given(world, whole) == [3]
    # GPU 2 has 15 GiB left beside the stranger, who is below the threshold; GPU 0 is excluded.
    parts = [gpu_run(world, "--gpu-memory", "10G") for _ in range(3)]
    assert [given(world, run) for run in parts] == [[2], [1], [1]]
    fourth = gpu_run(world, "--gpu-memory", "10G")
    assert "with 10G, needs 1" in world.until_why(fourth, "gpu")
    # Where the queue does not allow it, a GPU is one run's.
    world.ok("cancel", fourth)
    world.ok("queue", "update", "g", "-c", "{}")
    alone = gpu_run(world, "--gpu-memory", "1G")
    world.until_why(alone, "gpu")
    (folder / "go").touch()
    assert world.until(alone)["state"] == "finished"


def test_what_never_fits_is_refused_and_what_asks_for_none_sees_none(gpus, world, folder):
    world.agent()
    world.wait_until((world.home / "devices.json").exists)
    for flags, says in (
        (("--gpus", "5"), "--gpus: it asks for 5 GPUs, this machine has 4"),
        (("--gpu-memory", "30G"), "--gpu-memory: it asks for 1 GPU with 30G"),
    ):
        refused = world.lt("launch", "-q", "g", *flags, "--in-place", "--", "true")
        assert (refused.status, refused.err.count("\n")) == (2, 1)
        assert says in refused.err
    run = world.shell('echo "[$CUDA_VISIBLE_DEVICES]"', "--setenv", "CUDA_VISIBLE_DEVICES=3",
                      queue="g")  # fmt: skip
    assert world.until(run)["state"] == "finished"
    assert world.log(run) == "[3]\n"


def test_an_idle_gpu_ends_a_run_if_its_queue_says_so(gpus, world, folder):
    idle = json.dumps({"gpu_idle_stop": {"below": 10, "for": "2s"}})
    world.ok("queue", "create", "i", "-r", "process", "--tracking", "optional",
             "--max-running", "2", "-c", idle)  # fmt: skip
    gpus(2, {0: {"utilization": 3}, 1: {"utilization": 95}})
    world.agent()
    lazy = world.shell(READ_BACK, "--gpus", "1", queue="i")
    busy = world.shell(READ_BACK, "--gpus", "1", queue="i")
    assert (given(world, lazy), given(world, busy)) == ([0], [1])
    ended = world.until(lazy)
    assert (ended["state"], ended["failure"]) == ("failed", "timeout")
    assert ended["cause"] == "its GPUs were used less than 10 % for 2s"
    assert world.show(busy)["state"] == "running"
    (folder / "go").touch()
    assert world.until(busy)["state"] == "finished"


def test_cpus_and_memory_are_slots_too(world, folder):
    (world.home / "agent.yaml").write_text("cpus: 1\nmemory: 2G\n")
    world.agent()
    wait = "while [ ! -e go ]; do sleep 0.02; done"
    holder = world.shell(wait, "--cpus", "0.5", "--memory", "1500M")
    world.until(holder, "running")
    large = world.shell("true", "--memory", "1G")
    assert world.until_why(large, "memory").startswith("waits for memory: ")
    world.ok("cancel", large)
    many = world.shell("true", "--cpus", "0.75")
    assert world.until_why(many, "cpu").startswith("waits for CPUs: ")
    (folder / "go").touch()
    assert world.until(many)["state"] == "finished"
