"""The command line called in this process, and as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import NamedTuple

import pytest

from launch_tui.cli.program import main
from launch_tui.sdk import Launch


class Result(NamedTuple):
    """What one command line did."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def kept_bytecode(tmp_path_factory, monkeypatch):
    """The many processes of these tests compile the package once, wherever it may be written."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.getbasetemp() / "bytecode"))


@pytest.fixture
def cli(capsys):
    """Returns ``cli(*words) -> Result``, in this process."""

    def call(*words):
        capsys.readouterr()
        status = main([str(word) for word in words])
        return Result(status, *capsys.readouterr())

    return call


@pytest.fixture
def refused(cli):
    """Returns ``refused(*words) -> str``: the one line on stderr of a wrong use."""

    def call(*words):
        result = cli(*words)
        assert result.status == 2, result
        assert result.out == ""
        assert result.err.startswith("launch-tui: ")
        assert result.err.count("\n") == 1
        return result.err.removeprefix("launch-tui: ").rstrip("\n")

    return call


@pytest.fixture
def process(private_home):
    """Returns ``process(*words, **how) -> Result``, as a process of its own."""

    def call(*words, cwd=None, env=None, stdin="", timeout=30):
        done = subprocess.run(
            [sys.executable, "-m", "launch_tui", *map(str, words)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=timeout,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def sdk(private_home):
    with Launch() as launch:
        yield launch


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder named ``proj`` with a train.py, which is the working directory."""
    path = tmp_path / "proj"
    path.mkdir()
    (path / "train.py").write_text("print('hello')\n")
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def job(cli, folder):
    """A job ``proj`` made from the folder, without an environment of its own."""
    assert cli("job", "create", "code", ".", "--venv", "none").status == 0
    return "proj"
