"""Folders and repositories from a stranger: what is in them is copied, and nothing of it is run."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import COMMAND
from tests.terminal.terminals import Terminal


def git(folder, *words):
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def trap(tmp_path):
    """A program that leaves a mark when anything runs it."""
    program = tmp_path / "trap"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/sprung\ncat\n')
    program.chmod(0o755)
    yield program
    assert not (tmp_path / "sprung").exists(), (tmp_path / "sprung").read_text()


@pytest.fixture
def trapped(folder, trap):
    """A repository, as one gets it in an archive, whose every setting leads to the trap."""
    git(folder, "init", "-q", "-b", "main")
    (folder / "data.bin").write_text("one\n")
    (folder / ".gitattributes").write_text(
        "*.bin filter=evil diff=evil merge=evil\n*.py filter=lfs\n"
    )
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    settings = {
        "core.fsmonitor": trap, "core.hooksPath": trap.parent, "core.sshCommand": trap,
        "core.pager": trap, "core.editor": trap, "core.askPass": trap, "core.gitProxy": trap,
        "core.alternateRefsCommand": trap, "diff.external": trap, "diff.evil.command": trap,
        "diff.evil.textconv": trap, "merge.evil.driver": trap, "filter.evil.clean": trap,
        "filter.evil.smudge": trap, "filter.evil.process": trap, "filter.evil.required": "true",
        "filter.lfs.clean": trap, "filter.lfs.process": trap, "filter.lfs.smudge": trap,
        "credential.helper": f"!{trap}", "gpg.program": trap, "gpg.ssh.program": trap,
        "protocol.ext.allow": "always", "uploadpack.packObjectsHook": trap,
        "init.templateDir": trap,
        "remote.origin.url": f"ext::{trap}", "remote.origin.uploadpack": trap,
        "remote.origin.promisor": "true", "extensions.partialClone": "origin",
        "core.repositoryFormatVersion": "1", "alias.status": f"!{trap}",
        "alias.ls-files": f"!{trap}",
    }  # fmt: skip
    with (folder / ".git" / "config").open("a") as file:
        for name, value in settings.items():
            section, _, key = name.rpartition(".")
            first, dot, second = section.partition(".")
            header = f'{first} "{second}"' if dot else first
            file.write(f'[{header}]\n\t{key} = "{value}"\n')
    for hook in ("post-checkout", "pre-commit", "post-index-change", "reference-transaction"):
        place = folder / ".git" / "hooks" / hook
        place.parent.mkdir(exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(trap)
    (folder / "data.bin").write_text("two\n")
    (folder / "train.py").write_text("print('two')\n")
    (folder / ".gitignore").write_text("*.log\n")
    return folder


@pytest.mark.timeout(120)
def test_a_folder_with_a_repository_of_traps(running, trapped):
    run = running.launch("--", "python3", "train.py")
    assert running.until(run)["state"] == "finished"
    assert running.log(run) == "two\n"
    running.ok("job", "create", "code", ".", "--venv", "none", "-n", "trapped")


@pytest.mark.timeout(120)
def test_a_git_job_of_a_repository_of_traps(running, trapped):
    words = ("job", "create", "git", str(trapped), "--venv", "none", "-n", "evil", "-E")
    made = running.lt(*words, "python3 train.py")
    assert (made.status, "Traceback" in made.err) in ((0, False), (2, False))
    if made.status == 0:
        run = running.launch("evil")
        assert running.until(run)["state"] in ("finished", "failed")


@pytest.mark.parametrize(
    "place",
    [
        "ext::sh -c touch% {at}/sprung", "--upload-pack={at}/trap", "-oProxyCommand={at}/trap",
        "ssh://-oProxyCommand={at}/trap/x", "fd::7", "git@-oProxyCommand={at}/trap:x",
        "file://{at}/no/such", "https://a:b@-x/y", "http::ext::sh -c {at}/trap",
    ],
)  # fmt: skip
def test_an_address_that_is_an_option_or_a_command_is_refused(place, world, folder, trap):
    made = world.lt("job", "create", "git", "--", place.format(at=trap.parent))
    assert made.status in (1, 2)
    assert made.err.count("\n") == 1
    assert world.ok("job", "list", "--json").json == []


@pytest.mark.parametrize(
    "ref", ["--upload-pack={at}/trap", "-x", "a..b", "@{{u}}", "a\nb", "\x1b]0;x"]
)
def test_a_ref_that_is_an_option_is_refused(ref, world, folder, trap):
    git(folder, "init", "-q")
    made = world.lt("job", "create", "git", str(folder), "-g", ref.format(at=trap.parent))
    assert made.status == 2
    assert made.err.count("\n") == 1
    assert "\x1b" not in made.err


@pytest.mark.timeout(120)
def test_whatever_lies_in_a_folder_is_copied_or_named(running, folder):
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        cwd = Path.cwd()
        os.chdir(folder)
        listening.bind("socket")
        os.chdir(cwd)
    if os.geteuid() == 0:
        os.mknod(folder / "device", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    (folder / "loop").symlink_to("loop")
    (folder / "around").symlink_to("..")
    (folder / "out").symlink_to("/etc/passwd")
    (folder / "up").symlink_to("../../../../../../../etc/shadow")
    os.link(folder / "train.py", folder / "hard.py")
    names = [
        "line\nbreak", "\x1b]0;OWNED\x07", "\u202egpj.exe", "a" * 255, "-rf", "--help",
        "$(touch x)",
        " ", "Case", "case", "nul?*[]", "..hidden", "quote'\"", "tab\t",
    ]  # fmt: skip
    for name in names:
        (folder / name).write_text(f"in {len(name)}\n")
    (folder.joinpath(os.fsdecode(b"no-utf8-\xff\xfe"))).write_text("x\n")
    deep = folder
    for _ in range(60):
        deep = deep / ("d" * 40)
        deep.mkdir()
    (deep / "bottom").write_text("deep\n")
    with (folder / "sparse").open("wb") as file:
        file.truncate(1 << 26)
    listing = "import os; print(sorted(map(ascii, os.listdir('.')))); print(os.readlink('out'))"
    words = ("launch", "-q", "q", "--json", "--", "python3", "-c", listing)
    made = running.ok(*words, timeout=100)
    assert "\x1b" not in made.err
    assert "fifo" in made.err
    run = running.until(made.json["id"], timeout=60)
    assert run["state"] == "finished"
    seen = eval(running.log(run["id"]).splitlines()[0])
    for name in (*names, "loop", "hard.py", "train.py", "sparse"):
        assert ascii(name) in seen
    assert not {ascii("fifo"), ascii("socket"), ascii("device")} & set(seen)
    assert running.log(run["id"]).splitlines()[1] == "/etc/passwd"
    copied = Path(run["directory"], "1", "source")
    assert (copied / "sparse").stat().st_size == 1 << 26
    assert (copied / "hard.py").stat().st_nlink == 1
    terminal = Terminal("files", run["id"], home=running.home)
    try:
        assert terminal.exit_status() == 0
        terminal.wait_until(lambda: terminal.drained, what="its last words")
    finally:
        terminal.end()
    assert b"\x1b]" not in terminal.raw
    assert "\u202e".encode() not in terminal.raw


def test_a_folder_that_is_too_large_is_refused_at_once(world, folder):
    with (folder / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    made = world.lt("launch", "-q", "q", "--", "true")
    assert made.status == 2
    assert made.err.count("\n") == 1
    assert world.ok("runs", "--json").json == []


MANY = 100_000
MEMORY_MB = 400
"""What a command may take for that many files: their names, stats and digests, no contents."""


@pytest.mark.timeout(400)
def test_a_hundred_thousand_files(running, folder):
    for at in range(0, MANY, 1_000):
        few = folder / f"d{at:06}"
        few.mkdir()
        for number in range(at, at + 1_000):
            (few / str(number)).write_text(str(number))
    agent = running.agent_pid()
    refused = running.lt("launch", "-q", "q", "--", "true", timeout=100)
    assert refused.status == 2
    assert refused.err.count("\n") == 1
    assert f"{MANY + 1:,} files" in refused.err
    assert running.ok("runs", "--json").json == []
    count = "import os; print(sum(len(names) for _, _, names in os.walk('.')))"
    words = ("launch", "-q", "q", "--yes", "--json", "--", "python3", "-c", count)
    run = json.loads(measured(*words))["id"]
    assert running.until(run, timeout=200)["state"] == "finished"
    assert running.log(run) == f"{MANY + 1}\n"
    assert int(re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{agent}/status").read_text())[1]) < (
        MEMORY_MB << 10
    )
    # One more among them is seen, and the others are not copied into the store again.
    objects = {path for path in (running.home / "artifacts").rglob("*") if path.is_file()}
    (few / "more").write_text("more")
    assert json.loads(measured(*words))["version"] == "v1"
    added = {path for path in (running.home / "artifacts").rglob("*") if path.is_file()} - objects
    assert len(added) < 10


def measured(*words):
    """Run one command line under the memory it may take, and return what it printed."""
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, text=True) as child:
        out = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    assert used.ru_maxrss < MEMORY_MB << 10
    return out


@pytest.mark.timeout(120)
def test_a_directory_deeper_than_any_path_is_one_line(world, folder):
    """No process can name what lies that deep; nothing is enqueued that would lack it."""
    place = os.open(folder, os.O_RDONLY)
    for _ in range(150):
        os.mkdir("d" * 40, dir_fd=place)
        place, above = os.open("d" * 40, os.O_RDONLY, dir_fd=place), place
        os.close(above)
    os.close(place)
    made = world.lt("launch", "-q", "q", "--", "true")
    assert made.status == 2
    assert made.err.count("\n") == 1
    assert "File name too long" in made.err
    assert world.ok("runs", "--json").json == []
