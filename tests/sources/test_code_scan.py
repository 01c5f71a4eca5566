from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launch_tui.errors import UsageError
from launch_tui.sources.scan import NEVER, scan
from launch_tui.sources.stat_cache import StatCache

GIVE_UP = 100_000


@pytest.fixture(autouse=True)
def _own_git_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


def git(folder: Path, *words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True).stdout


def write(folder: Path, *paths: str, text: str = "x") -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def look(folder: Path, cache: StatCache | None = None):
    return scan(folder, cache or StatCache(str(folder)), give_up_at=GIVE_UP)


def seen(folder: Path) -> list[str]:
    found = look(folder)
    again = remember(found, folder)
    # What is taken over from the last look must say the same.
    second = look(folder, again)
    assert (second.files, second.links, second.folders) == (
        found.files,
        found.links,
        found.folders,
    )
    return sorted([*found.files, *found.links])


def remember(found, folder: Path) -> StatCache:
    return StatCache(
        str(folder),
        files=found.files,
        links=found.links,
        folders=found.folders,
        outer=found.outer,
        apart=found.apart,
        index=found.index,
        tracked=found.tracked,
    )


def listed_by_git(folder: Path) -> list[str]:
    out = git(folder, "ls-files", "-z", "-c", "-o", "--exclude-standard")
    return sorted({os.fsdecode(name) for name in out.split(b"\0") if name})


names = st.sampled_from(["a", "b", "c.py", "d.log", "data", "out"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
rules = st.lists(
    st.sampled_from(
        ["a", "b/", "*.py", "*.log", "!c.py", "!a", "!d.log", "/data", "data/", "out/*", "!out/b",
         "**/out", "a/**", "!/a/b/", "*", "!*/", "data/a", "!data/a"]
    ),
    max_size=4,
).map("\n".join)  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    tree=st.lists(paths, min_size=1, max_size=14, unique=True),
    ignore_files=st.dictionaries(st.sampled_from(["", "a", "data", "out", "a/b"]), rules),
    exclude=rules,
    forced=st.sets(st.integers(0, 13), max_size=4),
    changed=st.tuples(st.sampled_from(["", "a", "data", "out"]), rules),
)
def test_any_tree_is_what_git_lists(tmp_path, tree, ignore_files, exclude, forced, changed):
    root = tmp_path / "tree"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    git(root, "init", "-q", "--template=")
    (root / ".git/info").mkdir(exist_ok=True)
    (root / ".git/info/exclude").write_text(exclude)
    for path in tree:
        target = root / path
        if not target.exists() and not any(p.is_file() for p in target.parents if p != root):
            write(root, path)
    for folder, text in ignore_files.items():
        if (root / folder).is_dir():
            (root / folder / ".gitignore").write_text(text)
    chosen = [path for n, path in enumerate(tree) if n in forced and (root / path).is_file()]
    if chosen:
        git(root, "add", "-f", "--", *chosen)
    assert seen(root) == listed_by_git(root)
    below = next((p for p in root.iterdir() if p.is_dir() and p.name != ".git"), None)
    if below is not None and not look(below).apart and seen(below):
        assert seen(below) == listed_by_git(below)
    # A look that remembers the last one, after an ignore file changed.
    cache = remember(look(root), root)
    folder, text = changed
    if (root / folder).is_dir():
        (root / folder / ".gitignore").write_text(text)
    found = look(root, cache)
    assert sorted(found.files) == listed_by_git(root)


def test_rules_hold_without_git_too(tmp_path):
    folder = tmp_path / "plain"
    write(folder, "a.py", "a.log", "sub/b.log", "sub/keep.log")
    write(folder, ".gitignore", text="*.log")
    write(folder, "sub/.gitignore", text="!keep.log")
    assert seen(folder) == [".gitignore", "a.py", "sub/.gitignore", "sub/keep.log"]


def test_launchignore_has_the_last_word(tmp_path):
    folder = tmp_path / "plain"
    write(folder, "a.py", "data/x", "wandb/run", "docs/y", "docs/keep", ".git/HEAD", "deep/z")
    write(folder, ".gitignore", text="data/\n")
    write(folder, ".launchignore", text="!data/\n!wandb/\n!.git\ndocs/*\n!docs/keep\n")
    write(folder, "deep/.launchignore", text="z\n")
    assert seen(folder) == [
        ".gitignore", ".launchignore", "a.py", "data/x", "deep/.launchignore", "docs/keep",
        "wandb/run",
    ]  # fmt: skip


def test_launchignore_drops_what_git_tracks(tmp_path):
    write(tmp_path, "a.py", "big.bin")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    write(tmp_path, ".launchignore", text="big.bin\nhome\n")
    assert seen(tmp_path) == [".launchignore", "a.py"]


@pytest.mark.parametrize("name", sorted(NEVER))
def test_what_tools_leave_behind_is_never_code(tmp_path, name):
    folder = tmp_path / "plain"
    write(folder, "a.py", f"{name}/x", f"sub/{name}/y")
    (folder / "linked").mkdir()
    (folder / "linked" / name).symlink_to("/tmp")
    assert seen(folder) == ["a.py"]


def test_a_package_called_wandb_is_code(tmp_path):
    folder = tmp_path / "plain"
    write(folder, "src/wandb/a.py")
    assert seen(folder) == []
    cache = remember(look(folder), folder)
    write(folder, "src/wandb/__init__.py")
    assert sorted(look(folder, cache).files) == ["src/wandb/__init__.py", "src/wandb/a.py"]


def test_virtual_environments_are_found_by_what_they_are(tmp_path):
    folder = tmp_path / "plain"
    write(folder, "a.py", "my_env/pyvenv.cfg", "my_env/lib/x.py", "conda/conda-meta/history")
    found = look(folder)
    assert list(found.files) == ["a.py"]
    assert sorted(found.environments) == ["conda", "my_env"]
    assert seen(folder) == ["a.py"]
    write(folder, ".launchignore", text="!my_env\n")
    assert "my_env/lib/x.py" in seen(folder)


def test_a_folder_inside_an_environment_is_still_a_folder(tmp_path):
    write(tmp_path, "pyvenv.cfg", "train.py")
    assert seen(tmp_path) == ["pyvenv.cfg", "train.py"]


def test_rules_above_the_folder_hold(tmp_path):
    git(tmp_path, "init", "-q")
    write(tmp_path, ".gitignore", text="*.log\n/exp/one/tmp/\n")
    write(tmp_path, "exp/.gitignore", text="*.ckpt\n")
    write(tmp_path, "exp/one/a.py", "exp/one/a.log", "exp/one/b.ckpt", "exp/one/tmp/x")
    assert seen(tmp_path / "exp/one") == ["a.py"]
    write(tmp_path, "exp/.gitignore", text="")
    assert seen(tmp_path / "exp/one") == ["a.py", "b.ckpt"]


@pytest.mark.parametrize("rule", ["exp/", "/exp", "exp/one", "*", "one"])
def test_a_folder_that_is_ignored_as_a_whole_was_still_named(tmp_path, rule):
    git(tmp_path, "init", "-q")
    write(tmp_path, ".gitignore", text=f"{rule}\n*.log\n")
    write(tmp_path, "exp/one/a.py", "exp/one/b.log", "exp/one/sub/c.py")
    write(tmp_path, "exp/one/.gitignore", text="c.py")
    found = look(tmp_path / "exp/one")
    assert found.apart
    assert seen(tmp_path / "exp/one") == [".gitignore", "a.py", "b.log"]


@pytest.mark.parametrize("how", ["default", "xdg", "config"])
def test_a_persons_own_excludes_hold(tmp_path, monkeypatch, how):
    folder = tmp_path / "plain"
    write(folder, "a.py", "a.swp")
    git(folder, "init", "-q")
    if how == "default":
        write(tmp_path, "home/.config/git/ignore", text="*.swp")
    elif how == "xdg":
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
        write(tmp_path, "xdg/git/ignore", text="*.swp")
    else:
        write(tmp_path, "home/mine", text="*.swp")
        git(folder, "config", "--global", "core.excludesFile", "~/mine")
    assert seen(folder) == ["a.py"] == listed_by_git(folder)


def test_files_tracked_although_ignored_are_in(tmp_path):
    folder = tmp_path / "plain"
    write(folder, "a.py", "data/keep.csv", "data/big.csv", "data/deep/x", "x.log")
    write(folder, ".gitignore", text="data/\n*.log\n")
    git(folder, "init", "-q")
    git(folder, "add", "-f", "a.py", "data/keep.csv", "x.log")
    assert seen(folder) == [".gitignore", "a.py", "data/keep.csv", "x.log"]
    cache = remember(look(folder), folder)
    git(folder, "rm", "-q", "--cached", "x.log")
    assert "x.log" not in look(folder, cache).files


def test_linked_work_trees_and_submodules_know_their_rules(tmp_path):
    main = tmp_path / "main"
    write(main, "a.py")
    git(main, "init", "-q")
    git(main, "add", ".")
    git(main, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x")
    git(main, "worktree", "add", "-q", str(tmp_path / "other"))
    (main / ".git/info/exclude").write_text("*.tmp\n")
    write(tmp_path / "other", "b.py", "b.tmp")
    assert seen(tmp_path / "other") == ["a.py", "b.py"] == listed_by_git(tmp_path / "other")


def test_git_that_refuses_is_told_and_harms_nothing(tmp_path):
    write(tmp_path, "a.py", "x.log")
    write(tmp_path, ".gitignore", text="*.log\nhome\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-f", ".gitignore", "x.log")
    (tmp_path / ".git/index").write_bytes(b"rubbish")
    found = look(tmp_path)
    assert sorted(found.files) == [".gitignore", "a.py"]
    assert any("git could not list" in warning for warning in found.warnings)


def test_links_are_kept_and_not_followed(tmp_path):
    outside = tmp_path / "outside"
    write(outside, "secret")
    folder = tmp_path / "plain"
    write(folder, "a.py")
    (folder / "out").symlink_to(outside)
    (folder / "loop").symlink_to(".")
    (folder / "dangling").symlink_to("nowhere")
    assert look(folder).links == {"out": str(outside), "loop": ".", "dangling": "nowhere"}
    assert seen(folder) == ["a.py", "dangling", "loop", "out"]


def test_special_files_are_left_out_and_told(tmp_path):
    write(tmp_path, "a.py")
    os.mkfifo(tmp_path / "pipe")
    found = look(tmp_path)
    assert list(found.files) == ["a.py"]
    assert found.warnings == ["pipe is no regular file and was left out"]


def test_names_that_are_no_text_are_kept(tmp_path):
    name = b"caf\xe9\xff.py"
    (tmp_path / os.fsdecode(name)).write_text("x")
    (tmp_path / "line\nbreak").write_text("x")
    assert sorted(map(os.fsencode, look(tmp_path).files)) == [name, b"line\nbreak"]


def test_counting_ends_somewhere(tmp_path):
    write(tmp_path, *[f"d{n}/f" for n in range(30)])
    found = scan(tmp_path, StatCache(str(tmp_path)), give_up_at=10)
    assert not found.complete
    assert 10 < len(found.files) < 30


def test_an_ignored_name_that_changes_its_kind_is_asked_again(tmp_path):
    folder = tmp_path / "plain"
    write(folder, "a.py", "data/x", "b")
    write(folder, ".gitignore", text="data/\n")
    cache = remember(look(folder), folder)
    shutil.rmtree(folder / "data")
    write(folder, "data")
    (folder / "b").unlink()
    write(folder, "b/c")
    assert sorted(look(folder, cache).files) == [".gitignore", "a.py", "b/c", "data"]


def test_a_linked_ignore_file_is_not_followed(tmp_path):
    write(tmp_path, "a.py", "rules", text="*.py")
    (tmp_path / ".gitignore").symlink_to("rules")
    assert seen(tmp_path) == [".gitignore", "a.py", "rules"]


def test_an_unreadable_ignore_file_is_named(tmp_path, monkeypatch):
    write(tmp_path, "a.py", ".gitignore")

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    # Root may read everything, so the refusal itself is put in.
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UsageError, match=r"PATH: cannot read .*\.gitignore: Permission denied"):
        look(tmp_path)
