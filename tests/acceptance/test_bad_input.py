"""What a person gets wrong: one line that names it, exit status 2 or 1, and nothing done."""

from __future__ import annotations

import os
import subprocess

import pytest


@pytest.fixture
def refused(world):
    """Returns ``refused(*words)``: the one line of a refusal; the store is as it was."""

    def call(*words, status=2, **how):
        before = world.ok("runs", "--json").json, world.ok("job", "list", "--json").json
        result = world.lt(*words, **how)
        assert result.status == status, result
        assert result.out == ""
        assert result.err.count("\n") == 1
        assert result.err.startswith("launch-tui: ")
        assert (world.ok("runs", "--json").json, world.ok("job", "list", "--json").json) == before
        return result.err.removeprefix("launch-tui: ")

    return call


@pytest.fixture
def repository(folder):
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "x"]):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)
    return folder


def test_folders(refused, folder):
    (folder / "empty").mkdir()
    (folder / "nothing").mkdir()
    (folder / "nothing" / "notes.txt").write_text("")
    assert "there is no folder" in refused("job", "create", "code", "missing")
    assert "is a file" in refused("job", "create", "code", "train.py")
    assert "empty" in refused("job", "create", "code", "empty", status=2)
    assert refused("job", "create", "code", "nothing").startswith("-E: ")
    assert "missing.py" in refused("job", "create", "code", ".", "-E", "python missing.py")
    assert "there is no folder" in refused("launch", "-u", "missing", "-E", "x")


def test_names(refused, folder):
    assert refused("launch", "nobody").startswith("job: ")
    assert refused("launch", "-q", "nowhere", "--in-place", "--", "x").startswith("queue: ")
    assert refused("job", "show", "nobody:prod").startswith("job: ")
    assert refused("logs", "@").startswith("RUN: ")


def test_documents(refused, world, folder):
    world.ok("job", "create", "code", ".", "--venv", "none")
    (folder / "bad.yaml").write_text("a: [1\nb: 2\n")
    (folder / "bad.json").write_text('{"a": 1,\n "b" 2}')
    assert "line" in refused("launch", "proj", "-c", "bad.yaml")
    assert "line 2" in refused("launch", "proj", "-c", "bad.json")
    assert refused("job", "create", "code", ".", "--schema", "bad.json").startswith("--schema: ")


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% pwned",
        "fd::3",
        "git://host/x.git",
        "http://host/x.git",
        "--upload-pack=x",
    ],
)
def test_urls_that_are_refused_before_git_starts(refused, folder, url):
    line = refused("job", "create", "git", "--", url, env={"PATH": "/nowhere"})
    assert line.startswith(("url", "URL", "git", url))
    assert not (folder / "pwned").exists()


@pytest.mark.parametrize(
    ("url", "status"),
    [("https://127.0.0.1:9/x/y.git", None), ("file:///nowhere/x.git", None)],
)
def test_a_repository_that_cannot_be_reached(world, folder, url, status):
    result = world.lt("job", "create", "git", url, "-E", "python x.py")
    assert result.status in (1, 2)
    assert result.err.count("\n") == 1
    assert world.ok("job", "list", "--json").json == []


def test_a_ref_that_does_not_exist(world, repository):
    result = world.lt("job", "create", "git", repository, "-g", "no-such-branch")
    assert result.status in (1, 2)
    assert "no-such-branch" in result.err
    assert result.err.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_directory_without_write_permission(world, tmp_path):
    home = tmp_path / "locked"
    home.mkdir(mode=0o500)
    result = world.lt("--home", home, "runs")
    assert result.status == 1
    assert "no permission" in result.err
    assert result.err.count("\n") == 1


def test_a_dumb_terminal_and_a_plain_locale_work(world, folder):
    env = {"TERM": "dumb", "LC_ALL": "C", "LANG": "C"}
    world.ok("launch", "-q", "q", "--name", "né", "--in-place", "--", "true", env=env)
    shown = world.ok("runs", env=env)
    assert "n\\xe9" in shown.out
    world.agent()
    assert world.until("@")["state"] == "finished"
