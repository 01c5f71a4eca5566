"""The verbs that read: the JSON of the contract, rows, and nothing harmful on the way."""

from __future__ import annotations

import json
import os

import pytest

from launch_tui.domain.run import RunState
from launch_tui.sdk import LaunchRequest
from launch_tui.store import write
from launch_tui.store.series import SeriesWriter

RUN_KEYS = [
    "id", "name", "project", "job", "version", "queue", "resource", "state", "phase", "cause",
    "next_step", "exit_code", "tracked", "config", "summary", "priority", "attempt", "tags", "note",
    "gpus", "image", "created_at", "claimed_at", "started_at", "ended_at", "agent", "directory",
    "group", "failure", "after", "not_before", "retried", "blocked", "image_digest", "author",
    "sync",
]  # fmt: skip
QUEUE_KEYS = [
    "name", "resource", "config", "template_variables", "prioritized", "paused", "max_running",
    "depth", "running",
]  # fmt: skip
JOB_KEYS = [
    "name", "version", "aliases", "kind", "source", "entry_point", "environment", "inputs",
    "outputs", "created_at",
]  # fmt: skip
EVIL = "\x1b]0;owned\x07\x1b[31mred\nline2"


@pytest.fixture
def run(sdk, job):
    """Returns ``run(**request) -> id``: a run that waits."""

    def make(**request):
        return sdk.launch(LaunchRequest(job=job, **request)).id

    return make


@pytest.fixture
def ended(sdk, run):
    """Returns ``ended(state, **request) -> id``: a run that has ended so."""

    def make(state=RunState.FAILED, *, summary=None, **request):
        run_id = run(**request)
        changes = {"cause": "exit 137 (OOM-killed)", "phase": "run", "next_step": "raise memory"}
        if summary is not None:
            write.observe(sdk.db, run_id, {"summary": summary})
        write.settle(
            sdk.db, run_id, RunState.QUEUED, state, owner=None, changes=changes, actor="test"
        )
        sdk.home.attempt(run_id, 1).mkdir(parents=True)
        return run_id

    return make


def test_the_json_of_a_run(cli, run):
    run_id = run(config={"lr": 0.1}, tags=("a",))
    shown = cli("show", "--json", run_id).json
    assert list(shown) == [*RUN_KEYS, "outputs"]
    assert shown.pop("outputs") == []
    assert (shown["id"], shown["state"], shown["config"]) == (run_id, "queued", {"lr": 0.1})
    assert cli("runs", "--json").json == [shown]
    for reference in (run_id[:4], "@"):
        assert cli("--json", "show", reference).json["id"] == run_id


def test_runs_are_filtered_and_newest_first(cli, run, ended, sdk):
    sdk.queues.create("gpu", "process")
    first, second = run(config={"lr": 1}), run(queue="gpu", config={"lr": 2}, tags=("x",))
    third = ended()

    def ids(*words):
        return [row["id"] for row in cli("runs", "--json", *words).json]

    assert ids() == [third, second, first]
    assert ids("-q", "gpu") == [second]
    assert ids("-s", "failed") == [third]
    assert ids("-s", "failed,queued", "-n", "2") == [third, second]
    assert ids("-s", "failed", "-s", "queued") == [third, second, first]
    assert ids("-j", "proj:v0") == [third, second, first]
    assert ids("--filter", "config.lr>1 or state=failed") == [third, second]
    assert ids("--filter", "config.lr>0", "-n", "1") == [second]
    assert ids("-j", "other") == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-q", "nope"], "queue: there is no queue called 'nope'"),
        (["-s", "done"], "-s: there is no state 'done' (allowed: queued, held"),
        (["-n", "0"], "-n: 0 is no number of runs"),
        (["--filter", "stat=x"], "--filter: there is no field 'stat'"),
    ],
)
def test_wrong_filters(refused, job, words, says):
    assert refused("runs", *words).startswith(says)


def test_rows(cli, run, ended):
    run(name="first")
    ended()
    rows = cli("runs").out.splitlines()
    assert rows[0].split() == ["RUN", "STATE", "NAME", "JOB", "QUEUE", "AGE", "TOOK", "NOTE"]
    assert "exit 137 (OOM-killed)" in rows[1]
    assert "first" in rows[2]
    assert rows[1].index("default") == rows[2].index("default")


def test_an_empty_store_says_so_on_stderr(cli):
    empty = {"runs": "runs", "job list": "jobs", "queue list": "queues", "env list": "environments"}
    for verb, name in empty.items():
        words, says = verb.split(), f"no {name}"
        result = cli(*words)
        assert (result.status, result.out, result.err) == (0, "", f"{says}\n")
        assert cli(*words, "--json").json == []


def test_text_of_jobs_is_harmless_where_it_is_shown_and_whole_in_json(cli, run):
    run(name=EVIL, config={EVIL: EVIL})
    run_id = run(name=EVIL, tags=(EVIL,), note=EVIL, config={EVIL: EVIL})
    for words in (["runs"], ["show", "@"], ["compare", "@", "@~1", "--all"], ["events", "@"]):
        out = cli(*words).out
        assert "\x1b" not in out
        assert "owned" not in out or "\x07" not in out
    assert "red⏎line2" in cli("runs").out
    shown = cli("show", run_id, "--json").json
    assert (shown["name"], shown["config"]) == (EVIL, {EVIL: EVIL})


def test_show_flattens_config_and_summary(cli, ended):
    ended(config={"model": {"depth": 3}}, summary={"val": {"acc": 0.5}, "bad": float("nan")})
    out = cli("show", "@").out
    assert "config.model.depth=3" in out
    assert "summary.val.acc=0.5" in out
    assert "next_step" in out
    strict = json.loads(cli("show", "@", "--json").out, parse_constant=pytest.fail)
    assert strict["summary"]["bad"] == "NaN"


def test_why(cli, run):
    run_id = run()
    found = cli("why", "@", "--json").json
    assert list(found) == ["id", "reason", "kind", "until"]
    assert found == {
        "id": run_id, "reason": "no agent is running: launch-tui --agent-only",
        "kind": "no_agent", "until": None,
    }  # fmt: skip
    assert cli("why", "@").out == "no agent is running: launch-tui --agent-only\n"


def test_events(cli, run):
    run_id = run()
    cli("hold", "@")
    found = cli("events", "@", "--json").json
    assert [event["state"] for event in found] == ["queued", "held"]
    assert {event["run_id"] for event in found} == {run_id}
    assert len(cli("events", "@").out.splitlines()) == 3


def test_jobs(cli, job, folder, sdk):
    shown = cli("job", "show", job, "--json").json
    assert list(shown) == JOB_KEYS
    assert shown["entry_point"] == ["python", "train.py"]
    assert shown["source"]["path"] == str(folder)
    assert cli("job", "list", "--json").json == [shown]
    assert cli("job", "alias", "proj", "prod").out == "proj:prod is v0\n"
    again = cli("job", "create", "code", ".", "--venv", "none")
    assert again.out == "No changes detected for proj:v0\n"
    (folder / "new.py").write_text("")
    result = cli("job", "create", "code", ".", "--venv", "none", "-E", "python new.py", "--json")
    assert list(result.json) == [*JOB_KEYS, "outcome"]
    assert (result.json["version"], result.json["outcome"]) == ("v1", "updated")
    found = cli("job", "diff", "proj:prod", "proj:v1", "--json").json
    assert found["fields"] == {"entry_point": ["python train.py", "python new.py"]}
    assert found["files"]["added"] == ["new.py"]
    assert "+ new.py" in cli("job", "diff", "proj:v0", "proj").out
    out = cli("job", "show", "proj:prod").out
    assert "python train.py" in out
    assert "v1, v0" in out
    assert cli("job", "delete", job).status == 0
    assert cli("job", "list", "--json").json == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["job", "create", "code", "/nowhere"], ""),
        (["job", "create", "code", ".", "-n", "a b"], "-n: 'a b' cannot be a job's name"),
        (["job", "create", "code", ".", "-a", "v1"], "alias: 'v1' cannot be an alias"),
        (["job", "create", "code", ".", "--venv", "conda:x"], "--venv: "),
        (["job", "create", "code", ".", "--venv", "odd"], "--venv: 'odd' is none"),
        (["job", "create", "code", ".", "--python", "/nowhere"], "--python: /nowhere is no"),
        (["job", "create", "code", ".", "-r", "two"], ""),
        (["job", "create", "code", ".", "--tracking", "maybe"], "--tracking: 'maybe' is no"),
        (["job", "create", "code", ".", "--link", "../x"], "--link: ../x is not inside"),
        (["job", "create", "code", "empty"], ""),
        (["job", "show", "nope"], "job: there is no job called 'nope'"),
        (["job", "alias", "proj:v9", "x"], "job: 'proj' has no version or alias 'v9'"),
        (["job", "alias", "proj", "latest"], "alias: 'latest' always is"),
        (["job", "delete", "proj:v0"], "JOB: 'proj:v0' names a version"),
        (["queue", "create", "x"], "-r: is missing"),
        (["queue", "create", "x", "-r", "cloud"], "-r: no target resource is called 'cloud'"),
        (["queue", "create", "a/b", "-r", "process"], "queue name: 'a/b' cannot be"),
        (["queue", "create", "x", "-r", "process", "--max-running", "0"], "--max-running: 0"),
        (["queue", "show", "nope"], "queue: there is no queue called 'nope'"),
        (["queue", "update", "x"], "queue update: changes nothing"),
        (["metrics", "@"], "RUN: there is no run '@'"),
        (["completion", "tcsh"], "SHELL: there is no completion for 'tcsh'"),
        (["agent", "run", "-j", "0"], "-j: 0 is no number of jobs"),
        (["env", "prune", "--older-than", "soon"], "--older-than: 'soon' is no age"),
        (["demo"], "launch-tui: the UI needs a terminal"),
        ([], "launch-tui: the UI needs a terminal"),
    ],
)
def test_wrong_use(refused, job, folder, words, says):
    (folder / "empty").mkdir()
    assert refused(*words).startswith(says)


def test_queues(cli):
    made = cli("queue", "create", "gpu", "-r", "process", "--max-running", "3", "--json").json
    assert list(made) == QUEUE_KEYS
    assert made == {
        "name": "gpu", "resource": "local-process", "config": {}, "template_variables": {},
        "prioritized": False, "paused": False, "max_running": 3, "depth": 0, "running": 0,
    }  # fmt: skip
    assert cli("queue", "show", "gpu", "--json").json == made
    assert cli("queue", "create", "gpu", "-r", "process").status == 2
    assert cli("queue", "update", "gpu", "--max-running", "5", "--json").json["max_running"] == 5
    assert cli("queue", "pause", "gpu").out == "gpu  paused\n"
    assert cli("queue", "list", "--json").json[0]["paused"] is True
    assert "paused" in cli("queue", "list").out
    assert cli("queue", "resume", "gpu").status == 0
    assert cli("queue", "show", "gpu", "--json").json["paused"] is False
    assert cli("queue", "delete", "gpu").status == 0


def test_runs_are_acted_on(cli, run, sdk):
    first, second = run(), run()
    assert cli("hold", first, second).out == f"{first}  held\n{second}  held\n"
    assert cli("release", second).status == 0
    assert sdk.runs.get(second).state == "queued"
    assert cli("front", second).status == 0
    assert cli("tag", "@", "a", "b").out == "a, b\n"
    assert cli("tag", "@", "-a").out == "b\n"
    assert cli("tag", "@", "-b", "c").out == "c\n"
    assert cli("note", "@", "- a note").status == 0
    assert sdk.runs.get("@").note == "- a note"
    assert cli("stop", first).out == f"{first}  stopped\n"
    assert cli("cancel", second).out == f"{second}  cancelled\n"
    assert cli("cancel", second).status == 2
    assert cli("stop", second).status == 2
    assert cli("delete", first, second).status == 0
    assert cli("runs", "--json").json == []


def test_an_unknown_run_among_several_changes_none(refused, run, sdk):
    run_id = run()
    assert refused("stop", run_id, "zzzz").startswith("RUN: there is no run 'zzzz'")
    assert sdk.runs.get(run_id).state == "queued"


def test_what_was_done_before_a_run_that_is_refused_is_told(cli, run, sdk):
    first, second = run(), run()
    assert cli("cancel", second).status == 0
    result = cli("stop", first, second)
    assert (result.status, result.out) == (2, f"{first}  stopped\n")
    assert result.err.startswith(f"launch-tui: RUN: {second} has ended already")


def test_compare(cli, run):
    first = run(config={"lr": 1, "same": 0, "model": {"depth": 1}})
    second = run(config={"lr": 2, "same": 0})
    found = cli("compare", first, second, "--json").json
    assert found["runs"] == [first, second]
    assert found["config"] == {"lr": [1, 2], "model.depth": [1, None]}
    assert "same" in cli("compare", first, second, "--all", "--json").json["config"]
    rows = [row.split() for row in cli("compare", first, second).out.splitlines()]
    assert ["config.lr", "1", "2"] in rows
    assert ["config.model.depth", "1", "-"] in rows
    assert cli("compare", "@", first, second, "--json").json["runs"] == [second, first]


def test_metrics(cli, run, sdk):
    run_id = run()
    assert cli("metrics", "@", "--json").json == {}
    assert "has logged no metrics" in cli("metrics", "@").err
    sdk.home.run(run_id).mkdir(parents=True)
    writer = SeriesWriter(sdk.home.metrics(run_id))
    writer.append_history(
        [
            (0, {"loss": 1.0, "val.acc": 0.1, "text": "a"}),
            (1, {"loss": float("nan")}),
            (2, {"loss": float("-inf"), "val.acc": 0.2}),
        ]
    )
    writer.commit()
    writer.close()
    found = json.loads(cli("metrics", "@", "--json").out, parse_constant=pytest.fail)
    assert found == {
        "loss": [[0, 1.0], [1, "NaN"], [2, "-Infinity"]],
        "text": [[0, "a"]],
        "val.acc": [[0, 0.1], [2, 0.2]],
    }
    assert list(cli("metrics", "@", "val*", "--json").json) == ["val.acc"]
    rows = [row.split() for row in cli("metrics", "@", "loss", "val.acc").out.splitlines()]
    assert rows == [
        ["STEP", "loss", "val.acc"], ["0", "1", "0.1"], ["1", "nan"], ["2", "-inf", "0.2"]
    ]  # fmt: skip
    assert cli("metrics", "@").out.splitlines()[1].split()[:2] == ["loss", "3"]
    wrong = cli("metrics", "@", "los")
    assert (wrong.status, wrong.err) == (
        2, f"launch-tui: KEY: {run_id} has logged no 'los' (allowed: loss)\n",
    )  # fmt: skip


def test_logs(cli, ended, sdk, process):
    run_id = ended()
    attempt = sdk.home.attempt(run_id, 1)
    told = f"{run_id}  failed in phase run: exit 137 (OOM-killed). Next: raise memory\n"
    missing = cli("logs", "@")
    assert (
        missing.err
        == f"{run_id}: the job has written nothing: failed: exit 137 (OOM-killed)\n" + told
    )
    raw = b"one\n\x1b]0;owned\x07\xff\r50%\n" + EVIL.encode() + b"\nlast"
    (attempt / "output.log").write_bytes(raw)
    (attempt / "build.log").write_bytes(b"built\n")
    result = process("logs", "@")
    assert result.out.encode(errors="surrogateescape") == raw.replace(b"\r", b"\n")
    assert result.err == told
    assert process("logs", "@", "-n", "1").out == "last"
    assert process("logs", run_id, "--build").out == "built\n"
    assert process("logs", run_id, "-f").out.endswith("last")
    assert process("logs", run_id, "--attempt", "2").status == 2


def test_files_and_cp(cli, ended, sdk, tmp_path, refused):
    run_id = ended()
    attempt = sdk.home.attempt(run_id, 1)
    (attempt / "output.log").write_text("log")
    (attempt / "source").mkdir()
    (attempt / "source" / "model.pt").write_text("weights")
    names = ["1/output.log", "1/source/model.pt"]
    assert [row["path"] for row in cli("files", "@", "--json").json] == names
    assert cli("files", "@").out.split() == names
    for inside in ("1/source/model.pt", "source/model.pt", "model.pt"):
        assert cli("cp", f"@:{inside}", tmp_path / "out").status == 0
        assert (tmp_path / "out").read_text() == "weights"
        (tmp_path / "out").unlink()
    (tmp_path / "dir").mkdir()
    assert cli("cp", f"{run_id}:source", tmp_path / "dir").status == 0
    assert (tmp_path / "dir" / "source" / "model.pt").exists()
    assert cli("cp", "@:output.log", "-").out == "log"
    assert refused("cp", "@:nothing", ".").startswith("RUN:PATH: ")
    assert "leads out of the run" in refused("cp", "@:../../launch.db", ".")
    assert "leads out of the run" in refused("cp", "@:/etc/passwd", ".")
    assert "names no file" in refused("cp", "@", ".")
    assert cli("cp", "@:output.log", "/nowhere/at/all").status == 1


def test_agent_status_when_none_runs(cli):
    status = cli("agent", "status", "--json").json
    disk = status.pop("disk")
    assert (disk["budget"], disk["kinds"]) == (None, {})
    assert disk["free"] > 0
    assert status == {
        "running": False, "pid": None, "host": None, "since": None, "queues": None,
        "max_jobs": None, "runs": [], "config": None, "notes": [], "problem": None, "gpus": [],
        "notify": [],
    }  # fmt: skip
    for verb in ("drain", "resume", "stop"):
        result = cli("agent", verb)
        assert (result.status, result.err) == (
            1, "launch-tui: no agent is running here. launch-tui --agent-only\n",
        )  # fmt: skip


def test_environments(cli, private_home):
    assert cli("env", "list", "--json").json == []
    half = private_home / "envs" / "3.11-abc"
    half.mkdir(parents=True)
    os.utime(half, (1.25, 1.25))
    [listed] = cli("env", "list", "--json").json
    assert (listed["key"], listed["path"]) == ("3.11-abc", str(half))
    assert (listed["created_at"], listed["last_used_at"]) == (None, "1970-01-01T00:00:01.250000Z")
    assert [e["key"] for e in cli("env", "prune", "--dry-run", "--json").json] == ["3.11-abc"]
    assert half.exists()
    assert "removed 1" in cli("env", "prune").err
    assert not half.exists()
