from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from binascii import crc32
from pathlib import Path

import pytest

from launch_tui.errors import SourceFailed, UsageError
from launch_tui.sources import stat_cache
from launch_tui.sources.code import link_path, materialise, snapshot
from launch_tui.store import blobs
from launch_tui.store.artifacts import ArtifactStore


class Place:
    """A folder, an artifact store, and the two of them in use."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "project"
        self.folder.mkdir()
        self.artifacts = ArtifactStore(root / "artifacts")
        self.cache_dir = root / "artifacts" / "cache"
        self.copies = 0

    def write(self, path: str, text: str | bytes = "x") -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        return target

    def take(self, **options):
        return snapshot(self.folder, self.artifacts, cache_dir=self.cache_dir, **options)

    def settle(self) -> None:
        """Date the folder back, so that the stat cache trusts what it has seen."""
        cache = stat_cache.load(self.cache_dir, str(self.folder))
        for path in cache.files:
            status = (self.folder / path).lstat()
            cache.files[path] = stat_cache.state_of(status)
        stat_cache.save(self.cache_dir, cache, 1 << 62)

    def copy(self, taken, *links: str) -> Path:
        self.copies += 1
        target = self.root / "copies" / str(self.copies)
        materialise(taken.source, self.artifacts, target, links)
        return target


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return Place(tmp_path)


def test_a_folder_comes_back_as_it_was(place):
    place.write("train.py", "print(1)\n")
    place.write("pkg/__init__.py", "")
    place.write("run.sh", "#!/bin/sh\n").chmod(0o755)
    (place.folder / "latest").symlink_to("pkg")
    taken = place.take()
    assert taken.changed
    assert taken.source.files == 4
    assert taken.source.size == len("print(1)\n#!/bin/sh\n")
    assert taken.source.path == str(place.folder)
    copy = place.copy(taken)
    assert (copy / "train.py").read_text() == "print(1)\n"
    assert os.access(copy / "run.sh", os.X_OK)
    assert os.readlink(copy / "latest") == "pkg"
    assert (copy / "latest" / "__init__.py").exists()


def test_an_unchanged_folder_is_the_same_artifact_and_reads_nothing(place, monkeypatch):
    place.write("train.py")
    first = place.take()
    place.settle()

    def refuse(*_):
        raise AssertionError("read a file of an unchanged folder")

    monkeypatch.setattr("launch_tui.store.blobs.BlobWriter.put_file", refuse)
    second = place.take()
    assert not second.changed
    assert second.source == first.source


def test_an_unchanged_folder_needs_no_rules_and_no_digests(place):
    place.write("train.py")
    place.write(".gitignore", "*.log\n")
    place.write("x.log")
    place.take()
    place.settle()
    code = """
import sys
from pathlib import Path
from launch_tui.sources.code import snapshot
from launch_tui.store.artifacts import ArtifactStore
root = Path(sys.argv[1])
taken = snapshot(root / "project", ArtifactStore(root / "artifacts"),
                 cache_dir=root / "artifacts/cache")
assert not taken.changed
heavy = {"launch_tui.sources.ignore", "launch_tui.store.blobs", "launch_tui.store.manifest",
         "pathspec", "hashlib", "subprocess", "ctypes", "shutil", "difflib", "textual", "sqlite3"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(place.root)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_a_change_within_the_clocks_grain_is_seen(place):
    target = place.write("train.py", "one")
    for text in ("two", "six", "ten", "one"):
        before = place.take().source.digest
        status = target.stat()
        target.write_text(text)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert place.take().source.digest != before


def test_a_change_with_the_old_times_put_back_is_seen(place):
    target = place.write("train.py", "one")
    before = place.take().source.digest
    place.settle()
    status = target.stat()
    target.write_text("two")
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert place.take().source.digest != before


@pytest.mark.parametrize("change", ["edit", "add", "remove", "rename", "mode", "link"])
def test_every_change_makes_another_artifact_and_back_again(place, change):
    target = place.write("train.py", "one")
    place.write("b.py")
    (place.folder / "link").symlink_to("b.py")
    first = place.take()
    place.settle()
    if change == "edit":
        target.write_text("two")
    elif change == "add":
        place.write("new/c.py")
    elif change == "remove":
        target.unlink()
    elif change == "rename":
        target.rename(place.folder / "other.py")
    elif change == "mode":
        target.chmod(0o755)
    else:
        (place.folder / "link").unlink()
        (place.folder / "link").symlink_to("train.py")
    second = place.take()
    assert second.changed
    assert second.source.digest != first.source.digest
    assert not place.take().changed


def test_the_same_files_elsewhere_are_the_same_artifact(place, tmp_path):
    place.write("train.py")
    first = place.take()
    place.folder = tmp_path / "elsewhere"
    place.folder.mkdir()
    place.write("train.py")
    assert place.take().source.digest == first.source.digest


def test_a_deleted_artifact_is_made_anew(place):
    place.write("train.py", "one")
    first = place.take()
    place.settle()
    place.artifacts.delete_unreferenced([], grace=-1)
    again = place.take()
    assert again.source == first.source
    assert (place.copy(again) / "train.py").read_text() == "one"


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"version":1}', b'{"version":0}', b"\xff"])
def test_a_damaged_cache_costs_time_only(place, damage):
    place.write("train.py")
    first = place.take()
    for path in place.cache_dir.iterdir():
        path.write_bytes(damage)
    assert place.take().source == first.source


def test_a_cache_of_another_folder_is_not_believed(place):
    place.write("train.py")
    first = place.take()
    path = next(place.cache_dir.iterdir())
    data, _ = path.read_bytes().splitlines()
    spoilt = json.dumps(json.loads(data) | {"folder": "/another", "digest": "0" * 64}).encode()
    path.write_bytes(spoilt + b"\n%08x" % crc32(spoilt))
    assert place.take().source == first.source


def test_a_cache_in_which_a_byte_has_flipped_is_not_believed(place):
    place.write("train.py")
    first = place.take()
    path = next(place.cache_dir.iterdir())
    data = path.read_bytes()
    flipped = b"1" if first.source.digest[:1] == "0" else b"0"
    at = data.index(first.source.digest.encode())
    path.write_bytes(data[:at] + flipped + data[at + 1 :])
    assert place.take().source == first.source


def test_files_git_does_not_know_are_in_and_ignored_ones_out(place):
    place.write("train.py")
    place.write("new.py")
    place.write("data/x.csv")
    place.write(".gitignore", "data/\n")
    subprocess.run(["git", "init", "-q", str(place.folder)], check=True)
    subprocess.run(["git", "-C", str(place.folder), "add", "train.py"], check=True)
    copy = place.copy(place.take())
    assert sorted(p.name for p in copy.iterdir()) == [".gitignore", "new.py", "train.py"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing", "PATH: there is no folder .*missing"),
        ("project/file", r"PATH: .*file is a file \(allowed: the folder it is in\)"),
        ("empty", "PATH: .*empty has no files"),
        ("only_ignored", "PATH: .*only_ignored has no files"),
        ("n" * 300, "PATH: .*(cannot read|there is no folder)"),
        ("nul\0", "PATH: there is no folder"),
    ],
)
def test_what_is_no_folder_of_files_is_refused(place, path, message):
    place.write("file")
    (place.root / "empty").mkdir()
    (place.root / "only_ignored" / "wandb").mkdir(parents=True)
    (place.root / "only_ignored" / "wandb" / "x").write_text("")
    with pytest.raises(UsageError, match=message):
        snapshot(place.root / path, place.artifacts, cache_dir=place.cache_dir)


def test_the_data_directory_is_never_in_a_snapshot(place):
    place.write("train.py")
    inner = ArtifactStore(place.folder / "deep" / "home" / "artifacts")
    place.write("deep/x.py")
    for _ in range(2):
        taken = snapshot(place.folder, inner, cache_dir=inner.root / "cache")
        assert sorted(inner.manifest(taken.source.digest).entries) == ["deep/x.py", "train.py"]
    own = ArtifactStore(place.folder / "artifacts")
    with pytest.raises(UsageError, match="is the data directory"):
        snapshot(place.folder, own, cache_dir=own.root / "cache")


def test_paths_with_dots_are_the_folder_they_mean(place, monkeypatch):
    place.write("train.py")
    place.write("sub/x.py")
    monkeypatch.chdir(place.folder / "sub")
    taken = snapshot("..", place.artifacts, cache_dir=place.cache_dir)
    assert taken.source.path == str(place.folder)
    monkeypatch.chdir(place.folder)
    taken = snapshot(".", place.artifacts, cache_dir=place.cache_dir)
    assert taken.source.path == str(place.folder)


def test_a_folder_that_is_too_large_says_what_is_big(place):
    place.write("train.py")
    for number in range(4):
        place.write(f"assets/raw/{number}.bin", b"x" * 500_000)
    place.write("video.mp4", b"x" * 300_000)
    with pytest.raises(UsageError) as caught:
        place.take(limit_bytes=1_000_000)
    problem = caught.value.problem
    assert "assets/raw/ (1.9 MiB), video.mp4 (293.0 KiB)" in problem
    assert "--yes" in problem
    assert ".launchignore" in problem
    assert place.take(limit_bytes=1_000_000, accept_large=True).changed
    # What was accepted once is not asked about again, as long as it grows by little.
    place.write("train.py", "y")
    assert place.take(limit_bytes=1_000_000).changed
    place.write("train.py", b"y" * 500_000)
    with pytest.raises(UsageError, match="the biggest are"):
        place.take(limit_bytes=1_000_000)


def test_too_many_files_are_refused_by_their_number(place):
    for number in range(12):
        place.write(f"many/{number}")
    place.write("train.py", "x" * 500)
    with pytest.raises(UsageError, match=r"13 files, .* or 10 files; .* many/ \(12 files\)"):
        place.take(limit_files=10)
    for number in range(150):
        place.write(f"more/{number}")
    with pytest.raises(UsageError, match=r"more than 1\d\d files"):
        place.take(limit_files=10)
    assert place.take(limit_files=10, accept_large=True).source.files == 163


def test_links_that_will_not_work_are_told(place, tmp_path):
    (tmp_path / "outside").mkdir()
    place.write("train.py")
    place.write("sub/x.py")
    place.write("data/big")
    place.write(".gitignore", "data/\n")
    (place.folder / "a").symlink_to(tmp_path / "outside")
    (place.folder / "b").symlink_to("../outside")
    (place.folder / "c").symlink_to("data")
    (place.folder / "sub" / "d").symlink_to("../train.py")
    taken = place.take()
    assert [warning.split()[0] for warning in sorted(taken.warnings)] == ["a", "b", "c"]
    assert "outside the folder" in min(taken.warnings)
    assert "not in the snapshot" in max(taken.warnings)
    assert os.readlink(place.copy(taken) / "a") == str(tmp_path / "outside")
    place.settle()
    assert place.take().warnings == taken.warnings


def test_an_absolute_link_into_the_folder_leads_into_the_copy(place):
    place.write("configs/base.yaml", "a: 1")
    (place.folder / "configs" / "now").symlink_to(place.folder / "configs" / "base.yaml")
    (place.folder / "top").symlink_to(place.folder / "configs")
    taken = place.take()
    assert taken.warnings == ()
    copy = place.copy(taken)
    assert os.readlink(copy / "configs" / "now") == "base.yaml"
    assert os.readlink(copy / "top") == "configs"


@pytest.mark.parametrize(
    ("code", "mentioned"),
    [
        ('open("data/x.csv")', ["data"]),
        ("root: ./data\n", ["data"]),
        ("DataLoader('data')", ["data"]),
        ("python prep.py --out data/", ["data"]),
        ("data = load()\nbatch['data']", []),
        ("open('/mnt/data/x')", []),
        ("open('mydata/x')", []),
        ("import data.loader", []),
    ],
)
def test_ignored_folders_that_the_code_mentions_are_pointed_out(place, code, mentioned):
    place.write("train.py", code)
    place.write("data/x.csv")
    place.write("outputs/y")
    place.write(".gitignore", "data/\noutputs/\n")
    assert list(place.take().mentioned) == mentioned


def test_mentions_are_remembered_and_follow_changes(place):
    place.write("train.py", "open('data/x')")
    place.write("other.py", "open('ckpt/x')")
    place.write("data/x")
    place.write(".gitignore", "data\nckpt\n")
    (place.folder / "ckpt").symlink_to("/tmp")
    assert place.take().mentioned == ("ckpt", "data")
    place.settle()
    place.write("other.py", "pass")
    assert place.take().mentioned == ("data",)
    place.settle()
    assert place.take().mentioned == ("data",)


def test_links_give_a_run_what_the_snapshot_leaves_out(place):
    place.write("train.py")
    place.write("data/cifar/x", "pixels")
    place.write(".gitignore", "data/\n")
    taken = place.take()
    copy = place.copy(taken, "data")
    assert os.readlink(copy / "data") == str(place.folder / "data")
    assert (copy / "data" / "cifar" / "x").read_text() == "pixels"
    assert (place.copy(taken, "data/cifar") / "data" / "cifar" / "x").exists()


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("train.py", "has a file of its own there"),
        ("sub", "has a file of its own there"),
        ("sub/x.py/deeper", "is not there"),
        ("nothing", "is not there"),
        ("../outside", "leaves"),
        ("/etc", "leaves"),
        ("", "leaves"),
    ],
)
def test_links_that_cannot_be_are_refused_and_leave_no_copy(place, link, message):
    place.write("train.py")
    place.write("sub/x.py")
    taken = place.take()
    with pytest.raises(SourceFailed, match=message):
        place.copy(taken, link)
    assert not (place.root / "copies" / "1").exists()


def test_link_path_is_relative_to_the_folder(place, tmp_path):
    place.write("data/x")
    (tmp_path / "outside").mkdir()
    for given in ("data", "data/", "./data", str(place.folder / "data"), "data/../data"):
        assert link_path(given, place.folder) == "data"
    for given in ("../outside", "/etc", ".", "", "nothing"):
        with pytest.raises(UsageError, match="--link: "):
            link_path(given, place.folder)


@pytest.fixture
def open_path():
    """A directory that everybody may enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="launch_tui-test-"))
    path.chmod(0o755)
    yield path
    path.chmod(0o700)
    shutil.rmtree(path)


def test_an_unreadable_file_is_named(open_path):
    place = Place(open_path)
    place.write("train.py")
    place.write("secret.key").chmod(0)
    code = """
import os, sys
from pathlib import Path
from launch_tui.errors import UsageError
from launch_tui.sources.code import snapshot
from launch_tui.store.artifacts import ArtifactStore
root = Path(sys.argv[1])
# What is imported on the way must be there before the right to read it goes.
snapshot(root / "plain", ArtifactStore(root / "warm"), cache_dir=root / "warm")
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
try:
    snapshot(root / "project", ArtifactStore(root / "own" / "artifacts"), cache_dir=root / "own")
except UsageError as error:
    print(error)
"""
    (place.root / "plain").mkdir()
    (place.root / "plain" / "x").write_text("x")
    (place.root / "own").mkdir()
    (place.root / "own").chmod(0o777)
    done = subprocess.run(
        [sys.executable, "-c", code, str(place.root)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert "PATH: cannot read" in done.stdout
    assert "secret.key: Permission denied" in done.stdout


def test_a_file_that_vanishes_meanwhile_is_left_out(place, monkeypatch):
    place.write("train.py")
    doomed = place.write("z.tmp")
    from launch_tui.store.blobs import BlobWriter

    put = BlobWriter.put_file

    def put_and_remove(self, path):
        if path == str(doomed):
            doomed.unlink()
        return put(self, path)

    monkeypatch.setattr(BlobWriter, "put_file", put_and_remove)
    taken = place.take()
    assert taken.source.files == 1
    assert [p.name for p in place.copy(taken).iterdir()] == ["train.py"]


@pytest.mark.parametrize("changes", [1, 100])
def test_a_file_that_changes_while_it_is_read_is_read_again(place, monkeypatch, changes):
    place.write("train.py")
    log = place.write("nohup.out", "0")
    read, left = blobs._read_up_to, [changes]

    def read_then_change(descriptor, limit):
        data = read(descriptor, limit)
        if data.isdigit() and left[0]:
            left[0] -= 1
            with log.open("a") as file:
                file.write("0")
        return data

    monkeypatch.setattr(blobs, "_read_up_to", read_then_change)
    taken = place.take()
    if changes == 1:
        assert taken.warnings == ()
        assert (place.copy(taken) / "nohup.out").read_text() == "00" == log.read_text()
        return
    assert taken.warnings == ("nohup.out kept changing while it was read",)
    assert set((place.copy(taken) / "nohup.out").read_text()) == {"0"}
    left[0] = 0
    last = place.take()
    assert (place.copy(last) / "nohup.out").read_text() == log.read_text()
    assert last.warnings == ()


def test_odd_names_survive(place):
    odd = os.fsdecode(b"caf\xe9\xff \x1b[31m\n.py")
    (place.folder / odd).write_text("x")
    taken = place.take()
    assert [p.name for p in place.copy(taken).iterdir()] == [odd]
    assert not place.take().changed


def test_snapshots_of_one_folder_at_the_same_time(place):
    for number in range(50):
        place.write(f"f{number}.py", str(number))
    taken = []
    threads = [threading.Thread(target=lambda: taken.append(place.take())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.source for one in taken}) == 1
    assert len(taken) == 6
    assert len(list(place.copy(taken[0]).iterdir())) == 50
