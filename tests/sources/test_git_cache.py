from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from launch_tui.errors import Stale
from launch_tui.sources import git_cache, git_command
from launch_tui.sources.git import materialise, resolve
from launch_tui.sources.git_cache import cache_for
from launch_tui.sources.git_command import Watch
from launch_tui.sources.git_failure import GitFailed

CHILD = """
import os, signal, sys
from pathlib import Path
from launch_tui.sources.git import materialise, resolve
def report(line):
    if line.startswith(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
source = resolve(sys.argv[1], None, Path(sys.argv[2]))
materialise(source, Path(sys.argv[2]), Path(sys.argv[3]), report=report)
"""
NEVER = "(no such line)"


@pytest.fixture
def large(new_repository):
    """A repository whose transfer takes a while: 12 MB that do not compress."""
    remote = new_repository("large")
    for number in range(300):
        (remote.path / f"{number}.bin").write_bytes(os.urandom(40_000))
    remote.commit()
    return remote


def packs(cache):
    return sorted(p.name for p in (cache.directory / "objects" / "pack").glob("*.pack"))


def test_names_are_safe_and_distinct(repositories):
    one = cache_for("git@host:me/repo.git", repositories)
    assert one.directory.name.startswith("repo-")
    assert one.directory.name.endswith(".git")
    assert cache_for("git@other:me/repo.git", repositories).directory != one.directory
    assert cache_for("https://h/r/", repositories) != one
    long = cache_for("https://host/" + "x" * 300, repositories).directory.name
    assert len(long) < 100
    assert cache_for("/..git", repositories).directory.parent == repositories


def test_the_second_launch_needs_no_remote(new_repository, repositories, tmp_path):
    remote = new_repository()
    remote.commit()
    source = resolve(remote.url, None, repositories)
    materialise(source, repositories, tmp_path / "one")
    shutil.rmtree(remote.path)
    assert materialise(source, repositories, tmp_path / "two").directory.is_dir()
    assert resolve(remote.url, source.commit, repositories).commit == source.commit


def test_a_new_commit_fetches_only_what_is_new(large, repositories, tmp_path):
    materialise(resolve(large.url, None, repositories), repositories, tmp_path / "one")
    cache = cache_for(large.url, repositories)
    first = set(packs(cache))
    large.commit("2")
    materialise(resolve(large.url, None, repositories), repositories, tmp_path / "two")
    (new,) = set(packs(cache)) - first
    assert (cache.directory / "objects" / "pack" / new).stat().st_size < 100_000


def test_a_force_pushed_commit_stays_launchable(new_repository, repositories, tmp_path):
    remote = new_repository()
    remote.commit("1")
    old = resolve(remote.url, None, repositories)
    materialise(old, repositories, tmp_path / "one")
    remote.git("commit", "-q", "--amend", "-m", "other")
    remote.git("reflog", "expire", "--expire=now", "--all")
    remote.git("gc", "-q", "--prune=now")
    new = resolve(remote.url, None, repositories)
    assert new.commit != old.commit
    materialise(new, repositories, tmp_path / "two")
    assert materialise(old, repositories, tmp_path / "three").directory.is_dir()


def test_two_runs_do_one_fetch(large, repositories, tmp_path):
    source = resolve(large.url, None, repositories)
    lines: list[list[str]] = [[], [], [], []]

    def work(number: int) -> bool:
        destination = tmp_path / f"copy{number}"
        copy = materialise(source, repositories, destination, report=lines[number].append)
        return (copy.directory / "7.bin").stat().st_size == 40_000

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [True] * 4
    fetched = [log for log in lines if any("receiving objects" in line for line in log)]
    assert len(fetched) == 1
    assert len(packs(cache_for(large.url, repositories))) == 1


def test_progress_reads_as_promised(large, repositories, tmp_path):
    lines: list[str] = []
    source = resolve(large.url, None, repositories, report=lines.append)
    materialise(source, repositories, tmp_path / "one", report=lines.append)
    assert "receiving objects 100 %" in lines
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("", "receiving objects"),
        ("git.fetch.before", NEVER),
        ("git.fetch.after", NEVER),
        ("git.clone.after", NEVER),
        ("git.checkout.after", NEVER),
    ],
)
def test_killed_at_any_moment_the_next_one_works(large, repositories, tmp_path, fault, line):
    arguments = [large.url, str(repositories), str(tmp_path / "source"), line]
    environment = {**os.environ, "LAUNCH_TUI_FAULT": fault}
    done = subprocess.run([sys.executable, "-c", CHILD, *arguments], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "source").exists()
    source = resolve(large.url, None, repositories)
    copy = materialise(source, repositories, tmp_path / "source")
    assert (copy.directory / "299.bin").stat().st_size == 40_000
    fsck = subprocess.run(["git", "fsck", "--full"], cwd=copy.directory, check=True)
    assert fsck.returncode == 0


def test_locks_of_a_dead_git_are_removed(new_repository, repositories, tmp_path):
    remote = new_repository()
    remote.commit("1")
    materialise(resolve(remote.url, None, repositories), repositories, tmp_path / "one")
    cache = cache_for(remote.url, repositories)
    pins = cache.directory / "refs" / "launch-tui" / "commits"
    remote.commit("2")
    source = resolve(remote.url, None, repositories)
    rests = [
        cache.directory / "packed-refs.lock",
        cache.directory / "config.lock",
        pins / f"{source.commit}.lock",
        cache.directory / "objects" / "pack" / "tmp_pack_x",
    ]
    for rest in rests:
        rest.touch()
    materialise(source, repositories, tmp_path / "two")
    assert not [rest for rest in rests if rest.exists()]


def test_a_git_that_outlived_its_caller_is_ended_before_its_lock_is_removed(
    new_repository, repositories, tmp_path
):
    remote = new_repository()
    remote.commit("1")
    materialise(resolve(remote.url, None, repositories), repositories, tmp_path / "one")
    cache = cache_for(remote.url, repositories)
    remote.commit("2")
    source = resolve(remote.url, None, repositories)
    (cache.directory / "packed-refs.lock").touch()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    orphan = subprocess.Popen(
        ["git", f"--git-dir={cache.directory}", "fetch", "--stdin", "--", remote.url],
        stdin=os.open(fifo, os.O_RDWR),
        start_new_session=True,
    )
    try:
        materialise(source, repositories, tmp_path / "two")
        assert orphan.wait(10) == -signal.SIGKILL
    finally:
        orphan.kill()


@pytest.mark.parametrize("damage", ["config", "HEAD", "pack", "object", "everything"])
def test_a_damaged_cache_is_rebuilt(new_repository, repositories, tmp_path, damage):
    remote = new_repository()
    remote.commit("1" * 10_000)
    source = resolve(remote.url, None, repositories)
    materialise(source, repositories, tmp_path / "one")
    shutil.rmtree(tmp_path / "one")
    cache = cache_for(remote.url, repositories)
    (pack,) = (cache.directory / "objects" / "pack").glob("*.pack")
    pack.chmod(0o644)
    if damage in ("config", "HEAD"):
        (cache.directory / damage).write_text("garbage [")
    elif damage == "pack":
        pack.write_bytes(b"")
    elif damage == "object":
        content = bytearray(pack.read_bytes())
        content[12:-20] = b"\0" * (len(content) - 32)
        pack.write_bytes(content)
    else:
        shutil.rmtree(cache.directory)
        cache.directory.mkdir()
    for number in range(2):
        copy = materialise(source, repositories, tmp_path / f"again{number}")
        assert (copy.directory / "train.py").read_text() == "1" * 10_000
    assert cache.git("fsck", "--full") == ""


def test_many_packs_become_one(new_repository, repositories, tmp_path, monkeypatch):
    monkeypatch.setattr(git_cache, "MAX_PACKS", 2)
    remote = new_repository()
    cache = cache_for(remote.url, repositories)
    sources = []
    for number in range(4):
        remote.commit(str(number))
        sources.append(resolve(remote.url, None, repositories))
        materialise(sources[-1], repositories, tmp_path / f"{number}")
        assert len(packs(cache)) <= 2
    shutil.rmtree(remote.path)
    for number, source in enumerate(sources):
        copy = materialise(source, repositories, tmp_path / f"again{number}")
        assert (copy.directory / "train.py").read_text() == str(number)


def test_a_wait_for_the_lock_is_told_and_can_be_cancelled(new_repository, repositories, tmp_path):
    remote = new_repository()
    remote.commit()
    source = resolve(remote.url, None, repositories)
    repositories.mkdir(parents=True)
    lines: list[str] = []
    lock = cache_for(remote.url, repositories).directory.with_suffix(".lock")
    with lock.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Stale):
            materialise(
                source,
                repositories,
                tmp_path / "one",
                cancelled=lambda: bool(lines),
                report=lines.append,
            )
    assert lines == ["waiting for another fetch of this repository"]
    assert list(tmp_path.glob("*one*")) == []


async def test_cancelling_ends_gits_whole_group(
    new_repository, repositories, tmp_path, monkeypatch
):
    remote = new_repository()
    remote.commit()
    pid = tmp_path / "pid"
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\necho $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 100\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    stop = threading.Event()
    asked = asyncio.to_thread(resolve, "host:repo", None, repositories, cancelled=stop.is_set)
    task = asyncio.create_task(asked)
    deadline = time.monotonic() + 20
    while not pid.exists():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    stop.set()
    # The command itself would sleep for 100 seconds.
    with pytest.raises(Stale):
        async with asyncio.timeout(50):
            await task
    while os.path.exists(f"/proc/{pid.read_text().strip()}/fd"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_a_silent_host_runs_into_the_timeout(git_home, repositories, tmp_path, monkeypatch):
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nexec sleep 100\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    with pytest.raises(GitFailed, match=r"took longer than 0\.3 s") as failed:
        git_command.run(["ls-remote", "host:repo"], timeout=0.3)
    assert "try again" in failed.value.next_step


def test_an_exception_in_the_callers_code_ends_git(git_home, tmp_path, monkeypatch):
    def interrupted() -> bool:
        raise KeyboardInterrupt

    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nexec sleep 100\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    with pytest.raises(KeyboardInterrupt):
        git_command.run(["ls-remote", "host:repo"], watch=Watch(cancelled=interrupted))


def test_a_full_disk_is_not_taken_for_damage():
    error = GitFailed("fatal: write error: No space left on device")
    assert not git_cache.is_damage(error)
    assert "space" in error.next_step
