"""Runs go to a W&B server when somebody asks for it, and to nobody otherwise.

The server is one on loopback that does what wandb needs of one; wandb is the real one.
"""

from __future__ import annotations

import subprocess

import pytest

from tests.wandb_envs import wandb_python
from tests.wandb_server import WandbServer

pytestmark = [pytest.mark.wandb, pytest.mark.timeout(600)]

KEY = "local" + "0" * 40
SCRIPT = """
import sys, wandb
wandb.init(config={"a": 1})
for step in range(5):
    wandb.log({"loss": step / 2})
sys.exit(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
"""


@pytest.fixture
def server(monkeypatch, tmp_path):
    """The server that every process of the test would find; the person's home is empty."""
    made = WandbServer()
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", made.url)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "wandb-config"))
    yield made
    made.close()


@pytest.fixture
def key(private_home, server):
    """The person's key, where secrets are."""
    (private_home / "secrets").mkdir(parents=True)
    file = private_home / "secrets" / "WANDB_API_KEY"
    file.touch(0o600)
    file.write_text(f"{KEY}\n")
    return file


@pytest.fixture
def job(server, world, folder):
    """A job ``t`` with real wandb, and the queue ``tracked``."""
    (folder / "train.py").write_text(SCRIPT)
    world.ok("queue", "create", "tracked", "-r", "process")
    python = wandb_python("newest")
    words = ("job", "create", "code", ".", "-n", "t", "-E", "python train.py", "--python", python)
    world.ok(*words)
    return world


def ended(world, *words, state="finished"):
    run = world.launch("t", *words, queue="tracked")
    found = world.until(run, timeout=60)
    assert found["state"] == state, (found["cause"], world.log(run))
    return run


def until_sync(world, run, state):
    """Wait for a state of sending and return it with all that is told of it."""

    def there():
        found = world.show(run)["sync"]
        return found if found["state"] == state else None

    return world.wait_until(there, timeout=60, what=f"{run} to be {state}")


def test_nothing_is_sent_unless_somebody_asks(job, server, key):
    job.agent()
    run = ended(job)
    assert job.show(run)["sync"]["state"] == "unsynced"
    assert "unsynced" in job.ok("show", run).out
    job.ok("runs")
    job.ok("files", run)
    job.ok("doctor", "--json")
    job.ok("agent", "status")
    assert (server.connections, server.requests) == (0, [])


def test_a_run_is_sent_when_asked_for(job, server, key):
    job.agent()
    run = ended(job, "-p", "digits")
    (told,) = job.ok("sync", run, "--json").json
    assert told["sync"]["state"] == "synced"
    assert told["sync"]["url"] == f"{server.url}/me/digits/runs/{run}"
    assert server.values(run, "loss") == [0, 0.5, 1, 1.5, 2]
    assert server.complete == {run: 0}
    shown = job.ok("show", run).out
    assert f"{server.url}/me/digits/runs/{run}" in shown
    assert "sent to W&B" in job.ok("events", run).out
    # Once is enough, unless somebody says so.
    seen = len(server.requests)
    job.ok("sync", run)
    assert len(server.requests) == seen
    job.ok("sync", run, "--again")
    assert len(server.requests) > seen
    # The key is nowhere but where it was.
    grep = ["grep", "-rl", KEY, str(job.home)]
    found = subprocess.run(grep, capture_output=True, text=True, check=False).stdout.split()
    assert found == [str(key)]


def test_without_an_agent_the_command_sends_it_itself(job, server, key):
    agent = job.agent()
    first, second = ended(job), ended(job)
    job.ok("agent", "stop")
    agent.wait(20)
    job.ok("sync", first)
    assert job.show(first)["sync"]["state"] == "synced"
    job.ok("sync", "--all")
    assert set(server.complete) == {first, second}
    assert "no run waits" in job.ok("sync", "--all").err


def test_a_queue_has_its_runs_sent(job, server, key):
    job.ok("queue", "update", "tracked", "-c", '{"sync": "finished"}')
    job.agent()
    failed = ended(job, "-E", "python train.py 3", state="failed")
    run = ended(job)
    found = until_sync(job, run, "synced")
    assert found["url"].endswith(f"/runs/{run}")
    assert job.show(failed)["sync"]["state"] == "unsynced"
    also = ended(job, "-E", "python train.py 3", "--sync", "ended", state="failed")
    until_sync(job, also, "synced")
    assert server.complete == {run: 0, also: 3}
    kept = ended(job, "--sync", "never")
    assert job.show(kept)["sync"]["state"] == "unsynced"


def test_online_sends_as_it_runs_and_is_read_here_all_the_same(job, server, key):
    job.agent()
    run = ended(job, "--wandb", "online")
    found = job.show(run)
    assert (found["tracked"], found["summary"]["loss"]) == (True, 2)
    assert found["sync"]["state"] == "online"
    assert server.values(run, "loss") == [0, 0.5, 1, 1.5, 2]
    assert job.ok("metrics", run, "--json").json["loss"] == [[n, n / 2] for n in range(5)]
    assert KEY not in job.ok("show", run, "--json").out


@pytest.mark.parametrize("how", ["secret", "environment", "netrc"])
def test_where_the_key_may_be(job, server, private_home, tmp_path, monkeypatch, how):
    if how == "secret":
        (private_home / "secrets").mkdir()
        file = private_home / "secrets" / "WANDB_API_KEY"
        file.touch(0o600)
        file.write_text(KEY)
    elif how == "environment":
        monkeypatch.setenv("WANDB_API_KEY", KEY)
    else:
        (tmp_path / "netrc").touch(0o600)
        (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login user password {KEY}\n")
    job.agent()
    ended(job, "--wandb", "online")
    import base64

    assert f"Basic {base64.b64encode(f'api:{KEY}'.encode()).decode()}" in server.keys


def test_without_a_key_it_is_said_what_to_do(job, server):
    job.agent()
    run = ended(job)
    refused = job.lt("sync", run)
    assert refused.status == 1
    assert "there is no W&B key for 127.0.0.1" in refused.out
    assert "secrets/WANDB_API_KEY" in refused.err
    online = job.launch("t", "--wandb", "online", queue="tracked")
    failed = job.until(online)
    assert (failed["state"], failed["phase"]) == ("failed", "start")
    assert "there is no W&B key" in failed["cause"]
    assert server.connections == 0


def test_a_server_that_is_down_is_tried_again(job, server, key, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    agent = job.agent()
    run = ended(job)
    refused = job.lt("sync", run)
    assert refused.status == 1
    assert "http://127.0.0.1:9 cannot be reached: Connection refused; tried again" in refused.out
    found = job.show(run)["sync"]
    assert (found["state"], found["tries"]) == ("waiting", 1)
    job.ok("agent", "stop")
    agent.wait(20)
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    job.agent()
    until_sync(job, run, "synced")


def test_a_key_that_is_refused_is_not_tried_again(job, server, key):
    job.agent()
    run = ended(job)
    server.status = 401
    refused = job.lt("sync", run, timeout=100)
    assert refused.status == 1
    found = job.show(run)["sync"]
    assert (found["state"], "refuses the key" in found["cause"]) == ("failed", True)


def test_what_cannot_be_sent_is_refused(job, server, key):
    job.agent()
    untracked = job.launch("--", "true")
    job.until(untracked)
    assert "never called wandb.init" in job.lt("sync", untracked).err
    waiting = job.launch("t", "--begin", "+1h", queue="tracked")
    assert f"{waiting} is queued" in job.lt("sync", waiting).err
    for words in ((), ("--all", untracked)):
        assert job.lt("sync", *words).status == 2
    bad = job.lt("launch", "t", "-q", "tracked", "-R", '{"wandb": "on"}')
    assert (bad.status, "offline or online" in bad.err) == (2, True)
