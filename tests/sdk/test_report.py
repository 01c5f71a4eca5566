"""The failure report: everything that tells why, and no secret, wherever one was put."""

from __future__ import annotations

import json
import subprocess

import pytest

from launch_tui.domain.job import JobKind
from launch_tui.domain.run import RunState
from launch_tui.sdk import LaunchRequest
from launch_tui.sdk.jobs import JobRequest
from launch_tui.sdk.pages import page_of
from launch_tui.sdk.report import LOG_LINES, failure_report
from launch_tui.store import write
from launch_tui.store.series import SeriesWriter
from tests.tui.devices import four_gpus

MARKS = {
    "of the agent's environment": "m4rk-agent-environment",
    "passed on": "m4rk-passed-on-token",
    "of the secrets' folder": "m4rk-secrets-folder",
    "set by the launch": "m4rk-set-by-launch",
    "in the configuration": "m4rk-in-config",
    "in a list of the configuration": "m4rk-in-list",
    "in the resources": "m4rk-in-resources",
    "in the command": "m4rk-in-command",
    "in the summary": "m4rk-in-summary",
    "in the log by name": "m4rk-log-by-name",
    "in an address": "m4rk-in-url",
    "of netrc": "m4rk0123456789abcdef",
    "in the source": "m4rk-in-source",
    "in the cause": "m4rk-in-cause",
}
SHAPED = "hf_" + "m4rkM4RK" * 4


@pytest.fixture
def secretive(launch, folder, monkeypatch, tmp_path):
    """A run that failed, with a secret wherever one can be put."""
    environ = {
        "VENDOR_SECRET": MARKS["of the agent's environment"],
        "PASSED_TOKEN": MARKS["passed on"],
        "NETRC": str(tmp_path / "netrc"),
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "netrc").write_text(
        f"machine api.wandb.ai login user password {MARKS['of netrc']}\n"
    )
    (launch.home.root / "secrets").mkdir()
    (launch.home.root / "secrets" / "STORED").write_text(MARKS["of the secrets' folder"] + "\n")
    created = launch.jobs.create(JobRequest(place=str(folder), venv="none"))
    (folder / "train.py").write_text(f"password = '{MARKS['in the source']}'\nprint(2)\n")
    created = launch.jobs.create(JobRequest(place=str(folder), venv="none"))
    request = LaunchRequest(
        job=created.job.name,
        config={
            "lr": 0.1,
            "db": {"password": MARKS["in the configuration"]},
            "tokens_seen": 12,
            "credentials": [MARKS["in a list of the configuration"]],
        },
        setenv={"HF_TOKEN": MARKS["set by the launch"], "DEBUG": "1"},
        pass_env=("PASSED_TOKEN",),
        secrets=("STORED",),
        entry_point=["python", "train.py", "--api-key", MARKS["in the command"]],
        resource_args={"env": {"SERVICE_API_KEY": MARKS["in the resources"]}},
    )
    run_id = launch.launch(request).id
    write.observe(
        launch.db, run_id, {"summary": {"loss": 0.5, "auth_token": MARKS["in the summary"]}}
    )
    write.settle(
        launch.db, run_id, RunState.QUEUED, RunState.FAILED, owner=None, actor="test",
        changes={
            "phase": "run", "exit_code": 3, "failure": "gpu-oom",
            "cause": f"no access with password={MARKS['in the cause']}",
            "next_step": "use a smaller batch",
        },
    )  # fmt: skip
    attempt = launch.home.attempt(run_id, 1)
    attempt.mkdir(parents=True)
    values = [
        value for key, value in MARKS.items() if key not in ("in the source", "in an address")
    ]
    lines = [
        *(f"line {n}" for n in range(300)),
        *(f"using {value}" for value in values if value != MARKS["in the log by name"]),
        f"WANDB_API_KEY={MARKS['in the log by name']}",
        f"cloning https://me:{MARKS['in an address']}@host/repo",
        f"login with {SHAPED}",
        "\x1b[31mRuntimeError: CUDA out of memory\x1b[0m",
    ]
    (attempt / "output.log").write_text("\n".join(lines) + "\n")
    (attempt / "build.log").write_text("resolved 14 packages\n")
    writer = SeriesWriter(launch.home.metrics(run_id))
    writer.append_stats(
        (float(n), {"gpu.0.memoryAllocated": n * 10.0, "cpu": 5.0}) for n in range(9)
    )
    writer.commit()
    writer.close()
    launch.db.execute("UPDATE runs SET gpus = '[\"GPU-0aaa\"]' WHERE id = ?", (run_id,))
    return run_id


def test_no_secret_is_in_a_report_wherever_it_was(launch, secretive):
    report = failure_report(launch, secretive)
    left = {where for where, mark in MARKS.items() if mark in report}
    assert left == set()
    assert SHAPED not in report
    assert "m4rk" not in report.lower()


def test_a_report_tells_all_that_tells_why(launch, secretive):
    report = failure_report(launch, secretive)
    for told in (
        "failed in run, exit 3",
        "kind        gpu-oom",
        "next step   use a smaller batch",
        '"DEBUG": "1"',
        "secrets, by name: STORED",
        "pass_env, by name: PASSED_TOKEN",
        '"lr": 0.1',
        '"tokens_seen": 12',
        "changes since v0:",
        "~ train.py",
        "-print(1)",
        "+print(2)",
        "RuntimeError: CUDA out of memory",
        "line 299",
        "resolved 14 packages",
        "assigned: GPU-0aaa",
        "gpu.0.memoryAllocated: 0 10 20",
        "enqueued on default",
        "launch_tui report of run",
    ):
        assert told in report, told
    assert "line 0\n" not in report
    assert "\x1b" not in report
    assert "cpu: 5" not in report
    assert report.count("line ") <= LOG_LINES + 1


def test_what_the_agent_saw_of_an_assigned_gpu_is_told(launch, job):
    gpus = four_gpus(launch.home)
    run_id = launch.launch(LaunchRequest(job=job.name)).id
    assigned = json.dumps([gpus[0].uuid, gpus[2].uuid])
    launch.db.execute("UPDATE runs SET gpus = ? WHERE id = ?", (assigned, run_id))
    report = failure_report(launch, run_id)
    assert "GPU 0, NVIDIA A100-SXM4-80GB, 61G of 80G in use at the last look, 97%, 71 C" in report
    assert "also pid 4711 of alice, also a hidden process" in report


def test_a_report_of_a_run_that_has_nothing(launch, job):
    run_id = launch.launch(LaunchRequest(job=job.name)).id
    report = failure_report(launch, run_id)
    assert "there is no version before it" in report
    assert "state       queued" in report
    assert "== Log" not in report
    assert "== Summary" not in report


def test_a_version_before_with_the_same_files(launch, folder, job):
    again = launch.jobs.create(
        JobRequest(place=str(folder), venv="none", entry_point="python train.py -v")
    )
    run_id = launch.launch(LaunchRequest(job=again.job.name)).id
    report = failure_report(launch, run_id)
    assert "entry_point: python train.py -> python train.py -v" in report


def test_a_run_in_a_folder_as_it_is(launch, folder):
    run_id = launch.launch(
        LaunchRequest(in_place=str(folder), entry_point=["python", "train.py"])
    ).id
    assert f"ran in {folder} as it was" in failure_report(launch, run_id)


def test_the_commits_of_two_versions_are_compared(launch, tmp_path):
    repository = tmp_path / "repo"
    repository.mkdir()

    def git(*words):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],
            cwd=repository, check=True, capture_output=True,
        )  # fmt: skip

    git("init", "-q")
    for number in (1, 2):
        (repository / "train.py").write_text(f"print({number})\n")
        git("add", "-A")
        git("commit", "-qm", str(number))
        created = launch.jobs.create(
            JobRequest(place=str(repository), kind=JobKind.GIT, venv="none")
        )
    run_id = launch.launch(LaunchRequest(job=created.job.name)).id
    report = failure_report(launch, run_id)
    assert "-print(1)" in report
    assert "+print(2)" in report


def write_log(launch, run_id, text, name="output.log"):
    path = launch.home.attempt(run_id, 1) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_page_of_a_run_that_was_online_is_in_its_log(launch, job):
    run_id = launch.launch(LaunchRequest(job=job.name)).id
    url = "https://wandb.ai/team/digits/runs/ab12cd34"
    line = f"\x1b[34mwandb\x1b[0m: View run \x1b[33mx\x1b[0m at: \x1b[34m{url}\x1b[0m\n"
    write_log(launch, run_id, "start\n" + line + "x\n" * 100_000)
    assert page_of(launch, run_id).url == url


def test_a_run_that_was_tracked_offline_has_no_page_and_is_told_how_to_get_one(launch, job):
    run_id = launch.launch(LaunchRequest(job=job.name)).id
    write_log(launch, run_id, "see https://example.org/runs/x and wandb sync offline-run-1\n")
    assert "has not called wandb.init" in page_of(launch, run_id).why
    launch.db.execute("UPDATE runs SET tracked = 1 WHERE id = ?", (run_id,))
    page = page_of(launch, run_id)
    assert page.url == ""
    assert f"launch-tui sync {run_id}" in page.why
