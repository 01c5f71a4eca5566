"""GPUs, processors and memory: what a run was given is its own until it has ended, whoever dies.

Where there is no GPU, a simulated NVML says that there are some; which of them a job was given, and
when it ran, is what the job itself wrote down.
"""

from __future__ import annotations

import itertools
import signal
from collections import defaultdict

import pytest

from tests.faults.world import wait_until

G = 1024**3
POINTS = (
    "claim.before",
    "claim.committed",
    "build.after",
    "start.intended",
    "target.requested",
    "start.answered",
    "running.recorded",
    "end.seen",
    "settle.before",
    "settle.after",
    "retry.before",
    "retry.after",
)
KILLS = 3


def gpu(name, **changes):
    return {"uuid": f"GPU-{name}", "memory_total": 24 * G, **changes}


def overlaps(spans):
    """Return the pairs of spans that have a moment in common."""
    return [
        (a, b)
        for a, b in itertools.combinations(sorted(spans), 2)
        if b[0] < a[1]  # The second one of a sorted pair began before the first one had ended.
    ]


def spans_by_gpu(world):
    spans = defaultdict(list)
    for run in world.rows():
        for ran in world.ran(run):
            for uuid in ran.gpus.split(","):
                spans[uuid].append((ran.began, ran.ended))
    return spans


def all_probes(world):
    return [ran for run in world.rows() for ran in world.ran(run)]


@pytest.mark.parametrize("fault", POINTS)
def test_no_gpu_is_given_twice(world, fault):
    world.install_gpus(gpu("a"), gpu("b"))
    world.queue("q", "--max-running", "10")
    one = {"resource_args": {"gpus": 1}}
    runs = world.probes("q", 4, hold=0.1, **one)
    tried = world.probe(
        "q", "3,0", hold=0.1, retries=1, retry_on=("failed",), backoff=0, resource_args={"gpus": 2}
    )
    killed = 0
    for _ in range(KILLS):
        agent = world.start_agent(fault)
        wait_until(lambda agent=agent: agent.poll() is not None or world.all_ended(), "an end")
        killed += agent.poll() is not None
        world.kill(agent)
    world.start_agent()
    wait_until(world.all_ended, f"all ended: {world.rows()}")
    assert killed
    assert {row["state"] for row in world.rows().values()} == {"finished"}
    assert [len(world.ran(run)) for run in runs] == [1] * 4
    assert [ran.gpus for ran in world.ran(tried)] == ["GPU-a,GPU-b"] * 2
    spans = spans_by_gpu(world)
    assert set(spans) == {"GPU-a", "GPU-b"}, "each job sees what it was given and nothing else"
    for uuid, taken in spans.items():
        assert overlaps(taken) == [], uuid


def used(ran):
    return gpu(ran.gpus.removeprefix("GPU-"), processes=[{"pid": ran.pid, "memory": 2 * G}])


def by_gpu(world):
    return sorted((ran for ran in all_probes(world) if ran.gpus), key=lambda ran: ran.gpus)


def has_looked(world):
    """Have a run that asks for nothing begin and end: what may start as well has been claimed."""
    queue = f"beside{len(world.rows())}"
    world.queue(queue)
    beside = world.probe(queue)
    world.wait_for_state(beside, "finished")


def test_an_adopted_run_keeps_its_gpu_and_leaves_it_when_it_ends(world):
    world.install_gpus(gpu("a"), gpu("b"))
    world.queue("q", "--max-running", "10")
    gate = world.root / "gate"
    agent = world.start_agent()
    first, second = (
        world.probe("q", gate=world.root / name, resource_args={"gpus": 1})
        for name in ("gate", "second")
    )
    wait_until(lambda: len(all_probes(world)) == 2, "both run")
    third = world.probe("q", resource_args={"gpus": 1})
    for again in range(1, 4):
        world.kill(agent)
        if again > 1:
            # What the jobs use is shown by the driver; it is theirs, not a stranger's.
            world.install_gpus(*(used(ran) for ran in by_gpu(world)))
        agent = world.start_agent()
        wait_until(lambda n=2 * again: world.said().count("  adopted\n") == n, "both adopted")
        has_looked(world)
        assert len(by_gpu(world)) == 2
        assert "needs 1" in world.rows()[third]["blocked"]
        assert "used by" not in world.rows()[third]["blocked"]
    (world.root / "second").touch()
    wait_until(lambda: world.rows()[second]["state"] == "finished", "the second ended")
    world.install_gpus(gpu("a"), gpu("b"))
    wait_until(lambda: world.ran(third), "the third starts where the second was")
    assert world.ran(third)[0].gpus == world.ran(second)[0].gpus != world.ran(first)[0].gpus
    assert world.ran(third)[0].began >= world.ran(second)[0].ended
    gate.touch()
    wait_until(world.all_ended, "all ended")


def test_a_job_whose_supervisor_was_killed_keeps_its_gpu(world):
    world.install_gpus(gpu("a"))
    world.queue("q", "--max-running", "10")
    gate = world.root / "gate"
    agent = world.start_agent()
    first = world.probe("q", gate=gate, resource_args={"gpus": 1})
    behind = world.probe("q", resource_args={"gpus": 1})
    wait_until(lambda: world.ran(first), "it runs")
    world.wait_for_state(first, "running")
    world.kill_supervisor(first)
    world.kill(agent)
    world.start_agent()
    wait_until(lambda: "  adopted\n" in world.said(), "it is adopted")
    has_looked(world)
    assert world.ran(behind) == []
    gate.touch()
    wait_until(world.all_ended, "all ended")
    assert world.rows()[first]["state"] == "lost"
    assert world.ran(behind)[0].began >= world.ran(first)[0].ended


def test_shares_of_a_gpu_stay_within_its_memory(world):
    world.install_gpus(gpu("a"))
    world.queue("q", "--max-running", "10", "--config", '{"gpu_sharing": true}')
    runs = world.probes("q", 7, hold=0.3, resource_args={"gpu_memory": "10G"})
    while sum(len(world.ran(run)) for run in runs) < len(runs):
        seen = len(all_probes(world))
        agent = world.start_agent()
        wait_until(lambda seen=seen: len(all_probes(world)) > seen, "one more starts")
        world.kill(agent)
    world.start_agent()
    wait_until(world.all_ended, "all ended")
    spans = [(ran.began, ran.ended) for ran in all_probes(world)]
    assert len(spans) == len(runs)
    assert most_at_once([(began, ended, 1) for began, ended in spans]) == 2


def most_at_once(spans):
    """Return the most that was taken at one moment; each span has its beginning, end and share."""
    edges = sorted(
        edge for began, ended, share in spans for edge in ((began, share), (ended, -share))
    )
    return max(itertools.accumulate(share for _, share in sorted(edges)))


def test_processors_and_memory_are_never_given_twice(world):
    world.limit_agent(cpus=0.8, memory="100M")
    world.queue("cpus", "--max-running", "10")
    world.queue("memory", "--max-running", "10")
    for size in (1, 2, 3):
        world.probes("cpus", 2, hold=0.1, resource_args={"cpus": 0.2 * size})
        world.probes("memory", 2, hold=0.1, resource_args={"memory": f"{30 * size}M"})
    runs = list(world.rows())
    while (seen := len(all_probes(world))) < len(runs):
        agent = world.start_agent()
        wait_until(lambda seen=seen: len(all_probes(world)) > seen, "one more starts")
        world.kill(agent)
    world.start_agent()
    wait_until(world.all_ended, "all ended")
    taken = defaultdict(list)
    rows = world.rows()
    for number, run in enumerate(runs):
        (ran,) = world.ran(run)
        assert rows[run]["state"] == "finished", rows[run]["cause"]
        size = number // 4 + 1
        taken[rows[run]["queue_id"]].append((ran.began, ran.ended, size))
    for spans in taken.values():
        # 0.8 processors are four times 0.2, and 100 MB three times 30.
        assert 0 < most_at_once(spans) <= 4
    assert most_at_once(taken[max(taken)]) <= 3


def test_a_run_for_which_there_is_no_place_any_more_holds_nobody_up(world):
    """Nothing else would have the agent look again, whoever was killed in between."""
    world.install_gpus(gpu("a"), gpu("b"))
    world.queue("q")
    world.queue("other")
    big = world.probe("q", resource_args={"gpus": 2})
    behind = world.probe("q", resource_args={"gpus": 1})
    waits = world.probe("q", after=(f"{big}:failed",))
    world.install_gpus(gpu("a"))
    assert world.start_agent("settle.dependants").wait(20) == -signal.SIGKILL
    world.start_agent()
    wait_until(world.all_ended, "all ended")
    states = {run: row["state"] for run, row in world.rows().items()}
    assert states == {big: "failed", behind: "finished", waits: "finished"}
    assert "can never start here" in world.rows()[big]["cause"]
