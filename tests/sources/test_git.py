from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from launch_tui.domain.job import GitSource
from launch_tui.errors import LaunchError, SourceFailed, UsageError
from launch_tui.sources.git import diff, materialise, read_file, resolve, uncommitted


def test_no_ref_is_the_remotes_default_branch(new_repository, repositories):
    remote = new_repository()
    remote.commit()
    remote.git("checkout", "-q", "-b", "trunk")
    tip = remote.commit("2")
    source = resolve(remote.url, None, repositories)
    assert source == GitSource(url=remote.url, commit=tip)
    assert not repositories.exists(), "a name needs no fetch"


def test_branch_tag_and_commit(new_repository, repositories):
    remote = new_repository()
    first = remote.commit("1")
    remote.git("tag", "light")
    remote.git("tag", "-a", "-m", "x", "annotated")
    second = remote.commit("2")
    for ref, commit in {
        "main": second,
        "refs/heads/main": second,
        "light": first,
        "annotated": first,
        "refs/tags/annotated": first,
        first: first,
        first[:7]: first,
        remote.git("rev-parse", "annotated"): first,
        "HEAD": second,
    }.items():
        assert resolve(remote.url, ref, repositories).commit == commit, ref


def test_a_branch_goes_before_a_tag_and_a_hex_name_before_a_commit(new_repository, repositories):
    remote = new_repository()
    first = remote.commit("1")
    second = remote.commit("2")
    remote.git("tag", "both", first)
    remote.git("branch", "both", second)
    remote.git("branch", first[:8], second)
    assert resolve(remote.url, "both", repositories).commit == second
    assert resolve(remote.url, first[:8], repositories).commit == second


def test_a_ref_that_is_not_there_lists_near_names(new_repository, repositories):
    remote = new_repository()
    remote.commit()
    remote.git("branch", "experiment-7")
    with pytest.raises(UsageError, match=r"no branch, tag or commit experimant.*experiment-7"):
        resolve(remote.url, "experimant-7", repositories)
    with pytest.raises(UsageError, match=r"no branch, tag or commit origin/main.*allowed: main"):
        resolve(remote.url, "origin/main", repositories)
    with pytest.raises(UsageError, match=r"no branch, tag or commit deadbeef"):
        resolve(remote.url, "deadbeef", repositories)
    with pytest.raises(UsageError, match=r"deadbeef"):
        resolve(remote.url, "deadbeef" * 5, repositories)


def test_an_empty_repository_and_an_unborn_default(new_repository, repositories):
    remote = new_repository()
    with pytest.raises(UsageError, match="has no commits yet"):
        resolve(remote.url, None, repositories)
    with pytest.raises(UsageError, match="has no commits yet"):
        resolve(remote.url, "abcdef1", repositories)
    remote.commit()
    remote.git("symbolic-ref", "HEAD", "refs/heads/gone")
    with pytest.raises(UsageError, match=r"no default branch; name one \(allowed: main\)"):
        resolve(remote.url, None, repositories)


def test_not_a_repository(tmp_path, new_repository, repositories):
    with pytest.raises(UsageError, match="does not appear to be a git repository") as refused:
        resolve(str(tmp_path / "nowhere"), None, repositories)
    assert "\n" not in str(refused.value)
    remote = new_repository()
    remote.commit("1", "sub/train.py")
    with pytest.raises(UsageError) as inside:
        resolve(str(remote.path / "sub"), None, repositories)
    assert inside.value.next_step.startswith(f"The repository is {remote.path}, with sub as its")


def test_an_unreachable_host_is_one_line(git_home, repositories):
    with pytest.raises(UsageError) as refused:
        resolve("https://127.0.0.1:1/x.git", None, repositories)
    assert refused.value.exit_status == 2
    assert "127.0.0.1" in str(refused.value)
    assert "try again" in refused.value.next_step


def test_no_git_on_this_machine(git_home, repositories, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LaunchError, match="git is not installed"):
        resolve("/x", None, repositories)


def test_refusals_come_before_any_process(git_home, repositories, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    source = GitSource(url="ext::sh -c id", commit="0" * 40)
    for attempt in (
        lambda: resolve("ext::sh -c id", None, repositories),
        lambda: resolve("/x", "--upload-pack=id", repositories),
        lambda: uncommitted("fd::1"),
    ):
        with pytest.raises(UsageError):
            attempt()
    with pytest.raises(SourceFailed, match="ext::"):
        materialise(source, repositories, tmp_path / "d")


def test_subdirectory(new_repository, repositories, tmp_path):
    remote = new_repository()
    remote.commit("1", "jobs/a/train.py")
    source = resolve(remote.url, None, repositories, subdirectory="jobs/a/")
    copy = materialise(source, repositories, tmp_path / "source")
    assert copy.directory == tmp_path / "source" / "jobs" / "a"
    assert (copy.directory / "train.py").read_text() == "1"
    assert read_file(source, "train.py", repositories) == "1"
    assert read_file(source, "absent.py", repositories) is None
    for wrong in ("jobs/b", "jobs/a/train.py"):
        with pytest.raises(UsageError, match="not a folder"):
            resolve(remote.url, None, repositories, subdirectory=wrong)


def test_a_subdirectory_may_not_lead_out_through_a_link(new_repository, repositories, tmp_path):
    remote = new_repository()
    (remote.path / "out").symlink_to("/etc")
    remote.commit()
    source = GitSource(url=remote.url, commit=remote.git("rev-parse", "HEAD"), subdirectory="out")
    with pytest.raises(SourceFailed, match="not a folder"):
        materialise(source, repositories, tmp_path / "source")


def test_a_working_copy_is_private_and_whole(new_repository, repositories, tmp_path):
    remote = new_repository()
    (remote.path / "run.sh").write_text("#!/bin/sh\n")
    (remote.path / "run.sh").chmod(0o755)
    remote.commit("1")
    remote.git("tag", "-a", "-m", "x", "v1.0")
    tip = remote.commit("2")
    source = resolve(remote.url, None, repositories)
    remote.commit("3")
    copy = materialise(source, repositories, tmp_path / "a" / "source").directory
    shutil.rmtree(repositories)
    shutil.rmtree(remote.path)

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=copy, capture_output=True, check=True)
        return done.stdout.decode().strip()

    assert git("rev-parse", "HEAD") == tip
    assert git("config", "remote.origin.url") == remote.url
    assert git("describe") == f"v1.0-1-g{tip[:7]}"
    assert git("status", "--porcelain") == ""
    assert git("fsck") == ""
    assert (copy / "train.py").read_text() == "2"
    assert os.access(copy / "run.sh", os.X_OK)
    assert not (copy / ".git" / "objects" / "info" / "alternates").exists()


def test_copies_do_not_share_what_changes(new_repository, repositories, tmp_path):
    remote = new_repository()
    remote.commit("1")
    source = resolve(remote.url, None, repositories)
    one = materialise(source, repositories, tmp_path / "one").directory
    two = materialise(source, repositories, tmp_path / "two").directory
    (one / "train.py").write_text("changed")
    subprocess.run(["git", "commit", "-qam", "x"], cwd=one, check=True)
    subprocess.run(["git", "gc", "-q", "--prune=now"], cwd=one, check=True)
    assert (two / "train.py").read_text() == "1"
    assert subprocess.run(["git", "fsck"], cwd=two, capture_output=True, check=True).stderr == b""
    assert materialise(source, repositories, tmp_path / "three").directory.is_dir()


def test_wandb_finds_commit_and_remote_as_gitpython_reads_them(
    new_repository, repositories, tmp_path
):
    import git

    remote = new_repository()
    tip = remote.commit()
    copy = materialise(resolve(remote.url, None, repositories), repositories, tmp_path / "s")
    with git.Repo(copy.directory) as repo:
        assert repo.head.commit.hexsha == tip
        assert repo.remotes.origin.url == remote.url
        assert not repo.is_dirty()


def test_uncommitted_changes_are_told(new_repository):
    remote = new_repository()
    remote.commit()
    assert uncommitted(remote.url) == ""
    (remote.path / "train.py").write_text("changed")
    (remote.path / "new.py").write_text("new")
    told = uncommitted(f"file://{remote.path}")
    assert "2 uncommitted changes" in told
    assert "train.py" in told
    assert "new.py" in told
    assert f"launch-tui job create code {remote.path}" in told
    assert uncommitted("https://host/x") == ""
    remote.git("clone", "-q", "--bare", ".", "../bare.git")
    assert uncommitted(str(remote.path.parent / "bare.git")) == ""


def test_the_callers_git_variables_do_not_leak(new_repository, repositories, tmp_path, monkeypatch):
    remote, other = new_repository("a"), new_repository("b")
    tip = remote.commit("1")
    other.commit("other")
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "objects"))
    source = resolve(remote.url, None, repositories)
    assert source.commit == tip
    assert uncommitted(remote.url) == ""
    copy = materialise(source, repositories, tmp_path / "source").directory
    assert (copy / "train.py").read_text() == "1"
    assert not (tmp_path / "index").exists()


def test_no_hook_and_no_monitor_runs(new_repository, repositories, tmp_path, git_home):
    remote = new_repository()
    remote.commit()
    mark = tmp_path / "ran"
    hooks = git_home / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "monitor"):
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >> {mark}\n")
        (hooks / name).chmod(0o755)
    with (git_home / ".gitconfig").open("a") as file:
        file.write(f"[core]\nhooksPath = {hooks}\nfsmonitor = {hooks / 'monitor'}\n")
    source = resolve(remote.url, None, repositories)
    materialise(source, repositories, tmp_path / "source")
    uncommitted(remote.url)
    assert not mark.exists()


def test_the_persons_own_filters_run(new_repository, repositories, tmp_path, git_home):
    remote = new_repository()
    (remote.path / ".gitattributes").write_text("*.py filter=loud\n")
    remote.commit("quiet")
    with (git_home / ".gitconfig").open("a") as file:
        file.write('[filter "loud"]\nsmudge = tr a-z A-Z\nclean = tr A-Z a-z\n')
    copy = materialise(resolve(remote.url, None, repositories), repositories, tmp_path / "s")
    assert (copy.directory / "train.py").read_text() == "QUIET"


def test_configuration_cannot_reopen_a_transport(new_repository, repositories, git_home, tmp_path):
    with (git_home / ".gitconfig").open("a") as file:
        file.write(
            '[protocol]\nallow = always\n[protocol "ext"]\nallow = always\n'
            f'[url "ext::touch {tmp_path}/ran "]\ninsteadOf = https://example.invalid/\n'
        )
    with pytest.raises(UsageError, match="transport 'ext' not allowed"):
        resolve("https://example.invalid/x", None, repositories)
    assert not (tmp_path / "ran").exists()


def test_a_destination_is_never_overwritten(new_repository, repositories, tmp_path):
    remote = new_repository()
    remote.commit()
    source = resolve(remote.url, None, repositories)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(SourceFailed, match="not empty"):
        materialise(source, repositories, tmp_path / "full")
    (tmp_path / "empty").mkdir()
    assert materialise(source, repositories, tmp_path / "empty").directory.is_dir()
    (tmp_path / "empty" / "output").touch()
    assert materialise(source, repositories, tmp_path / "empty").directory.is_dir()
    assert (tmp_path / "empty" / "output").exists(), "a copy from before a crash is kept"


def test_a_source_without_a_commit_and_a_lost_commit(new_repository, repositories, tmp_path):
    remote = new_repository()
    remote.commit()
    with pytest.raises(SourceFailed, match="without a commit"):
        materialise(GitSource(url=remote.url), repositories, tmp_path / "s")
    with pytest.raises(SourceFailed) as failed:
        materialise(GitSource(url=remote.url, commit="1" * 40), repositories, tmp_path / "s")
    assert failed.value.phase == "source"
    assert "1" * 40 in failed.value.cause
    assert list(tmp_path.glob(".s*")) == []


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="needs git-lfs")
def test_large_files_come_along_and_are_kept_once(new_repository, repositories, tmp_path):
    remote = new_repository()
    subprocess.run(["git", "lfs", "install", "--local"], cwd=remote.path, check=True)
    (remote.path / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (remote.path / "w.bin").write_bytes(b"weights" * 100)
    remote.commit()
    source = resolve(remote.url, None, repositories)
    first = materialise(source, repositories, tmp_path / "one")
    assert (first.directory / "w.bin").read_bytes() == b"weights" * 100
    assert first.warnings == ()
    shutil.rmtree(remote.path)
    second = materialise(source, repositories, tmp_path / "two").directory
    assert (second / "w.bin").read_bytes() == b"weights" * 100
    status = subprocess.run(["git", "status", "--porcelain"], cwd=second, capture_output=True)
    assert status.stdout == b""


def test_without_git_lfs_pointers_stay_and_a_warning_says_so(
    new_repository, repositories, tmp_path, git_home, monkeypatch
):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "env", "sh"):
        (tools / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(tools))
    remote = new_repository()
    remote.commit("version https://git-lfs.github.com/spec/v1\n", "w.bin")
    (remote.path / ".gitattributes").write_text("*.bin filter=lfs\n")
    remote.commit()
    with (git_home / ".gitconfig").open("a") as file:
        file.write('[filter "lfs"]\nprocess = git-lfs filter-process\nrequired = true\n')
    copy = materialise(resolve(remote.url, None, repositories), repositories, tmp_path / "s")
    assert copy.warnings == ("1 files are git-lfs pointers, since git-lfs is not installed",)
    assert (copy.directory / "w.bin").read_text().startswith("version")


def test_importing_does_not_load_gitpython():
    check = "import launch_tui.sources.git, sys; assert 'git' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_two_commits_differ_as_git_says_and_nothing_is_fetched(
    new_repository, repositories, monkeypatch
):
    repository = new_repository()
    repository.commit("one\n")
    old = resolve(repository.url, None, repositories)
    read_file(old, "train.py", repositories)
    repository.commit("two\n")
    new = resolve(repository.url, None, repositories)
    with pytest.raises(SourceFailed, match="not in the cache"):
        diff(old, replace(new, commit="0" * 40), repositories)
    read_file(new, "train.py", repositories)
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    text = diff(old, new, repositories)
    assert "--- a/train.py\n+++ b/train.py\n" in text
    assert "-one\n+two\n" in text
    assert diff(new, new, repositories) == ""
    other = replace(new, url=f"{new.url}-other")
    with pytest.raises(SourceFailed, match="different repositories"):
        diff(old, other, repositories)
