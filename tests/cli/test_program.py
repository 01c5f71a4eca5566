"""The program as a whole: exit status, streams, locales, what it imports, and its help."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from launch_tui.cli.verbs import VERBS

HEAVY = ("sqlite_utils", "textual", "wandb", "docker", "jsonschema", "rich", "yaml", "git",
         "watchfiles", "pathspec", "platformdirs", "asyncio")  # fmt: skip


def imported(words, cwd, loaded=HEAVY):
    """Return which of some modules a command line loads, run in a process of its own."""
    code = (
        "import sys; from launch_tui.__main__ import main; status = main();"
        f"print([m for m in {loaded!r} if m in sys.modules], file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=cwd, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    return eval(done.stderr.splitlines()[-1])


def test_launch_loads_nothing_heavy(cli, job, folder):
    cli("launch", job)
    for words in (
        ["launch", job, "lr=1", "-q", "default", "--setenv", "A=1", "--json"],
        ["launch", "--", "python", "train.py"],
        ["launch", "--in-place", "--", "python", "train.py"],
        ["launch", job, "-c", '{"lr": 1}'],
        ["rerun", "@", "lr=2"],
        ["launch", job, "--param", "lr=1,2", "--retries", "2", "--backoff", "30s"],
        ["launch", job, "--cpus", "1", "--memory", "1K", "--timeout", "2h", "--begin", "+1h"],
        ["launch", job, "-R", '{"nice": 1}', "--after", "@:any"],
    ):
        assert imported(words, folder) == [], words


def test_only_the_module_of_the_verb_is_loaded(cli, job, folder):
    modules = sorted({f"launch_tui.cli.{verb.handler.partition('.')[0]}" for verb in VERBS})
    assert imported(["queue", "list"], folder, tuple(modules)) == ["launch_tui.cli.queues"]
    assert imported(["launch", job], folder, tuple(modules)) == ["launch_tui.cli.launch"]


@pytest.mark.parametrize("verb", [v.name for v in VERBS if not v.words[0].startswith("__")])
def test_every_verb_has_help(cli, verb):
    words = verb.split()
    result = cli(*words, "--help")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(f"launch-tui {verb}")
    assert cli("help", *words).out == result.out
    assert max(map(len, result.out.splitlines())) <= 180


def test_the_overview_names_every_verb(cli):
    out = cli("--help").out
    words = set(re.findall(r"[\w-]+", out))
    assert {v.words[-1] for v in VERBS if not v.words[0].startswith("__")} <= words | {
        "help",
        "run",
    }
    assert cli("help").out == out
    assert cli("launch", "--keep", "1", "--help").status == 0
    assert max(map(len, out.splitlines())) <= 100


def test_version(cli):
    from launch_tui import __version__

    assert cli("--version").out == f"launch-tui {__version__}\n"


def test_an_unexpected_error_is_one_line_and_a_traceback_only_with_debug(cli, monkeypatch):
    def broken(arguments):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("launch_tui.cli.runs.list_runs", broken)
    result = cli("runs")
    assert (result.status, result.out) == (1, "")
    assert result.err == "launch-tui: RuntimeError: two lines (--debug shows where)\n"
    assert "Traceback" in cli("runs", "--debug").err


def test_an_interrupt_is_130(cli, monkeypatch):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("launch_tui.cli.runs.list_runs", interrupted)
    assert cli("runs") == (130, "", "")


def test_a_reader_that_goes_away_is_no_error(cli, job, folder):
    for _ in range(3):
        cli("launch", job)
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "launch_tui", "runs"],
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=30,
    )
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 141


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0"},
    ],
)
def test_a_locale_without_utf8(cli, job, process, env):
    cli("launch", job, "--name", "naïve\n→ 日本", "--note", "x")
    shown = process("runs", env=env)
    assert (shown.status, shown.err) == (0, "")
    assert shown.out.isascii()
    assert "na\\xefve\\n-> \\u65e5\\u672c" in shown.out
    found = process("runs", "--json", env=env)
    assert found.out.isascii()
    assert found.json[0]["name"] == "naïve\n→ 日本"
    wrong = process("show", "é…", env=env)
    assert wrong.status == 2
    assert wrong.err.isascii()
    assert wrong.err.count("\n") == 1


def test_a_dumb_terminal_gets_plain_lines(cli, job):
    cli("launch", job, "--name", "\x1b[31mred")
    out = on_terminal(["runs"], {"TERM": "dumb"})
    assert b"\x1b" not in out
    assert b"red" in out


def test_a_log_on_a_terminal_is_harmless_and_keeps_its_colours(cli, job, sdk):
    cli("launch", job)
    attempt = sdk.home.attempt(sdk.runs.resolve("@"), 1)
    attempt.mkdir(parents=True)
    (attempt / "output.log").write_bytes(
        b"\x1b]52;c;ZXZpbA==\x07\x1b[31mred\x1b[0m \xc3\xa9\xff\x1b[2J\r10%\r20%\n\x1b]0;open"
    )
    out = on_terminal(["logs", "@"], {"TERM": "xterm"})
    assert out.startswith("\x1b[31mred\x1b[0m é\ufffd\r10%\r20%\r\n".encode())
    assert b"\x1b]" not in out
    assert b"\x1b[2J" not in out


def on_terminal(words, env):
    """Return what a command line writes to a terminal."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "launch_tui", *words],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, **env},
    )
    os.close(follower)
    out = b""
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:
            break
        out += chunk
    os.close(leader)
    assert child.wait(30) == 0, out
    return out


def test_words_that_are_no_text_are_refused(process):
    wrong = process("show", b"\xff\xfe".decode(errors="surrogateescape"))
    assert wrong.status == 2
    assert wrong.err == "launch-tui: '\\udcff\\udcfe': is not UTF-8 text\n"


def test_output_that_goes_nowhere(cli, job, process):
    cli("launch", job)
    for redirection, status in ((">&-", 0), (">/dev/full", 1), ("2>&-", 0)):
        command = f"{sys.executable} -m launch_tui runs --json {redirection}"
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30)
        assert done.returncode == status, (redirection, done)
        assert "Traceback" not in done.stderr
