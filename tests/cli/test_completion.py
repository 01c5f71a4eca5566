"""Completion scripts: bash's is run by bash; each names all that the table of verbs has."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from launch_tui.cli.completion import bash, fish, zsh
from launch_tui.cli.verbs import VERBS

OFFERED = [verb for verb in VERBS if not verb.words[0].startswith("__")]


@pytest.fixture
def complete(tmp_path):
    """Returns ``complete(line) -> [candidate]``: what bash offers at the end of a line."""
    command = tmp_path / "bin" / "launch-tui"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m launch_tui "$@"\n')
    command.chmod(0o755)
    script = tmp_path / "completion.bash"
    script.write_text(bash())

    def call(line):
        words = line.split(" ")
        quoted = " ".join(f"'{word}'" for word in words)
        code = (
            f"PATH={command.parent}:$PATH; source {script}; COMP_WORDS=({quoted});"
            f" COMP_CWORD={len(words) - 1}; _launch_tui; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        done = subprocess.run(
            ["bash", "-c", code], capture_output=True, text=True, timeout=20, cwd=tmp_path
        )
        assert done.stderr == ""
        return done.stdout.split()

    return call


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes(complete, cli, job, tmp_path):
    run_id = cli("launch", job, "--json").json["id"]
    cli("queue", "create", "gpu", "-r", "process")
    assert complete("launch-tui la") == ["launch"]
    assert set(complete("launch-tui queue ")) == {
        "create", "list", "show", "edit", "update", "pause", "resume", "delete",
    }  # fmt: skip
    assert complete("launch-tui job create ") == ["code", "git", "image"]
    assert complete("launch-tui launch --fo") == ["--follow"]
    assert complete("launch-tui launch -q ") == ["default", "gpu"]
    assert complete("launch-tui launch -q g") == ["gpu"]
    assert complete("launch-tui launch pr") == ["proj"]
    assert complete("launch-tui stop ") == [run_id]
    assert complete("launch-tui runs -s fin") == ["finished"]
    assert "local-process" in complete("launch-tui queue create x -r l")
    assert complete("launch-tui launch -P c") == ["critical"]
    assert complete("launch-tui launch --after ") == [run_id]
    assert complete("launch-tui launch --retr") == ["--retries", "--retry-on"]
    assert complete("launch-tui priority ") == [run_id]
    assert complete("launch-tui completion z") == ["zsh"]
    (tmp_path / "script.py").write_text("")
    assert complete("launch-tui launch -- scr") == ["script.py"]
    assert "--agent-only" in complete("launch-tui --ag")


@pytest.mark.parametrize("script", [bash, zsh, fish])
def test_the_scripts_name_every_verb_and_flag(script):
    text = script()
    for verb in OFFERED:
        assert verb.words[-1] in text
        for flag in verb.flags:
            assert max(flag.names, key=len).lstrip("-") in text


def test_candidates_are_silent_when_there_is_no_store(cli):
    assert cli("__complete", "job") == (0, "", "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_shell_accepts_its_script(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    path = tmp_path / f"script.{shell}"
    path.write_text({"zsh": zsh, "fish": fish}[shell]())
    subprocess.run([shell, "-n", str(path)], check=True, timeout=20)
