"""Resource configuration, template variables and macros: what was asked for is what a job has."""

from __future__ import annotations

import getpass
import json
import os
import sys

import pytest

PROBE = """
import json, os, resource, sys
mask = os.umask(0)
print(json.dumps({
    "env": {k: v for k, v in os.environ.items() if k.startswith("P_")},
    "nice": os.nice(0), "umask": f"{mask:03o}", "cwd": os.getcwd(),
    "nofile": resource.getrlimit(resource.RLIMIT_NOFILE),
    "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
    "python": sys.executable,
}))
"""

PASTED = {
    "resource_args": {
        "local-process": {
            "env": {"P_A": "1", "P_B": "queue"},
            "setup": ["export P_SETUP=queue"],
            "nice": 3,
            "ulimit": ["nofile=200:300", "core=0"],
            "umask": "027",
        }
    }
}


@pytest.fixture
def probe(folder):
    (folder / "probe.py").write_text(PROBE)
    return ("--in-place", "--", sys.executable, "probe.py")


def told(world, run):
    """Return what the job read back, the last line of its log."""
    assert world.until(run)["state"] == "finished", world.log(run)
    return json.loads(world.log(run).splitlines()[-1])


def one_line(result):
    assert result.status == 2, result
    assert result.err.startswith("launch-tui: ")
    assert result.err.count("\n") == 1
    return result.err


def test_a_job_has_what_queue_and_launch_say(world, folder, probe):
    world.agent()
    world.ok("queue", "create", "r", "-r", "process", "--tracking", "optional", "-c",
             json.dumps(PASTED))  # fmt: skip
    found = told(world, world.launch(*probe, queue="r"))
    assert found == {
        "env": {"P_A": "1", "P_B": "queue", "P_SETUP": "queue"},
        "nice": 3 + os.nice(0), "umask": "027", "cwd": str(folder), "nofile": [200, 300],
        "core": 0, "python": found["python"],
    }  # fmt: skip

    (folder / "own.env").write_text("# mine\nP_FILE='from file'\nexport P_A=file\n")
    (folder / "own.yaml").write_text(
        "env: {P_B: launch, P_C: added}\n"
        "env_file: own.env\n"
        "setup: |\n  export P_SETUP=launch\n  cd /\n  cd -\n"
        "nice: 5\n"
        "umask: '077'\n"
        "ulimit: {nofile: 100}\n"
    )
    found = told(world, world.launch("-R", folder / "own.yaml", *probe, queue="r"))
    assert found["env"] == {
        "P_A": "1", "P_B": "launch", "P_C": "added", "P_FILE": "from file", "P_SETUP": "launch",
    }  # fmt: skip
    assert (found["nice"], found["umask"]) == (5 + os.nice(0), "077")
    assert (found["nofile"], found["core"]) == ([100, 100], 0)
    # A null takes a key away.
    found = told(world, world.launch("-R", '{"env": {"P_B": null}, "nice": null}', *probe,
                                     queue="r"))  # fmt: skip
    assert (found["env"], found["nice"]) == ({"P_A": "1", "P_SETUP": "queue"}, os.nice(0))


def test_the_plan_shows_the_merge_with_its_origins(world, folder):
    world.ok("queue", "create", "r", "-r", "process", "-c", json.dumps(PASTED))
    words = ("launch", "-q", "r", "--in-place", "--dry-run", "-R",
             '{"resource_args": {"process": {"env": {"P_B": "x"}, "setup": "true"}}}',
             "--cpus", "1")  # fmt: skip
    lines = world.ok(*words, "--", "true").out.splitlines()
    for line in (
        'resource.env.P_A="1"  from the queue',
        "resource.env.P_B=x  from the launch",
        "resource.nice=3  from the queue",
        "resource.ulimit.nofile=200:300  from the queue",
        'resource.setup="true"  from the launch',
        "resource.cpus=1  from the launch",
    ):
        assert line in lines
    limits = [line for line in lines if line.startswith("limits  ")]
    assert limits[0].removeprefix("limits  ").startswith(("enforced by", "bookkeeping only: "))
    plan = world.ok(*words, "--json", "--", "true").json
    assert plan["origins"]["env.P_B"] == "launch"
    assert plan["origins"]["nice"] == "queue"
    assert world.ok("runs", "--json").json == []


def test_what_a_launch_may_not_say(world, folder):
    for given, says in (
        ('{"environ": {}}', "-R environ: is not a key of local-process, did you mean env?"),
        ('{"cpu": 1}', "-R cpu: is not a key of local-process, did you mean cpus?"),
        ('{"gpu_sharing": true}', "-R gpu_sharing: "),
        ('{"gpu_idle_stop": {"below": 5, "for": "1h"}}', "-R gpu_idle_stop: "),
        ('{"nice": "high"}', "-R nice: "),
        ('{"memory": "lots"}', "-R memory: "),
        ('{"umask": "888"}', "-R umask: "),
        ('{"ulimit": {"nofiles": 3}}', "did you mean nofile?"),
        ('{"resource_args": {"kubernetes": {}}}', "is for kubernetes"),
        ('{"env": {"A": "{{hole}}"}}', "{{hole}} is not declared"),
        ('{"timeout": "1m"', "-R"),
    ):
        refused = world.lt("launch", "-q", "q", "-R", given, "--in-place", "--", "true")
        assert says in one_line(refused)
    assert world.ok("runs", "--json").json == []


def test_another_python_and_flags_for_what_machines_have(running, folder, tmp_path):
    real = os.path.realpath(sys.executable)
    linked = tmp_path / "python-of-mine"
    linked.symlink_to(real)
    run = running.launch("-R", json.dumps({"python": str(linked)}), "--", "python", "-c",
                         "import sys; print(sys.executable)")  # fmt: skip
    assert running.until(run)["state"] == "finished", running.log(run)
    assert running.log(run) == f"{linked}\n"
    for flag, value in (("--cpus", "100000"), ("--memory", "900T"), ("--gpus", "1000")):
        refused = one_line(running.lt("launch", "-q", "q", flag, value, "--in-place", "--", "true"))
        assert refused.startswith(f"launch-tui: {flag}: ")


HOLES = """
env: {P_LR: "{{lr}}", P_TEXT: "model={{model}}/{{n}}", P_FAST: "{{fast}}"}
nice: "{{n}}"
"""
VARIABLES = {
    "lr": {"schema": {"type": "number", "minimum": 0, "maximum": 1}},
    "model": {"schema": {"type": "string", "enum": ["a", "b=c"]}, "description": "which"},
    "n": {"schema": {"type": "integer", "default": 2, "maximum": 9}},
    "fast": {"schema": {"type": "boolean", "default": False}},
}


def test_template_variables_are_checked_when_a_run_is_enqueued(world, folder, probe, tmp_path):
    holes, variables = tmp_path / "holes.yaml", tmp_path / "variables.json"
    holes.write_text(HOLES)
    variables.write_text(json.dumps(VARIABLES))
    create = ("queue", "create", "t", "-r", "process", "--tracking", "optional")
    assert "is not declared" in one_line(world.lt(*create, "-c", holes))
    unused = json.dumps({**VARIABLES, "extra": {"schema": {"type": "string"}}})
    refused = world.lt(*create, "-c", holes, "--template-variables", unused)
    assert "extra: is used by no hole" in one_line(refused)
    world.ok(*create, "-c", holes, "--template-variables", variables)
    assert world.ok("queue", "show", "t", "--json").json["template_variables"] == VARIABLES
    for words, says in (
        ((), "lr: is missing and has no default"),
        (("-v", "lr=nan"), "a finite number from 0 to 1"),
        (("-v", "lr=inf"), "a finite number from 0 to 1"),
        (("-v", "lr=2"), "a finite number from 0 to 1"),
        (("-v", "lr=fast"), "a finite number from 0 to 1"),
        (("-v", "lr=0.1", "-v", "model=z"), "allowed: a, b=c"),
        (("-v", "lr=0.1", "-v", "model=a", "-v", "n=1.5"), "a whole number of at most 9"),
        (("-v", "lr=0.1", "-v", "model=a", "-v", "n=10"), "a whole number of at most 9"),
        (("-v", "lr=0.1", "-v", "model=a", "-v", "fast=yep"), "allowed: true, false"),
        (("-v", "lr=0.1", "-v", "modle=a"), "did you mean model?"),
        (("-v", "lr"), "is no VAR=VALUE"),
    ):
        refused = world.lt("launch", "-q", "t", *words, "--in-place", "--", "true")
        assert says in one_line(refused)
    assert world.ok("runs", "--json").json == []
    world.agent()
    run = world.launch("-v", "lr=1e-2", "-v", "model=b=c", "-v", "n=4", *probe, queue="t")
    found = told(world, run)
    assert found["env"] == {"P_LR": "0.01", "P_TEXT": "model=b=c/4", "P_FAST": "false"}
    assert found["nice"] == 4 + os.nice(0)


def test_macros_and_the_agents_variables_that_are_allowed(world, folder, probe, monkeypatch):
    monkeypatch.setenv("P_ALLOWED", "seen")
    monkeypatch.setenv("P_SECRET", "hunter2")
    (world.home / "agent.yaml").write_text("macro_environment: [P_ALLOWED]\n")
    world.agent()
    for name in ("P_ALLOWED", "P_SECRET"):
        monkeypatch.delenv(name)
    monkeypatch.delenv("USER", raising=False)
    text = (
        "${run_id} ${run_name} ${project_name} ${entity_name} ${queue_name} ${job_name} ${author} "
        "[${gpus}] ${P_ALLOWED} ${P_SECRET} ${unknown}"
    )
    own = json.dumps({"env": {"P_M": text}, "setup": "export P_SHELL=${HOME}"})
    run = world.launch("-R", own, "--name", "${author}", "-p", "pr", "-e", "en", *probe)
    found = told(world, run)["env"]
    assert found["P_M"] == (
        f"{run} ${{author}} pr en q proj {getpass.getuser()} [] seen ${{P_SECRET}} ${{unknown}}"
    )
    assert found["P_SHELL"] == os.environ["HOME"]
