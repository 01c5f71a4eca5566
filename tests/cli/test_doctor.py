"""``doctor``: one finding a check, trouble that matters in the exit status, no writing."""

from __future__ import annotations

import socket

import pytest

from launch_tui.cli import probes
from launch_tui.targets import cgroup
from tests.simulated_nvml.nvml_fixture import SimulatedNvml

KEYS = ["check", "ok", "found", "next_step"]


def by_name(result):
    return {check["check"]: check for check in result.json}


def test_all_checks(cli, private_home):
    result = cli("doctor", "--json")
    assert result.status == 0, result
    found = by_name(result)
    assert all(list(check) == KEYS for check in result.json)
    assert all(isinstance(check["ok"], bool) and check["found"] for check in result.json)
    assert set(found) == {
        "data directory", "store", "disk budget", "agent", "python", "git", "uv", "wandb", "docker",
        "slurm", "kubernetes", "gpus", "limits", "logind", "locale", "terminal",
    }  # fmt: skip
    assert not private_home.exists(), "a check must not make the data directory"
    assert found["agent"]["found"] == "none is running"
    rows = cli("doctor").out.splitlines()
    assert len(rows) == len(result.json) + 1


def test_a_store_with_something_in_it(cli, job):
    cli("launch", job)
    found = by_name(cli("doctor", "--json"))
    assert "1 queues, 1 jobs, runs: 1 queued" in found["store"]["found"]
    assert "mode 700" in found["data directory"]["found"]


def test_a_damaged_store_is_trouble(cli, job, private_home):
    (private_home / "launch.db").write_bytes(b"junk" * 1000)
    result = cli("doctor", "--json")
    assert result.status == 1
    assert by_name(result)["store"]["ok"] is False


def test_missing_tools_are_told_and_only_the_needed_ones_are_trouble(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    result = cli("doctor", "--json")
    found = by_name(result)
    assert result.status == 1
    assert found["git"] == {
        "check": "git", "ok": False, "found": "not on PATH",
        "next_step": "Install git 2.28 or newer.",
    }  # fmt: skip
    for name in ("docker", "slurm", "kubernetes", "gpus", "wandb"):
        assert found[name]["ok"] is False


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Returns ``tool(name, script)``: puts an executable of that name first on PATH."""

    def make(name, script):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")

    return make


def test_a_tool_that_does_not_answer_has_a_time_limit(tool, monkeypatch):
    monkeypatch.setattr(probes, "TIMEOUT_S", 0.2)
    tool("kubectl", "exec sleep 30")
    check = probes.kubernetes()
    assert check.ok is False
    assert "no answer within 0.2 s" in check.found


def test_what_tools_say(tool):
    tool("sbatch", "echo slurm 23.11.4")
    tool("kubectl", "echo my-cluster")
    tool(
        "nvidia-smi", "echo 'NVIDIA A100, 81920 MiB, 550.54'; echo 'NVIDIA A100, 81920 MiB, 550.54'"
    )
    assert probes.slurm().found == "slurm 23.11.4"
    assert probes.kubernetes().found == "context my-cluster"
    assert probes.gpus().found.startswith("2: NVIDIA A100, 81920 MiB, 550.54; ")
    tool("nvidia-smi", "echo 'Driver/library version mismatch' >&2; exit 18")
    assert probes.gpus().ok is False


def test_which_engine_answers_and_what_builds_for_it(docker_engine):
    check = probes.docker()
    assert check.ok
    assert check.found.startswith("Docker ")
    assert docker_engine.endpoint.url in check.found
    assert "cgroup v" in check.found
    assert ("BuildKit by " in check.found) != ("install docker-buildx" in check.next_step.lower())


def test_an_engine_that_is_not_there_or_not_here(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    check = probes.docker()
    assert (check.ok, check.found) == (
        False,
        "no Docker engine: /nowhere/docker.sock does not exist",
    )
    assert "DOCKER_HOST" in check.next_step
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@elsewhere")
    assert "cannot see the run's directory" in probes.docker().found


def test_an_engine_that_never_answers_has_a_time_limit(monkeypatch, tmp_path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "docker.sock"))
        silent.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
        monkeypatch.setattr(probes, "TIMEOUT_S", 1.0)
        check = probes.docker()
    assert (check.ok, check.found) == (False, "the engine does not answer: no answer within 1 s")


def test_gpus_are_those_that_the_agent_sees(tmp_path, monkeypatch):
    nvml = SimulatedNvml(tmp_path / "nvml.json")
    for name, value in nvml.environment.items():
        monkeypatch.setenv(name, value)
    gpu = {"uuid": "GPU-a", "name": "Simulated", "memory_total": 24 * 2**30}
    nvml.tell(gpus=[gpu, {**gpu, "uuid": "GPU-b"}])
    assert probes.gpus().found == "2: Simulated, 24G; Simulated, 24G"


def test_what_limits_are_worth(monkeypatch):
    found = cgroup.Enforcement(why="no cgroup v2 on this machine")
    monkeypatch.setattr(cgroup, "available", lambda: found)
    told = probes.limits()
    assert (told.ok, told.found) == (False, "bookkeeping only: no cgroup v2 on this machine")
    assert "may take more" in told.next_step
    found = cgroup.Enforcement(command=("systemd-run",))
    assert probes.limits() == probes.Check(
        check="limits", ok=True, found="enforced by cgroup v2 (systemd-run)"
    )


def test_a_dumb_terminal_and_a_locale_without_utf8(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("LC_ALL", "C")
    assert probes.terminal().ok is False
    assert probes.locale().found == "C is not UTF-8"
