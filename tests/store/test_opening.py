"""What opening a store does with files and directories that are not what they should be."""

from __future__ import annotations

import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest

from launch_tui.errors import StoreCorrupt, StoreError, StoreOnNetwork, StoreTooNew
from launch_tui.store import database, enqueuing, paths
from launch_tui.store.database import APPLICATION_ID, SCHEMA_VERSION, Database
from launch_tui.store.paths import Home

DROP_ROOT = """
if os.geteuid() == 0:
    os.seteuid(65534)
"""


def newer(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE runs (id)")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.commit()
    connection.close()


def foreign(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE moz_places (url)")
    connection.commit()
    connection.close()


def foreign_in_wal_mode(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE moz_places (url)")
    connection.commit()
    connection.close()


def stamped_by_another_program(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA application_id = 1")
    connection.commit()
    connection.close()


def garbage(path):
    path.write_bytes(os.urandom(10_000))


def text(path):
    path.write_text("this is not a database\n" * 100)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (newer, StoreTooNew),
        (foreign, StoreCorrupt),
        (foreign_in_wal_mode, StoreCorrupt),
        (stamped_by_another_program, StoreCorrupt),
        (garbage, StoreCorrupt),
        (text, StoreCorrupt),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_what_is_not_ours_is_refused_and_left_as_it_was(home, make, error, read_only):
    home.root.mkdir(parents=True)
    make(home.store)
    before = home.store.read_bytes()
    with pytest.raises(error) as raised:
        Database(home, read_only=read_only)
    assert home.store.read_bytes() == before
    assert "\n" not in str(raised.value)
    assert raised.value.next_step
    assert [p.name for p in home.root.iterdir() if p.is_dir()] == []


def test_what_a_newer_version_had_not_yet_moved_out_of_its_log_stays_there(home, run_script):
    home.root.mkdir(parents=True)
    newer(home.store)
    killed = run_script(
        """
import sqlite3
connection = sqlite3.connect(home.store)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("CREATE TABLE later (id)")
connection.commit()
os.kill(os.getpid(), 9)
"""
    )
    assert killed.returncode == -9
    log = home.store.with_name("launch.db-wal")
    before = home.store.read_bytes(), log.read_bytes()
    assert before[1]
    with pytest.raises(StoreTooNew):
        Database(home)
    assert (home.store.read_bytes(), log.read_bytes()) == before


def test_a_damaged_page_is_told_as_damage(home, db, queue, new_run):
    for _ in range(50):
        enqueuing.enqueue(db, [new_run(note="x" * 500)])
    db.close()
    damaged = bytearray(home.store.read_bytes())
    page = 4096
    for start in range(page, len(damaged), page):
        damaged[start : start + 64] = b"\xff" * 64
    home.store.write_bytes(damaged)
    with pytest.raises(StoreCorrupt) as raised, Database(home) as opened:
        opened.all("SELECT * FROM runs")
    assert str(home.store) in str(raised.value)
    assert home.store.read_bytes() == damaged


def test_a_shortened_file_is_told_as_damage(home, db):
    db.close()
    short = home.store.read_bytes()[:5000]
    home.store.write_bytes(short)
    with pytest.raises(StoreCorrupt), Database(home) as opened:
        opened.all("SELECT * FROM runs")
    assert home.store.read_bytes() == short


def test_an_empty_file_is_a_store_that_was_never_begun(home):
    home.root.mkdir(parents=True)
    home.store.touch()
    with Database(home) as db:
        assert db.all("SELECT * FROM runs") == []


def test_reading_needs_a_store_and_makes_none(home):
    with pytest.raises(StoreError, match="there is no store"):
        Database(home, read_only=True)
    assert not home.root.exists()


def test_a_store_opened_for_reading_cannot_be_written(home, db):
    with (
        Database(home, read_only=True) as reader,
        pytest.raises(StoreError, match="cannot be opened for writing"),
    ):
        reader.execute("DELETE FROM runs")


@pytest.fixture
def public_directory():
    """A directory that any user may look into, unlike pytest's own."""
    directory = Path(tempfile.mkdtemp(prefix="launch-tui-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def give_to_nobody(*paths):
    """Make them the property of whom the script runs as: another's are refused for that alone."""
    if os.getuid() == 0:
        owner = pwd.getpwnam("nobody")
        for path in paths:
            os.chown(path, owner.pw_uid, owner.pw_gid)


def test_a_directory_without_write_permission_is_refused(public_directory, run_script):
    give_to_nobody(public_directory)
    public_directory.chmod(0o555)
    done = run_script(
        DROP_ROOT + "try: Database(home)\nexcept StoreReadOnly as e: print(e.cause, e.next_step)",
        LAUNCH_TUI_HOME=str(public_directory),
    )
    assert "no permission" in done.stdout, done.stderr
    assert list(public_directory.iterdir()) == []


def test_a_store_that_may_only_be_read_is_refused_for_writing(public_directory, run_script):
    Database(Home(public_directory)).close()
    give_to_nobody(*public_directory.iterdir(), public_directory)
    for path in (public_directory / "launch.db", *public_directory.iterdir(), public_directory):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = (public_directory / "launch.db").read_bytes()
    done = run_script(
        DROP_ROOT + "try: Database(home)\nexcept StoreReadOnly as e: print(e.cause, e.next_step)",
        LAUNCH_TUI_HOME=str(public_directory),
    )
    assert "launch.db" in done.stdout or "no permission" in done.stdout, done.stderr
    assert (public_directory / "launch.db").read_bytes() == before


def test_a_directory_that_cannot_be_entered_is_refused(public_directory, run_script):
    inner = public_directory / "closed" / "home"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o000)
    done = run_script(
        DROP_ROOT + "try: Database(home)\nexcept StoreReadOnly as e: print(e.cause)",
        LAUNCH_TUI_HOME=str(inner),
    )
    inner.parent.chmod(0o700)
    assert "no permission" in done.stdout, done.stderr


def test_a_network_file_system_is_refused_before_anything_is_made(home, monkeypatch, tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text("27 1 0:1 / / rw - nfs4 server:/ rw\n")
    monkeypatch.setattr(paths, "_MOUNTINFO", mounts)
    with pytest.raises(StoreOnNetwork, match="LAUNCH_TUI_HOME="):
        Database(home)
    assert not home.root.exists()


def test_a_commit_that_finds_no_space_leaves_nothing_half_written(home, db, queue, new_run):
    enqueuing.enqueue(db, [new_run(name="before")])
    pages = db.one("PRAGMA page_count")[0]
    db.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(database.DiskFull) as raised:
        enqueuing.enqueue(db, [new_run(note="x" * 3000) for _ in range(50)])
    assert raised.value.next_step
    db.execute("PRAGMA max_page_count = 1000000")
    assert [r["name"] for r in db.all("SELECT name FROM runs")] == ["before"]
    assert db.one("PRAGMA integrity_check")[0] == "ok"
    enqueuing.enqueue(db, [new_run(name="after")])
    assert [r["name"] for r in db.all("SELECT name FROM runs ORDER BY seq")] == ["before", "after"]


def test_a_full_disk_refuses_an_enqueue_and_damages_nothing(tmp_path, run_script):
    disk = tmp_path / "disk"
    disk.mkdir()
    if (private_mounts := _private_mounts(disk)) is None:
        pytest.skip("this user may mount no tmpfs, not even in a namespace of its own")
    done = run_script(
        """
ballast = home.root / "ballast"
with Database(home) as db:
    queues.create(db, Queue(name="q", resource=Resource.LOCAL_PROCESS))
    ballast.write_bytes(bytes(600_000))
    accepted = 0
    try:
        while True:
            enqueuing.enqueue(db, [new_run(note="x" * 3000)])
            accepted += 1
    except DiskFull as error:
        print("refused", error)
    assert accepted > 0
    assert db.one("SELECT count(*) FROM runs")[0] == accepted
    assert db.one("SELECT count(*) FROM events")[0] == accepted
with Database(home, read_only=True) as db:
    assert db.one("PRAGMA integrity_check")[0] == "ok"
    assert db.one("SELECT count(*) FROM runs")[0] == accepted
ballast.unlink()
with Database(home) as db:
    enqueuing.enqueue(db, [new_run()])
    assert db.one("SELECT count(*) FROM runs")[0] == accepted + 1
print("whole")
""",
        prefix=private_mounts,
        LAUNCH_TUI_HOME=str(disk),
    )
    assert done.stdout.startswith("refused no space left"), done.stderr
    assert done.stdout.endswith("whole\n"), done.stderr


def _private_mounts(directory):
    """A command that runs another one where only it sees a full-able disk on ``directory``."""
    inner = ("sh", "-c", f"mount -t tmpfs -o size=1m tmpfs '{directory}' && exec \"$@\"", "sh")
    for outer in (
        ("unshare", "--mount"),
        ("unshare", "--user", "--map-root-user", "--mount"),
    ):
        command = (*outer, *inner)
        if shutil.which("unshare") and not subprocess.call(
            (*command, "true"), stderr=subprocess.DEVNULL
        ):
            return command
    return None
