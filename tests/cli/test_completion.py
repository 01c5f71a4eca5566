"""Completion scripts, run by their shells; each names all that the table of verbs has."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys

import pytest

from launch_tui.cli.completion import bash, fish, zsh
from launch_tui.cli.verbs import offered
from launch_tui.sdk import Launch

NEEDS = {
    shell: pytest.mark.skipif(shutil.which(shell) is None, reason=f"needs {shell}")
    for shell in ("bash", "zsh", "fish")
}
# What makes ctrl+x write the line down, as TAB has left it.
RECORDERS = {
    "bash": """bind -x '"\\C-x": printf "%s\\n" "$READLINE_LINE" > "$RECORD"'""",
    "zsh": """autoload -Uz compinit && compinit -u -D
record() { print -r -- "$BUFFER" > "$RECORD" }
zle -N record && bindkey '^X' record""",
}
SILENT = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}


@pytest.fixture
def program(tmp_path):
    """The folder with the program, for PATH."""
    command = tmp_path / "bin" / "launch-tui"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m launch_tui "$@"\n')
    command.chmod(0o755)
    return command.parent


@pytest.fixture
def complete(program, tmp_path):
    """Returns ``complete(line, after="") -> [candidate]``: what bash offers between the two."""
    script = tmp_path / "completion.bash"
    script.write_text(bash())

    def call(line, after=""):
        words = line.split(" ")
        quoted = " ".join(f"'{word}'" for word in [*words, *after.split()])
        code = (
            f"PATH={program}:$PATH; source {script}; COMP_WORDS=({quoted});"
            f" COMP_CWORD={len(words) - 1}; _launch_tui; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        done = subprocess.run(
            ["bash", "-c", code], capture_output=True, text=True, timeout=20, cwd=tmp_path
        )
        assert done.stderr == ""
        return done.stdout.split()

    return call


@pytest.fixture
def tab(program, tmp_path, wait_until):
    """Returns ``tab(shell, line) -> line``: what TAB makes of a line, on a terminal."""

    def call(shell, line):
        script = tmp_path / f"completion.{shell}"
        script.write_text({"bash": bash, "zsh": zsh}[shell]())
        record = tmp_path / "record"
        record.unlink(missing_ok=True)
        ours, theirs = os.openpty()
        environment = os.environ | {
            "TERM": "xterm",
            "PATH": f"{program}:{os.environ['PATH']}",
            "RECORD": str(record),
            "HISTFILE": "",
        }
        # The first terminal that the leader of a session opens is the session's.
        on_terminal = ["sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', os.ttyname(theirs)]
        running = subprocess.Popen(
            [*on_terminal, *SILENT[shell]], cwd=tmp_path, env=environment, start_new_session=True
        )
        shown = b""

        def is_shown(text):
            nonlocal shown
            while select.select([ours], [], [], 0)[0]:
                shown += os.read(ours, 65536)
            return text in shown

        try:
            (tmp_path / "rc").write_text(f"{RECORDERS[shell]}\nsource {script}\nPS1='ready> '\n")
            os.write(ours, b" source ./rc\n")
            wait_until(lambda: is_shown(b"ready> "), what="the prompt")
            os.write(ours, line.encode() + b"\t\x18")
            wait_until(lambda: record.exists() and record.read_text(), what="a line")
            assert not is_shown(b"not found"), shown
            return record.read_text().rstrip("\n")
        finally:
            running.kill()
            running.wait()
            os.close(theirs)
            os.close(ours)

    return call


@pytest.fixture
def fish_offers(program, tmp_path):
    """Returns ``fish_offers(line) -> [candidate]``."""
    script = tmp_path / "completion.fish"
    script.write_text(fish())

    def call(line):
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"source {script}; complete -C $argv[1]", line],
            env=os.environ | {"PATH": f"{program}:{os.environ['PATH']}", "TERM": "xterm"},
            capture_output=True, text=True, timeout=40, cwd=tmp_path,
        )  # fmt: skip
        assert done.stderr == ""
        return [offered.partition("\t")[0] for offered in done.stdout.splitlines()]

    return call


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A second data directory, named as shells need quotes for, with a queue ``gadget``."""
    monkeypatch.setenv("HOME", str(tmp_path))
    home = tmp_path / "my data"
    with Launch(home) as launch:
        launch.queues.create("gadget", "local-process")
    return home


@NEEDS["bash"]
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


@pytest.mark.parametrize("shell", [pytest.param(name, marks=NEEDS[name]) for name in SILENT])
def test_tab_completes_on_a_terminal(tab, shell, cli):
    assert cli("queue", "create", "gpu", "-r", "process").status == 0
    assert tab(shell, "launch-tui lau") == "launch-tui launch "
    assert tab(shell, "launch-tui launch -q g") == "launch-tui launch -q gpu "
    assert tab(shell, "launch-tui queue create x --max-r") == (
        "launch-tui queue create x --max-running "
    )
    assert tab(shell, "launch-tui runs -s fin") == "launch-tui runs -s finished "


@pytest.mark.parametrize("shell", [pytest.param(name, marks=NEEDS[name]) for name in SILENT])
@pytest.mark.parametrize(
    "line",
    [
        "launch-tui --home '~/my data' queue show ga",
        "launch-tui queue show --home ~/my\\ data ga",
        'launch-tui --home="$HOME/my data" queue show ga',
    ],
)
def test_names_are_those_of_the_home_on_the_line(tab, shell, line, cli, elsewhere):
    assert cli("queue", "create", "gateway", "-r", "process").status == 0
    assert tab(shell, line) == f"{line}dget "


@NEEDS["bash"]
def test_the_home_after_the_cursor_counts_but_not_that_of_a_command(complete, cli, elsewhere):
    cli("queue", "create", "gpu", "-r", "process")
    elsewhere.rename(elsewhere.with_name("data"))
    assert complete("launch-tui launch -q ", "--home ~/data") == ["gadget"]
    assert complete("launch-tui launch -q ", "-- train --home ~/data") == ["gpu"]
    assert complete("launch-tui launch -q ", "--home") == ["gpu"]
    assert complete("launch-tui --home launch queue sh") == ["show"]
    assert complete("launch-tui --home da") == ["data"]


@NEEDS["fish"]
def test_fish_completes(fish_offers, cli, job, tmp_path, elsewhere):
    run_id = cli("launch", job, "--json").json["id"]
    assert fish_offers("launch-tui la") == ["launch"]
    assert fish_offers("launch-tui queue sh") == ["show"]
    assert fish_offers("launch-tui launch --fo") == ["--follow"]
    assert fish_offers("launch-tui --ho") == ["--home"]
    assert fish_offers("launch-tui launch -q ") == ["default"]
    assert fish_offers("launch-tui stop ") == [run_id]
    assert fish_offers("launch-tui launch pr") == ["proj"]
    (tmp_path / "script.py").write_text("")
    assert fish_offers("launch-tui launch proj -- scr") == ["script.py"]


@NEEDS["fish"]
@pytest.mark.parametrize(
    "line",
    [
        "launch-tui --home '~/my data' queue show ",
        "launch-tui queue show --home ~/my\\ data ",
        'launch-tui --home="$HOME/my data" launch -q ',
    ],
)
def test_fish_takes_names_from_the_home_on_the_line(fish_offers, line, elsewhere):
    assert fish_offers(line) == ["gadget"]


@pytest.mark.parametrize("script", [bash, zsh, fish])
def test_the_scripts_name_every_verb_and_flag(script):
    text = script()
    for verb in offered():
        assert verb.words[-1] in text
        for flag in verb.flags:
            assert max(flag.names, key=len).lstrip("-") in text


def test_candidates_are_silent_when_there_is_no_store(cli):
    assert cli("__complete", "job") == (0, "", "")


@pytest.mark.parametrize("shell", [pytest.param(n, marks=NEEDS[n]) for n in ("zsh", "fish")])
def test_the_shell_accepts_its_script(shell, tmp_path):
    path = tmp_path / f"script.{shell}"
    path.write_text({"zsh": zsh, "fish": fish}[shell]())
    subprocess.run([shell, "-n", str(path)], check=True, timeout=20)
