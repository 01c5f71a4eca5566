"""``launch`` and ``rerun``: what reaches the store, and what is refused, without an agent."""

from __future__ import annotations

import json
import subprocess

import pytest

LAUNCH_KEYS = ["id", "queue", "position", "job", "version"]


def test_a_job_with_everything(cli, job, sdk):
    result = cli(
        "launch", "lr=3e-4", job, "-q", "default", "opt=adam", "--json", "--name", "n", "-p", "pr",
        "-e", "ent", "--tag", "a", "--tag", "b", "--note", "hi there", "--setenv", "A=b=c",
        "--pass-env", "HF_TOKEN", "--secret", "KEY", "-E", "python train.py --fast",
        "model.depth=3",
    )  # fmt: skip
    assert result.status == 0
    assert list(result.json) == LAUNCH_KEYS
    assert result.err == "no agent is running: start one with launch-tui --agent-only\n"
    run = sdk.runs.get("@")
    assert (run.id, run.queue, run.version) == (result.json["id"], "default", "v0")
    assert run.config == {"lr": 3e-4, "opt": "adam", "model": {"depth": 3}}
    assert (run.name, run.project, run.tags, run.note) == ("n", "pr", ("a", "b"), "hi there")
    spec = sdk.runs.spec("@")
    assert spec.command == ("python", "train.py", "--fast")
    assert spec.setenv == {"A": "b=c"}
    assert (spec.pass_env, spec.secrets, spec.entity) == (("HF_TOKEN",), ("KEY",), "ent")


def test_minus_j_is_the_same_and_the_queue_is_default(cli, job):
    result = cli("launch", "-j", f"{job}:v0", "lr=1", "--json")
    assert result.json == {**result.json, "queue": "default", "position": 1, "job": job}
    assert cli("launch", "-j", job, "--json").json["position"] == 2


def test_plain_output_is_one_row(cli, job):
    result = cli("launch", job)
    assert result.out.count("\n") == 1
    assert result.out.split() == [result.out.split()[0], "proj:v0", "default", "position", "1"]


def test_the_folder_as_it_is_now(cli, folder, sdk):
    first = cli("launch", "--json", "--", "python", "train.py", "--epochs", "3").json
    assert (first["job"], first["version"]) == ("proj", "v0")
    assert sdk.runs.spec("@").command == ("python", "train.py", "--epochs", "3")
    assert cli("launch", "--json", "--", "./other").json["version"] == "v0"
    (folder / "train.py").write_text("print('changed')\n")
    assert cli("launch", "--json", "--", "python", "train.py").json["version"] == "v1"
    assert sdk.jobs.get("proj").entry_point == ("python", "train.py")


def test_what_was_decided_about_a_job_stays_when_its_folder_is_launched(cli, folder, sdk):
    (folder / "data").mkdir()
    create = ("job", "create", "code", ".", "--venv", "none", "--tracking", "optional")
    assert cli(*create, "--link", "data", "-d", "text").status == 0
    (folder / "train.py").write_text("print('changed')\n")
    assert cli("launch", "--json", "--", "true").json["version"] == "v1"
    job = sdk.jobs.get("proj")
    assert (job.tracking, job.links, job.description) == ("optional", ("data",), "text")
    assert job.environment.mode == "none"
    assert job.entry_point == ("python", "train.py")


def test_in_place(cli, folder, sdk):
    result = cli("launch", "--in-place", "--json", "--", "python", "train.py")
    assert (result.json["job"], result.json["version"]) == ("proj", "in-place")
    assert sdk.runs.spec("@").in_place == str(folder)
    assert sdk.jobs.list() == []


def test_a_folder_by_path_and_its_own_entry_point(cli, folder, sdk, monkeypatch):
    monkeypatch.chdir(folder.parent)
    result = cli("launch", "-u", "proj", "-E", "python train.py --slow", "--json")
    assert (result.json["job"], result.json["version"]) == ("proj", "v0")
    assert sdk.jobs.get("proj").entry_point == ("python", "train.py", "--slow")


def test_a_repository(cli, folder, sdk):
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    result = cli("launch", "-u", f"file://{folder}", "-E", "python train.py", "--json")
    assert result.status == 0, result
    job = sdk.jobs.get(result.json["job"])
    assert job.kind == "git"
    assert len(job.source.commit) == 40


def test_configuration_from_a_file_under_words(cli, job, sdk, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("lr: 1e-3\nmodel: {depth: 3, width: 4}\n")
    assert cli("launch", job, "-c", path, "model.depth=5", "x=1").status == 0
    assert sdk.runs.get("@").config == {"lr": 1e-3, "model": {"depth": 5, "width": 4}, "x": 1}
    spec = {
        "project": "p",
        "overrides": {"run_config": {"lr": 2}, "entry_point": ["python", "train.py"]},
    }
    assert cli("launch", job, "-c", json.dumps(spec)).status == 0
    assert sdk.runs.get("@").config == {"lr": 2}
    assert sdk.runs.get("@").project == "p"


def test_dry_run_does_nothing(cli, job, sdk):
    result = cli("launch", job, "lr=1", "--setenv", "API_KEY=hunter2", "--dry-run")
    assert result.status == 0
    assert "python train.py" in result.out
    assert "config.lr=1" in result.out
    assert "hunter2" not in result.out + result.err
    assert "API_KEY looks like a secret" in result.err
    plan = cli("launch", job, "lr=1", "--dry-run", "--json").json
    assert plan["config"] == {"lr": 1}
    assert sdk.runs.list() == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["launch"], "JOB: is missing"),
        (["launch", "-q", "default"], "JOB: is missing"),
        (["launch", "nothing"], "job: there is no job called 'nothing' (allowed: proj)"),
        (["launch", "proj:v7"], "job: 'proj' has no version or alias 'v7' (allowed: latest, v0)"),
        (["launch", "proj", "-q", "nope"], "queue: there is no queue called 'nope'"),
        (["launch", "proj", "other"], "other: the job is 'proj' already"),
        (["launch", "proj", "-j", "proj"], "-j: the job is 'proj' already"),
        (["launch", "proj", "-u", "."], "-u: cannot stand together with the job 'proj'"),
        (["launch", "proj", "--in-place"], "--in-place: cannot stand together with the job"),
        (["launch", "--in-place"], "--in-place: no command is given"),
        (["launch", "--"], "--: no command follows"),
        (["launch", "-E", "x", "--", "y"], "-E: cannot stand together with -- COMMAND"),
        (["launch", "proj", "-E", "'open"], "-E: "),
        (["launch", "-u", "/nowhere/at/all", "-E", "x"], "job folder"),
        (["launch", "proj", "=1"], "=1: has an empty key"),
        (["launch", "proj", "a=1", "a=2"], "a=2: a is given twice"),
        (["launch", "proj", "-c", "/nowhere.yaml"], "-c: cannot read /nowhere.yaml"),
        (["launch", "proj", "-c", "{bad"], "-c: "),
        (["launch", "proj", "--setenv", "A"], "--setenv: 'A' has no '='"),
        (["launch", "proj", "--setenv", "1A=2"], "--setenv: '1A' cannot be a variable's name"),
        (["launch", "proj", "--pass-env", "a b"], "--pass-env: 'a b' cannot be"),
        (["launch", "proj", "--secret", "a-b"], "--secret: 'a-b' cannot be"),
        (["launch", "proj", "--wait", "--dry-run"], "--dry-run: cannot stand together with --wait"),
        (["launch", "proj", "--watch", "--wait"], "--watch: cannot stand together with --wait"),
        (["launch", "proj", "--watch"], "--watch: needs a folder"),
        (
            ["launch", "--watch", "--in-place", "--", "x"],
            "--watch: cannot stand together with --in",
        ),
        (["launch", "proj", "--follow", "--json"], "--follow: cannot stand together with --json"),
        (["launch", "--file", "x", "-u", "."], "--file: cannot stand together with --uri"),
        (["launch", "-u", "ext::sh -c x", "-E", "y"], ""),
        (["launch", "-u", "http://host/x.git", "-E", "y"], ""),
        (["rerun", "@"], "RUN: there is no run '@'"),
        (["rerun", "zz", "a=1"], "RUN: there is no run 'zz'"),
    ],
)
def test_wrong_use(refused, job, words, says):
    line = refused(*words)
    if says != "job folder":
        assert line.startswith(says)
    assert "Traceback" not in line


def test_a_value_of_the_wrong_type_against_the_schema(cli, refused, folder):
    schema = json.dumps({"type": "object", "properties": {"lr": {"type": "number"}}})
    assert cli("job", "create", "code", ".", "--venv", "none", "--schema", schema).status == 0
    assert "lr" in refused("launch", "proj", "lr=fast")
    assert cli("launch", "proj", "lr=0.5").status == 0
    assert "no JSON Schema" in refused(
        "job", "create", "code", ".", "--schema", '{"type": "nothing"}'
    )


def test_bulk(cli, job, sdk, tmp_path):
    assert cli("queue", "create", "other", "-r", "process").status == 0
    path = tmp_path / "runs.jsonl"
    lines = [
        {"config": {"lr": 1}, "name": "one", "tags": ["t"], "note": "n\u2028"},
        {"job": "proj:v0", "entry_point": "python train.py -x", "queue": "other"},
        {"entry_point": ["a", "b"], "setenv": {"A": "1"}},
    ]
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n\n")
    result = cli("launch", job, "--file", path, "seed=7", "--tag", "all", "--json")
    assert result.status == 0, result
    assert [list(run) for run in result.json] == [LAUNCH_KEYS] * 3
    assert [run["queue"] for run in result.json] == ["default", "other", "default"]
    first, second, third = (sdk.runs.get(run["id"]) for run in result.json)
    assert first.config == {"seed": 7, "lr": 1}
    assert (first.name, first.tags, first.note) == ("one", ("all", "t"), "n\u2028")
    assert second.tags == ("all",)
    assert sdk.runs.spec(third.id).command == ("a", "b")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2: no JSON"),
        ("[1]", "line 2: no JSON object"),
        ('{"confg": {}}', "line 2: unknown key 'confg'; did you mean 'config'?"),
        ('{"config": 1}', "line 2: config is no object"),
        ('{"tags": "x"}', "line 2: tags is no list of texts"),
        ('{"name": 1}', "line 2: name is no text"),
        (r'{"name": "\ud800"}', "line 2: holds half a character"),
        ('{"setenv": {"A": 1}}', "line 2: setenv holds values that are no text"),
        ('{"entry_point": 1}', "line 2: entry_point is neither"),
        ('{"job": "nope"}', "line 2: job: there is no job called 'nope'"),
        ('{"queue": "nope"}', "line 2: queue: there is no queue called 'nope'"),
    ],
)
def test_bulk_is_all_or_none_and_names_the_line(refused, cli, job, sdk, tmp_path, line, says):
    path = tmp_path / "runs.jsonl"
    path.write_text('{"name": "good"}\n' + line)
    assert refused("launch", job, "--file", path).startswith(f"--file: {says}")
    assert sdk.runs.list() == []


def test_bulk_files_that_cannot_be_read(refused, job, tmp_path):
    assert "No such file" in refused("launch", job, "--file", tmp_path / "no")
    (tmp_path / "empty").write_text("\n\n")
    assert "has no lines" in refused("launch", job, "--file", tmp_path / "empty")


def test_rerun_keeps_what_is_not_changed(cli, job, sdk):
    cli("launch", job, "lr=1", "model.depth=3", "model.width=4", "--tag", "a", "--name", "n")
    result = cli("rerun", "@", "model.depth=9", "--note", "again", "--json")
    assert list(result.json) == LAUNCH_KEYS
    run = sdk.runs.get("@")
    assert run.config == {"lr": 1, "model": {"depth": 9, "width": 4}}
    assert (run.tags, run.name, run.note, run.queue) == (("a",), "n", "again", "default")
    assert "no key=value" in cli("rerun", "@", "lr").err


def test_a_store_that_cannot_be_written_and_one_that_is_newer(cli, job, private_home, tmp_path):
    (tmp_path / "file").write_text("")
    result = cli("--home", tmp_path / "file", "runs")
    assert result.status == 1
    assert result.err.count("\n") == 1
    assert "is not a directory" in result.err
    (private_home / "launch.db").write_bytes(b"no database at all" * 100)
    result = cli("launch", job)
    assert result.status == 1
    assert result.err.count("\n") == 1


def test_home_flag_wins_over_the_variable(cli, tmp_path, private_home):
    assert cli("--home", tmp_path / "h", "queue", "create", "q", "-r", "process").status == 0
    assert cli("queue", "list", "--home", tmp_path / "h", "--json").json[0]["name"] == "q"
    assert cli("queue", "list", "--json").json == []
    assert cli("--home", "", "runs").status == 2
