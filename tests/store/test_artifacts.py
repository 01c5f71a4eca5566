from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui import faults
from launch_tui.errors import DiskFull, SourceFailed, StoreCorrupt
from launch_tui.store.artifacts import ArtifactStore
from launch_tui.store.blobs import IN_MEMORY, ONE_BY_ONE, Unreadable, blob_path
from launch_tui.store.manifest import Entry, EntryKind, decode, encode

if TYPE_CHECKING:
    from pathlib import Path

POINTS = [name for name in faults.POINTS if name.startswith("artifact.")]

PUT = """
import sys
from pathlib import Path
from launch_tui.store.artifacts import ArtifactStore
from launch_tui.store.manifest import Entry, EntryKind
store = ArtifactStore(Path(sys.argv[1]))
with store.writer() as writer:
    entries = {}
    for number in range(int(sys.argv[2])):
        data = b"content %d" % number
        digest = writer.put_bytes(data)
        entries[f"d{number % 7}/f{number}"] = Entry(EntryKind.FILE, digest, len(data))
        if number == 3:
            print("writing", flush=True)
    print(writer.commit(entries))
"""


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


def commit(store: ArtifactStore, files: dict[str, bytes], **more: Entry) -> str:
    with store.writer() as writer:
        entries = {
            path: Entry(EntryKind.FILE, writer.put_bytes(data), len(data))
            for path, data in files.items()
        }
        return writer.commit(entries | more)


def blobs(store: ArtifactStore) -> list[Path]:
    return list((store.root / "blobs").glob("??/*"))


def rubbish(store: ArtifactStore) -> list[Path]:
    return list((store.root / "tmp").glob("*"))


def put_elsewhere(store: ArtifactStore, count: int, fault: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PUT, str(store.root), str(count)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | ({faults.VARIABLE: fault} if fault else {}),
    )


def assert_sound(store: ArtifactStore) -> None:
    """Every named blob and manifest is whole."""
    import hashlib

    for path in blobs(store):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.parent.name + path.name
    for path in (store.root / "manifests").glob("??/*.json"):
        for entry in store.manifest(path.parent.name + path.stem).entries.values():
            assert blob_path(store.root, entry.digest).stat().st_size == entry.size


def test_the_same_content_is_kept_once_and_read_only(store):
    commit(store, {"a": b"same", "b/c": b"same", "d": b"other"})
    assert len(blobs(store)) == 2
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o444 for path in blobs(store))


def test_the_digest_does_not_depend_on_the_order(store):
    first = commit(store, {"a": b"1", "b": b"2"})
    assert commit(store, {"b": b"2", "a": b"1"}) == first
    assert commit(store, {"b": b"2", "a": b"2"}) != first


@given(
    st.dictionaries(
        st.text('ab é\udce9\n"\\', min_size=1),
        st.builds(
            Entry,
            st.just(EntryKind.FILE),
            st.text("0123456789abcdef"),
            st.integers(0),
            st.booleans(),
            st.just(""),
        )
        | st.builds(lambda target: Entry(EntryKind.SYMLINK, target=target), st.text()),
    )
)
def test_a_manifest_survives_its_own_encoding(entries):
    data = encode(entries)
    assert decode(data, "x").entries == entries
    assert encode(decode(data, "x").entries) == data


def test_checkout_gives_back_contents_bits_and_links(store, tmp_path):
    odd = b"caf\xe9.txt".decode("utf-8", "surrogateescape")
    with store.writer() as writer:
        digest = writer.commit(
            {
                "run.sh": Entry(EntryKind.FILE, writer.put_bytes(b"#!/bin/sh\n"), 10, True),
                "deep/er/empty": Entry(EntryKind.FILE, writer.put_bytes(b""), 0),
                odd: Entry(EntryKind.FILE, writer.put_bytes(b"x"), 1),
                "link": Entry(EntryKind.SYMLINK, target="deep/er"),
                "dangling": Entry(EntryKind.SYMLINK, target="/nowhere/at all"),
            }
        )
    store.checkout(digest, tmp_path / "n" / "source")
    copy = tmp_path / "n" / "source"
    assert (copy / "run.sh").read_bytes() == b"#!/bin/sh\n"
    assert os.access(copy / "run.sh", os.X_OK)
    assert not (copy / odd).stat().st_mode & 0o111
    assert (copy / odd).stat().st_mode & 0o200
    assert (copy / "link" / "empty").read_bytes() == b""
    assert os.readlink(copy / "dangling") == "/nowhere/at all"
    assert [entry.name for entry in copy.parent.iterdir()] == ["source"]


def test_a_working_copy_is_private(store, tmp_path):
    digest = commit(store, {"a": b"original", "big": b"x" * 1_000_000})
    store.checkout(digest, tmp_path / "one")
    (tmp_path / "one" / "a").write_bytes(b"changed by the job")
    (tmp_path / "one" / "big").write_bytes(b"")
    store.checkout(digest, tmp_path / "two")
    assert (tmp_path / "two" / "a").read_bytes() == b"original"
    assert (tmp_path / "two" / "big").stat().st_size == 1_000_000


def test_a_checkout_over_a_used_directory_is_refused(store, tmp_path):
    digest = commit(store, {"a": b"1"})
    (tmp_path / "source").mkdir()
    store.checkout(digest, tmp_path / "source")
    with pytest.raises(SourceFailed, match="exists already"):
        store.checkout(digest, tmp_path / "source")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(SourceFailed, match="exists already"):
        store.checkout(digest, tmp_path / "link")


@pytest.mark.parametrize("spoil", ["missing", "short", "same size"])
def test_a_spoilt_blob_is_named_and_leaves_no_half_copy(store, tmp_path, spoil):
    digest = commit(store, {"src/model.py": b"content", "z": b"other"})
    blob = blob_path(store.root, store.manifest(digest).entries["src/model.py"].digest)
    blob.unlink()
    if spoil != "missing":
        blob.write_bytes(b"short" if spoil == "short" else b"CONTENT")
    with pytest.raises(SourceFailed, match=r"src/model\.py.*create the job again"):
        store.checkout(digest, tmp_path / "source")
    assert not (tmp_path / "source").exists()
    assert not (tmp_path / ".source.partial").exists()
    if spoil != "same size":
        with pytest.raises(SourceFailed, match=r"src/model\.py"):
            store.read(store.manifest(digest).entries["src/model.py"], "src/model.py")
        # The same content, put again, heals the store.
        commit(store, {"src/model.py": b"content"})
        store.checkout(digest, tmp_path / "source")


@pytest.mark.parametrize(
    "path", ["../out", "/etc/x", "a/../../x", "a//b", ".", "", "link/x", "file/x", "a\0b"]
)
def test_paths_that_leave_the_copy_are_refused(path):
    entries = {
        "link": Entry(EntryKind.SYMLINK, target="/etc"),
        "file": Entry(EntryKind.FILE, "0" * 64, 0),
        path: Entry(EntryKind.FILE, "0" * 64, 0),
    }
    with pytest.raises(SourceFailed, match="leaves it"):
        decode(encode(entries), "x")


def test_a_missing_or_damaged_manifest_says_what_to_do(store):
    with pytest.raises(SourceFailed, match=r"not in the artifact store.*create the job again"):
        store.manifest("0" * 64)
    digest = commit(store, {"a": b"1"})
    path = store.manifest_path(digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"a", b"b"))
    with pytest.raises(SourceFailed, match="damaged"):
        store.manifest(digest)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"version":1,"entries":{"a":1}}', b"\xff"])
def test_rubbish_is_no_manifest(data):
    with pytest.raises(SourceFailed, match="damaged"):
        decode(data, "x")


def test_a_newer_manifest_is_told_apart():
    with pytest.raises(SourceFailed, match="newer"):
        decode(json.dumps({"version": 2}).encode(), "x")


def test_deleting_keeps_what_is_wanted_or_young(store, tmp_path):
    wanted = commit(store, {"a": b"shared", "b": b"wanted"})
    other = commit(store, {"a": b"shared", "c": b"unwanted"})
    assert store.delete_unreferenced([wanted]).manifests == 0
    gone = store.delete_unreferenced([wanted], grace=-1)
    assert (gone.manifests, gone.blobs, gone.size) == (1, 1, len(b"unwanted"))
    assert not store.has(other)
    store.checkout(wanted, tmp_path / "source")


def test_nothing_is_deleted_when_a_wanted_manifest_is_damaged(store):
    digest = commit(store, {"a": b"1"})
    path = store.manifest_path(digest)
    path.chmod(0o644)
    path.write_bytes(b"rubbish")
    with pytest.raises(StoreCorrupt):
        store.delete_unreferenced([digest], grace=-1)
    assert len(blobs(store)) == 1


def test_deleting_waits_for_a_writer(store):
    with store.writer() as writer:
        data = b"being written"
        entries = {"a": Entry(EntryKind.FILE, writer.put_bytes(data), len(data))}
        deleter = threading.Thread(target=store.delete_unreferenced, args=([],))
        deleter.start()
        digest = writer.commit(entries)
    deleter.join(10)
    assert not deleter.is_alive()
    assert store.read(store.manifest(digest).entries["a"], "a") == data


def test_renew_tells_whether_the_artifact_is_here(store):
    digest = commit(store, {"a": b"1"})
    os.utime(store.manifest_path(digest), (1, 1))
    with store.writer() as writer:
        assert writer.renew(digest)
        assert not writer.renew("0" * 64)
    assert store.delete_unreferenced([]).manifests == 0


@pytest.mark.parametrize("size", [0, 1, IN_MEMORY, IN_MEMORY + 1])
def test_files_of_any_size(store, tmp_path, size):
    path = tmp_path / "file"
    path.write_bytes(b"z" * size)
    with store.writer() as writer:
        first, second = writer.put_file(str(path)), writer.put_file(str(path))
        assert first.stable
        assert (first.digest, first.size) == (second.digest, size)
        digest = writer.commit({"f": Entry(EntryKind.FILE, first.digest, size)})
        assert writer.put_file(str(path)).digest == first.digest
    store.checkout(digest, tmp_path / "copy")
    assert not rubbish(store)


def test_a_file_that_never_rests_is_taken_as_read_last(store, tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"start")
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            path.write_bytes(b"%d" % number * 2000)

    busy = threading.Thread(target=write)
    busy.start()
    try:
        with store.writer() as writer:
            seen = [writer.put_file(str(path)) for _ in range(50)]
            writer.commit({"log": Entry(EntryKind.FILE, seen[-1].digest, seen[-1].size)})
    finally:
        stop.set()
        busy.join()
    assert_sound(store)


def test_what_is_no_regular_file_is_unreadable(store, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    with store.writer() as writer:
        for name in ("fifo", "link", "nothing", "."):
            with pytest.raises(Unreadable) as caught:
                writer.put_file(str(tmp_path / name))
            assert caught.value.gone


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_each_point_the_store_is_sound_and_goes_on(store, point):
    process = put_elsewhere(store, 12, point)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert_sound(store)
    assert not list((store.root / "manifests").glob("??/*.json"))
    done, _ = put_elsewhere(store, 12).communicate(timeout=30)
    assert_sound(store)
    assert len(store.manifest(done.split()[-1]).entries) == 12
    assert not rubbish(store)


def test_killed_in_the_middle_of_writing(store):
    process = put_elsewhere(store, 100_000)
    assert process.stdout.readline() == "writing\n"
    process.kill()
    process.communicate(timeout=30)
    assert rubbish(store)
    assert_sound(store)
    commit(store, {"a": b"1"})
    assert not rubbish(store)


def test_a_writer_at_work_keeps_its_files_from_the_next_one(store):
    with store.writer() as writer:
        writer.put_bytes(b"first")
        digest = commit(store, {"a": b"second"})
        data = b"first"
        other = writer.commit({"a": Entry(EntryKind.FILE, writer.put_bytes(data), len(data))})
    assert store.has(digest)
    assert store.read(store.manifest(other).entries["a"], "a") == data


def test_many_blobs_are_synced_together(store):
    count = ONE_BY_ONE + 10
    digest = commit(store, {f"f{n}": b"%d" % n for n in range(count)})
    assert len(blobs(store)) == count
    assert_sound(store)
    assert len(store.manifest(digest).entries) == count


def test_a_failed_writer_leaves_nothing(store):
    def fail() -> None:
        with store.writer() as writer:
            writer.put_bytes(b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not blobs(store)
    assert not rubbish(store)


def test_a_full_disk_is_said_so(store, tmp_path):
    # tmpfs of a few pages is a real full disk, where one may be mounted.
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no right to mount")
    try:
        small = ArtifactStore(disk / "artifacts")
        with pytest.raises(DiskFull):
            commit(small, {"a": b"x" * 200_000})
        assert not blobs(small)
        digest = commit(store, {"a": b"y" * 200_000})
        with pytest.raises(DiskFull):
            store.checkout(digest, disk / "source")
        assert not (disk / "source").exists()
        assert not (disk / ".source.partial").exists()
        commit(small, {"a": b"small"})
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_the_lock_is_let_go(store):
    commit(store, {"a": b"1"})
    with open(store.root / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
