from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from launch_tui.care import run_record
from launch_tui.care.fsck import check, repair
from launch_tui.errors import StoreError
from launch_tui.sdk import Launch, LaunchRequest
from launch_tui.store import claiming, write
from launch_tui.store.accounts import put_record, record_of
from launch_tui.store.database import APPLICATION_ID
from launch_tui.store.inspection import count_anew, wrong_counters
from launch_tui.store.paths import Home

OWNER = "agent"


@pytest.fixture
def launch(tmp_path):
    with Launch() as made:
        made.queues.create("q", "local-process", tracking="optional")
        yield made


@pytest.fixture
def ended(launch, tmp_path):
    """A run that has ended, with files in its directory."""
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "job.py").write_text("print(1)\n")
    made = launch.launch(
        LaunchRequest(
            queue="q", in_place=str(tmp_path / "job"), entry_point=["true"], tags=("t",), note="n"
        )
    )
    claimed = claiming.claim(launch.db, OWNER, queues=None)
    assert claimed is not None
    write.settle(
        launch.db, made.id, claimed.run.state, "failed", owner=OWNER, actor=OWNER,
        changes={"cause": "c", "exit_code": 3},
    )  # fmt: skip
    directory = launch.home.run(made.id)
    (directory / "1").mkdir(parents=True)
    (directory / "spec.json").write_text('{"a": "\\u00e9"}')
    (directory / "1" / "output.log").write_bytes(b"line\n" * 100)
    (directory / "1" / "exit").write_text("{}")
    run_record.write(launch.home, made.id, run_record.gather(launch.db, made.id))
    return made.id


def test_a_record_has_all_that_the_store_has_and_brings_it_back(launch, ended):
    before = record_of(launch.db, ended)
    launch.runs.delete(ended)
    record = {**before}
    assert put_record(launch.db, record)
    after = record_of(launch.db, ended)
    assert after["row"] == before["row"]
    without = [{key: v for key, v in e.items() if key != "id"} for e in before["events"]]
    assert [{key: v for key, v in e.items() if key != "id"} for e in after["events"]] == without
    assert not put_record(launch.db, record)
    assert not wrong_counters(launch.db)


def test_a_run_comes_back_with_its_queue_paused(launch, ended):
    before = record_of(launch.db, ended)
    launch.runs.delete(ended)
    launch.queues.delete("q")
    put_record(launch.db, before)
    assert launch.queues.get("q").paused
    assert launch.runs.get(ended).tags == ("t",)


def test_counters_that_are_wrong_are_seen_and_counted_anew(launch, ended):
    launch.db.execute("UPDATE queue_counts SET runs = runs + 1")
    assert wrong_counters(launch.db)
    count_anew(launch.db)
    assert not wrong_counters(launch.db)


@pytest.mark.parametrize("name", ["spec.json", "1/exit", "1/output.log"])
@pytest.mark.parametrize("spoil", ["missing", "changed", "grown"])
def test_files_are_put_back_or_named_once(launch, ended, name, spoil):
    path = launch.home.run(ended) / name
    right = path.read_bytes()
    path.unlink()
    if spoil != "missing":
        path.write_bytes(b"?" + right[1:] if spoil == "changed" else right + b"more")
    launch.close()
    (finding,) = check(launch.home).found
    assert finding.place == f"runs/{ended}/{name}"
    report = repair(launch.home)
    assert not report.found
    ((_, lost),) = report.mended
    if name == "1/output.log":
        assert name in lost
        with Launch() as again:
            assert [e for e in again.runs.events(ended) if f"lost: {name}" in e.message]
    else:
        assert lost == ""
        assert path.read_bytes() == right
    assert not check(launch.home).found


def test_a_record_that_is_not_whole_is_none(launch, ended):
    path = launch.home.run(ended) / run_record.NAME
    data = path.read_bytes()
    assert json.loads(data.splitlines()[0])["row"]["note"] == "n"
    for at in range(0, len(data), 97):
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        assert run_record.read(launch.home, ended) is None
    path.write_bytes(data)
    assert run_record.read(launch.home, ended)


def forged(launch, run_id, change):
    """Write another record with a right digest, as a backup from anybody may have it."""
    record = run_record.read(launch.home, run_id)
    change(record)
    run_record._write(launch.home, run_id, record)


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["kept"].update({"../../written": "x"}),
        lambda r: r["kept"].update({"../exit": "x"}),
        lambda r: r["kept"].update({"/tmp/exit": "x"}),
        lambda r: r["kept"].update({"1/exit": 5}),
        lambda r: r["kept"].update({"1/exit": "x" * 5000}),
        lambda r: r["files"].update({"../../launch.db": [1, ""]}),
        lambda r: r["files"].update({"1/exit": "x"}),
        lambda r: r["files"].update({"1/exit": [True, ""]}),
        lambda r: r["lost"].update({"..": "x"}),
        lambda r: r["row"].update(id="abcd1234"),
        lambda r: r["row"].update(state="frob"),
        lambda r: r["row"].update(note=["x"]),
        lambda r: r["row"].update(note="\ud800"),
        lambda r: r["row"].update(exit_code=1 << 70),
        lambda r: r["row"].pop("seq"),
        lambda r: r["events"].append(5),
        lambda r: r["events"].append({"run_id": "abcd1234"}),
        lambda r: r.pop("kept"),
        lambda r: r.update(queue=5),
    ],
)
def test_a_record_of_another_shape_is_damaged_and_made_anew(launch, ended, change):
    forged(launch, ended, change)
    launch.close()
    (finding,) = check(launch.home).found
    assert finding.cause == "the record of the run is damaged"
    before = sorted(launch.home.root.rglob("*"))
    assert not repair(launch.home).found
    assert not check(launch.home).found
    new = {path.name for path in set(launch.home.root.rglob("*")) - set(before)}
    assert not new & {"written", "exit"}
    assert run_record.read(launch.home, ended)["row"]["note"] == "n"


def test_nothing_is_put_back_through_a_link(launch, ended, tmp_path):
    directory = launch.home.run(ended)
    (directory / "1").rename(directory / "gone")
    (tmp_path / "elsewhere").mkdir()
    (directory / "1").symlink_to(tmp_path / "elsewhere")
    launch.close()
    report = repair(launch.home)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert [finding.place for finding in report.found] == [f"runs/{ended}/1/exit"]


def test_a_repair_wants_the_directory_for_itself(launch, ended):
    # From a process of its own: a process does not meet its own locks.
    words = [sys.executable, "-m", "launch_tui", "fsck", "--repair", "--home", launch.home.root]
    refused = subprocess.run(words, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr == (
        "launch-tui: another process has the store open. close launch-tui, then try again\n"
    )
    launch.close()
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("stamp", "told"), [((1, 1), "not a launch_tui store"), ((None, 99), "newer launch_tui")]
)
def test_what_is_not_ours_is_refused_and_not_repaired(private_home, stamp, told):
    application, version = stamp
    private_home.mkdir()
    store = Home(private_home).store
    with closing(sqlite3.connect(store)) as made:
        made.execute("CREATE TABLE moz_places (url)")
        made.execute(f"PRAGMA application_id = {application or APPLICATION_ID}")
        made.execute(f"PRAGMA user_version = {version}")
        made.commit()
    before = store.read_bytes()
    for act in (check, repair):
        with pytest.raises(StoreError, match=told):
            act(Home(private_home))
    assert store.read_bytes() == before


def test_a_directory_that_is_none_or_not_there(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="is not a directory"):
        check(Home(tmp_path / "file"))
    assert not check(Home(tmp_path / "nowhere")).found
    assert not repair(Home(tmp_path / "nowhere")).found
    assert not (tmp_path / "nowhere").exists()


def test_what_another_program_wrote_is_taken_as_it_is(launch, ended):
    launch.close()
    with closing(sqlite3.connect(launch.home.store)) as other:
        for number in range(300):
            other.execute("INSERT INTO drafts VALUES (?, ?, '')", (f"{number}", "x" * 200))
        other.commit()
    report = repair(launch.home)
    assert not report.found
    assert [f.cause.partition("(")[0] for f, _ in report.mended] == [
        "another program has written into the store "
    ]
    with Launch() as again:
        assert again.db.one("SELECT count(*) FROM drafts")[0] == 300
    assert not check(launch.home).found
