"""``edit`` and ``queue edit``: the editor's text is validated, a bad edit is kept."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """Returns ``editor(old, new)``: an $EDITOR that replaces text in the file it is given."""

    def make(old, new, *, status=0):
        script = tmp_path / "editor.py"
        script.write_text(
            "import sys, pathlib\n"
            "p = pathlib.Path(sys.argv[-1])\n"
            f"p.write_text(p.read_text().replace({old!r}, {new!r}))\n"
            f"sys.exit({status})\n"
        )
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", shlex.join([sys.executable, str(script), "--wait"]))

    return make


def test_a_queue_is_edited(cli, editor):
    cli("queue", "create", "gpu", "-r", "process")
    editor("max_running: 1", "max_running: 4")
    assert cli("queue", "edit", "gpu").out == "gpu  max_running changed\n"
    assert cli("queue", "show", "gpu", "--json").json["max_running"] == 4
    editor("paused: false", "paused: true")
    assert cli("queue", "edit", "gpu").out == "gpu  paused changed\n"
    assert cli("queue", "show", "gpu", "--json").json["paused"] is True
    editor("nothing", "nothing")
    assert cli("queue", "edit", "gpu").out == "gpu  nothing changed\n"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("max_running: 1", "max_running: 0", "--max-running: 0 is not a number of runs"),
        ("max_running: 1", "max_running: lots", "max_running: 'lots' is not a whole number"),
        ("max_running: 1", "max_runing: 2", "max_runing: is no setting"),
        ("max_running: 1\n", "", "max_running: is missing"),
        ("tracking: required", "tracking: maybe", "--tracking: 'maybe' is no tracking rule"),
        ("max_running: 1", "max_running: [", "YAML: the text cannot be read"),
        ("paused: false", "paused: 1", "paused: 1 is not true or false"),
        ("config: {}", "config: {cpu: 1}", "is not a key of local-process, did you mean cpus?"),
        ("config: {}", "config: [1]", "config: [1] is not an object"),
        ("config: {}", "config: {cpus: '{{n}}'}", "{{n}} is not declared"),
        ("variables: {}", "variables: {n: {type: integer}}", "is used by no hole"),
    ],
)
def test_a_bad_edit_is_told_and_kept(cli, editor, private_home, old, new, says):
    cli("queue", "create", "gpu", "-r", "process")
    editor(old, new)
    result = cli("queue", "edit", "gpu")
    assert result.status == 2
    assert says in result.err
    kept = Path(result.err.rstrip().partition("it is kept in ")[2])
    assert new.strip() in kept.read_text()
    assert cli("queue", "show", "gpu", "--json").json["max_running"] == 1


def test_an_editor_that_fails_changes_nothing(cli, editor, monkeypatch, private_home):
    cli("queue", "create", "gpu", "-r", "process")
    editor("max_running: 1", "max_running: 4", status=1)
    assert "nothing was changed" in cli("queue", "edit", "gpu").err
    monkeypatch.setenv("EDITOR", "/nowhere/editor")
    result = cli("queue", "edit", "gpu")
    assert result.status == 1
    assert "does not start" in result.err
    assert list((private_home / "tmp").iterdir()) == []
    assert cli("queue", "show", "gpu", "--json").json["max_running"] == 1


def test_a_queues_resources_are_edited_under_comments_that_list_the_keys(cli, editor, tmp_path):
    cli("queue", "create", "gpu", "-r", "process", "-c", '{"cpus": 1, "nice": 1}')
    editor(
        "  cpus: 1\n  nice: 1\n",
        "  cpus: '{{n}}'  # processors\n  setup: |\n    module load x\n    . ./env\n",
    )
    text = (tmp_path / "editor.py").read_text()
    seen = tmp_path / "seen.yaml"
    more = "p.write_text(p.read_text().replace('variables: {}', 'variables: {n: {type: integer}}'))"
    copy = f"pathlib.Path({str(seen)!r}).write_text(p.read_text())\n{more}\nsys.exit"
    (tmp_path / "editor.py").write_text(text.replace("sys.exit", copy))
    assert cli("queue", "edit", "gpu").out == "gpu  config, template_variables changed\n"
    queue = cli("queue", "show", "gpu", "--json").json
    assert queue["config"] == {"cpus": "{{n}}", "setup": "module load x\n. ./env\n"}
    assert queue["template_variables"] == {"n": {"schema": {"type": "integer"}}}
    comments = [row for row in seen.read_text().splitlines() if row.startswith("#")]
    assert any(row.split()[1:2] == ["gpu_sharing"] for row in comments)
    assert any("enum, minimum, maximum, default" in row for row in comments)
    editor("  cpus: '{{n}}'\n  setup: |\n    module load x\n    . ./env\n", "")
    assert cli("queue", "edit", "gpu").status == 2
    editor("prioritized: false", "prioritized: true")
    assert cli("queue", "edit", "gpu").out == "gpu  prioritized changed\n"


def test_the_resources_of_a_run_that_waits_are_edited(cli, job, editor, sdk):
    variables = '{"n": {"type": "integer", "default": 1, "maximum": 2}}'
    cli("queue", "create", "q", "-r", "process", "--prioritize", "-c", '{"cpus": "{{n}}"}',
        "--template-variables", variables)  # fmt: skip
    assert cli("launch", job, "-q", "q", "-R", '{"nice": 1}').status == 0
    editor("  nice: 1", "  nice: 2")
    assert cli("edit", "@").out.endswith("resource_args changed\n")
    editor("variables: {}", "variables: {n: 2}")
    assert cli("edit", "@").out.endswith("template_variables changed\n")
    assert sdk.runs.spec("@").resources == {"cpus": 2, "nice": 2}
    editor("priority: medium", "priority: high")
    assert cli("edit", "@").out.endswith("priority changed\n")
    assert sdk.runs.get("@").priority == "high"
    # A key that all lines were taken from has nothing in it.
    editor("  nice: 2\n", "")
    assert cli("edit", "@").out.endswith("resource_args changed\n")
    assert sdk.runs.spec("@").resources == {"cpus": 2}
    for old, new, says in (
        ("n: 2", "n: 3", "n: 3 is not allowed"),
        ("priority: high", "priority: urgent", "'urgent' is no priority"),
        ("resource_args: {}", "resource_args: {gpu_sharing: true}", "gpu_sharing"),
    ):
        editor(old, new)
        result = cli("edit", "@")
        assert result.status == 2
        assert says in result.err
    assert sdk.runs.get("@").priority == "high"


def test_what_a_run_waits_for_is_edited(cli, job, editor, sdk):
    first = cli("launch", job, "--json").json["id"]
    second = cli("launch", job, "--after", first, "--json").json["id"]
    editor("after: []", f"after: ['{second}:any']")
    circle = cli("edit", first)
    assert circle.status == 2
    assert f"--after: {second} waits for {first} itself" in circle.err
    assert sdk.runs.get(first).after == ()
    editor(f"- {first}:ok", f"- {first}:failed")
    assert cli("edit", second).out == f"{second}  after changed\n"
    assert sdk.runs.get(second).after == (f"{first}:failed",)
    editor("begin: ''", "begin: 2031-01-31T08:00Z")
    assert cli("edit", first).out == f"{first}  begin changed\n"
    assert cli("why", first, "--json").json["until"].startswith("2031-01-31T08:00")
    editor("begin: 2031-01-31T08:00:00.000000Z", "begin: ''")
    assert cli("edit", first).out == f"{first}  begin changed\n"
    assert cli("why", first, "--json").json["kind"] == "no_agent"


def test_a_one_that_becomes_true_is_a_change(cli, job, editor, sdk):
    cli("launch", job, "flag=1")
    editor("flag: 1", "flag: true")
    assert cli("edit", "@").out.endswith("config changed\n")
    assert sdk.runs.get("@").config["flag"] is True


def test_a_run_that_waits_is_edited(cli, job, editor, sdk):
    cli("launch", job, "lr=1e-3", "--tag", "a", "--note", "é\nü", "--name", "n")
    editor("lr: 0.001", "lr: 3e-4")
    result = cli("edit", "@")
    assert result.out.endswith("config changed\n")
    run = sdk.runs.get("@")
    assert run.config == {"lr": 3e-4}
    assert (run.tags, run.note, run.name) == (("a",), "é\nü", "n")
    cli("cancel", "@")
    assert "allowed: a run that still waits" in cli("edit", "@").err
