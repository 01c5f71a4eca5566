"""The agent's settings from the outside: read, refused, followed while runs go on."""

from __future__ import annotations

import os
import sys

import pytest

HOLD_ON = "while [ ! -e go ]; do sleep 0.01; done"
OF_WANDB = """
entity: my-team
queues: [q]
max_jobs: 1
max_schedulers: 1
stopped_run_timeout: 1
environment: {type: aws, region: us-east-1}
registry: {type: ecr, uri: 1.dkr.ecr.us-east-1.amazonaws.com/launch}
builder: {type: kaniko, build-context-store: "s3://bucket/prefix"}
"""


@pytest.fixture
def settings(tmp_path):
    """A file of settings, not made yet."""
    return tmp_path / "settings.yaml"


def status(world):
    return world.ok("agent", "status", "--json").json


def until_status(world, **wanted):
    """Wait until ``agent status`` says this."""

    def there():
        found = status(world)
        return found if {key: found[key] for key in wanted} == wanted else None

    return world.wait_until(there, what=f"agent status to say {wanted}")


def test_a_file_of_wandb_runs_an_agent(world, folder, settings):
    settings.write_text(OF_WANDB)
    agent = world.agent("-c", settings)
    found = status(world)
    assert (found["queues"], found["max_jobs"]) == (["q"], 1)
    assert (found["config"], found["problem"]) == (str(settings), None)
    assert "max_schedulers, environment: no effect" in found["notes"][0]
    run = world.shell("echo $WANDB_ENTITY")
    own = world.shell("echo $WANDB_ENTITY", "-e", "mine")
    assert world.until(own)["state"] == world.until(run)["state"] == "finished"
    assert (world.log(run), world.log(own)) == ("my-team\n", "mine\n")
    assert agent.log.read_text().count("max_schedulers, environment: no effect here") == 1
    assert f"settings  {settings}" in world.ok("agent", "status").out


def test_anything_wrong_is_refused_with_one_line_and_nothing_starts(world, settings, tmp_path):
    settings.write_text("max_job: 1")
    for words in (("--agent-only",), ("agent", "run")):
        refused = world.lt(*words, "-c", settings)
        line = f"launch-tui: {settings}: max_job: there is no such key; did you mean max_jobs?\n"
        assert (refused.status, refused.out, refused.err) == (2, "", line)
    missing = world.lt("--agent-only", "--config", tmp_path / "none.yaml")
    assert missing.status == 2
    assert f"{tmp_path / 'none.yaml'}: cannot be read" in missing.err
    (world.home / "agent.yaml").write_text("max_jobs: 0")
    refused = world.lt("--agent-only")
    assert refused.status == 2
    assert "agent.yaml: max_jobs: 0 is no number of jobs (allowed: 1 or more" in refused.err
    assert status(world)["running"] is False


def test_flags_beat_the_file(world, settings):
    settings.write_text("queues: [q]\nmax_jobs: 1\n")
    world.ok("queue", "create", "other", "-r", "process")
    world.agent("-c", settings, "-q", "other", "-j", "-1")
    assert (status(world)["queues"], status(world)["max_jobs"]) == (["other"], None)
    settings.write_text("queues: [q]\nmax_jobs: 2\nentity: changed\nmax_schedulers: 1\n")
    world.wait_until(lambda: status(world)["notes"], what="the file to be read again")
    assert (status(world)["queues"], status(world)["max_jobs"]) == (["other"], None)


def test_the_file_of_the_data_directory_is_read_and_one_made_later_noticed(world, folder):
    world.agent()
    assert (status(world)["config"], status(world)["max_jobs"]) == (None, None)
    (world.home / "agent.yaml").write_text("max_jobs: 1\n")
    until_status(world, config=str(world.home / "agent.yaml"), max_jobs=1)
    first = world.shell(HOLD_ON)
    second = world.shell("true")
    world.until(first, "running")
    assert world.ok("why", second, "--json").json["kind"] == "max_jobs"
    new = world.home / "agent.yaml.new"
    new.write_text("max_jobs: 2\n")
    new.rename(world.home / "agent.yaml")
    # Nobody touches the store or a queue: the room alone has it claimed.
    assert world.until(second)["state"] == "finished"
    assert world.show(first)["state"] == "running"
    (folder / "go").touch()
    assert world.until(first)["state"] == "finished"


def test_fewer_jobs_and_queues_leave_runs_going(world, folder, settings):
    settings.write_text("max_jobs: 3\n")
    agent = world.agent("-c", settings)
    running = [world.shell(HOLD_ON) for _ in range(3)]
    for run in running:
        world.until(run, "running")
    waiting = world.shell("true")
    settings.write_text("max_jobs: 1\nqueues: [q]\n")
    until_status(world, max_jobs=1, queues=["q"])
    assert [world.show(run)["state"] for run in running] == ["running"] * 3
    assert world.show(waiting)["state"] == "queued"
    settings.write_text("max_jobs: 1\nqueues: [other]\n")
    until_status(world, queues=["other"])
    assert world.ok("why", waiting, "--json").json["kind"] == "not_served"
    (folder / "go").touch()
    ended = [world.until(run) for run in running]
    assert [(run["state"], run["attempt"]) for run in ended] == [("finished", 1)] * 3
    assert world.show(waiting)["state"] == "queued"
    settings.write_text("max_jobs: 1\n")
    assert world.until(waiting)["state"] == "finished"
    assert agent.poll() is None


def test_a_broken_file_changes_nothing_and_says_why(world, folder, settings):
    settings.write_text("max_jobs: 1\n")
    agent = world.agent("-c", settings)
    run = world.shell(HOLD_ON)
    world.until(run, "running")
    for broken, said in (("max_jobs: lots\n", "'lots' is not a whole number"), ("", "is empty")):
        settings.write_text(broken)
        found = world.wait_until(
            lambda said=said: said in (status(world)["problem"] or "") and status(world),
            what=f"the problem {said}",
        )
        assert found["max_jobs"] == 1
        assert "the settings stay as they were" in world.ok("agent", "status").out
    assert "the settings stay as they are" in agent.log.read_text()
    waiting = world.shell("true")
    assert world.ok("why", waiting, "--json").json["kind"] == "max_jobs"
    settings.write_text("max_jobs: 2\n")
    until_status(world, max_jobs=2, problem=None)
    assert world.until(waiting)["state"] == "finished"
    assert world.show(run)["state"] == "running"
    (folder / "go").touch()
    world.until(run)


def test_stopped_run_timeout_is_the_grace_and_may_change_meanwhile(world, folder, settings):
    settings.write_text("stopped_run_timeout: 1h\n")
    world.agent("-c", settings)
    run = world.shell("trap '' INT TERM; touch ready; while :; do sleep 0.05; done")
    world.wait_until((folder / "ready").exists)
    settings.write_text("stopped_run_timeout: 0.2\nmax_jobs: 9\n")
    until_status(world, max_jobs=9)
    world.ok("stop", run)
    assert world.until(run)["state"] == "stopped"


def test_secure_mode_runs_jobs_as_they_are_and_nothing_else(world, folder, settings):
    settings.write_text("secure_mode: true\n")
    words = ("--venv", "none", "--tracking", "optional", "-E", f"{sys.executable} train.py")
    world.ok("job", "create", "code", folder, "-n", "proj", *words)
    world.agent("-c", settings)
    plain = world.launch("proj", "lr=1")
    other = world.launch("proj", "-E", f"{sys.executable} train.py --evil")
    in_place = world.shell("true")
    setup = world.launch("proj", "-R", '{"setup": "echo evil"}')
    assert world.until(plain)["state"] == "finished", world.log(plain)
    for run, what in ((other, "entry point"), (in_place, "in place"), (setup, "'setup'")):
        ended = world.until(run)
        assert (ended["state"], ended["started_at"]) == ("failed", None)
        assert "secure_mode" in ended["cause"]
        assert what in ended["cause"]
        assert ended["next_step"]


def test_an_agent_that_stood_by_works_by_the_file_as_it_is_then(world, settings):
    settings.write_text("max_jobs: 1\n")
    first = world.agent()
    second = world.spawn_agent("-c", settings)
    world.wait_until(lambda: "stand" in second.log.read_text(), what="the second to stand by")
    settings.write_text("max_jobs: 7\n")
    first.kill()
    first.wait()
    world.wait_until(lambda: world.agent_pid() == second.pid, what="the take-over")
    until_status(world, max_jobs=7, config=str(settings))


def test_following_a_file_costs_an_idle_agent_next_to_nothing(world, settings):
    settings.write_text("max_jobs: 1\n")
    agent = world.agent("-c", settings)
    settings.write_text("max_jobs: 2\n")
    until_status(world, max_jobs=2)

    def ticks():
        with open(f"/proc/{agent.pid}/stat") as stat:
            return sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))

    def wakes():
        # Each thread's own count of having been put to sleep and woken.
        found = 0
        for task in os.listdir(f"/proc/{agent.pid}/task"):
            with open(f"/proc/{agent.pid}/task/{task}/status") as lines:
                found += sum(int(x.split()[1]) for x in lines if x.startswith("voluntary"))
        return found

    before, first = wakes(), ticks()
    settings.write_text("max_jobs: 3\n")
    until_status(world, max_jobs=3)
    # A loop that spins would be in the tens of thousands, and use tens of ticks.
    assert wakes() - before < 500
    assert ticks() - first < 30
