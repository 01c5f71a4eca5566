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
