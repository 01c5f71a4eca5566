from __future__ import annotations

import os
import sqlite3
import subprocess
import sys

import pytest

from launch_tui.store import enqueuing
from launch_tui.store.agent_lock import AgentLock
from launch_tui.store.database import LOG_BYTES, Database, log_size
from launch_tui.store.integrity import check_briefly, problems
from launch_tui.store.second_copy import compare, copy_path, log_pages, mend_store, renew, seal

PAGE = 4096

WRITER = """
import sys
from launch_tui.store.database import Database
from launch_tui.store.paths import default_home
for number in range(40):
    with Database(default_home()) as db, db.transaction(durable=False):
        db.execute("INSERT INTO drafts VALUES (?, ?, '')", (f"{sys.argv[1]}-{number}", "x" * 3000))
"""


def same(home):
    found = compare(home)
    return found.usable and not found.store_wrong and not found.copy_wrong


def flip(path, at):
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x20]))


def test_a_closed_store_has_an_empty_log_and_the_same_copy(home, db, queue, new_run):
    enqueuing.enqueue(db, [new_run()])
    assert log_size(home)
    db.close()
    assert log_size(home) == 0
    assert same(home)


def test_no_connection_moves_pages_by_itself(home, db, queue, new_run):
    lock = AgentLock(home)
    assert lock.acquire()
    db.close()
    before = home.store.read_bytes()
    other = Database(home)
    enqueuing.enqueue(other, [new_run()])
    other.close()
    third = Database(home)
    enqueuing.enqueue(third, [new_run()])
    del third
    assert home.store.read_bytes() == before
    assert log_pages(home)[0]
    lock.close()
    assert seal(home)
    assert same(home)


def test_every_flipped_byte_is_found_and_put_back(home, db, queue, new_run):
    for number in range(20):
        enqueuing.enqueue(db, [new_run(note=f"note {number} " * 40)])
    db.close()
    right = home.store.read_bytes()
    for at in range(17, len(right), 4099):
        flip(home.store, at)
        found = compare(home)
        assert found.store_wrong == (at // PAGE + 1,)
        mend_store(home, found.store_wrong, found.pages)
        assert home.store.read_bytes() == right


@pytest.mark.parametrize("keep", [0, 1, 100, 4096, 10_000])
def test_a_store_that_was_cut_off_gets_its_end_back(home, db, queue, new_run, keep):
    enqueuing.enqueue(db, [new_run(note="x" * 9000)])
    db.close()
    right = home.store.read_bytes()
    os.truncate(home.store, keep)
    found = compare(home)
    mend_store(home, found.store_wrong, found.pages)
    assert home.store.read_bytes() == right


def test_damage_to_the_copy_says_nothing_against_the_store(home, db, queue, new_run):
    enqueuing.enqueue(db, [new_run()])
    db.close()
    copy = copy_path(home)
    size = copy.stat().st_size
    for at in [*range(40), 40, 41, 4000, 6000, size - 1]:
        flip(copy, at)
        found = compare(home)
        assert not found.store_wrong
        assert not found.usable or found.copy_wrong
        renew(home)
        assert same(home)


def test_a_store_without_a_copy_gets_one(home, db, queue, new_run):
    enqueuing.enqueue(db, [new_run()])
    db.close()
    copy_path(home).unlink()
    with Database(home) as again:
        enqueuing.enqueue(again, [new_run()])
    assert same(home)


def test_a_store_without_a_log_is_sealed(home, db, queue):
    db.close()
    for ending in ("-wal", "-shm", ".copy"):
        home.store.with_name(home.store.name + ending).unlink()
    assert seal(home)
    assert same(home)


def test_many_writers_and_closers_leave_the_same_in_both(home, db, queue):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(number)]) for number in range(4)]
    for _ in range(20):
        seal(home)
    assert [writer.wait() for writer in writers] == [0] * 4
    assert db.one("SELECT count(*) FROM drafts")[0] == 160
    db.close()
    assert same(home)
    assert not problems(home)


def test_a_reader_that_never_ends_does_not_let_the_log_grow_once_it_has_ended(home, db, queue):
    reader = sqlite3.connect(home.store, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM drafts").fetchone()
    for number in range(3 * 64):
        with db.transaction(durable=False):
            db.execute("INSERT INTO drafts VALUES (?, ?, '')", (str(number), "x" * 40_000))
    assert log_size(home) > LOG_BYTES
    assert same(home)
    reader.rollback()
    for number in range(64):
        with db.transaction(durable=False):
            db.execute("INSERT INTO drafts VALUES (?, ?, '')", (f"b{number}", "x" * 100))
    assert log_size(home) < LOG_BYTES
    reader.close()
    db.close()
    assert same(home)


def test_readers_that_come_and_go_do_not_keep_the_log_from_beginning_anew(home, db, queue):
    for number in range(5 * 64):
        with db.transaction(durable=False):
            db.execute("INSERT INTO drafts VALUES (?, ?, '')", (str(number), "x" * 40_000))
        with Database(home, read_only=True) as reader:
            reader.one("SELECT count(*) FROM drafts")
        assert log_size(home) < 2 * LOG_BYTES


def test_the_short_look_tells_of_a_store_that_was_cut_off(home, db, queue, new_run):
    enqueuing.enqueue(db, [new_run()])
    db.close()
    check_briefly(home)
    os.truncate(home.store, home.store.stat().st_size // 2)
    with pytest.raises(Exception, match=r"cut off.*fsck"):
        check_briefly(home)


@pytest.mark.parametrize("rows", [1, 400])
def test_a_writer_that_does_not_let_go_costs_no_more_than_this_seal(home, db, queue, rows):
    assert seal(home)
    with db.transaction():
        for number in range(rows):
            db.execute("INSERT INTO drafts VALUES (?, ?, '')", (str(number), "x" * 3000))
    with Database(home) as other, other.transaction():
        assert not seal(home)
        assert same(home)
    assert seal(home)
    assert same(home)
    assert log_size(home) == 0
